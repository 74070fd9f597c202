"""Units and descriptions of a parquet file's columns where its readers look for them.

Parquet has no place of its own for them. Three conventions are in use, and a file can
follow all: astropy's (``format="parquet"``), that of the Virtual Observatory, which
TOPCAT and astropy (``format="parquet.votable"``) read, and the ``attrs`` of pandas.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from astropy.table import Column, Table, meta
from astropy.units import Unit

from zoobot.tables.columns import is_text
from zoobot.tables.table_notes import TableNotes, notes_of

__all__ = ["TextWidths", "readers_metadata"]

_NAMESPACE = "http://www.ivoa.net/xml/VOTable/v1.3"
_DATATYPES = {
    pa.float32(): "float",
    pa.float64(): "double",
    pa.int16(): "short",
    pa.int32(): "int",
    pa.int64(): "long",
    pa.bool_(): "boolean",
}


class TextWidths:
    """Characters of the longest value of each column of text, at least 1."""

    def __init__(self, schema: pa.Schema) -> None:
        self.widths = {field.name: 1 for field in schema if is_text(field.type)}

    def add(self, table: pa.Table) -> None:
        """Take some rows into account."""
        for name, width in self.widths.items():
            longest = pc.max(pc.utf8_length(table[name])).as_py() or 0
            self.widths[name] = max(width, longest)


def readers_metadata(
    schema: pa.Schema, *, widths: Mapping[str, int]
) -> dict[bytes, bytes]:
    """Metadata to add to a parquet file, so that its readers find the notes.

    Parameters
    ----------
    schema : pa.Schema
        Columns, with notes.
    widths : dict
        Characters of the longest value of each column of text: astropy wants them.

    References
    ----------
    VOParquet 1.0, https://www.ivoa.net/documents/Notes/VOParquet
    """
    notes = notes_of(schema)
    found = dict(schema.metadata) | {
        b"table_meta_yaml": _of_astropy(schema, notes, widths),
        b"IVOA.VOTable-Parquet.version": b"1.0",
        b"IVOA.VOTable-Parquet.content": _votable(schema, notes, widths),
        b"PANDAS_ATTRS": _of_pandas(notes),
    }
    found |= {f"table::len::{n}".encode(): str(w).encode() for n, w in widths.items()}
    # Arrow's own record of the schema, which hides what stands beside it.
    whole = schema.with_metadata(found).serialize().to_pybytes()
    return {**found, b"ARROW:schema": base64.b64encode(whole)}


def _of_astropy(
    schema: pa.Schema, notes: TableNotes, widths: Mapping[str, int]
) -> bytes:
    table = Table(meta={"title": notes.title, **notes.about})
    for field in schema:
        text = f"U{widths[field.name]}" if is_text(field.type) else None
        note = notes.columns[field.name]
        table[field.name] = Column(
            np.empty(0, text or field.type.to_pandas_dtype()),
            unit=Unit(note.unit, parse_strict="silent") if note.unit else None,
            description=note.description,
        )
    return "\n".join(meta.get_yaml_from_table(table)).encode()


def _votable(schema: pa.Schema, notes: TableNotes, widths: Mapping[str, int]) -> bytes:
    """A VOTable without data; astropy takes seconds to write one of 1281 columns."""
    root = ElementTree.Element("VOTABLE", version="1.4", xmlns=_NAMESPACE)
    table = ElementTree.SubElement(ElementTree.SubElement(root, "RESOURCE"), "TABLE")
    ElementTree.SubElement(table, "DESCRIPTION").text = notes.title
    for name, value in notes.about.items():
        ElementTree.SubElement(
            table, "PARAM", name=name, datatype="char", arraysize="*", value=value
        )
    for field in schema:
        note = notes.columns[field.name]
        attributes = {"name": field.name, "datatype": _DATATYPES.get(field.type, "")}
        if is_text(field.type):
            attributes |= {
                "datatype": "unicodeChar",
                "arraysize": str(widths[field.name]),
            }
        if note.unit:
            attributes["unit"] = note.unit
        column = ElementTree.SubElement(table, "FIELD", attributes)
        ElementTree.SubElement(column, "DESCRIPTION").text = note.description
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def _of_pandas(notes: TableNotes) -> bytes:
    attrs = {
        "title": notes.title,
        **notes.about,
        "units": {name: note.unit for name, note in notes.columns.items()},
        "descriptions": {n: note.description for n, note in notes.columns.items()},
    }
    return json.dumps(attrs).encode()
