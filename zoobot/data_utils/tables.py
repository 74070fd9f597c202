"""Tables of galaxies from csv and parquet files, read so that nothing is guessed.

A csv column is text until it is asked for as numbers, and a value that is no number is
reported, not replaced: ``007`` keeps its zeros, an id of 18 digits all of them.
"""

from __future__ import annotations

import csv
import dataclasses
import difflib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from zoobot.data_utils.columns import is_text, plain
from zoobot.data_utils.csv_text import CsvText, examine_csv, opened_as_utf8
from zoobot.data_utils.malformed_rows import MalformedRows
from zoobot.data_utils.parquet_pieces import cut, read_batches

__all__ = [
    "Table",
    "as_ids",
    "as_text",
    "first_rows",
    "id_reasons",
    "most_common",
    "read_pieces",
    "read_table",
]

_MOST_NAMES_SHOWN = 12
_ROWS = 2048  # of a csv file in memory at once
# The reader holds many blocks ahead. A block holds a row at least.
_BYTES_IN_CSV_BLOCK = 2**16
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Table:
    """Some columns of a file, and the rows that do not fit its header."""

    path: Path
    columns: pa.Table
    """The columns asked for, in that order; all text if the file is csv."""
    malformed: list[tuple[dict[str, str], str]]
    """What could be read of each malformed row, and what is wrong with it."""

    def __getitem__(self, column: str) -> pa.ChunkedArray:
        """Give one column, (n_rows,)."""
        return self.columns[column]

    def __len__(self) -> int:
        """Count the rows that are not malformed."""
        return self.columns.num_rows


def read_table(path: str | Path, *, columns: Sequence[str]) -> Table:
    """Read some columns of a csv or parquet file.

    Parameters
    ----------
    path : str or Path
        Its suffix decides: .csv (UTF-8, comma, one header line) or .parquet.
    columns : sequence of str
        The columns to read.

    Returns
    -------
    Table
        Those columns.

    Raises
    ------
    ValueError
        If the file is missing or damaged, or lacks a column. The message names the
        file, the columns, what was found and similar names.
    """
    blocks = list(read_pieces(path, columns=columns))
    malformed = [row for block in blocks for row in block.malformed]
    joined = pa.concat_tables([block.columns for block in blocks])
    table = Table(Path(path), joined, malformed)
    _log.info("read %s: %d rows", path, len(table) + len(malformed))
    return table


def read_pieces(path: str | Path, *, columns: Sequence[str]) -> Iterator[Table]:
    """Read some columns of a csv or parquet file, some rows at a time.

    Parameters
    ----------
    path, columns
        As in `read_table`.

    Yields
    ------
    Table
        The next rows. The first is empty: it has the types of the columns even if the
        file has no row. Malformed rows come behind all others.

    Raises
    ------
    ValueError
        As in `read_table`.
    """
    path = Path(path)
    readers = {".csv": _csv_blocks, ".parquet": _parquet_blocks}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{path}: expected a table that ends in .csv or .parquet")
    if not path.is_file():
        raise ValueError(f"{path}: expected a table, found no such file")
    try:
        yield from readers[path.suffix.lower()](path, list(columns))
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        kind = path.suffix.lower().lstrip(".")
        found = str(error)
        if "straddling object" in found:
            found = f"found a row longer than {_BYTES_IN_CSV_BLOCK} bytes"
        raise ValueError(
            f"{path}: expected a complete {kind} table; {found}"
        ) from error


def as_text(table: Table, column: str) -> pd.Series:
    """Give a column as text, (n_rows,) str, empty where there is no value.

    Whole numbers become their digits. Spaces around a text are not part of it.

    Raises
    ------
    ValueError
        If the column holds anything else, as floats, which would lose digits of an id.
    """
    values = plain(table[column])
    kind = values.type
    if not (pa.types.is_integer(kind) or is_text(kind) or pa.types.is_null(kind)):
        raise ValueError(
            f"{table.path}: column {column}: found type {kind}, expected text or whole "
            "numbers, which keep every digit"
        )
    text = pc.utf8_trim(pc.cast(values, pa.string()), characters=" \t")
    return pd.Series(pc.fill_null(text, "").to_pandas(), dtype="str")


def as_ids(table: Table, column: str = "id_str") -> tuple[pd.Series, np.ndarray]:
    """Give a column as ids of galaxies.

    Returns
    -------
    ids : (n_rows,) str
        The ids.
    reasons : (n_rows,) object
        What is wrong with each, or an empty text.
    """
    ids = as_text(table, column)
    return ids, id_reasons(ids, column)


def id_reasons(ids: pd.Series, column: str = "id_str") -> np.ndarray:
    """Say what is wrong with each id, or an empty text, (n_rows,) object."""
    reasons = np.full(len(ids), "", dtype=object)
    reasons[ids == ""] = f"{column}: empty, expected a text"
    # Control characters break csv files, and HDF5 cannot store a NUL.
    for row in np.flatnonzero(ids.str.contains(r"[\x00-\x1f\x7f]", regex=True)):
        reasons[row] = (
            f"{column}: found {ids[row]!r}, expected a text without control characters"
        )
    return reasons


def first_rows(ids: pd.Series) -> np.ndarray:
    """Give the row at which each row's id stands first, (n_rows,) int64."""
    rows = np.arange(len(ids))
    codes, uniques = pd.factorize(ids)
    first = np.full(len(uniques), len(ids))
    np.minimum.at(first, codes, rows)
    return first[codes] if len(ids) else rows


def most_common(kinds: Iterable[str] | Mapping[str, int], *, n: int = 5) -> str:
    """Say in one line which texts are most common and how often each comes.

    `kinds` are the texts, or how often each comes.
    """
    counts = Counter(kinds)
    shown = [f"{kind}: {count}" for kind, count in counts.most_common(n)]
    if len(counts) > n:
        shown.append(f"{len(counts) - n} other kinds")
    return "; ".join(shown)


def _csv_blocks(path: Path, columns: list[str]) -> Iterator[Table]:
    text = examine_csv(path, columns=columns)
    _check_columns(path, text.names, columns)
    types = pa.schema([(name, pa.string()) for name in columns])
    yield Table(path, types.empty_table(), [])
    if not text.has_rows:
        return
    with MalformedRows(names=text.names, columns=columns) as malformed:
        n_read = 0
        for rows in cut(_csv_batches(path, types, malformed, text=text), size=_ROWS):
            n_read += len(rows)
            yield Table(path, rows if text.is_utf8 else malformed.sift(rows), [])
        _check_n_rows(path, n_read + malformed.n_skipped, text.n_rows)
        for some in malformed.blocks():
            yield Table(path, types.empty_table(), some)


def _csv_batches(
    path: Path, types: pa.Schema, malformed: MalformedRows, *, text: CsvText
) -> Iterator[pa.Table]:
    """Rows with the number of fields of the header; the others are skipped."""
    with (
        opened_as_utf8(path, is_utf8=text.is_utf8) as file,
        pyarrow.csv.open_csv(
            file,
            # One thread: several would give no line numbers and no fixed order.
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=_BYTES_IN_CSV_BLOCK
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


def _parquet_blocks(path: Path, columns: list[str]) -> Iterator[Table]:
    schema = pq.read_schema(path)
    _check_columns(path, schema.names, columns)
    types = pa.schema([schema.field(name) for name in columns])
    yield Table(path, types.empty_table(), [])
    for rows in read_batches(path, columns=columns):
        rows.validate(full=True)  # A stranger's file may hold texts that are none.
        yield Table(path, rows, [])


def _check_columns(path: Path, found: list[str], expected: list[str]) -> None:
    repeated = [name for name, count in Counter(found).items() if count > 1]
    if set(repeated) & set(expected):
        raise ValueError(
            f"{path}: columns repeat: {_names(repeated)}; expected each once"
        )
    missing = [name for name in expected if name not in found]
    if not missing:
        return
    similar = {name: difflib.get_close_matches(name, found, n=1) for name in missing}
    hints = [f"{name}: is it {close[0]!r}?" for name, close in similar.items() if close]
    raise ValueError(
        f"{path}: columns missing: {_names(missing)}; found {_names(found)}; "
        f"expected {_names(expected)}" + (f" ({_names(hints, ' ')})" if hints else "")
    )


def _names(names: list[str], separator: str = ", ") -> str:
    shown = separator.join(map(_printable, names[:_MOST_NAMES_SHOWN]))
    left = len(names) - _MOST_NAMES_SHOWN
    return shown + (f" and {left} more" if left > 0 else "")


def _printable(name: str) -> str:
    return name if name.isprintable() else repr(name)
