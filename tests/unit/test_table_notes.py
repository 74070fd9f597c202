"""Units and descriptions of columns, as the readers of a parquet file see them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.io import votable
from astropy.table import Table

from zoobot.tables.table_notes import (
    ColumnNote,
    TableNotes,
    has_notes,
    notes_of,
    with_notes,
)
from zoobot.tables.table_writers import parquet_writer

NOTES = TableNotes(
    "A <table> & more",
    {
        "id_str": ColumnNote("Name of the galaxy"),
        "shape_round-ish_fraction": ColumnNote("Who said 'round' & \"ish\" <é>: 100%"),
        "apart": ColumnNote("Separation on the sky", "arcsec"),
        "n": ColumnNote("How many", "ct"),
    },
    about={"model": "0123abc"},
)
TYPES = [pa.large_string(), pa.float32(), pa.float64(), pa.int64()]
SCHEMA = pa.schema(list(zip(NOTES.columns, TYPES, strict=True)))
FRAME = pd.DataFrame(
    {
        "id_str": pd.Series(["a", "Öpik 1", "007"], dtype="str"),
        "shape_round-ish_fraction": np.float32([0.25, np.nan, 1]),
        "apart": [1.5, 2.5, 3.5],
        "n": [1, 2, 3],
    }
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with notes, written a row at a time."""
    path = tmp_path_factory.mktemp("notes") / "table.parquet"
    with parquet_writer(path, schema=with_notes(SCHEMA, NOTES)) as write:
        for start in range(len(FRAME)):
            write(FRAME[start : start + 1])
    return path


@pytest.mark.parametrize("kind", ["parquet", "parquet.votable"])
def test_astropy(path: Path, kind: str):
    """Both of its readers: values, types, units, descriptions; and without warning."""
    table = Table.read(path, format=kind)
    assert table.colnames == list(NOTES.columns)
    for name, note in NOTES.columns.items():
        assert table[name].description == note.description
        assert (table[name].unit or "") == (u.Unit(note.unit) if note.unit else "")
        assert list(np.ma.getdata(table[name]).astype(str)) == list(
            FRAME[name].to_numpy().astype(str)
        )
    assert table["apart"].quantity.to("deg").value[0] == pytest.approx(1.5 / 3600)
    assert table["shape_round-ish_fraction"].dtype == np.float32
    assert table["n"].dtype == np.int64
    assert table.meta["title"] == NOTES.title
    assert table.meta["model"] == "0123abc"


def test_astropy_without_rows(tmp_path: Path):
    """A table of no galaxies has its descriptions all the same."""
    with parquet_writer(tmp_path / "t.parquet", schema=with_notes(SCHEMA, NOTES)):
        pass
    for kind in ("parquet", "parquet.votable"):
        table = Table.read(tmp_path / "t.parquet", format=kind)
        assert len(table) == 0
        assert table["apart"].description == "Separation on the sky"


def test_the_votable_in_the_file_is_one(path: Path):
    """What TOPCAT reads: strictly a VOTable, without data, one FIELD a column."""
    metadata = pq.read_metadata(path).metadata
    assert metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    content = metadata[b"IVOA.VOTable-Parquet.content"]
    parsed = votable.parse(io.BytesIO(content), verify="exception")
    fields = parsed.get_first_table().fields
    assert [field.name for field in fields] == list(NOTES.columns)
    assert [field.datatype for field in fields] == [
        *("unicodeChar", "float", "double", "long")
    ]


def test_pandas(path: Path):
    """In attrs; the table itself is as if there were none, and its copies keep them."""
    table = pd.read_parquet(path)
    pd.testing.assert_frame_equal(table, FRAME)
    for frame in (table, table[table["n"] > 1]):
        assert frame.attrs["units"]["apart"] == "arcsec"
        assert frame.attrs["descriptions"] == {
            name: note.description for name, note in NOTES.columns.items()
        }
        assert frame.attrs["title"] == NOTES.title


def test_pyarrow(path: Path):
    """In the fields; and they can be taken from one table to another."""
    schema = pq.read_schema(path)
    assert schema.field("apart").metadata[b"unit"] == b"arcsec"
    assert notes_of(schema) == NOTES
    assert notes_of(with_notes(SCHEMA, notes_of(schema))) == NOTES
    assert has_notes(schema)
    assert not has_notes(SCHEMA)
    assert notes_of(SCHEMA).columns["n"] == ColumnNote("")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": ColumnNote("A")}, "column b: found no description, expected one"),
        (dict.fromkeys("abc", ColumnNote("A")), "column c: found a description, but"),
    ],
)
def test_every_column_has_a_note_and_every_note_a_column(columns: dict, message: str):
    schema = pa.schema([("a", pa.int64()), ("b", pa.int64())])
    with pytest.raises(ValueError, match=message):
        with_notes(schema, TableNotes("T", columns))
