"""Whether TFRecord shards still hold all that was written to them.

TFRecords carry checksums, but nothing in them says how many records there are: a file
that ends between two records is a valid shorter one. So each record of a shard says how
many galaxies the shard has.
"""

from __future__ import annotations

import contextlib
import functools
import os
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tensorflow as tf

from zoobot.data_utils.shard_layouts import Layout, layout_of
from zoobot.files import MAKE_ANEW

__all__ = ["check_shards", "check_undamaged", "damage_named"]

# TFRecord: length as uint64, CRC-32C of that, the record, CRC-32C of the record.
_LENGTH = struct.Struct("<Q")
_BEFORE, _BEHIND = 12, 4
_AT_ONCE = 16  # where files are far away, the time goes into waiting for them


@tf.autograph.experimental.do_not_convert  # where a dataset's function calls it
def check_shards(records: Sequence[str | Path]) -> list[Layout]:
    """Check that shards are whole, by the lengths of their records.

    Reads a few bytes of each record, and a shard that has not changed only once.

    Parameters
    ----------
    records : sequence of path
        TFRecords; those made elsewhere need not say how many galaxies they have.

    Returns
    -------
    (n_shards,) list of Layout
        What the first record of each holds.

    Raises
    ------
    ValueError
        If one is missing, empty, or ends within or between records.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(_check_if_changed, records))


@contextlib.contextmanager
def damage_named(records: Sequence[str | Path]) -> Iterator[None]:
    """Turn TensorFlow's error about a wrong checksum into one that names the shard.

    Parameters
    ----------
    records : sequence of path
        The shards that are read in the block.

    Raises
    ------
    ValueError
        If a record is damaged.
    """
    try:
        yield
    except tf.errors.DataLossError as error:
        damaged = next(filter(_is_damaged, records), "one of the shards")
        raise ValueError(
            f"{damaged}: found a damaged record, expected a TFRecord as it was "
            f"written; {MAKE_ANEW}"
        ) from error


def check_undamaged(path: str | Path) -> None:
    """Read a whole shard, as its checksums are compared then.

    Whoever found something odd in a shard asks this first.

    Raises
    ------
    ValueError
        If a record is damaged.
    """
    with damage_named([path]):
        for _ in tf.data.TFRecordDataset(str(path)):
            pass


def _is_damaged(path: str | Path) -> bool:
    try:
        for _ in tf.data.TFRecordDataset(str(path)):
            pass
    except tf.errors.DataLossError:
        return True
    return False


def _check_if_changed(path: str | Path) -> Layout:
    try:
        status = Path(path).stat()
    except OSError as error:
        raise ValueError(
            f"{path}: expected a TFRecord, {os.strerror(error.errno or 0)}"
        ) from error
    return _check(str(path), status.st_size, status.st_mtime_ns)


@functools.cache
def _check(path: str, size: int, changed: int) -> Layout:
    n_records = start = 0
    first = b""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123, a few bytes at a time
        while start < size:
            before = os.pread(file.fileno(), _BEFORE, start)
            length = _LENGTH.unpack_from(before)[0] if len(before) == _BEFORE else size
            end = start + _BEFORE + length + _BEHIND
            if end > size:
                raise ValueError(
                    f"{path}: found a file cut short, or no TFRecord: record "
                    f"{n_records} ends behind the file's {size} bytes; {MAKE_ANEW}"
                )
            first = first or os.pread(file.fileno(), length, start + _BEFORE)
            start, n_records = end, n_records + 1
    layout = layout_of(first)  # of a damaged one its reader finds the damage
    expected = layout.n_galaxies
    if n_records == 0 or n_records != (expected or n_records):
        raise ValueError(
            f"{path}: found {n_records} galaxies, expected "
            f"{expected or 'one or more'}; {MAKE_ANEW}"
        )
    return layout
