"""Tables of galaxies in files of any usual kind, read so that nothing is guessed.

A csv column is text until it is asked for as numbers, and a value that is no number is
reported, not replaced: ``007`` keeps its zeros, an id of 18 digits all of them.
"""

from __future__ import annotations

import contextlib
import csv
import logging
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from zoobot.tables.columns import is_text, plain
from zoobot.tables.csv_tables import csv_pieces
from zoobot.tables.csv_text import BYTES_IN_ROW, csv_names
from zoobot.tables.fits_pieces import fits_names, fits_pieces
from zoobot.tables.parquet_pieces import read_batches
from zoobot.tables.table_pieces import Table, check_columns
from zoobot.tables.votable_pieces import votable_names, votable_pieces

__all__ = [
    "Table",
    "as_ids",
    "as_text",
    "column_names",
    "first_rows",
    "id_reasons",
    "most_common",
    "read_pieces",
    "read_table",
]

_log = logging.getLogger(__name__)


class _Kind(NamedTuple):
    """How a kind of tables is read."""

    pieces: Callable[[Path, list[str]], Iterator[Table]]
    """Some rows at a time of some columns, the first time none."""
    names: Callable[[Path], list[str]]
    """Names of all columns."""


def read_table(
    path: str | Path, *, columns: Sequence[str] | Mapping[str, str]
) -> Table:
    """Read some columns of a table.

    Parameters
    ----------
    path : str or Path
        Its suffix decides: .csv or .csv.gz (UTF-8, comma, one header line); .parquet;
        .fits, .fit or .fits.gz (binary or ASCII table); .vot, .votable or .xml
        (VOTable). All are read some rows at a time, but for compressed FITS files and
        VOTables, which are in memory whole.
    columns : sequence of str, or mapping of str to str
        The columns to read, or the names they shall have and those in the file.

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
    table = Table(Path(path), joined, malformed, blocks[0].names)
    _log.info("read %s: %d rows", path, len(table) + len(malformed))
    return table


def read_pieces(
    path: str | Path, *, columns: Sequence[str] | Mapping[str, str]
) -> Iterator[Table]:
    """Read some columns of a table, some rows at a time.

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
    names = columns if isinstance(columns, Mapping) else {one: one for one in columns}
    with _errors_named(path) as kind:
        for some in kind.pieces(path, list(dict.fromkeys(names.values()))):
            yield some.renamed(names)


def column_names(path: str | Path) -> list[str]:
    """Give the names of a table's columns, (n_columns,), as they are in the file.

    Raises
    ------
    ValueError
        If the file is missing or cannot be read.
    """
    with _errors_named(Path(path)) as kind:
        return kind.names(Path(path))


@contextlib.contextmanager
def _errors_named(path: Path) -> Iterator[_Kind]:
    """Find the kind of a table, and name it if anything is wrong with it."""
    suffix = next((one for one in _KINDS if path.name.lower().endswith(one)), None)
    if suffix is None:
        raise ValueError(f"{path}: expected a table that ends in {', '.join(_KINDS)}")
    if not path.is_file():
        raise ValueError(f"{path}: expected a table, found no such file")
    try:
        yield _KINDS[suffix]
    except (
        *(pa.ArrowException, csv.Error, UnicodeDecodeError),
        *(OSError, EOFError, zlib.error),
    ) as error:
        found = str(error)
        if "straddling object" in found:
            found = f"found a row longer than {BYTES_IN_ROW} bytes"
        raise ValueError(
            f"{path}: expected a complete {suffix.lstrip('.')} table; {found}"
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
            f"{table.path}: column {table.name_of(column)}: found type {kind}, "
            "expected text or whole numbers, which keep every digit"
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
    return ids, id_reasons(ids, table.name_of(column))


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


def _parquet_pieces(path: Path, columns: list[str]) -> Iterator[Table]:
    schema = pq.read_schema(path)
    check_columns(path, schema.names, expected=columns)
    types = pa.schema([schema.field(name) for name in columns])
    yield Table(path, types.empty_table(), [])
    for rows in read_batches(path, columns=columns):
        rows.validate(full=True)  # A stranger's file may hold texts that are none.
        yield Table(path, rows, [])


def _parquet_names(path: Path) -> list[str]:
    return pq.read_schema(path).names


_CSV = _Kind(csv_pieces, csv_names)
_FITS = _Kind(fits_pieces, fits_names)
_VOTABLE = _Kind(votable_pieces, votable_names)
_KINDS = {
    ".csv": _CSV,
    ".csv.gz": _CSV,
    ".parquet": _Kind(_parquet_pieces, _parquet_names),
    ".fits": _FITS,
    ".fit": _FITS,
    ".fits.gz": _FITS,
    ".vot": _VOTABLE,
    ".votable": _VOTABLE,
    ".xml": _VOTABLE,
}
