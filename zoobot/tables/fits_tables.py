"""FITS binary tables from parquet tables of any length."""

from __future__ import annotations

import contextlib
import dataclasses
import io
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
from astropy.table import Column, Table

from zoobot.files import written_whole
from zoobot.logs import track
from zoobot.tables.columns import is_text
from zoobot.tables.parquet_pieces import opened
from zoobot.tables.table_notes import notes_of

__all__ = ["write_fits_from_parquet"]

_log = logging.getLogger(__name__)

_MOST_COLUMNS = 999  # FITS standard 4.0, section 7.3.1
# FITS standard 4.0, section 3.3.3: text is of these characters; readers drop spaces at
# the end.
_KEPT = r"\A([ -~]*[!-~])?\z"
_LONGEST_NAME = 68  # characters; section 4.2.1.1; a quote counts twice
_FORMATS = {
    pa.float32(): "E",
    pa.float64(): "D",
    pa.int16(): "I",
    pa.int32(): "J",
    pa.int64(): "K",
    pa.bool_(): "L",
}
_NUMPY_TYPES = {"E": ">f4", "D": ">f8", "I": ">i2", "J": ">i4", "K": ">i8", "L": "i1"}


def write_fits_from_parquet(
    parquet: str | Path, *, fits_table: str | Path, rows_in_batch: int = 2048
) -> None:
    """Write a parquet table as a FITS binary table, some rows at a time.

    Parameters
    ----------
    parquet : path
        Columns of text, truth values, float32, float64, int16, int32 or int64, without
        lists.
    fits_table : path
        File to write: the table is extension 1, with the same names, order and types.
        Text is as wide as the longest value. An empty number is NaN, an empty integer
        the column's TNULL, an empty text has no character.
    rows_in_batch : int
        Rows in memory at once; does not change the result.

    Raises
    ------
    ValueError
        If a column has another type, there are more than 999 columns, or two names
        differ in case only, which FITS does not tell apart.

    Notes
    -----
    FITS text is printable ASCII, and spaces at its end do not count. Other characters
    are written as Python escapes, a backslash and digits, and the log names the first
    such value.

    Units are TUNIT. Descriptions are TCOMM, which TOPCAT shows, and stand in the
    comments as astropy writes them, which its `Table.read` takes them from; the title
    is EXTNAME. A name of more than 68 characters, which no card can hold, is cut short;
    the log says so, and the description begins with the whole name.
    """
    with opened(parquet) as source:
        schema = source.schema_arrow
        _check_columns(schema, parquet)
        columns = _columns(source, rows_in_batch)
        header = _header(schema, columns, n_rows=source.metadata.num_rows)
        row = np.dtype([(name, one.numpy_type) for name, one in columns.items()])
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
                    stream.write(_rows(batch, row, columns).view(np.uint8))
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


@dataclasses.dataclass
class _Column:
    """How a column is stored."""

    form: str
    """TFORM; of text, without its width."""
    width: int = 1
    null: int | None = None
    """What stands for a missing integer, if one is."""

    @property
    def tform(self) -> str:
        return f"{self.width}A" if self.form == "A" else self.form

    @property
    def numpy_type(self) -> str:
        """Type in the file, which is big-endian."""
        return f"S{self.width}" if self.form == "A" else _NUMPY_TYPES[self.form]


def _columns(source: pq.ParquetFile, rows_in_batch: int) -> dict[str, _Column]:
    """Read what must be known of text and integers before the first row is written."""
    columns = {
        field.name: _Column(_FORMATS.get(field.type, "A"))
        for field in source.schema_arrow
    }
    looked_at = [name for name, one in columns.items() if one.form in "AIJK"]
    n_escaped = dict.fromkeys(columns, 0)
    for batch in source.iter_batches(rows_in_batch, columns=looked_at):
        for name, values in zip(batch.schema.names, batch.columns, strict=True):
            column = columns[name]
            if column.form != "A":
                if values.null_count:
                    column.null = int(np.iinfo(column.numpy_type).min)
                continue
            kept, escaped = _as_fits_text(values)
            column.width = max(
                column.width, pc.max(pc.binary_length(kept)).as_py() or 0
            )
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
    return columns


def _header(
    schema: pa.Schema, columns: dict[str, _Column], *, n_rows: int
) -> fits.Header:
    """The header that astropy writes, with the number of rows, and TCOMM for TOPCAT."""
    notes = notes_of(schema)
    about = {name.upper(): _ascii(text) for name, text in notes.about.items()}
    if notes.title:
        about["EXTNAME"] = _ascii(notes.title)
    table = Table(meta=about)
    for number, (name, column) in enumerate(columns.items(), start=1):
        short = _short_name(name, number)
        text = _ascii(notes.columns[name].description)
        if short != name:
            _log.warning("column %s: called %s in the FITS table", name, short)
            text = f"{_ascii(name)}: {text}"
        table[short] = Column(np.empty(0, column.numpy_type), description=text or None)
    file = io.BytesIO()
    with warnings.catch_warnings():
        # Hyphens are not recommended in names of columns; ours come from the questions.
        warnings.simplefilter("ignore", VerifyWarning)
        table.write(file, format="fits")
        file.seek(0)
        header = fits.getheader(file, 1)
    header["NAXIS2"] = n_rows
    for number, (name, column) in enumerate(columns.items(), start=1):
        header[f"TFORM{number}"] = column.tform
        more = {
            "TCOMM": table.columns[number - 1].description,
            "TUNIT": _ascii(notes.columns[name].unit),
            "TNULL": column.null,
        }
        for keyword, value in more.items():
            if value not in ("", None):
                header.set(f"{keyword}{number}", value, after=f"TFORM{number}")
    return header


def _short_name(name: str, number: int) -> str:
    """A name that fits into one card: astropy reads no other."""
    name = _ascii(name)
    if len(name.replace("'", "''")) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME // 2]}~{number}"


def _rows(
    batch: pa.RecordBatch, row: np.dtype, columns: dict[str, _Column]
) -> np.ndarray:
    rows = np.zeros(batch.num_rows, dtype=row)
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        column = columns[name]
        if column.form == "A":
            rows[name] = _as_fits_text(values)[0].to_numpy(zero_copy_only=False)
        elif column.form == "L":  # 0 where it is not known
            letters = pc.fill_null(pc.if_else(values, ord("T"), ord("F")), 0)
            rows[name] = letters.to_numpy(zero_copy_only=False)
        else:
            if column.null is not None:
                values = pc.fill_null(values, column.null)
            rows[name] = values.to_numpy(zero_copy_only=False)
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


def _ascii(text: str) -> str:
    """Text for a header."""
    return text if text.isascii() and text.isprintable() else _escape(text)


def _escape(text: str) -> str:
    text = text.encode("unicode_escape").decode("ascii")
    body = text.rstrip(" ")
    return body + "\\x20" * (len(text) - len(body))
