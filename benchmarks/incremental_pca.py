"""How long the compression of representations takes, and how much memory it needs.

Representations are drawn once from a model of few directions and noise and kept in HDF5
files. Ours reads them from there, fits, projects and writes all its files; scikit-learn
fits and projects an array in memory, with the same batches and components. Their times
grow with the number of galaxies, so that the ratio is measured at fewer; the peak of
memory at all of them, in a process of its own. All in one thread, as the workflow runs
it: with more, linear algebra suffers most where other work shares the cores.

Run it from the project's folder: ``python -m benchmarks.incremental_pca``
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from sklearn.decomposition import IncrementalPCA
from threadpoolctl import threadpool_limits

from benchmarks.galaxies import FOLDER
from benchmarks.side_by_side import HEADER, Row, ratio_row, seconds_of_rounds
from zoobot.data_utils import hdf5
from zoobot.representations.compress_representations import compress_representations
from zoobot.representations.fit_pca import fit_pca
from zoobot.settings.representations import CompressRepresentations

__all__ = ["main", "measure"]

N_FEATURES = 1280
PER_FILE = 10_000
DATASET = "representations"


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--galaxies", type=int, default=20_000, help="galaxies of each timed round"
    )
    parser.add_argument(
        "--full", type=int, default=200_000, help="galaxies for the peak of memory"
    )
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds")
    parser.add_argument("--components", type=int, default=40, help="components kept")
    parser.add_argument("--batch-size", type=int, default=512, help="galaxies a step")
    args = parser.parse_args(argv)
    settings = CompressRepresentations(
        n_components=args.components, batch_size=args.batch_size
    )
    rows = measure(
        args.galaxies, n_full=args.full, rounds=args.rounds, settings=settings
    )
    print(HEADER, *rows, sep="\n")


def measure(
    n_galaxies: int = 20_000,
    *,
    n_full: int = 200_000,
    rounds: int = 3,
    settings: CompressRepresentations | None = None,
) -> list[Row]:
    """The ratio of times, and the peak of memory.

    Parameters
    ----------
    n_galaxies : int
        Galaxies of each timed round; a multiple of 10,000.
    n_full : int
        Galaxies for the peak of memory; a multiple of 10,000.
    rounds : int
        How often each is timed.
    settings : CompressRepresentations, optional
        40 components in batches of 512, if not given.
    """
    if settings is None:
        settings = CompressRepresentations(n_components=40, batch_size=512)
    memory = _memory_row(representations_of(n_full), settings)
    with threadpool_limits(1):
        ratio = _ratio_row(representations_of(n_galaxies), settings, rounds)
    return [ratio, memory]


def representations_of(n_galaxies: int) -> list[Path]:
    """Files of so many representations in all, drawn if they are not there yet."""
    folder = FOLDER / f"representations_{N_FEATURES}"
    paths = [folder / f"{i}.hdf5" for i in range(-(-n_galaxies // PER_FILE))]
    for i, path in enumerate(paths):
        if not path.is_file():
            _draw(path, first=i * PER_FILE)
    return paths


def _draw(path: Path, *, first: int) -> None:
    """60 directions of falling variance, and noise; PER_FILE galaxies, float32."""
    scale = 3 * 0.93 ** np.arange(60, dtype=np.float32)
    directions = np.random.default_rng(0).normal(size=(len(scale), N_FEATURES))
    directions *= scale[:, None] / np.sqrt(N_FEATURES)
    rng = np.random.default_rng([1, first])
    values = rng.normal(size=(PER_FILE, len(scale))) @ directions
    values += 0.02 * rng.normal(size=values.shape)
    with hdf5.create(
        path,
        dataset=DATASET,
        id_str=[f"galaxy_{i:07d}" for i in range(first, first + PER_FILE)],
        label_cols=[f"feat_{i}" for i in range(N_FEATURES)],
        attributes={"model_digest": "drawn"},
    ) as dataset:
        dataset[:] = values


def _ratio_row(
    paths: list[Path], settings: CompressRepresentations, rounds: int
) -> Row:
    representations = np.concatenate([_read(path) for path in paths])

    def scikit_learn() -> None:
        pca = IncrementalPCA(settings.n_components, batch_size=settings.batch_size)
        pca.fit(representations).transform(representations)

    seconds = seconds_of_rounds(
        {"ours": lambda: _compress(paths, settings), "scikit-learn": scikit_learn},
        rounds=rounds,
        warm_up=0,
    )
    speeds = [
        f"{name} {len(representations) / np.median(each):.0f}"
        for name, each in seconds.items()
    ]
    print(f"IncrementalPCA, galaxies/s: {', '.join(speeds)}.")
    return ratio_row(
        seconds["ours"],
        seconds["scikit-learn"],
        what=f"IncrementalPCA of {len(representations):,} x {N_FEATURES}, time",
        against="scikit-learn on an array in memory",
        bar=1.2,
        better="less",
    )


def _memory_row(paths: list[Path], settings: CompressRepresentations) -> Row:
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        peak = pool.apply(_peak_gb, (paths, settings))
    n_galaxies = len(paths) * PER_FILE
    took = time.perf_counter() - start
    print(f"IncrementalPCA of {n_galaxies:,} galaxies took {took:.0f} s.")
    return Row(
        what=f"IncrementalPCA of {n_galaxies:,} x {N_FEATURES}, peak memory",
        against="-",
        measured=peak,
        least=peak,
        most=peak,
        bar=1.0,
        better="less",
        unit=" GB",
    )


def _peak_gb(paths: list[Path], settings: CompressRepresentations) -> float:
    """Peak resident memory of this process after the work, libraries included."""
    with threadpool_limits(1):
        _compress(paths, settings)
    # resource.getrusage would do, but a process inherits its parent's peak there.
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(line for line in status if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024 / 1e9


def _compress(paths: list[Path], settings: CompressRepresentations) -> None:
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "model.npz")
        fit_pca(
            paths,
            model=model,
            variance=Path(folder, "variance.csv"),
            figure=Path(folder, "variance.png"),
            settings=settings,
        )
        for path in paths:
            compress_representations(
                path,
                model=model,
                compressed=Path(folder, f"{path.stem}.parquet"),
                settings=settings,
            )


def _read(path: Path) -> np.ndarray:
    with h5py.File(path, "r") as file:
        return file[DATASET][()]


if __name__ == "__main__":
    main()
