"""Peak memory of each stage, for surveys of two sizes.

Each stage's own script runs in a process of its own, on stand-ins for the results of
the stages before it. Stages of one shard or one chunk get one of the same size in both.

Run it from the project's folder: ``python -m benchmarks.memory``
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import large_survey, stages
from benchmarks.side_by_side import HEADER, Row

__all__ = ["main", "measure"]

CHUNK = 5000
MIB = 2**20


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--few", type=int, default=10_000, help="galaxies")
    parser.add_argument("--many", type=int, default=100_000, help="galaxies")
    args = parser.parse_args(argv)
    print(HEADER, *measure(args.few, args.many), sep="\n")


def measure(few: int = 10_000, many: int = 100_000) -> list[Row]:
    """Run every stage for a survey of few galaxies and for one of many.

    Stages that know one shard or one chunk only run once; their peaks are printed.
    """
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        small = _peaks_of_stages(Path(one), few)
        large = _peaks_of_stages(Path(other), many, parts_from=Path(one))
    of_parts = [f"{stage} {small[stage]:.0f}" for stage in small if stage not in large]
    print(f"Peak memory, MiB, of one shard or chunk: {', '.join(of_parts)}.\n")
    return [_row(stage, small[stage], large[stage], few, many) for stage in large]


def _row(stage: str, less: float, more: float, few: int, many: int) -> Row:
    growth = (more - less) * MIB / (many - few)
    return Row(
        what=f"peak memory of {stage}, {many} galaxies ({more:.0f} MiB)",
        against=f"{few} galaxies ({less:.0f} MiB; {growth:+.0f} bytes a galaxy)",
        measured=more / less,
        least=more / less,
        most=more / less,
        bar=1.1,
        better="less",
    )


def _peaks_of_stages(
    folder: Path, n_galaxies: int, *, parts_from: Path | None = None
) -> dict[str, float]:
    """Peak memory of each stage, MiB, for a survey of so many galaxies.

    Parameters
    ----------
    folder : Path
        An empty folder to work in.
    n_galaxies : int
        Four of five have votes.
    parts_from : Path, optional
        Where this ran before: stages of one shard or chunk are not run again.
    """
    run = stages.Runner(folder, galaxies_per_chunk=CHUNK)
    large_survey.draw_catalogs(folder, n_galaxies)
    stages.run_catalogs(run)
    if parts_from:
        for name in ("one.tfrecord", "model", "one.hdf5", "predicted.hdf5"):
            (folder / name).symlink_to(parts_from / name)
        stages.run_training(run, "another_model")
    else:
        stages.run_shard(run)
        stages.run_training(run, "model")
        stages.run_chunk(run)
    stages.run_joins(run)
    stages.run_rings(run)
    stages.run_evaluation(run)
    return {stage: cost.peak_mib for stage, cost in run.costs.items()}


if __name__ == "__main__":
    main()
