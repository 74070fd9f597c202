"""Rows of a csv file that cannot be read, kept behind the others."""

from __future__ import annotations

import csv
import io
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from zoobot.tables.csv_text import NOT_UTF8

__all__ = ["MalformedRows"]

_ROWS = 2048  # in memory at once


class MalformedRows:
    """The malformed rows of one csv file, on disk: all of its rows may be malformed.

    Parameters
    ----------
    names : sequence of str
        Its header.
    columns : sequence of str
        Columns to keep of what can be read of a row.
    """

    def __init__(self, *, names: Sequence[str], columns: Sequence[str]) -> None:
        self._names = names
        self._columns = columns
        self.n_skipped = 0
        """Rows with too many or too few fields, which the csv reader left out."""
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
        """Keep a row with too many or too few fields, as the csv reader's handler."""
        self.n_skipped += 1
        fields = next(csv.reader(io.StringIO(row.text, newline="")), [])
        known = dict(zip(self._names, fields, strict=False))
        problem = f"found {row.actual_columns} fields, expected {row.expected_columns}"
        values = [known.get(name, "") for name in self._columns]
        self._writer.writerow([f"line {row.number}: {problem}", *values])
        return "skip"

    def sift(self, rows: pa.Table) -> pa.Table:
        """Keep the rows with bytes that are not UTF-8, and give the others."""
        is_bad = np.zeros(len(rows), dtype=bool)
        for column in rows.columns:
            is_bad |= pc.match_substring(column, NOT_UTF8).to_numpy()
        for row in rows.filter(pa.array(is_bad)).to_pylist():
            found = next(value for value in row.values() if NOT_UTF8 in value)
            self._writer.writerow([f"found {found!r}, expected UTF-8", *row.values()])
        return rows.filter(pa.array(~is_bad))

    def blocks(self) -> Iterator[list[tuple[dict[str, str], str]]]:
        """Give the rows back, some at a time.

        Yields
        ------
        list of (dict, str)
            Of each row its values by column and what is wrong with it.
        """
        self._file.seek(0)
        rows = csv.reader(self._file)
        while some := list(itertools.islice(rows, _ROWS)):
            yield [
                (dict(zip(self._columns, values, strict=True)), problem)
                for problem, *values in some
            ]
