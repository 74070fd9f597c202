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
from zoobot.data_utils.malformed_rows import MalformedRows
from zoobot.data_utils.parquet_pieces import cut, read_batches

__all__ = [
    "Table",
    "as_ids",
    "as_text",
    "first_rows",
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
        raise ValueError(
            f"{path}: expected a complete {kind} table; {error}"
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
    reasons = np.full(len(ids), "", dtype=object)
    reasons[ids == ""] = f"{column}: empty, expected a text"
    # Control characters break csv files, and HDF5 cannot store a NUL.
    for row in np.flatnonzero(ids.str.contains(r"[\x00-\x1f\x7f]", regex=True)):
        reasons[row] = (
            f"{column}: found {ids[row]!r}, expected a text without control characters"
        )
    return ids, reasons


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
    names, has_rows = _csv_header(path)
    _check_columns(path, names, columns)
    text = pa.schema([(name, pa.string()) for name in columns])
    yield Table(path, text.empty_table(), [])
    if not has_rows:
        return
    with MalformedRows(path, names=names, columns=columns) as malformed:
        with pyarrow.csv.open_csv(
            path,
            # One thread: several would give no line numbers and no fixed order.
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=_BYTES_IN_CSV_BLOCK
            ),
            parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=malformed.keep),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=text, include_columns=columns, strings_can_be_null=False
            ),
        ) as batches:
            tables = (pa.Table.from_batches([batch]) for batch in batches)
            for rows in cut(tables, size=_ROWS):
                yield Table(path, rows, [])
        for some in malformed.blocks():
            yield Table(path, text.empty_table(), some)


def _csv_header(path: Path) -> tuple[list[str], bool]:
    """Read the names of the columns, and whether anything is below them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file), [])
        return names, bool(file.readline())


def _parquet_blocks(path: Path, columns: list[str]) -> Iterator[Table]:
    schema = pq.read_schema(path)
    _check_columns(path, schema.names, columns)
    types = pa.schema([schema.field(name) for name in columns])
    yield Table(path, types.empty_table(), [])
    for rows in read_batches(path, columns=columns):
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
    shown = separator.join(names[:_MOST_NAMES_SHOWN])
    left = len(names) - _MOST_NAMES_SHOWN
    return shown + (f" and {left} more" if left > 0 else "")
