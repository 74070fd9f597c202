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
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from zoobot.data_utils.columns import is_text, plain

__all__ = [
    "Table",
    "as_ids",
    "as_text",
    "first_rows",
    "most_common",
    "read_table",
]

_MOST_NAMES_SHOWN = 12
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
    path = Path(path)
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{path}: expected a table that ends in .csv or .parquet")
    if not path.is_file():
        raise ValueError(f"{path}: expected a table, found no such file")
    try:
        table = readers[path.suffix.lower()](path, list(columns))
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        kind = path.suffix.lower().lstrip(".")
        raise ValueError(
            f"{path}: expected a complete {kind} table; {error}"
        ) from error
    _log.info("read %s: %d rows", path, len(table) + len(table.malformed))
    return table


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


def most_common(kinds: Sequence[str], *, n: int = 5) -> str:
    """Say in one line which texts are most common and how often each comes."""
    counts = Counter(kinds)
    shown = [f"{kind}: {count}" for kind, count in counts.most_common(n)]
    if len(counts) > n:
        shown.append(f"{len(counts) - n} other kinds")
    return "; ".join(shown)


def _read_csv(path: Path, columns: list[str]) -> Table:
    names, has_rows = _csv_header(path)
    _check_columns(path, names, columns)
    if not has_rows:
        empty = pa.array([], pa.string())
        return Table(path, pa.table(dict.fromkeys(columns, empty)), [])
    malformed: list[tuple[dict[str, str], str]] = []
    unclosed: list[int] = []

    def keep_malformed(row: pyarrow.csv.InvalidRow) -> str:
        if "\n" in row.text.rstrip():
            unclosed.append(row.number)
            return "skip"
        fields = next(csv.reader([row.text]), [])
        problem = f"found {row.actual_columns} fields, expected {row.expected_columns}"
        known = dict(zip(names, fields, strict=False))
        malformed.append((known, f"line {row.number}: {problem}"))
        return "skip"

    content = pyarrow.csv.read_csv(
        path,
        # One thread: several would give no line numbers and no fixed order.
        read_options=pyarrow.csv.ReadOptions(use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=keep_malformed),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={name: pa.string() for name in columns},
            include_columns=columns,
            strings_can_be_null=False,
        ),
    )
    if unclosed:
        raise ValueError(
            f"{path}: line {unclosed[0]}: expected the quote that opens in this row to "
            "close in it; found the end of another row first"
        )
    return Table(path, content, malformed)


def _csv_header(path: Path) -> tuple[list[str], bool]:
    """Read the names of the columns, and whether anything is below them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file), [])
        return names, bool(file.readline())


def _read_parquet(path: Path, columns: list[str]) -> Table:
    _check_columns(path, pq.read_schema(path).names, columns)
    return Table(path, pq.read_table(path, columns=columns).select(columns), [])


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
