"""Parquet tables of any length, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from zoobot.files import written_whole

__all__ = ["cut", "joined", "n_rows", "opened", "read_batches", "write_table"]

_ROWS = 2048  # in memory at once


def n_rows(path: str | Path) -> int:
    """Count the rows of a parquet table without reading them."""
    return pq.read_metadata(path).num_rows


def opened(path: str | Path) -> pq.ParquetFile:
    """Open a parquet table, of which only what is asked for comes into memory."""
    # Read ahead, what was read would stay in memory till the file is closed.
    return pq.ParquetFile(path, pre_buffer=False)


def read_batches(
    path: str | Path, *, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Read a table some rows at a time.

    Parameters
    ----------
    path : str or Path
        Parquet.
    columns : sequence of str, optional
        Columns to read, in this order; otherwise all.

    Yields
    ------
    pa.Table
        The next rows. An index that pandas stored is not one of the columns.
    """
    with opened(path) as file:
        names = list(columns or file.schema_arrow.names)
        for batch in file.iter_batches(_ROWS, columns=names):
            table = pa.Table.from_batches([batch]).select(names)
            yield table.replace_schema_metadata(None)


def cut(tables: Iterable[pa.Table], *, size: int) -> Iterator[pa.Table]:
    """Join tables and cut them anew.

    Parameters
    ----------
    tables : iterable of pa.Table
        With the same columns; they may be empty.
    size : int
        Rows of each piece, but for the last, which has what is left.

    Yields
    ------
    pa.Table
        Every row once, in order. No piece is empty.
    """
    waiting: list[pa.Table] = []
    n_waiting = 0
    for table in tables:
        waiting.append(table)
        n_waiting += len(table)
        if n_waiting < size:
            continue
        together = joined(waiting)
        n_whole = n_waiting - n_waiting % size
        for start in range(0, n_whole, size):
            yield together.slice(start, size)
        waiting, n_waiting = [together.slice(n_whole)], n_waiting % size
    if n_waiting:
        yield joined(waiting)


def write_table(table: pa.Table, path: str | Path) -> None:
    """Write a table that is in memory, whole or not at all."""
    with written_whole(path) as beside:
        pq.write_table(table, beside)


def joined(tables: list[pa.Table]) -> pa.Table:
    """Join tables with the same columns into one."""
    # Text may have other types in another file: a column of no rows, large strings.
    return pa.concat_tables(tables, promote_options="permissive").combine_chunks()
