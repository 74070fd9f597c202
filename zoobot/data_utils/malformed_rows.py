"""Rows of a csv file with too many or too few fields, kept behind the others."""

from __future__ import annotations

import csv
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import pyarrow.csv

__all__ = ["MalformedRows"]

_ROWS = 2048  # in memory at once


class MalformedRows:
    """The malformed rows of one csv file, on disk: all of its rows may be malformed.

    Parameters
    ----------
    path : Path
        The csv file.
    names : sequence of str
        Its header.
    columns : sequence of str
        Columns to keep of what can be read of a row.
    """

    def __init__(
        self, path: Path, *, names: Sequence[str], columns: Sequence[str]
    ) -> None:
        self._path = path
        self._names = names
        self._columns = columns
        self._unclosed: int | None = None
        self._file = tempfile.TemporaryFile(  # noqa: SIM115, closed at exit
            "w+", encoding="utf-8", newline=""
        )
        self._writer = csv.writer(self._file)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Remove the rows."""
        self._file.close()

    def keep(self, row: pyarrow.csv.InvalidRow) -> str:
        """Keep a row, as the csv reader's handler of invalid rows."""
        if "\n" in row.text.rstrip():
            self._unclosed = self._unclosed or row.number
            return "skip"
        fields = next(csv.reader([row.text]), [])
        known = dict(zip(self._names, fields, strict=False))
        problem = f"found {row.actual_columns} fields, expected {row.expected_columns}"
        values = [known.get(name, "") for name in self._columns]
        self._writer.writerow([f"line {row.number}: {problem}", *values])
        return "skip"

    def blocks(self) -> Iterator[list[tuple[dict[str, str], str]]]:
        """Give the rows back, some at a time.

        Yields
        ------
        list of (dict, str)
            Of each row its values by column and what is wrong with it.

        Raises
        ------
        ValueError
            If a quote opened in a row and did not close in it: rows cannot be told
            apart, nor counted.
        """
        if self._unclosed is not None:
            raise ValueError(
                f"{self._path}: line {self._unclosed}: expected the quote that opens "
                "in this row to close in it; found the end of another row first"
            )
        self._file.seek(0)
        rows = csv.reader(self._file)
        while some := list(itertools.islice(rows, _ROWS)):
            yield [
                (dict(zip(self._columns, values, strict=True)), problem)
                for problem, *values in some
            ]
