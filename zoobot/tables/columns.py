"""Columns of tables as numbers; a value that is none is reported, never replaced.

Each function takes a column and its name, and gives the numbers with, for each row,
what is wrong with the value there: a text that names the column and the value, or an
empty one.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "MOST_VOTES",
    "as_flags",
    "as_fractions",
    "as_numbers",
    "as_votes",
    "is_text",
    "plain",
]

MOST_VOTES = 2**24
"""Votes are stored as float32 in places, which is exact up to here."""

_WHOLE = r"^\+?0*[0-9]{1,9}(\.0*)?$"


def as_votes(values: pa.ChunkedArray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Give a column as counts of votes.

    Returns
    -------
    votes : (n_rows,) int64
        Counts; 0 where a value is none.
    reasons : (n_rows,) object
        What is wrong with each value, naming it, or an empty text.
    """
    values = plain(values)
    if is_text(values.type):
        values = pc.utf8_trim_whitespace(values)
        whole = _filled(pc.match_substring_regex(values, _WHOLE))
        digits = pc.replace_substring_regex(values, r"^\+|\.0*$", "")
        votes = pc.cast(pc.if_else(pa.chunked_array([whole]), digits, "0"), pa.int64())
        votes = votes.to_numpy()
        good = whole & (votes <= MOST_VOTES)
    elif _is_number(values.type):
        numbers = _float64(values)
        good = (numbers >= 0) & (numbers <= MOST_VOTES) & (numbers == np.floor(numbers))
        votes = np.where(good, numbers, 0).astype(np.int64)
    else:
        good = np.zeros(len(values), dtype=bool)
        votes = np.zeros(len(values), dtype=np.int64)
    expected = f"expected a whole number of votes from 0 to {MOST_VOTES}"
    return np.where(good, votes, 0), _reasons(values, good, name, expected)


def as_fractions(values: pa.ChunkedArray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Give a column as fractions.

    Returns
    -------
    fractions : (n_rows,) float64
        From 0 to 1; NaN where a value is none.
    reasons : (n_rows,) object
        What is wrong with each value, naming it, or an empty text.
    """
    return as_numbers(values, name, least=0, most=1, expected="a number from 0 to 1")


def as_numbers(
    values: pa.ChunkedArray,
    name: str,
    *,
    least: float,
    most: float,
    expected: str,
    may_lack: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Give a column as numbers in a range.

    Parameters
    ----------
    values : pa.ChunkedArray
        The column, (n_rows,).
    name : str
        The column's, for the reasons.
    least, most : float
        Ends of the range, which are in it.
    expected : str
        What the range is, in words.
    may_lack : bool
        Whether no value, or NaN, is fine.

    Returns
    -------
    numbers : (n_rows,) float64
        NaN where a value is none.
    reasons : (n_rows,) object
        What is wrong with each value, naming it, or an empty text.
    """
    values = plain(values)
    if is_text(values.type):
        text = pc.fill_null(values, "").to_pandas()
        numbers = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)
        lacks = text.str.strip().str.lower().isin(["", "nan"]).to_numpy()
    elif _is_number(values.type) or pa.types.is_boolean(values.type):
        numbers = _float64(values)
        lacks = np.isnan(numbers)
    else:
        numbers = np.full(len(values), np.nan)
        lacks = pc.is_null(values).to_numpy()
    good = (numbers >= least) & (numbers <= most)
    fine = good | lacks if may_lack else good
    reasons = _reasons(values, fine, name, f"expected {expected}")
    return np.where(good, numbers, np.nan), reasons


def as_flags(values: pa.ChunkedArray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Give a column of 0 and 1, or of false and true, as numbers.

    Returns
    -------
    flags : (n_rows,) int64
        0 or 1; 0 where a value is none.
    reasons : (n_rows,) object
        What is wrong with each value, naming it, or an empty text.
    """
    values = plain(values)
    if is_text(values.type):
        lower = pc.utf8_lower(pc.utf8_trim_whitespace(values))
        numbers = pc.if_else(pc.equal(lower, "true"), "1", lower)
        numbers = pc.if_else(pc.equal(lower, "false"), "0", numbers)
    elif pa.types.is_boolean(values.type):
        numbers = pc.cast(values, pa.int64())
    else:
        numbers = values
    votes, reasons = as_votes(numbers, name)
    good = (reasons == "") & (votes <= 1)
    return np.where(good, votes, 0), _reasons(values, good, name, "expected 0 or 1")


def plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Undo the dictionary encoding of a categorical column."""
    if pa.types.is_dictionary(values.type):
        return pc.cast(values, values.type.value_type)
    return values


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column of this type holds text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _float64(values: pa.ChunkedArray) -> np.ndarray:
    """Cast to floats, NaN where there is no value; large whole numbers are rounded."""
    numbers = pc.cast(values, pa.float64(), safe=False)
    return pc.fill_null(numbers, np.nan).to_numpy()


def _filled(flags: pa.ChunkedArray) -> np.ndarray:
    return pc.fill_null(flags, False).to_numpy()


def _reasons(
    values: pa.ChunkedArray, good: np.ndarray, name: str, expected: str
) -> np.ndarray:
    reasons = np.full(len(good), "", dtype=object)
    for row in np.flatnonzero(~good):
        value = values[int(row)].as_py()
        found = "no value" if value is None or value == "" else repr(value)
        reasons[row] = f"{name}: found {found}, {expected}"
    return reasons
