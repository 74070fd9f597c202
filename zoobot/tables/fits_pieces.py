"""Rows of FITS tables, some at a time."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from astropy.io import fits

from zoobot.tables.array_pieces import named_errors, rows_of_arrays
from zoobot.tables.table_pieces import Table, check_columns

__all__ = ["fits_names", "fits_pieces"]

_ROWS = 2048  # in memory at once
_KIND = "FITS table"
_TableHDU: TypeAlias = fits.BinTableHDU | fits.TableHDU


def fits_pieces(path: Path, columns: list[str]) -> Iterator[Table]:
    """Read some columns of a FITS table, some rows at a time.

    Parameters
    ----------
    path : Path
        The first binary or ASCII table in it that has these columns is read. The file
        is mapped into memory, unless it is compressed: then it is read whole.
    columns : list of str
        The columns to read.

    Yields
    ------
    Table
        First one without rows. Texts are without the spaces behind them; values that
        the file marks as undefined are missing.

    Raises
    ------
    ValueError
        If there is no table, a column is missing, or the file is damaged.
    """
    with _opened(path, columns) as table:
        check_columns(path, _names(table), expected=columns)
        n_rows = _n_rows(path, table)
        yield _piece(path, table, columns, rows=slice(0, 0))
        for start in range(0, n_rows, _ROWS):
            yield _piece(path, table, columns, rows=slice(start, start + _ROWS))


def fits_names(path: Path) -> list[str]:
    """Give the names of the columns of the first table in a FITS file."""
    with _opened(path, []) as table:
        return _names(table)


@contextlib.contextmanager
def _opened(path: Path, columns: Sequence[str]) -> Iterator[_TableHDU]:
    with contextlib.ExitStack() as stack:
        with named_errors(path, _KIND):
            # astropy would leave files open that it fails to read.
            opened = gzip.open if path.suffix.lower() == ".gz" else open
            file = stack.enter_context(opened(path, "rb"))
            parts = stack.enter_context(fits.open(file, memmap=True))
            tables = [part for part in parts if _is_table(part)]
            fitting = [one for one in tables if set(columns) <= set(_names(one))]
        if not tables:
            raise ValueError(
                f"{path}: expected a FITS table, found none among its {len(parts)} "
                "parts (images alone)"
            )
        yield (fitting or tables)[0]


def _n_rows(path: Path, table: _TableHDU) -> int:
    """Count the rows; a file may claim any number of rows that take no space."""
    n_rows, n_bytes = table.header["NAXIS2"], table.header["NAXIS1"]
    if n_rows and not n_bytes:
        raise ValueError(
            f"{path}: expected a complete FITS table; found {n_rows} rows of 0 bytes"
        )
    return n_rows


def _names(table: _TableHDU) -> list[str]:
    """Names of a table's columns; FITS allows columns without."""
    return [name or "" for name in table.columns.names]


def _is_table(part: object) -> bool:
    is_image = isinstance(part, fits.CompImageHDU)
    return isinstance(part, fits.BinTableHDU | fits.TableHDU) and not is_image


def _piece(
    path: Path, table: _TableHDU, columns: Sequence[str], *, rows: slice
) -> Table:
    with named_errors(path, _KIND):
        some = table.data[rows]
        arrays = {name: _values(table, some, name) for name in columns}
    return rows_of_arrays(path, arrays)


def _values(table: _TableHDU, some: fits.FITS_rec, name: str) -> np.ndarray:
    """Values of a column in some rows, masked where the file says undefined."""
    number = _names(table).index(name)
    # What is stored: astropy would take bytes for ASCII, and some nulls for numbers.
    as_stored = some.view(np.ndarray)
    stored = as_stored[as_stored.dtype.names[number]]
    null = table.columns[number].null
    if isinstance(table, fits.TableHDU):
        stored = np.char.strip(stored)
        undefined = stored == b""
        if null is not None:
            undefined |= stored == str(null).strip().encode()
        kind = table.columns[number].format[0]
        # astropy does not take no rows.
        values = some.field(number) if len(some) and kind != "A" else stored
        if kind != "A":
            values = values.astype(np.int64 if kind == "I" else np.float64)
        return np.ma.array(values, mask=undefined)
    if stored.dtype.kind == "S":
        return stored
    values = some.field(number)
    if stored.ndim > 1 or values.ndim > 1 or null is None:
        return values
    return np.ma.array(values, mask=stored == null)
