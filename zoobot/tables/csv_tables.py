"""Rows of csv files, gzipped or not, some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from zoobot.tables.csv_text import (
    BYTES_IN_ROW,
    CsvText,
    examine_csv,
    opened_as_utf8,
)
from zoobot.tables.malformed_rows import MalformedRows
from zoobot.tables.parquet_pieces import cut
from zoobot.tables.table_pieces import Table, check_columns

__all__ = ["csv_pieces"]

_ROWS = 2048  # in memory at once


def csv_pieces(path: Path, columns: list[str]) -> Iterator[Table]:
    """Read some columns of a csv file, some rows at a time.

    Parameters
    ----------
    path : Path
        UTF-8, comma, one header line; gzipped if it ends in .gz.
    columns : list of str
        The columns to read.

    Yields
    ------
    Table
        First one without rows; malformed rows last.

    Raises
    ------
    ValueError
        If a column is missing, or rows cannot be told apart.
    """
    text = examine_csv(path, columns=columns)
    check_columns(path, text.names, expected=columns)
    types = pa.schema([(name, pa.string()) for name in columns])
    yield Table(path, types.empty_table(), [])
    if not text.has_rows:
        return
    with MalformedRows(names=text.names, columns=columns) as malformed:
        n_read = 0
        for rows in cut(_batches(path, types, malformed, text=text), size=_ROWS):
            n_read += len(rows)
            yield Table(path, rows if text.is_utf8 else malformed.sift(rows), [])
        _check_n_rows(path, n_read + malformed.n_skipped, text.n_rows)
        for some in malformed.blocks():
            yield Table(path, types.empty_table(), some)


def _batches(
    path: Path, types: pa.Schema, malformed: MalformedRows, *, text: CsvText
) -> Iterator[pa.Table]:
    """Rows with the number of fields of the header; the others are skipped."""
    with (
        opened_as_utf8(path, is_utf8=text.is_utf8) as file,
        pyarrow.csv.open_csv(
            file,
            # One thread: several would give no line numbers and no fixed order.
            # The reader holds many blocks ahead. A block holds a row at least.
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=BYTES_IN_ROW
            ),
            parse_options=pyarrow.csv.ParseOptions(
                invalid_row_handler=malformed.keep,
                # Only where there are some: it costs time.
                newlines_in_values=text.n_rows is not None,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types,
                include_columns=types.names,
                strings_can_be_null=False,
            ),
        ) as batches,
    ):
        yield from (pa.Table.from_batches([batch]) for batch in batches)


def _check_n_rows(path: Path, found: int, expected: int | None) -> None:
    if expected not in (None, found):
        raise ValueError(
            f"{path}: found {found} rows, expected {expected} by its quotes; write "
            "the table again, as parquet or with every text in quotes"
        )
