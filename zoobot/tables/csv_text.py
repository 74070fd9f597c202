"""What must be known of a csv file before its rows can be trusted.

A quote that opens and does not close makes one value of all rows up to the next quote:
a parser reads on without complaint, and these galaxies are gone. A byte that is not
UTF-8 spoils one row, not a table of a million.
"""

from __future__ import annotations

import codecs
import csv
import dataclasses
import gzip
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

__all__ = [
    "BYTES_IN_ROW",
    "NOT_UTF8",
    "CsvText",
    "csv_names",
    "examine_csv",
    "opened_as_utf8",
]

NOT_UTF8 = "\ufffd"
"""Stands for bytes that are not UTF-8, in files that have such."""

BYTES_IN_ROW = 2**16
"""A row that is longer is none of a table of galaxies."""

_BYTES_AT_ONCE = 2**20
_MOST_SHOWN = 60
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclasses.dataclass(frozen=True)
class CsvText:
    """A csv file as its text alone shows it."""

    names: list[str]
    """Its header; empty if it has none."""
    has_rows: bool
    is_utf8: bool
    n_rows: int | None
    """Rows below the header, where quotes decide what a row is; None without quotes."""


def examine_csv(path: Path, *, columns: Sequence[str]) -> CsvText:
    """Read a csv file once for its header, encoding and quotes.

    Parameters
    ----------
    path : Path
        The file.
    columns : sequence of str
        Names that its header should have, to recognise another separator.

    Raises
    ------
    ValueError
        If the file is UTF-16, its columns are not separated by commas, or a quote does
        not close in its row: rows could not be told apart, nor counted.
    """
    _check_not_utf16(path)
    is_utf8, has_quotes = _scan(path)
    n_rows = _count_rows(path) if has_quotes else None
    with _text(path) as file:
        names = next((row for row in csv.reader(file) if row), [])
        has_rows = any(line.strip("\r\n") for line in file)
    _check_separator(path, names, columns)
    return CsvText(names, has_rows, is_utf8, n_rows)


def csv_names(path: Path) -> list[str]:
    """Give the names in a csv file's header, whatever else is wrong with it."""
    with _text(path) as file:
        line = next(
            filter(str.strip, iter(lambda: file.readline(BYTES_IN_ROW), "")), ""
        )
        return next(csv.reader([line]), [])


def opened_as_utf8(path: Path, *, is_utf8: bool) -> BinaryIO:
    """Open a file whose bytes are UTF-8, `NOT_UTF8` in place of those that are not."""
    file = _open(path)
    return file if is_utf8 else io.BufferedReader(_Mended(file))


class _Mended(io.RawIOBase):
    """A file of which all that is read is UTF-8."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._waiting:
            some = self._file.read(len(buffer))
            self._waiting = self._decoder.decode(some, final=not some).encode()
            if not some:
                break
        n_bytes = min(len(buffer), len(self._waiting))
        buffer[:n_bytes] = self._waiting[:n_bytes]
        self._waiting = self._waiting[n_bytes:]
        return n_bytes

    def close(self) -> None:
        self._file.close()
        super().close()


def _open(path: Path) -> BinaryIO:
    if path.suffix.lower() == ".gz":
        return cast(BinaryIO, gzip.open(path))
    return path.open("rb")


def _text(path: Path) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        _open(path), encoding="utf-8-sig", errors="replace", newline=""
    )


def _check_not_utf16(path: Path) -> None:
    with _open(path) as file:
        start = file.read(2)
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise ValueError(
            f"{path}: found text in UTF-16, expected UTF-8 (save it again as such)"
        )


def _scan(path: Path) -> tuple[bool, bool]:
    """Tell whether all bytes are UTF-8, and whether any is a quote."""
    is_utf8, has_quotes = True, False
    decoder = codecs.getincrementaldecoder("utf-8")()
    for block in _blocks(path):
        has_quotes = has_quotes or b'"' in block
        _check_rows_end(path, block)
        try:
            if is_utf8:
                decoder.decode(block, final=not block)
        except UnicodeDecodeError:
            is_utf8 = False
    return is_utf8, has_quotes


def _check_rows_end(path: Path, block: bytes) -> None:
    """Refuse what would be one row without end, as zeros that were compressed."""
    n_bytes = 2 * BYTES_IN_ROW
    for start in range(0, len(block) - n_bytes + 1, n_bytes):
        some = block[start : start + n_bytes]
        if b"\n" not in some and b"\r" not in some:
            raise ValueError(
                f"{path}: expected a complete csv table; found a row longer than "
                f"{BYTES_IN_ROW} bytes"
            )


def _blocks(path: Path) -> Iterator[bytes]:
    """Bytes of a file, some at a time, none at its end."""
    with _open(path) as file:
        while some := file.read(_BYTES_AT_ONCE):
            yield some
    yield b""


def _count_rows(path: Path) -> int:
    """Count the rows below the header, and check the quotes of each."""
    n_rows = -1
    n_names = 0
    with _text(path) as file:
        rows = csv.reader(file, strict=True)
        while True:
            first_line = rows.line_num + 1
            try:
                row = next(rows, None)
            except csv.Error as error:
                raise ValueError(
                    f"{path}: line {first_line}: expected each quote that opens in "
                    f"this row to close in it, at the end of a value; {error}"
                ) from None
            if row is None:
                return max(n_rows, 0)
            if not row:
                continue
            n_rows += 1
            n_names = n_names or len(row)
            if rows.line_num > first_line:
                _check_no_row_inside(path, row, n_names=n_names, line=first_line)


def _check_no_row_inside(
    path: Path, row: list[str], *, n_names: int, line: int
) -> None:
    """Refuse a value that spans lines of which one has as many fields as the table."""
    if n_names < 3:  # A comma in a file's name would do.
        return
    for value in row:
        for inner in value.splitlines()[1:]:
            if inner.count(",") >= n_names - 1:
                raise ValueError(
                    f"{path}: line {line}: a quote opens in this row and closes behind "
                    f"what looks like another row, {inner[:_MOST_SHOWN]!r}; expected "
                    "it to close in its own row"
                )


def _check_separator(path: Path, names: list[str], columns: Sequence[str]) -> None:
    if set(names) & set(columns):
        return
    header = ",".join(names)
    for separator, word in _OTHER_SEPARATORS.items():
        if {name.strip(' "') for name in header.split(separator)} & set(columns):
            raise ValueError(
                f"{path}: found columns separated by {word}, expected commas (save it "
                "again as such, or as parquet)"
            )
