"""How much faster a head learns from stored representations than through the encoder.

Both ways are the ring finder's own: `train_head` on representations in memory, and
`train_encoder` on images, told to unfreeze nothing, so that the same head trains behind
an encoder that stays as it is. What is timed is an epoch, its validation included, once
everything is compiled; making the representations, which is done once, is not in it.

Run it from the project's folder: ``python -m benchmarks.frozen_finetuning``
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import statistics
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import pandas as pd

from benchmarks.galaxies import catalog_of
from benchmarks.side_by_side import HEADER, Row, ratio_row
from zoobot.data_utils.tasks import Task
from zoobot.estimators.define_model import get_encoder
from zoobot.estimators.model_card import ModelCard
from zoobot.schemas import get_schema
from zoobot.settings.finetuning import Finetune
from zoobot.training import keep_best
from zoobot.training.finetune import Labelled, train_encoder, train_head

__all__ = ["main", "measure"]

N_FEATURES = 1280
RING = Task("binary", "ring")
VALIDATION = 8  # one galaxy in so many
CARD = ModelCard(
    schema=get_schema("gz_decals"),
    architecture="EfficientNetB0",
    image_size_px=300,
    crop_size_px=225,
    input_size_px=224,
    shift_max_px=37.0,
    greyscale=True,
    channels=1,
    n_features=N_FEATURES,
    dropout_rate=0.2,
    concentration_min=0.02,
    concentration_max=100.02,
    seed=0,
    member=0,
    n_train=0,
    best_epoch=0,
    val_loss=0.0,
    weights_digest="",
    versions={},
)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--galaxies", type=int, default=512, help="galaxies in all")
    parser.add_argument("--batch-size", type=int, default=64, help="galaxies a step")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds")
    args = parser.parse_args(argv)
    rows = measure(args.galaxies, batch_size=args.batch_size, rounds=args.rounds)
    print(HEADER, *rows, sep="\n")


def measure(
    n_galaxies: int = 512, *, batch_size: int = 64, rounds: int = 3
) -> list[Row]:
    """The ratio of an epoch through the encoder to one on representations.

    Parameters
    ----------
    n_galaxies : int
        Galaxies in all, one in eight of which is for validation; half are rings.
    batch_size : int
        Galaxies in one step.
    rounds : int
        How often each is timed.
    """
    catalog = catalog_of(n_galaxies)
    table = catalog[["id_str", "file_loc"]].assign(label=np.arange(n_galaxies) % 2)
    is_val = np.arange(n_galaxies) // 2 % VALIDATION == 0
    parts = {"train": table[~is_val], "val": table[is_val]}
    galaxies = {part: _labelled(some) for part, some in parts.items()}
    encoder = get_encoder("EfficientNetB0", input_size=224, channels=1)
    seconds: dict[str, list[float]] = {"images": [], "representations": []}
    for _ in range(rounds):
        head, on_representations = _epoch_on_representations(galaxies, batch_size)
        seconds["representations"].append(on_representations)
        on_images = _epoch_on_images(galaxies, encoder, head, batch_size)
        seconds["images"].append(on_images)
    epochs = [f"{statistics.median(seconds[way]):.3g} s on {way}" for way in seconds]
    print(f"An epoch of frozen finetuning takes {', '.join(epochs)}.")
    return [
        ratio_row(
            seconds["images"],
            seconds["representations"],
            what="frozen finetuning, one epoch, times as fast",
            against="the same head trained through the frozen encoder on images",
            bar=50,
            better="more",
        )
    ]


def _labelled(catalog: pd.DataFrame) -> Labelled:
    """Galaxies with random representations, every second one a ring."""
    rng = np.random.default_rng(0)
    return Labelled(
        targets=catalog["label"].to_numpy(np.float32),
        representations=rng.normal(size=(len(catalog), N_FEATURES)).astype(np.float32),
        file_loc=list(catalog["file_loc"]),
    )


def _epoch_on_representations(
    galaxies: dict[str, Labelled], batch_size: int
) -> tuple[keras.Model, float]:
    """The head, and the seconds of the median epoch."""
    with _epoch_ends() as ends:
        head = train_head(
            galaxies, task=RING, card=CARD, settings=_settings(batch_size, epochs=21)
        )
    return head, _median_epoch(ends)


def _epoch_on_images(
    galaxies: dict[str, Labelled],
    encoder: keras.Model,
    head: keras.Model,
    batch_size: int,
) -> float:
    """Seconds of an epoch through the frozen encoder."""
    with _epoch_ends() as ends:
        train_encoder(
            encoder,
            head=head,
            galaxies=galaxies,
            task=RING,
            card=CARD,
            settings=_settings(batch_size, epochs=2),
        )
    return _median_epoch(ends)


def _settings(batch_size: int, *, epochs: int) -> Finetune:
    """The ring finder's settings, for so many epochs of both kinds."""
    return Finetune(
        hidden_units=64,
        dropout_rate=0.75,
        batch_size=batch_size,
        epochs=epochs,
        patience=epochs,
        learning_rate=0.001,
        balance="repeats",
        unfreeze="none",
        unfreeze_blocks=1,
        unfreeze_epochs=epochs,
        unfreeze_learning_rate=0.00001,
        seed=0,
    )


@contextlib.contextmanager
def _epoch_ends() -> Iterator[list[float]]:
    """When each epoch ended, in seconds, as the library's log lines say."""
    ends: list[float] = []

    class Listen(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("epoch "):
                ends.append(record.created)

    listen, level = Listen(), keep_best.log.level
    keep_best.log.addHandler(listen)
    keep_best.log.setLevel(logging.INFO)
    try:
        yield ends
    finally:
        keep_best.log.setLevel(level)
        keep_best.log.removeHandler(listen)


def _median_epoch(ends: list[float]) -> float:
    """Seconds of the median epoch, without the first, in which Keras compiles."""
    return float(np.median(np.diff(ends)))


if __name__ == "__main__":
    main()
