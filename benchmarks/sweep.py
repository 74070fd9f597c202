"""How fast representations come out of images, beside the encoder's arithmetic alone.

Galaxies come from a raw shard, from jpg and from png files. The yardstick is Keras's
``predict_on_batch`` of the same encoder on one constant batch. Decoding files alone,
on all cores, says what they leave to be gained. Loading and tracing the encoder, some
seconds a job, are not in the ratios: the clock runs from the third batch on, and stops
while others are still being read, so that reading ahead counts as it does in a survey.

Run it from the project's folder: ``python -m benchmarks.sweep``
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks import shards
from benchmarks.galaxies import catalog_of
from benchmarks.models import write_model
from benchmarks.side_by_side import HEADER, Row, ratio_row
from zoobot.data_utils.images import load_image
from zoobot.estimators.define_model import load_encoder
from zoobot.estimators.model_card import load_card
from zoobot.representations.extract import sweep, sweep_shards

FORMATS = ("jpg", "png")
_BEFORE, _AFTER = 2, 4  # batches beside those that are timed


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--batches", type=int, default=4, help="batches timed in each round")
    add("--batch-size", type=int, default=64, help="galaxies in a batch")
    add("--rounds", type=int, default=4, help="interleaved rounds")
    args = parser.parse_args(argv)
    print(HEADER, *measure(**vars(args)), sep="\n")


def measure(*, batches: int = 4, batch_size: int = 64, rounds: int = 4) -> list[Row]:
    """Sweep, encode alone and decode alone in turn; see the options of `main`."""
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        ways = _ways(Path(name), n_batches=batches, batch_size=batch_size)
        for number in range(rounds):
            for way in list(ways) if number % 2 else list(ways)[::-1]:
                seconds.setdefault(way, []).append(ways[way]())
    bare = seconds["bare"]
    bars, alone = {"shards": 0.92, "jpg": 0.92}, {"shards": ""}
    for each in FORMATS:
        share = float(np.median(np.divide(seconds[f"decode {each}"], bare)))
        alone[each] = f" (decoding alone: {share:.2f} of its time)"
        # On cores that the encoder fills, time for decoding is taken from it.
        bars.setdefault(each, round(1 / (1 + share), 3))
    return [
        ratio_row(
            bare,
            seconds[source],
            what=f"sweep for representations, from {source}",
            against=f"predict_on_batch{alone[source]}",
            bar=bar,
            better="more",
        )
        for source, bar in bars.items()
    ]


def _ways(
    folder: Path, *, n_batches: int, batch_size: int
) -> dict[str, Callable[[], float]]:
    """What is timed, and gives the seconds of so many batches."""
    model = write_model(folder / "model")
    card, encoder = load_card(model), load_encoder(model)
    n_galaxies = (n_batches + _BEFORE + _AFTER) * batch_size
    shard = shards.written(folder, n_galaxies=n_galaxies, encoding="raw")
    paths = {
        each: list(catalog_of(n_galaxies, file_format=each)["file_loc"])
        for each in FORMATS
    }
    constant = np.random.default_rng(0).random(
        (batch_size, *encoder.input_shape[1:]), dtype=np.float32
    )

    def sweep_of(source: str) -> Iterator[object]:
        if source == "shards":
            return sweep_shards(encoder, [shard], card=card, batch_size=batch_size)
        return sweep(encoder, paths[source], card=card, batch_size=batch_size)

    def bare() -> Iterator[object]:
        while True:
            yield encoder.predict_on_batch(constant)

    def decoding(file_format: str) -> float:
        few = paths[file_format][: n_batches * batch_size]
        start = time.perf_counter()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(lambda p: load_image(p, size_px=card.image_size_px), few):
                pass
        return time.perf_counter() - start

    ways = {"bare": lambda: _seconds(bare(), n_batches)}
    for source in ("shards", *FORMATS):
        ways[source] = lambda source=source: _seconds(sweep_of(source), n_batches)
    for each in FORMATS:
        ways[f"decode {each}"] = lambda each=each: decoding(each)
    return ways


def _seconds(batches: Iterator[object], n_batches: int) -> float:
    for _ in range(_BEFORE):
        next(batches)
    start = time.perf_counter()
    for _ in range(n_batches):
        next(batches)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
