"""FITS binary tables from parquet tables of any length."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning

from zoobot.data_utils.columns import is_text
from zoobot.files import written_whole
from zoobot.logs import track

__all__ = ["write_fits_from_parquet"]

_log = logging.getLogger(__name__)

_MOST_COLUMNS = 999  # FITS standard 4.0, section 7.3.1
# FITS standard 4.0, section 3.3.3: text is of these characters; readers drop spaces at
# the end.
_KEPT = r"\A([ -~]*[!-~])?\z"
_FORMATS = {pa.float32(): "E", pa.float64(): "D", pa.int32(): "J", pa.int64(): "K"}


def write_fits_from_parquet(
    parquet: str | Path, *, fits_table: str | Path, rows_in_batch: int = 2048
) -> None:
    """Write a parquet table as a FITS binary table, some rows at a time.

    Parameters
    ----------
    parquet : path
        Columns of text, float32, float64, int32 or int64, without lists.
    fits_table : path
        File to write: the table is extension 1, with the same names, order and types.
        Text is as wide as the longest value. An empty number is NaN, an empty text has
        no character.
    rows_in_batch : int
        Rows in memory at once; does not change the result.

    Raises
    ------
    ValueError
        If a column has another type, an integer is missing, there are more than 999
        columns, or two names differ in case only, which FITS does not tell apart.

    Notes
    -----
    FITS text is printable ASCII, and spaces at its end do not count. Other characters
    are written as Python escapes, a backslash and digits, and the log names the first
    such value.
    """
    with pq.ParquetFile(parquet) as source:
        schema = source.schema_arrow
        _check_columns(schema, parquet)
        widths = _text_widths(source, rows_in_batch)
        formats = {
            field.name: _FORMATS.get(field.type) or f"{widths[field.name]}A"
            for field in schema
        }
        header = _header(formats, n_rows=source.metadata.num_rows)
        row = np.dtype([(name, _numpy_type(form)) for name, form in formats.items()])
        with written_whole(fits_table) as beside:
            stream = fits.StreamingHDU(str(beside), header)
            with contextlib.closing(stream):
                batches = track(
                    source.iter_batches(rows_in_batch),
                    total=source.metadata.num_rows,
                    what="rows of FITS",
                    size=len,
                )
                for batch in batches:
                    stream.write(_rows(batch, row, parquet).view(np.uint8))
    _log.info("wrote %d rows to %s", header["NAXIS2"], fits_table)


def _check_columns(schema: pa.Schema, path: str | Path) -> None:
    if len(schema) > _MOST_COLUMNS:
        raise ValueError(
            f"{path}: found {len(schema)} columns, a FITS table holds {_MOST_COLUMNS} "
            "at most; leave some out"
        )
    for name, count in Counter(name.lower() for name in schema.names).items():
        if count > 1:
            raise ValueError(
                f"{path}: {count} columns are called {name} but for upper and lower "
                "case, which FITS does not tell apart; rename one"
            )
    for field in schema:
        if not is_text(field.type) and field.type not in _FORMATS:
            raise ValueError(
                f"{path}: column {field.name}: found type {field.type}, expected text "
                f"or one of {', '.join(map(str, _FORMATS))}"
            )


def _text_widths(source: pq.ParquetFile, rows_in_batch: int) -> dict[str, int]:
    """Width of the longest value of each column of text, at least 1."""
    text = [field.name for field in source.schema_arrow if is_text(field.type)]
    widths = dict.fromkeys(text, 1)
    n_escaped = dict.fromkeys(text, 0)
    for batch in source.iter_batches(rows_in_batch, columns=text) if text else ():
        for name in text:
            kept, escaped = _as_fits_text(batch.column(name))
            longest = pc.max(pc.binary_length(kept)).as_py() or 0
            widths[name] = max(widths[name], longest)
            if escaped and not n_escaped[name]:
                _log.warning(
                    "column %s: FITS cannot hold %r; it and others like it are written "
                    "with Python escapes",
                    name,
                    escaped[0],
                )
            n_escaped[name] += len(escaped)
    for name, n_values in n_escaped.items():
        if n_values:
            _log.warning("column %s: escaped %d values", name, n_values)
    return widths


def _header(formats: dict[str, str], *, n_rows: int) -> fits.Header:
    with warnings.catch_warnings():
        # Hyphens are not recommended in names of columns; ours come from the questions.
        warnings.simplefilter("ignore", VerifyWarning)
        columns = [fits.Column(name, form) for name, form in formats.items()]
        header = fits.BinTableHDU.from_columns(columns, nrows=0).header
    header["NAXIS2"] = n_rows
    return header


def _numpy_type(form: str) -> str:
    """Type in a file, which is big-endian, of a column's format."""
    numbers = {"E": ">f4", "D": ">f8", "J": ">i4", "K": ">i8"}
    return numbers.get(form) or f"S{form.removesuffix('A')}"


def _rows(batch: pa.RecordBatch, row: np.dtype, path: str | Path) -> np.ndarray:
    rows = np.zeros(batch.num_rows, dtype=row)
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if is_text(field.type):
            rows[field.name] = _as_fits_text(column)[0].to_numpy(zero_copy_only=False)
        elif pa.types.is_integer(field.type) and column.null_count:
            raise ValueError(f"{path}: column {field.name}: expected no missing value")
        else:
            rows[field.name] = column.to_numpy(zero_copy_only=False)
    return rows


def _as_fits_text(column: pa.Array) -> tuple[pa.Array, list[str]]:
    """Bytes for FITS, and the texts that had to be escaped."""
    texts = pc.fill_null(pc.cast(column, pa.string()), "")
    is_kept = pc.match_substring_regex(texts, _KEPT)
    escaped = pc.filter(texts, pc.invert(is_kept)).to_pylist()
    if escaped:
        replacements = pa.array([_escape(text) for text in escaped], pa.string())
        texts = pc.replace_with_mask(texts, pc.invert(is_kept), replacements)
    return pc.cast(texts, pa.binary()), escaped


def _escape(text: str) -> str:
    text = text.encode("unicode_escape").decode("ascii")
    body = text.rstrip(" ")
    return body + "\\x20" * (len(text) - len(body))
