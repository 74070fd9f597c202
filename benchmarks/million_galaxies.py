"""What a million galaxies take: peak memory and time of every stage that sees them all.

Each stage's own script runs in a process of its own. The catalogues are synthetic, and
galaxies share a few tiny images; what the encoder and the dropout passes make of the
chunks is drawn. Images, training and the encoder are not what is measured here; neither
are principal components, whose fit `benchmarks.incremental_pca` measures.

Run it from the project's folder: ``python -m benchmarks.million_galaxies``
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import large_survey, stages
from benchmarks.side_by_side import HEADER, Row
from benchmarks.stages import Cost

__all__ = ["main", "measure"]

_OF_PARTS = {
    *("measure_images", "write_shards", "train", "extract_representations"),
    *("predict", "fit_pca", "compress_representations", "find_rings"),
}
"""Stages of one shard or chunk; a model is made of one, principal components too."""

_LABELLED = 0.3
_RESULTS = {
    "catalogues": "*abelled.parquet",
    "splits and shards' tables": "shards/*.parquet",
    "chunks": "chunks/*.parquet",
    "representations": "representations/*",
    "cnn_features": "cnn_features.parquet",
    "predictions": "predictions/*",
    "vote fractions, parquet": "fractions.parquet",
    "vote fractions, csv": "fractions.csv",
    "vote fractions, FITS": "fractions.fits",
    "friendly vote fractions": "friendly_fractions.*",
    "principal components": "pca.*",
    "rings": "rings.[pf]*",
}
"""What is stored, by patterns of file names."""

_MOST_MIB = 1024


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--galaxies", type=int, default=1_000_000)
    parser.add_argument("--chunk", type=int, default=10_000, help="galaxies, most")
    args = parser.parse_args(argv)
    print(HEADER, *measure(args.galaxies, chunk=args.chunk), sep="\n")


def measure(n_galaxies: int = 1_000_000, *, chunk: int = 10_000) -> list[Row]:
    """Run every stage that sees all galaxies.

    Parameters
    ----------
    n_galaxies : int
        Three of ten have votes, one in a thousand is in the ring catalogue, and all in
        another one of labels of one's own.
    chunk : int
        Most galaxies of a chunk.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = stages.Runner(folder, galaxies_per_chunk=chunk)
        large_survey.draw_catalogs(folder, n_galaxies, labelled=_LABELLED)
        stages.run_catalogs(run)
        stages.run_ring_catalog(
            run,
            *("--catalogs", "own_labels.csv", "--kind", "own", "--label", "merger"),
            note=", labels for all",
            catalog="own.csv",
            rejected="not_own.csv",
        )
        stages.run_shard(run)
        stages.run_training(run, "model", n_shards=1)
        stages.run_chunk(run)
        stages.run_joins(run, n_to_fit=1)
        stages.run_rings(run)
        stages.run_evaluation(run)
        n_chunks = len(run.files("chunks/*.parquet"))
        sizes = {name: _bytes_of(run, pattern) for name, pattern in _RESULTS.items()}
    disk = ", ".join(f"{name} {n / n_galaxies:.0f}" for name, n in sizes.items())
    print(
        f"{n_galaxies} galaxies, in {n_chunks} chunks. Bytes a galaxy on disk: {disk}."
    )
    return [
        _row(stage, cost, n_galaxies)
        for stage, cost in run.costs.items()
        if stage not in _OF_PARTS
    ]


def _bytes_of(run: stages.Runner, pattern: str) -> int:
    return sum((run.folder / path).stat().st_size for path in run.files(pattern))


def _row(stage: str, cost: Cost, n_galaxies: int) -> Row:
    return Row(
        what=f"peak memory of {stage}, {n_galaxies} galaxies",
        against=f"- ({cost.core_seconds:.0f} s of processors, in {cost.seconds:.0f} s)",
        measured=cost.peak_mib,
        least=cost.peak_mib,
        most=cost.peak_mib,
        bar=_MOST_MIB,
        better="less",
        unit=" MiB",
    )


if __name__ == "__main__":
    main()
