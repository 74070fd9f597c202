"""Units and descriptions that files of several kinds give for their columns."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pyarrow.parquet as pq
from astropy.io import fits, votable

from zoobot.tables.table_notes import ColumnNote, TableNotes, notes_of

__all__ = ["notes_in_file"]


def notes_in_file(path: str | Path, *, columns: Collection[str]) -> TableNotes:
    """Read what a table's file says of its columns.

    Parameters
    ----------
    path : str or Path
        A table that was read without error: parquet that this library wrote, FITS
        (TUNIT, TCOMM) or VOTable; other files, as csv, say nothing.
    columns : collection of str
        Columns of the table; of a file of several, the first that has them is meant.

    Returns
    -------
    TableNotes
        Of some of the file's columns; empty texts where it says nothing.
    """
    path = Path(path)
    name = path.name.lower()
    if name.endswith(".parquet"):
        return notes_of(pq.read_schema(path))
    if name.endswith((".fits", ".fit", ".fits.gz")):
        return _of_fits(path, columns)
    if name.endswith((".vot", ".votable", ".xml")):
        return _of_votable(path, columns)
    return TableNotes("", {})


def _of_fits(path: Path, columns: Collection[str]) -> TableNotes:
    with fits.open(path) as parts:
        for part in parts:
            if not isinstance(part, fits.BinTableHDU | fits.TableHDU):
                continue
            if set(columns) <= set(part.columns.names):
                notes = {
                    column.name: ColumnNote(
                        str(part.header.get(f"TCOMM{number}", "")), column.unit or ""
                    )
                    for number, column in enumerate(part.columns, start=1)
                }
                return TableNotes(part.name, notes)
    return TableNotes("", {})


def _of_votable(path: Path, columns: Collection[str]) -> TableNotes:
    for table in votable.parse(path, verify="ignore").iter_tables():
        if set(columns) <= {field.name for field in table.fields}:
            notes = {
                field.name: ColumnNote(
                    " ".join((field.description or "").split()), str(field.unit or "")
                )
                for field in table.fields
            }
            return TableNotes(table.name or "", notes)
    return TableNotes("", {})
