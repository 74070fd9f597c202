"""Time of processors that a galaxy takes in each stage that decodes its image.

Each stage's own script runs for few galaxies and for many: the difference is what the
galaxies take, without the start of the program. Images have 424 pixels, shards 300, the
network sees 224, as in the papers. Time of processors, unlike time on the clock, hardly
depends on what else the machine does; on several cores divide it by their number.
Training is not here: `benchmarks.training_step` measures it.

Run it from the project's folder: ``python -m benchmarks.core_time``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks import stages
from benchmarks.galaxies import catalog_of
from benchmarks.large_survey import SCHEMA
from benchmarks.models import write_model
from benchmarks.side_by_side import HEADER, Row

__all__ = ["main", "measure"]

_FORMATS = ("jpg", "png")
_MORE = 8  # times as many galaxies for stages that take less than the sweep
_SWEEP = "extract_representations"


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--few", type=int, default=64, help="galaxies that are swept")
    add("--many", type=int, default=384, help="galaxies that are swept")
    args = parser.parse_args(argv)
    print(HEADER, *measure(args.few, args.many), sep="\n")


def measure(few: int = 64, many: int = 384) -> list[Row]:
    """Run each stage for few galaxies and for many; print what a galaxy takes.

    Checking an image, which every catalogue needs, is set against its sweep.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = write_model(Path(folder, "model"))
        less, more = (
            _core_seconds(Path(folder, str(n)), n, model=model) for n in (few, many)
        )
    each = {}
    for stage in more:
        n_galaxies = (many - few) * (1 if stage.startswith(_SWEEP) else _MORE)
        each[stage] = 1000 * (more[stage] - less[stage]) / n_galaxies
    times = ", ".join(f"{stage} {time:.2g}" for stage, time in each.items())
    print(f"Core milliseconds a galaxy: {times}.")
    return [_row(each, file_format) for file_format in _FORMATS]


def _row(each: dict[str, float], file_format: str) -> Row:
    sweep = each[f"{_SWEEP} of {file_format}"]
    ratio = each[f"prepare_catalog of {file_format}"] / sweep
    return Row(
        what=f"core time of prepare_catalog, {file_format}",
        against=f"that of the sweep of one member, {sweep:.0f} ms a galaxy",
        measured=ratio,
        least=ratio,
        most=ratio,
        bar=0.5,
        better="less",
    )


def _core_seconds(folder: Path, n_swept: int, *, model: Path) -> dict[str, float]:
    """Time of each stage."""
    folder.mkdir()
    run = stages.Runner(folder, galaxies_per_chunk=n_swept)
    for file_format in _FORMATS:
        _run_images(run, file_format, n_swept)
        chunk = pd.read_parquet(folder / f"{file_format}.parquet")[:n_swept]
        chunk.to_parquet(folder / "chunk.parquet", index=False)
        run(
            _SWEEP,
            *("--chunk", "chunk.parquet", "--model", str(model)),
            *("--representations", "one.hdf5"),
            note=f" of {file_format}",
        )
    return {stage: cost.core_seconds for stage, cost in run.costs.items()}


def _run_images(run: stages.Runner, file_format: str, n_swept: int) -> None:
    """Stages that take less than the sweep."""
    catalog = catalog_of(_MORE * n_swept, file_format=file_format)
    catalog.to_csv(run.folder / "labelled.csv", index=False)
    catalog[:0].to_csv(run.folder / "unlabelled.csv", index=False)
    table, note = f"{file_format}.parquet", f" of {file_format}"
    run(
        "prepare_catalog",
        *("--schema", SCHEMA, "--data-folder", ".", "--rejected", "rejected.csv"),
        *("--labelled", table, "--unlabelled", "unlabelled.parquet"),
        note=note,
    )
    run(
        "measure_images",
        *("--galaxies", table, "--statistics", "statistics.parquet"),
        note=note,
    )
    for encoding in ("raw", "jpeg"):
        run(
            "write_shards",
            *("--catalog", table, "--shard", "one.tfrecord"),
            *("--image-size-px", "300", "--encoding", encoding),
            note=f"{note} as {encoding}",
        )
        size = (run.folder / "one.tfrecord").stat().st_size / len(catalog)
        print(f"A galaxy of {encoding} shards takes {size:.0f} bytes.", file=sys.stderr)


if __name__ == "__main__":
    main()
