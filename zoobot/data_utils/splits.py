"""Which galaxies train, validate and are held out, and the parts that jobs work on."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.files import written_whole
from zoobot.settings.catalog import ChunkCatalog, SplitCatalog

__all__ = ["assign_parts", "chunk_catalog", "part_of", "slices", "split_catalog"]

_PARTS = ("train", "val", "test")
_log = logging.getLogger(__name__)


def part_of(id_str: str, *, train: float, val: float, seed: int) -> str:
    """Decide a galaxy's part by its id alone, whatever other galaxies there are.

    Parameters
    ----------
    id_str : str
        The galaxy.
    train, val : float
        Shares that train and validate; the rest is held out.
    seed : int
        Another seed gives another split.

    Returns
    -------
    str
        ``train``, ``val`` or ``test``.
    """
    digest = hashlib.sha256(f"{seed}/split/{id_str}".encode()).digest()
    uniform = int.from_bytes(digest[:8], "big") / 2**64
    if uniform < train:
        return "train"
    return "val" if uniform < train + val else "test"


def assign_parts(id_str: Sequence[str], *, settings: SplitCatalog) -> np.ndarray:
    """Decide the part of each galaxy.

    Parameters
    ----------
    id_str : (n_galaxies,) sequence of str
        The galaxies.
    settings : SplitCatalog
        Shares and seed.

    Returns
    -------
    (n_galaxies,) str
        ``train``, ``val`` or ``test``.
    """
    train, val, seed = settings.train, settings.val, settings.seed
    parts = [part_of(one, train=train, val=val, seed=seed) for one in id_str]
    return np.array(parts, dtype="<U5")


def slices(n: int, *, size: int) -> list[slice]:
    """Cut n rows into runs of `size`, the last one shorter if they do not fit."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def split_catalog(
    labelled: str | Path,
    *,
    train_catalog: str | Path,
    val_catalog: str | Path,
    test_catalog: str | Path,
    shards_folder: str | Path,
    settings: SplitCatalog,
) -> None:
    """Split the labelled galaxies, and cut each split into shards.

    Parameters
    ----------
    labelled : path
        Parquet with id_str.
    train_catalog, val_catalog, test_catalog : path
        Parquet to write, the rows and columns of `labelled`, in its order.
    shards_folder : path
        Gets ``{split}_{i}.parquet``, i from 0; such files of an earlier run go.
    settings : SplitCatalog
        Shares, seed and size of a shard.

    Raises
    ------
    ValueError
        If a split has no galaxy.
    """
    galaxies = pd.read_parquet(labelled)
    _log.info("read %d labelled galaxies from %s", len(galaxies), labelled)
    parts = assign_parts(galaxies["id_str"], settings=settings)
    _check_parts(parts, settings)
    _remove_parts(Path(shards_folder), r"(train|val|test)_[0-9]+\.parquet")
    catalogs = (train_catalog, val_catalog, test_catalog)
    for part, path in zip(_PARTS, catalogs, strict=True):
        mine = galaxies[parts == part]
        _write(mine, path)
        shards = slices(len(mine), size=settings.galaxies_per_shard)
        for i, rows in enumerate(shards):
            _write(mine.iloc[rows], Path(shards_folder) / f"{part}_{i}.parquet")
        _log.info("wrote %d %s galaxies, %d shards", len(mine), part, len(shards))


def chunk_catalog(
    labelled: str | Path,
    *,
    unlabelled: str | Path,
    chunks_folder: str | Path,
    settings: ChunkCatalog,
) -> None:
    """Cut all galaxies, labelled then unlabelled, into chunks to predict.

    Parameters
    ----------
    labelled, unlabelled : path
        Parquet with id_str and file_loc.
    chunks_folder : path
        Gets ``{i}.parquet``, i from 0; such files of an earlier run go.
    settings : ChunkCatalog
        Size of a chunk.

    Raises
    ------
    ValueError
        If there is no galaxy.
    """
    columns = ["id_str", "file_loc"]
    tables = [pd.read_parquet(path, columns=columns) for path in (labelled, unlabelled)]
    galaxies = pd.concat(tables, ignore_index=True)
    if galaxies.empty:
        raise ValueError(f"{labelled}, {unlabelled}: expected galaxies, found none")
    _remove_parts(Path(chunks_folder), r"[0-9]+\.parquet")
    chunks = slices(len(galaxies), size=settings.galaxies_per_chunk)
    for i, rows in enumerate(chunks):
        _write(galaxies.iloc[rows], Path(chunks_folder) / f"{i}.parquet")
    _log.info("wrote %d galaxies in %d chunks", len(galaxies), len(chunks))


def _check_parts(parts: np.ndarray, settings: SplitCatalog) -> None:
    for part in _PARTS:
        if part not in parts:
            share = getattr(settings, part)
            raise ValueError(
                f"split_catalog.{part}: found {share}, which gives none of "
                f"{len(parts)} labelled galaxies; expected at least one in each split "
                "(label more galaxies, or raise this share)"
            )


def _remove_parts(folder: Path, pattern: str) -> None:
    """Remove parts of an earlier run: jobs are made from the files in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    stale = [path for path in folder.iterdir() if re.fullmatch(pattern, path.name)]
    for path in stale:
        path.unlink()
    if stale:
        _log.info("removed %d files of an earlier run from %s", len(stale), folder)


def _write(galaxies: pd.DataFrame, path: str | Path) -> None:
    with written_whole(path) as beside:
        galaxies.to_parquet(beside, index=False)
