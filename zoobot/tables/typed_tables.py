"""Whole tables of any kind, each column of the type that its values have."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from zoobot.tables.columns import is_text, plain
from zoobot.tables.notes_in_files import notes_in_file
from zoobot.tables.read_tables import column_names, read_pieces
from zoobot.tables.table_notes import ColumnNote, TableNotes, with_notes

__all__ = ["TypedTable", "open_table"]

_log = logging.getLogger(__name__)

# Whole numbers without zeros in front, which ids have; floats whose digits all count.
_PATTERNS = {
    pa.bool_(): r"^(?i:true|false)$",
    pa.int64(): r"^-?(0|[1-9][0-9]{0,18})$",
    pa.float64(): (
        r"^(?i:nan|[+-]?(inf|((0|[1-9][0-9]{0,16})(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?))$"
    ),
}
_WIDER = {
    pa.int8(): pa.int16(),
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.int64(),
    pa.float16(): pa.float32(),
}
_KEPT = {pa.bool_(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64()}


@dataclasses.dataclass(frozen=True)
class TypedTable:
    """A table whose rows are still in its file."""

    path: Path
    schema: pa.Schema
    """Columns of text, truth values, int16, int32, int64, float32 or float64, with
    notes."""

    def pieces(self) -> Iterator[pa.Table]:
        """Read some rows at a time; the first time none.

        Raises
        ------
        ValueError
            If rows do not fit the header, or a value its column.
        """
        for piece in read_pieces(self.path, columns=self.schema.names):
            if piece.malformed:
                _, reason = piece.malformed[0]
                raise ValueError(
                    f"{self.path}: found {len(piece.malformed)} malformed rows, the "
                    f"first: {reason}"
                )
            columns = [
                _cast(piece[field.name], field.type, where=f"{self.path}: {field.name}")
                for field in self.schema
            ]
            yield pa.table(columns, schema=self.schema)


def open_table(
    path: str | Path, *, columns: Sequence[str] | None = None, texts: Sequence[str] = ()
) -> TypedTable:
    """Find the columns of a table and their types.

    Parameters
    ----------
    path : str or Path
        What `zoobot.tables.read_tables.read_table` reads. A csv file is read once for
        the types of its columns.
    columns : sequence of str, optional
        Some of its columns; otherwise all.
    texts : sequence of str
        Columns that stay text, whatever they look like: ids.

    Raises
    ------
    ValueError
        If the file is missing or damaged, or lacks a column.

    Notes
    -----
    Columns of lists, as images or spectra, are left out, and the log names them.
    """
    path = Path(path)
    names = column_names(path) if columns is None else list(columns)
    types = next(iter(read_pieces(path, columns=names))).columns.schema
    if path.name.lower().endswith((".csv", ".csv.gz")):
        types = _types_of_texts(path, [name for name in names if name not in texts])
        types = pa.schema([(n, types.get(n, pa.string())) for n in names])
    fields = [(field.name, _stored(field.type)) for field in types]
    fields = [(n, pa.string() if n in texts else kind) for n, kind in fields]
    left_out = [name for name, kind in fields if kind is None]
    if left_out:
        _log.warning("%s: left out columns of lists: %s", path, ", ".join(left_out))
    schema = pa.schema([field for field in fields if field[1] is not None])
    return TypedTable(path, with_notes(schema, _notes(path, schema)))


def _types_of_texts(path: Path, names: list[str]) -> dict[str, pa.DataType]:
    """The narrowest type that holds all values of a column that are there."""
    types = {name: list(_PATTERNS) for name in names}
    has_value = set()
    for piece in read_pieces(path, columns=names) if names else ():
        for name in names:
            values = _trimmed(piece[name])
            values = values.filter(pc.not_equal(values, ""))
            if len(values):
                has_value.add(name)
                types[name] = [kind for kind in types[name] if _all_are(values, kind)]
    return {name: types[name][0] for name in has_value if types[name]}


def _all_are(values: pa.ChunkedArray, kind: pa.DataType) -> bool:
    if not pc.all(pc.match_substring_regex(values, _PATTERNS[kind])).as_py():
        return False
    try:
        pc.cast(values, kind)
    except pa.ArrowInvalid:  # of 19 digits, but too large
        return False
    return True


def _stored(kind: pa.DataType) -> pa.DataType | None:
    """The type in which a column is given; None if it cannot be."""
    if pa.types.is_dictionary(kind):
        return _stored(kind.value_type)
    kind = _WIDER.get(kind, kind)
    if kind in _KEPT:
        return kind
    if pa.types.is_decimal(kind):
        return pa.float64()
    return None if pa.types.is_nested(kind) else pa.string()


def _cast(values: pa.ChunkedArray, kind: pa.DataType, *, where: str) -> pa.ChunkedArray:
    """Give values their type; text without a value is empty, a number is missing."""
    values = plain(values)
    try:
        if is_text(kind):
            return pc.fill_null(pc.cast(values, kind), "")
        if is_text(values.type):
            values = _trimmed(values)
            values = pc.if_else(pc.equal(values, ""), None, values)
        return pc.cast(values, kind)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{where}: expected {kind}; {error}") from error


def _trimmed(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.utf8_trim_whitespace(pc.fill_null(values, ""))


def _notes(path: Path, schema: pa.Schema) -> TableNotes:
    """What the file says of its columns; where it does not, their names and its own."""
    known = notes_in_file(path, columns=schema.names)
    columns = {}
    for name in schema.names:
        note = known.columns.get(name, ColumnNote(""))
        text = note.description or f"Column {name} of {path.name}"
        columns[name] = dataclasses.replace(note, description=text)
    return TableNotes(known.title, columns, about=known.about)
