"""How long the intervals of vote fractions take, and how much memory they need.

Times `zoobot.predictions.vote_fractions.intervals` side by side with a yardstick,
SciPy's quantile of every component of the mixtures at both ends of the interval. (The
quantile of a mixture is none of its components' quantiles; a method that brackets it
by the least and the largest of them would start with this work.) Then it times the full
size, and measures the peak memory at two sizes, each in a process of its own.

Run it from the project's folder: ``python -m benchmarks.posterior_intervals``
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from scipy.special import betaincinv, expit

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
    parser.add_argument("--schema", default="gz_decals", help="decision tree")
    parser.add_argument("--passes", type=int, default=15, help="passes times members")
    parser.add_argument("--threads", type=int, default=2, help="threads")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds")
    parser.add_argument(
        "--galaxies", type=int, default=1000, help="galaxies in each round"
    )
    parser.add_argument(
        "--full",
        type=int,
        nargs="*",
        default=[25_000, 100_000],
        help="galaxies of the full runs, whose memory is measured; none to leave out",
    )
    args = parser.parse_args(argv)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, ", end="")
    print(f"{args.threads} threads, schema {args.schema}, {args.passes} passes")
    print_rounds(args)
    if args.full:
        print_full_sizes(args)


def print_rounds(args: argparse.Namespace) -> None:
    """Ours and the yardstick in turn, so that other work on the machine hits both."""
    values = draw(args.galaxies, schema=args.schema, n_passes=args.passes)
    seconds: dict[str, list[float]] = {"intervals": [], "yardstick": []}
    for _ in range(args.rounds):
        seconds["intervals"].append(timed(lambda: ours(values, args)))
        seconds["yardstick"].append(timed(lambda: yardstick(values, args)))
    ratios = np.divide(seconds["intervals"], seconds["yardstick"])
    print(f"\n{args.rounds} rounds of {args.galaxies} galaxies")
    print(f"{'':12}{'median':>10}{'lowest':>10}{'highest':>10}")
    for name, each in (*seconds.items(), ("ratio", ratios)):
        unit = "" if name == "ratio" else " s"
        spread = (np.median(each), np.min(each), np.max(each))
        print(f"{name:12}" + "".join(f"{x:>10.3f}" for x in spread) + unit)


def print_full_sizes(args: argparse.Namespace) -> None:
    """Time and peak memory, each size in a fresh process."""
    names = ("galaxies", "s", "CPU s", "peak", "before", "result", "work")
    print("\n" + "".join(f"{name:>9}" for name in names))
    context = multiprocessing.get_context("spawn")
    for n_galaxies in args.full:
        with context.Pool(1) as pool:
            found = pool.apply(full_size, (n_galaxies, args))
        print("".join(f"{x:>9.0f}" for x in (n_galaxies, *found)))
    print(
        "Memory in MiB: peak of the process; before the call, with the concentrations; "
        "of\nthe result; and what the work took, peak - before - result. Where other "
        "jobs share\nthe cores, CPU s / threads is the time on idle ones."
    )


def full_size(n_galaxies: int, args: argparse.Namespace) -> tuple[float, ...]:
    """Seconds, seconds of all threads, and MiB: peak, before, result, work."""
    values = draw(n_galaxies, schema=args.schema, n_passes=args.passes)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    before = pages * resource.getpagesize() / MIB
    cpu_start = time.process_time()
    seconds = timed(lambda: ours(values, args))
    cpu_seconds = time.process_time() - cpu_start
    # Linux counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB
    result = 2 * n_galaxies * values.shape[1] * 8 / MIB
    return seconds, cpu_seconds, peak, before, result, peak - before - result


def ours(values: np.ndarray, args: argparse.Namespace) -> object:
    """The intervals of the library."""
    return vote_fractions.intervals(
        values,
        schema=get_schema(args.schema),
        interval=INTERVAL,
        n_threads=args.threads,
    )


def yardstick(values: np.ndarray, args: argparse.Namespace) -> object:
    """Both ends of every component by SciPy, in the same blocks and threads."""
    questions = get_schema(args.schema).questions

    def of_block(start: int) -> None:
        block = values[start : start + BLOCK].astype(np.float64)
        for question in questions:
            alpha = block[:, question.columns]
            beta = alpha.sum(axis=1, keepdims=True) - alpha
            for tail in ((1 - INTERVAL) / 2, (1 + INTERVAL) / 2):
                betaincinv(alpha, beta, tail)

    with ThreadPoolExecutor(args.threads) as pool:
        return list(pool.map(of_block, range(0, len(values), BLOCK)))


def draw(n_galaxies: int, *, schema: str, n_passes: int) -> np.ndarray:
    """Concentrations from 0.02 to 100, float32, drawn in blocks to need no memory."""
    rng = np.random.default_rng(0)
    n_answers = len(get_schema(schema).label_cols)
    values = np.empty((n_galaxies, n_answers, n_passes), np.float32)
    for start in range(0, n_galaxies, BLOCK):
        block = values[start : start + BLOCK]
        x = rng.normal(-3, 2, size=(*block.shape[:2], 1))
        block[:] = 0.02 + 100 * expit(x + rng.normal(0, 0.5, size=block.shape))
    return values


def timed(function: Callable[[], object]) -> float:
    """Seconds that passed."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
