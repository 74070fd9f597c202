"""How long the intervals of vote fractions take, and how much memory they need.

Times `zoobot.predictions.vote_fractions.intervals`, and measures the peak memory at two
sizes, each in a process of its own.

Run it from the project's folder: ``python -m benchmarks.posterior_intervals``
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import resource
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.special import expit

from benchmarks.side_by_side import HEADER, Row
from zoobot.predictions import vote_fractions
from zoobot.schemas import get_schema

INTERVAL = 0.9
BLOCK = 256
MIB = 2**20


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--schema", default="gz_decals", help="decision tree")
    add("--passes", type=int, default=15, help="passes times members")
    add("--threads", type=int, default=2, help="threads")
    add("--few", type=int, default=25_000, help="galaxies of the smaller full run")
    add("--many", type=int, default=100_000, help="galaxies of the larger full run")
    args = parser.parse_args(argv)
    rows = measure(**vars(args))
    print(HEADER, *rows, sep="\n")


def measure(
    *,
    schema: str = "gz_decals",
    passes: int = 15,
    threads: int = 2,
    few: int = 25_000,
    many: int = 100_000,
) -> list[Row]:
    """Full runs of both sizes; see the options of `main`."""
    options = Options(schema=schema, n_passes=passes, n_threads=threads)
    small, large = (full_size(n, options) for n in (few, many))
    of_large = f"intervals of {many} galaxies, {schema}, {passes} passes"
    return [
        Row(
            what=f"{of_large} ({large.cpu_seconds:.0f} s of {threads} threads)",
            against="-",
            measured=large.seconds,
            least=large.seconds,
            most=large.seconds,
            bar=180,
            better="less",
            unit=" s",
        ),
        Row(
            what=f"{of_large}, memory beside input and result ({large.work:.0f} MiB)",
            against=f"input and result ({large.data:.0f} MiB; {few} galaxies took "
            f"{small.work:.0f} MiB)",
            measured=large.work / large.data,
            least=large.work / large.data,
            most=large.work / large.data,
            bar=0.5,
            better="less",
        ),
    ]


@dataclasses.dataclass(frozen=True)
class Options:
    """What the galaxies are, and who works."""

    schema: str
    n_passes: int
    n_threads: int


@dataclasses.dataclass(frozen=True)
class Full:
    """What one full run took."""

    seconds: float
    cpu_seconds: float
    """Of all threads: where other jobs share the cores, less than it might seem."""
    data: float
    """Concentrations and result, MiB."""
    work: float
    """Peak of the process, less what it held before, less the result, MiB."""


def full_size(n_galaxies: int, options: Options) -> Full:
    """Time and peak memory, in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_full_size, (n_galaxies, options))


def _full_size(n_galaxies: int, options: Options) -> Full:
    values = draw(n_galaxies, options)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    before = pages * resource.getpagesize()
    start, cpu_start = time.perf_counter(), time.process_time()
    vote_fractions.intervals(
        values,
        schema=get_schema(options.schema),
        interval=INTERVAL,
        n_threads=options.n_threads,
    )
    seconds = time.perf_counter() - start
    # Linux counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    result = 2 * n_galaxies * values.shape[1] * 8
    return Full(
        seconds=seconds,
        cpu_seconds=time.process_time() - cpu_start,
        data=(values.nbytes + result) / MIB,
        work=(peak - before - result) / MIB,
    )


def draw(n_galaxies: int, options: Options) -> np.ndarray:
    """Concentrations from 0.02 to 100, float32, drawn in blocks to need no memory."""
    rng = np.random.default_rng(0)
    n_answers = len(get_schema(options.schema).label_cols)
    values = np.empty((n_galaxies, n_answers, options.n_passes), np.float32)
    for start in range(0, n_galaxies, BLOCK):
        block = values[start : start + BLOCK]
        x = rng.normal(-3, 2, size=(*block.shape[:2], 1))
        block[:] = 0.02 + 100 * expit(x + rng.normal(0, 0.5, size=block.shape))
    return values


if __name__ == "__main__":
    main()
