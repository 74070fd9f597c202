"""Rows of two tables beside each other, and files of them in any format."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoobot.tables.columns import is_text
from zoobot.tables.fits_tables import write_fits_from_parquet
from zoobot.tables.matches import Matches
from zoobot.tables.table_notes import (
    ColumnNote,
    TableNotes,
    notes_of,
    with_notes,
)
from zoobot.tables.table_writers import arrow_csv_writer, arrow_writer
from zoobot.tables.typed_tables import TypedTable

__all__ = ["Join", "table_writer"]

_log = logging.getLogger(__name__)

Write = Callable[[pa.Table], None]


@dataclasses.dataclass(frozen=True)
class Join:
    """The rows of one table beside those that were chosen of another."""

    table: TypedTable
    catalog: TypedTable
    matches: Matches
    """Of the rows of the table."""
    keep: Literal["matched", "all"]
    about: Mapping[str, str]
    """How they were matched, to be told with the result."""

    @property
    def names_in_catalog(self) -> dict[str, str]:
        """The catalogue's columns by the names that they get in the result."""
        taken = {name.lower() for name in (*self.table.schema.names, *self._numbers)}
        names = {}
        for name in self.catalog.schema.names:
            # FITS does not tell upper and lower case apart.
            new, number = name, 2
            while new.lower() in taken:
                new, number = f"{name}_{number}", number + 1
            taken.add(new.lower())
            names[new] = name
        return names

    @property
    def schema(self) -> pa.Schema:
        """Columns of the result, with notes."""
        ours, theirs = notes_of(self.table.schema), notes_of(self.catalog.schema)
        fields = list(self.table.schema)
        notes = dict(ours.columns)
        for new, name in self.names_in_catalog.items():
            fields.append(self.catalog.schema.field(name).with_name(new))
            notes[new] = theirs.columns[name]
        for name, (values, note) in self._numbers.items():
            fields.append(pa.field(name, pa.from_numpy_dtype(values.dtype)))
            notes[name] = note
        title = f"{self.table.path.name} matched with {self.catalog.path.name}"
        about = {**ours.about, **self.about}
        return with_notes(pa.schema(fields), TableNotes(title, notes, about=about))

    def pieces(self) -> Iterator[pa.Table]:
        """Give the rows of the result, some at a time, in the order of the table."""
        schema = self.schema
        names = self.names_in_catalog
        theirs = pa.concat_tables(self.catalog.pieces()).combine_chunks()
        theirs = theirs.select(list(names.values())).rename_columns(list(names))
        start = 0
        for ours in self.table.pieces():
            rows = self.matches.row[start : start + len(ours)]
            beside = theirs.take(pa.array(rows, mask=rows < 0))
            columns = [*ours.columns, *(_without_null_text(c) for c in beside.columns)]
            for values, _ in self._numbers.values():
                columns.append(pa.array(values[start : start + len(ours)]))
            joined = pa.table(columns, schema=schema)
            start += len(ours)
            yield joined if self.keep == "all" else joined.filter(pa.array(rows >= 0))

    @property
    def _numbers(self) -> dict[str, tuple[np.ndarray, ColumnNote]]:
        """What is known of each match."""
        ours, theirs = self.table.path.name, self.catalog.path.name
        numbers = {
            "n_matches": (
                self.matches.n_matches,
                ColumnNote(f"Rows of {theirs} that match, of which the best is here"),
            ),
            "n_sharing": (
                self.matches.n_sharing,
                ColumnNote(f"Rows of {ours} that got this same row of {theirs}"),
            ),
        }
        if self.matches.separation is not None:
            note = ColumnNote(
                f"Separation of the positions in {ours} and {theirs}", "arcsec"
            )
            numbers["separation"] = (self.matches.separation, note)
        return numbers


def _without_null_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(values, "") if is_text(values.type) else values


def table_writer(
    path: str | Path, *, schema: pa.Schema
) -> contextlib.AbstractContextManager[Write]:
    """Write a table as parquet, csv or FITS, some rows at a time.

    Parameters
    ----------
    path : path
        File to write; its suffix decides: .parquet, .csv, .fits or .fit.
    schema : pa.Schema
        Columns, with notes, which a csv file cannot hold.

    Returns
    -------
    context manager
        Gives a function that appends rows, a pa.Table of this schema. The file is there
        when the block ends well.

    Raises
    ------
    ValueError
        If the suffix is another.
    """
    writers = {".parquet": arrow_writer, ".csv": arrow_csv_writer}
    writers |= dict.fromkeys((".fits", ".fit"), _fits_writer)
    suffix = Path(path).suffix.lower()
    if suffix not in writers:
        raise ValueError(f"{path}: expected a name that ends in {', '.join(writers)}")
    return writers[suffix](path, schema=schema)


@contextlib.contextmanager
def _fits_writer(path: str | Path, *, schema: pa.Schema) -> Iterator[Write]:
    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
        parquet = Path(folder, "table.parquet")
        with arrow_writer(parquet, schema=schema) as write:
            yield write
        write_fits_from_parquet(parquet, fits_table=path)
