"""NumPy's arrays, as astropy reads them, as rows of a table."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoobot.tables.csv_text import NOT_UTF8
from zoobot.tables.table_pieces import Table

__all__ = ["named_errors", "rows_of_arrays"]


def rows_of_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> Table:
    """Give arrays as a table.

    Parameters
    ----------
    path : Path
        The file they are from.
    arrays : mapping of str to np.ndarray
        Of each column its values, (n_rows,) or, of lists, (n_rows, ...). Masked values
        become missing ones, bytes become text without the spaces behind it.

    Returns
    -------
    Table
        Rows with bytes that are not UTF-8 are malformed ones.

    Raises
    ------
    ValueError
        If a column is of a type that no column of a catalogue can have.
    """
    columns = {name: _as_arrow(path, name, array) for name, array in arrays.items()}
    rows = pa.table(columns)
    is_bad = np.zeros(len(rows), dtype=bool)
    for name, array in arrays.items():
        if np.ma.getdata(array).dtype.kind == "S":
            found = pc.match_substring(columns[name], NOT_UTF8)
            is_bad |= pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    malformed = []
    for row in rows.filter(pa.array(is_bad)).to_pylist():
        texts = {name: "" if v is None else str(v) for name, v in row.items()}
        bad = next(text for text in texts.values() if NOT_UTF8 in text)
        malformed.append((texts, f"found {bad!r}, expected UTF-8"))
    return Table(path, rows.filter(pa.array(~is_bad)) if malformed else rows, malformed)


@contextlib.contextmanager
def named_errors(path: Path, kind: str) -> Iterator[None]:
    """Let any error of a library that reads a file name that file.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        What it should be.
    """
    with warnings.catch_warnings():
        # Of files that deviate from their standard but can be read.
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message=".*truncated")
        try:
            yield
        except MemoryError:
            raise
        # These libraries let errors of any type through for a damaged file.
        except Exception as error:
            found = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ValueError(
                f"{path}: expected a complete {kind}; {_printable(found)}"
            ) from error


def _as_arrow(path: Path, name: str, array: np.ndarray) -> pa.Array:
    values, mask = np.ma.getdata(array), np.ma.getmaskarray(array)
    if values.ndim > 1 and values.dtype.kind in "SUbiuf":
        # Said, as it could not be told where there is no row.
        kind = pa.from_numpy_dtype(values.dtype)
        for _ in range(values.ndim - 1):
            kind = pa.list_(kind)
        return pa.array(values.tolist(), kind)
    if values.dtype.kind == "S":
        texts = [one.decode(errors="replace").rstrip() for one in values.tolist()]
        return pa.array(texts, pa.string(), mask=mask)
    if values.dtype.kind == "U":
        texts = [one.rstrip() for one in values.tolist()]
        return pa.array(texts, pa.string(), mask=mask)
    if values.dtype.kind in "biuf":
        native = values.astype(values.dtype.newbyteorder("="))
        return pa.array(native, mask=mask)
    raise ValueError(
        f"{path}: column {_printable(name)}: found values of type {values.dtype}, "
        "expected text or numbers"
    )


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)
