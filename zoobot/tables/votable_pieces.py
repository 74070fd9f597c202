"""Rows of VOTables. Their XML allows no reading in pieces: they are in memory whole.

XML of strangers may try to fill the memory with entities that contain each other, to
read other files of this machine, or to make it ask for addresses. A table needs none
of these, so that a file with one of them is refused before astropy sees it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

import numpy as np
from astropy.io import votable

from zoobot.tables.array_pieces import named_errors, rows_of_arrays
from zoobot.tables.table_pieces import Table, check_columns

__all__ = ["votable_names", "votable_pieces"]

_ROWS = 2048
_BYTES_AT_ONCE = 2**20
_KIND = "VOTable"


def votable_pieces(path: Path, columns: list[str]) -> Iterator[Table]:
    """Read some columns of a VOTable, and give some rows at a time.

    Parameters
    ----------
    path : Path
        The first table in it that has these columns is read.
    columns : list of str
        The columns to read, by their names.

    Yields
    ------
    Table
        First one without rows. Values that the file marks as null are missing.

    Raises
    ------
    ValueError
        If there is no table, a column is missing, or the file is damaged or hostile.
    """
    tables = _examine(path)
    fitting = [i for i, names in enumerate(tables) if set(columns) <= set(names)]
    number = fitting[0] if fitting else 0
    names = tables[number]
    check_columns(path, names, expected=columns)
    with named_errors(path, _KIND):
        content = votable.parse(path, verify="ignore")
        rows = list(content.iter_tables())[number].array
        arrays = {
            name: _plain(rows[rows.dtype.names[names.index(name)]]) for name in columns
        }
    for start in [None, *range(0, len(rows), _ROWS)]:
        some = slice(0, 0) if start is None else slice(start, start + _ROWS)
        yield rows_of_arrays(path, {name: one[some] for name, one in arrays.items()})


def votable_names(path: Path) -> list[str]:
    """Give the names of the columns of the first table in a VOTable."""
    return _examine(path)[0]


def _plain(values: np.ma.MaskedArray) -> np.ndarray:
    """Make text of texts of any length."""
    if values.dtype.kind != "O":
        return values
    found = np.ma.getdata(values)
    texts = [
        one.decode(errors="replace") if isinstance(one, bytes) else one for one in found
    ]
    if not all(isinstance(one, str) for one in texts):
        return values
    width = max([1, *map(len, texts)])
    return np.ma.array(
        np.array(texts, dtype=f"U{width}"), mask=np.ma.getmaskarray(values)
    )


def _examine(path: Path) -> list[list[str]]:
    """Names of the columns of each table; refuse what a table does not need."""
    reader = _Reader(path)
    with path.open("rb") as file:
        try:
            while some := file.read(_BYTES_AT_ONCE):
                reader.parser.Parse(some)
            reader.parser.Parse(b"", True)
        except (_RefusedError, MemoryError):
            raise
        except Exception as error:  # of many types, as for encodings that are none
            found = str(error) if str(error).isprintable() else repr(str(error))
            raise ValueError(f"{path}: expected a complete VOTable; {found}") from None
    if not reader.tables:
        raise ValueError(f"{path}: expected a VOTable, found no table with columns")
    return reader.tables


class _RefusedError(ValueError):
    """What a table does not need."""


class _Reader:
    """Reads the elements of a VOTable, without their content."""

    def __init__(self, path: Path) -> None:
        self.tables: list[list[str]] = []
        self._path = path
        self._n_bytes = path.stat().st_size
        self._is_first = True
        self.parser = expat.ParserCreate()
        self.parser.EntityDeclHandler = self._refuse_entity
        self.parser.StartElementHandler = self._start

    def _refuse(self, found: str, expected: str) -> None:
        raise _RefusedError(f"{self._path}: found {found}, expected {expected}")

    def _refuse_entity(self, name: str, *_: object) -> None:
        self._refuse(f"an XML entity, {name!r}", "a VOTable, which needs none")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if self._is_first and name != "VOTABLE":
            self._refuse(f"XML of another kind, {name!r}", "a VOTable")
        self._is_first = False
        if name == "STREAM" and "href" in attributes:
            found = f"rows that are elsewhere, {attributes['href']!r}"
            self._refuse(found, "them in the VOTable itself")
        if name == "TABLE":
            self._check_size(attributes.get("nrows", "0"), "rows")
            self.tables.append([])
        if name == "FIELD":
            for size in attributes.get("arraysize", "").split("x"):
                self._check_size(size, "values in a row")
            if self.tables:
                self.tables[-1].append(attributes.get("name", attributes.get("ID", "")))

    def _check_size(self, size: str, what: str) -> None:
        """Refuse to make space for more than the file can hold."""
        digits = size.strip(" *")
        if digits.isdecimal() and (len(digits) > 15 or int(digits) > self._n_bytes):
            self._refuse(f"{digits[:20]} {what}", "no more than the file has bytes")
