"""Whether shards, or image files, are read faster than a training step uses them.

Reads them with augmentation, up to the batches that the network takes, beside
training steps on one batch that lies in memory. Each has the machine for itself; in a
training they share it (`benchmarks.training_step`), so that reading must be several
times as fast.

Run it from the project's folder: ``python -m benchmarks.read_shards``
"""

from __future__ import annotations

import argparse
import functools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import tensorflow as tf

from benchmarks import shards, training_step
from benchmarks.side_by_side import HEADER, Row, ratio_row, seconds_of_rounds
from zoobot.data_utils.labelled_galaxies import (
    FileGalaxies,
    LabelledGalaxies,
    ShardGalaxies,
)
from zoobot.estimators.devices import use_threads
from zoobot.training import train

BAR = 3.0
CACHES: tuple[Literal["none", "memory", "file"], ...] = ("none", "memory", "file")


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    training_step.add_options(parser)
    parser.set_defaults(steps=4)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds")
    args = parser.parse_args(argv)
    use_threads(args.threads)
    print(HEADER)
    for row in measure(args):
        print(row, flush=True)


def measure(args: argparse.Namespace) -> list[Row]:
    """The ratio of speeds for each encoding, and for image files with each cache."""
    settings = training_step.settings_of(args)
    columns = training_step.SCHEMA.label_cols
    n_galaxies = args.steps * args.batch_size
    with tempfile.TemporaryDirectory() as folder:
        sources: dict[str, LabelledGalaxies] = {}
        for encoding in shards.ENCODINGS:
            shard = shards.written(
                Path(folder), n_galaxies=n_galaxies, encoding=encoding
            )
            sources[f"{encoding} shards"] = ShardGalaxies([shard])
        for cache in CACHES:
            sources[f"image files, cache {cache}"] = FileGalaxies(
                [Path(folder, shards.CATALOG)],
                image_size=sources["raw shards"].image_size,
                cache=cache,
            )
        batches = {
            name: train.training_batches(
                source, columns, settings=settings, seed=settings.seed
            )
            for name, source in sources.items()
        }
        model = training_step.compiled(shard, settings)
        constant = next(batches["raw shards"].as_numpy_iterator())
        ways: dict[str, Callable[[], object]] = {
            name: functools.partial(read, each) for name, each in batches.items()
        }
        ways["steps"] = training_step.steps_on(model, constant, n_steps=args.steps)
        seconds = seconds_of_rounds(ways, rounds=args.rounds)
    used = training_step.speed(seconds["steps"], args)
    return [
        ratio_row(
            seconds["steps"],
            seconds[name],
            what=f"reading {name}, {training_step.speed(seconds[name], args)}",
            against=f"what the training step uses, {used}",
            bar=BAR,
            better="more",
        )
        for name in batches
    ]


def read(batches: tf.data.Dataset) -> None:
    """All batches, once."""
    for _ in batches:
        pass


if __name__ == "__main__":
    main()
