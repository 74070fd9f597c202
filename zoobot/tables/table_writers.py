"""Parquet and csv tables written some rows at a time, whole or not at all."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from zoobot.files import written_whole
from zoobot.tables.readers_metadata import TextWidths, readers_metadata
from zoobot.tables.table_notes import has_notes

__all__ = ["arrow_csv_writer", "arrow_writer", "csv_writer", "parquet_writer"]

_ROWS_IN_GROUP = 8192  # that readers can take one at a time

Write = Callable[[pd.DataFrame], None]
WriteArrow = Callable[[pa.Table], None]


@contextlib.contextmanager
def arrow_writer(
    path: str | Path, *, schema: pa.Schema, **options: object
) -> Iterator[WriteArrow]:
    """Write a parquet table; its file is there when the block ends well.

    Parameters
    ----------
    path : str or Path
        File to write.
    schema : pa.Schema
        Names and types of the columns. Its notes, if it has some, become metadata for
        astropy, TOPCAT and pandas.
    **options
        Of `pyarrow.parquet.ParquetWriter`.

    Yields
    ------
    function
        Appends rows, a pa.Table of this schema, as one row group.
    """
    with (
        written_whole(path) as beside,
        pq.ParquetWriter(beside, schema, **options) as writer,
    ):
        texts = TextWidths(schema)

        def write(rows: pa.Table) -> None:
            texts.add(rows)
            writer.write_table(rows, max(1, len(rows)))

        yield write
        if has_notes(schema):
            writer.add_key_value_metadata(readers_metadata(schema, widths=texts.widths))


@contextlib.contextmanager
def parquet_writer(path: str | Path, *, schema: pa.Schema) -> Iterator[Write]:
    """Write a parquet table; its file is there when the block ends well.

    Parameters
    ----------
    path : str or Path
        File to write.
    schema : pa.Schema
        Names and types of the columns, and their notes, as in `arrow_writer`.

    Yields
    ------
    function
        Appends rows, of which it takes the columns of the schema.
    """
    with (
        arrow_writer(path, schema=schema) as write_group,
        _in_groups(write_group, schema) as write,
    ):
        yield write


@contextlib.contextmanager
def csv_writer(
    path: str | Path, *, columns: Sequence[str], float_format: str | None = None
) -> Iterator[Write]:
    """Write a csv table; its file is there when the block ends well.

    Parameters
    ----------
    path : str or Path
        File to write.
    columns : sequence of str
        Names of the columns.
    float_format : str, optional
        Of numbers, as ``%.5f``.

    Yields
    ------
    function
        Appends rows, of which it takes those columns.
    """
    names = list(columns)
    with (
        written_whole(path) as beside,
        beside.open("w", encoding="utf-8", newline="") as file,
    ):
        pd.DataFrame(columns=names).to_csv(file, index=False)

        def write(rows: pd.DataFrame) -> None:
            rows[names].to_csv(
                file,
                index=False,
                header=False,
                float_format=float_format,
                quoting=_quoting(rows[names]),
            )

        yield write


@contextlib.contextmanager
def arrow_csv_writer(path: str | Path, *, schema: pa.Schema) -> Iterator[WriteArrow]:
    """Write a csv table, as fast as Arrow can; its file is there when the block ends.

    Parameters
    ----------
    path : str or Path
        File to write.
    schema : pa.Schema
        Names and types of the columns; a csv file cannot hold its notes.

    Yields
    ------
    function
        Appends rows, a pa.Table of this schema. Null and NaN are empty.
    """
    with (
        written_whole(path) as beside,
        pyarrow.csv.CSVWriter(beside, schema) as writer,
    ):

        def write(rows: pa.Table) -> None:
            columns = [_without_nan(column) for column in rows.columns]
            writer.write_table(pa.table(columns, schema=schema))

        yield write


def _without_nan(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_nan(values), None, values)


def _quoting(rows: pd.DataFrame) -> Literal[0, 2]:
    """Quote all texts if one has a carriage return, which else ends a row."""
    for _, column in rows.select_dtypes(["object", "str"]).items():
        if column.astype("str").str.contains("\r", regex=False).any():
            return csv.QUOTE_NONNUMERIC
    return csv.QUOTE_MINIMAL


@contextlib.contextmanager
def _in_groups(write_group: WriteArrow, schema: pa.Schema) -> Iterator[Write]:
    """Join rows to groups: each group costs memory and time, however few its rows."""
    waiting: list[pa.Table] = []

    def write(rows: pd.DataFrame) -> None:
        if not len(rows):
            return
        if sum(map(len, waiting)) + len(rows) > _ROWS_IN_GROUP:
            flush()
        waiting.append(pa.Table.from_pandas(rows, schema=schema, preserve_index=False))

    def flush() -> None:
        if waiting:
            together = pa.concat_tables(waiting)
            for start in range(0, len(together), _ROWS_IN_GROUP):
                write_group(together.slice(start, _ROWS_IN_GROUP))
            waiting.clear()

    yield write
    flush()
