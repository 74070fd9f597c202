"""How fast training is, beside what it cannot be faster than, and beside plain Keras.

Two ratios of speeds, each of neighbours in time. An epoch as `zoobot.training` runs it
(shards, augmentation, loss, optimiser) is set against as many steps of the same
compiled model on one batch that lies in memory. And steps of our encoder on such a
batch are set against those of the encoder as keras.applications gives it, with the same
head, loss and optimiser.

Run it from the project's folder: ``python -m benchmarks.training_step``
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from benchmarks import shards
from benchmarks.side_by_side import HEADER, Row, ratio_row, seconds_of_rounds
from zoobot.data_utils import tfrecord_datasets
from zoobot.estimators.devices import use_threads
from zoobot.schemas import get_schema
from zoobot.settings.training import Train
from zoobot.training import train
from zoobot.training.batch_progress import BatchProgress
from zoobot.training.compiling import compile_model
from zoobot.training.losses import get_multiquestion_loss

SCHEMA = get_schema("gz_decals")
LOOP_BAR = 0.92
ENCODER_BAR = 1.4


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds")
    args = parser.parse_args(argv)
    use_threads(args.threads)
    print(HEADER)
    for row in measure(args):
        print(row, flush=True)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Sizes of a training."""
    parser.add_argument("--steps", type=int, default=6, help="steps in each round")
    parser.add_argument("--batch-size", type=int, default=32, help="galaxies in a step")
    parser.add_argument("--input-size", type=int, default=224, help="pixels")
    parser.add_argument(
        "--encoding", default="raw", choices=shards.ENCODINGS, help="of the shards"
    )
    parser.add_argument(
        "--precision",
        default="float32",
        choices=["float32", "mixed_bfloat16", "mixed_float16"],
    )
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="threads of TensorFlow"
    )


def measure(args: argparse.Namespace) -> list[Row]:
    """Both ratios of speeds."""
    return [loop_beside_steps(args), ours_beside_plain(args)]


def loop_beside_steps(args: argparse.Namespace) -> Row:
    """An epoch from shards, and as many steps on one batch, of the same model."""
    settings = settings_of(args)
    with tempfile.TemporaryDirectory() as folder:
        shard = shards.written(
            Path(folder),
            n_galaxies=args.steps * args.batch_size,
            encoding=args.encoding,
        )
        model = compiled(shard, settings)
        batches = train.training_batches(
            [shard], SCHEMA.label_cols, settings=settings, seed=settings.seed
        )
        constant = next(batches.as_numpy_iterator())
        seconds = seconds_of_rounds(
            {
                "loop": lambda: model.fit(
                    batches,
                    steps_per_epoch=args.steps,
                    shuffle=False,
                    verbose=0,
                    callbacks=[BatchProgress()],
                ),
                "steps": steps_on(model, constant, n_steps=args.steps),
            },
            rounds=args.rounds,
        )
    return ratio_row(
        seconds["steps"],
        seconds["loop"],
        what=f"training from {args.encoding} shards, {speed(seconds['loop'], args)}",
        against=f"steps on one batch, {speed(seconds['steps'], args)}",
        bar=LOOP_BAR,
        better="more",
    )


def ours_beside_plain(args: argparse.Namespace) -> Row:
    """Steps of both encoders on one batch."""
    settings = settings_of(args)
    with tempfile.TemporaryDirectory() as folder:
        shard = shards.written(
            Path(folder), n_galaxies=args.batch_size, encoding=args.encoding
        )
        batches = train.training_batches(
            [shard], SCHEMA.label_cols, settings=settings, seed=settings.seed
        )
        constant = next(batches.as_numpy_iterator())
        ours = compiled(shard, settings)
        plain = compiled(shard, settings, encoder=plain_encoder(settings))
    seconds = seconds_of_rounds(
        {
            "ours": steps_on(ours, constant, n_steps=args.steps),
            "plain": steps_on(plain, constant, n_steps=args.steps),
        },
        rounds=args.rounds,
    )
    return ratio_row(
        seconds["plain"],
        seconds["ours"],
        what=f"training step, {speed(seconds['ours'], args)}",
        against=f"encoder of keras.applications, {speed(seconds['plain'], args)}",
        bar=ENCODER_BAR,
        better="more",
    )


def settings_of(args: argparse.Namespace) -> Train:
    """The papers' settings at some sizes, one epoch."""
    return Train(
        shards="tfrecords",
        cache="none",
        architecture="EfficientNetB0",
        crop_size_px=225,
        input_size_px=args.input_size,
        shift_max_px=37.0,
        greyscale=True,
        precision=args.precision,
        dropout_rate=0.2,
        drop_connect_rate=0.2,
        concentration_min=0.02,
        concentration_max=100.02,
        batch_size=args.batch_size,
        epochs=1,
        patience=1,
        optimizer="adamw",
        learning_rate=0.001,
        schedule="cosine",
        warmup_epochs=1.0,
        weight_decay=1e-4,
        batch_norm_momentum=0.9,
        seed=42,
    )


def compiled(
    shard: Path, settings: Train, *, encoder: keras.Model | None = None
) -> keras.Model:
    """The model of a training, or the same with another encoder."""
    _, votes = tfrecord_datasets.read_columns([shard], SCHEMA.label_cols)
    _, head, model = train.get_networks(settings, schema=SCHEMA, votes=votes)
    if encoder is not None:
        model = keras.Sequential([encoder, head])
    compile_model(
        model,
        optimizer=train.get_optimizer(settings, steps_per_epoch=100),
        loss=get_multiquestion_loss(SCHEMA.question_index_groups),
    )
    model.optimizer.build(model.trainable_variables)  # as a training does
    return model


def plain_encoder(settings: Train) -> keras.Model:
    """EfficientNetB0 of keras.applications."""
    size = settings.input_size_px
    return keras.applications.EfficientNetB0(
        include_top=False, weights=None, pooling="avg", input_shape=(size, size, 1)
    )


def steps_on(
    model: keras.Model, batch: tuple[np.ndarray, np.ndarray], *, n_steps: int
) -> Callable[[], None]:
    """A function that trains so many steps on one batch."""

    def steps() -> None:
        for _ in range(n_steps):
            model.train_on_batch(*batch)

    return steps


def speed(seconds: list[float], args: argparse.Namespace) -> str:
    """Galaxies per second, the median."""
    return f"{args.steps * args.batch_size / np.median(seconds):.1f} galaxies/s"


if __name__ == "__main__":
    main()
