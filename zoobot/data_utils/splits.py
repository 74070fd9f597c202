"""Which galaxies train, validate and are held out, and the parts that jobs work on."""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from zoobot.data_utils.content_cuts import cut_by_content, piece_name
from zoobot.files import written_whole
from zoobot.logs import track
from zoobot.settings.catalog import ChunkCatalog, SplitCatalog
from zoobot.tables.parquet_pieces import n_rows, read_batches, write_table

__all__ = [
    "ORDER",
    "assign_parts",
    "chunk_catalog",
    "part_of",
    "split_catalog",
    "uniform_of",
]

ORDER = "order.txt"
"""File beside shards or chunks: their names, in the order of the catalogue."""

_PARTS = ("train", "val", "test")
_LISTS = ("labelled", "unlabelled")
_CHUNK_COLS = ("id_str", "file_loc", "image_digest")
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
    uniform = uniform_of(id_str, seed=seed)
    if uniform < train:
        return "train"
    return "val" if uniform < train + val else "test"


def uniform_of(id_str: str, *, seed: int, purpose: str = "split") -> float:
    """Hash of a galaxy's id, uniform from 0 to 1.

    Parameters
    ----------
    id_str : str
        The galaxy.
    seed : int
        Another seed gives another number.
    purpose : str
        So does another purpose.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}/{id_str}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


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
        Gets ``{split}_{name}.parquet`` as `content_cuts` cuts and names them, and
        `ORDER`; such files of an earlier run go.
    settings : SplitCatalog
        Shares, seed and size of a shard.

    Raises
    ------
    ValueError
        If a split has no galaxy.
    """
    codes = _part_codes(labelled, settings)
    _log.info("read %d labelled galaxies from %s", len(codes), labelled)
    _check_parts(codes, settings)
    folder = Path(shards_folder)
    _remove_pieces(folder, _PARTS)
    catalogs = (train_catalog, val_catalog, test_catalog)
    names = []
    for code, (part, path) in enumerate(zip(_PARTS, catalogs, strict=True)):
        shards = _shards(labelled, codes == code, size=settings.galaxies_per_shard)
        with written_whole(path) as beside:
            names += _write_part(beside, shards, folder=folder, part=part)
    _write_order(folder, names)


def chunk_catalog(
    labelled: str | Path,
    *,
    unlabelled: str | Path,
    chunks_folder: str | Path,
    settings: ChunkCatalog,
) -> None:
    """Cut the labelled and the unlabelled galaxies into chunks to predict.

    Each list by itself, so that the one can grow without moving the other. A chunk has
    what the predictions depend on, and no votes: corrected votes leave it as it is.

    Parameters
    ----------
    labelled, unlabelled : path
        Parquet with id_str, file_loc and image_digest.
    chunks_folder : path
        Gets ``{list}_{name}.parquet`` as `content_cuts` cuts and names them, list
        being labelled or unlabelled, and `ORDER`; such files of an earlier run go.
    settings : ChunkCatalog
        Size of a chunk.

    Raises
    ------
    ValueError
        If there is no galaxy.
    """
    sources = dict(zip(_LISTS, (labelled, unlabelled), strict=True))
    n_galaxies = sum(n_rows(path) for path in sources.values())
    if n_galaxies == 0:
        raise ValueError(f"{labelled}, {unlabelled}: expected galaxies, found none")
    folder = Path(chunks_folder)
    _remove_pieces(folder, _LISTS)
    size = settings.galaxies_per_chunk
    chunks = (
        (f"{name}_{piece_name(chunk)}", chunk)
        for name, path in sources.items()
        for chunk in cut_by_content(read_batches(path, columns=_CHUNK_COLS), size=size)
    )
    names = []
    for name, chunk in track(chunks, total=n_galaxies, what="galaxies", size=_n_rows):
        write_table(chunk, folder / f"{name}.parquet")
        names.append(name)
    _write_order(folder, names)
    _log.info("wrote %d galaxies, %d chunks, to %s", n_galaxies, len(names), folder)


def _part_codes(labelled: str | Path, settings: SplitCatalog) -> np.ndarray:
    """Number of each galaxy's part, (n_galaxies,) uint8: little to hold in memory."""
    codes = [np.empty(0, np.uint8)]
    for rows in read_batches(labelled, columns=["id_str"]):
        parts = assign_parts(rows["id_str"].to_pylist(), settings=settings)
        codes.append(np.array([_PARTS.index(part) for part in parts], np.uint8))
    return np.concatenate(codes)


def _shards(
    labelled: str | Path, is_mine: np.ndarray, *, size: int
) -> Iterator[pa.Table]:
    """Galaxies of one part, a shard at a time."""

    def mine() -> Iterator[pa.Table]:
        start = 0
        for rows in read_batches(labelled):
            yield rows.filter(pa.array(is_mine[start : start + len(rows)]))
            start += len(rows)

    shards = cut_by_content(mine(), size=size)
    return track(shards, total=int(is_mine.sum()), what="galaxies", size=len)


def _write_part(
    path: Path, shards: Iterator[pa.Table], *, folder: Path, part: str
) -> list[str]:
    """Write a part's galaxies together to `path`, and each shard; give their names."""
    first = next(shards)
    names = []
    n_galaxies = 0
    with pq.ParquetWriter(path, first.schema) as writer:
        for shard in itertools.chain([first], shards):
            writer.write_table(shard)
            names.append(f"{part}_{piece_name(shard)}")
            write_table(shard, folder / f"{names[-1]}.parquet")
            n_galaxies += len(shard)
    _log.info("wrote %d %s galaxies, %d shards", n_galaxies, part, len(names))
    return names


def _check_parts(codes: np.ndarray, settings: SplitCatalog) -> None:
    for code, part in enumerate(_PARTS):
        if code not in codes:
            share = getattr(settings, part)
            raise ValueError(
                f"split_catalog.{part}: found {share}, which gives none of "
                f"{len(codes)} labelled galaxies; expected at least one in each split "
                "(label more galaxies, or raise this share)"
            )


def _remove_pieces(folder: Path, kinds: Sequence[str]) -> None:
    """Remove pieces of an earlier run, among them those that no longer are."""
    folder.mkdir(parents=True, exist_ok=True)
    pattern = rf"({'|'.join(kinds)})_[0-9a-f]+\.parquet|{re.escape(ORDER)}"
    stale = [path for path in folder.iterdir() if re.fullmatch(pattern, path.name)]
    for path in stale:
        path.unlink()
    if stale:
        _log.info("removed %d files of an earlier run from %s", len(stale), folder)


def _write_order(folder: Path, names: Sequence[str]) -> None:
    with written_whole(folder / ORDER) as beside:
        beside.write_text("".join(f"{name}\n" for name in names))


def _n_rows(chunk: tuple[str, pa.Table]) -> int:
    return len(chunk[1])
