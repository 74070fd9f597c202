"""Simple statistics of many images, as a table."""

from __future__ import annotations

import functools
import logging
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.data_utils.image_statistics import STATISTICS, image_statistics
from zoobot.data_utils.images import load_image
from zoobot.files import written_whole
from zoobot.logs import track
from zoobot.settings.evaluation import MeasureImages
from zoobot.tables.read_tables import as_ids, as_text, read_table

__all__ = ["measure_images"]

log = logging.getLogger(__name__)

_GALAXIES_PER_CHUNK = 64


def measure_images(
    galaxies: str | Path,
    *,
    statistics: str | Path,
    settings: MeasureImages,
    n_processes: int = 1,
) -> None:
    """Measure the images of a table of galaxies.

    Parameters
    ----------
    galaxies : str or Path
        Parquet table with id_str and file_loc.
    statistics : str or Path
        Parquet table to write: id_str, in the same order, and a float32 column for each
        of `STATISTICS`.
    settings : MeasureImages
        Size at which images are measured.
    n_processes : int
        Processes that measure.

    Raises
    ------
    ValueError
        If `n_processes` is less than 1, or a column or an image cannot be read.
    """
    if n_processes < 1:
        raise ValueError(f"n_processes: found {n_processes}, expected at least 1")
    table = read_table(galaxies, columns=["id_str", "file_loc"])
    ids, _ = as_ids(table)
    paths = list(as_text(table, "file_loc"))
    chunks = track(
        _measured_chunks(paths, settings, n_processes),
        total=len(paths),
        what="galaxies",
        size=_GALAXIES_PER_CHUNK,
    )
    none = np.empty((0, len(STATISTICS)), np.float32)
    measured = pd.DataFrame(np.concatenate([none, *chunks]), columns=list(STATISTICS))
    measured.insert(0, "id_str", ids.to_numpy())
    with written_whole(statistics) as beside:
        measured.to_parquet(beside, index=False)
    log.info(
        "wrote %d statistics of %d galaxies to %s",
        *(len(STATISTICS), len(ids), statistics),
    )


def _measured_chunks(
    paths: list[str], settings: MeasureImages, n_processes: int
) -> Iterator[np.ndarray]:
    starts = range(0, len(paths), _GALAXIES_PER_CHUNK)
    chunks = [paths[start : start + _GALAXIES_PER_CHUNK] for start in starts]
    measure = functools.partial(_measure_chunk, size_px=settings.image_size_px)
    if n_processes == 1 or len(chunks) < 2:
        yield from map(measure, chunks)
        return
    # A forked child of a process with threads can hang.
    context = multiprocessing.get_context("spawn")
    workers = min(n_processes, len(chunks))
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(measure, chunks)


def _measure_chunk(paths: list[str], *, size_px: int) -> np.ndarray:
    """Statistics of some images, (n_images, n_statistics) float32."""
    rows = [
        list(image_statistics(load_image(path, size_px=size_px)).values())
        for path in paths
    ]
    return np.array(rows, dtype=np.float32)
