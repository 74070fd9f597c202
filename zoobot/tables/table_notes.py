"""What a table and its columns hold, in words and units, kept in the table's own file.

The notes stand in the schema of a parquet file. From there they go into what other
programs read: `zoobot.tables.readers_metadata` for parquet,
`zoobot.tables.fits_tables` for FITS.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

import pyarrow as pa

__all__ = [
    "ID_NOTE",
    "ColumnNote",
    "TableNotes",
    "has_notes",
    "notes_of",
    "with_notes",
]

_ABOUT = b"about"
_DESCRIPTION, _UNIT = b"description", b"unit"


@dataclasses.dataclass(frozen=True)
class ColumnNote:
    """What one column holds."""

    description: str
    unit: str = ""
    """As FITS and astropy spell it, ``arcsec``; empty for a pure number or a text."""


@dataclasses.dataclass(frozen=True)
class TableNotes:
    """What a table holds."""

    title: str
    columns: Mapping[str, ColumnNote]
    about: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What made it, as ``model``; names of up to 8 letters, as FITS has keywords."""


ID_NOTE = ColumnNote("Identifier of the galaxy: id_str of the survey's catalogue")


def with_notes(schema: pa.Schema, notes: TableNotes) -> pa.Schema:
    """Put notes into a schema, in place of any that it has.

    Parameters
    ----------
    schema : pa.Schema
        Names and types of the columns.
    notes : TableNotes
        Of these columns and no others.

    Raises
    ------
    ValueError
        If a column has no note, or a note no column.
    """
    for name in schema.names:
        if name not in notes.columns:
            raise ValueError(f"column {name}: found no description, expected one")
    for name in notes.columns:
        if name not in schema.names:
            raise ValueError(
                f"column {name}: found a description, but no such column in the table"
            )
    fields = [
        field.with_metadata(
            {
                _DESCRIPTION: notes.columns[field.name].description,
                _UNIT: notes.columns[field.name].unit,
            }
        )
        for field in schema
    ]
    about = {"title": notes.title, **notes.about}
    return pa.schema(fields, metadata={_ABOUT: json.dumps(about)})


def has_notes(schema: pa.Schema) -> bool:
    """Tell whether a schema is one of `with_notes`."""
    return _ABOUT in (schema.metadata or {})


def notes_of(schema: pa.Schema) -> TableNotes:
    """Read the notes in a schema; they are empty where it has none."""
    about = json.loads((schema.metadata or {}).get(_ABOUT, b"{}"))
    return TableNotes(
        title=about.pop("title", ""),
        columns={field.name: _note_of(field) for field in schema},
        about=about,
    )


def _note_of(field: pa.Field) -> ColumnNote:
    found = field.metadata or {}
    return ColumnNote(
        description=found.get(_DESCRIPTION, b"").decode(),
        unit=found.get(_UNIT, b"").decode(),
    )
