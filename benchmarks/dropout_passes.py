"""What five dropout passes cost beside one, and how soon they can be repeated.

From image files to tables of vote fractions: the encoder's sweep, the passes of the
head, the tables; then the passes and tables again, as after a change of ``n_samples``.

Run it from the project's folder: ``python -m benchmarks.dropout_passes``
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.galaxies import catalog_of
from benchmarks.models import write_model
from benchmarks.side_by_side import HEADER, Row, ratio_row, seconds_of_rounds
from zoobot.predictions.dropout_passes import predict
from zoobot.predictions.vote_fraction_tables import TableFiles, summarise
from zoobot.representations.extract import extract_representations
from zoobot.settings.predictions import Predict, SummarisePredictions
from zoobot.settings.representations import ExtractRepresentations


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--galaxies", type=int, default=512, help="galaxies in each round")
    add("--passes", type=int, default=5, help="passes beside one")
    add("--rounds", type=int, default=4, help="interleaved rounds")
    args = parser.parse_args(argv)
    print(HEADER, *measure(**vars(args)), sep="\n")


def measure(*, galaxies: int = 512, passes: int = 5, rounds: int = 4) -> list[Row]:
    """Run the stages in turn; see the options of `main`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder / "model")
        catalog = catalog_of(galaxies, file_format="jpg")
        catalog.to_parquet(folder / "chunk.parquet", index=False)
        _sweep(folder)  # every second round begins with the passes
        seconds = seconds_of_rounds(
            {
                "sweep": lambda: _sweep(folder),
                "one": lambda: _passes_and_tables(folder, n_samples=1),
                "many": lambda: _passes_and_tables(folder, n_samples=passes),
            },
            rounds=rounds,
        )
    # The sweep is the same work for any number of passes, and on a shared machine its
    # time wanders by more than all passes take: both sums get the one of their round.
    sweep, many = seconds["sweep"], seconds["many"]
    from_images = {
        "one": list(map(sum, zip(sweep, seconds["one"], strict=True))),
        "many": list(map(sum, zip(sweep, many, strict=True))),
    }
    return [
        ratio_row(
            from_images["many"],
            from_images["one"],
            what=f"{passes} dropout passes, from images to tables, {galaxies} galaxies",
            against="1 pass",
            bar=1.05,
            better="less",
        ),
        ratio_row(
            many,
            from_images["many"],
            what=f"{passes} passes again after a change of n_samples",
            against="the first run",
            bar=0.05,
            better="less",
        ),
    ]


def _sweep(folder: Path) -> None:
    extract_representations(
        folder / "chunk.parquet",
        model_folder=folder / "model",
        representations=folder / "representations.hdf5",
        settings=ExtractRepresentations(batch_size=64, engine="tensorflow"),
    )


def _passes_and_tables(folder: Path, *, n_samples: int) -> None:
    predict(
        [folder / "representations.hdf5"],
        models=[folder / "model"],
        predictions=folder / "predictions.hdf5",
        settings=Predict(n_samples=n_samples, seed=0),
    )
    advanced, friendly = (
        TableFiles(*(folder / f"{name}.{suffix}" for suffix in suffixes))
        for name in ("advanced", "friendly")
        for suffixes in [("parquet", "csv", "fits")]
    )
    summarise(
        [folder / "predictions.hdf5"],
        advanced=advanced,
        friendly=friendly,
        settings=SummarisePredictions(
            interval=0.9, asked_fraction_min=0.5, next_votes=1
        ),
        n_threads=os.cpu_count() or 1,
    )


if __name__ == "__main__":
    main()
