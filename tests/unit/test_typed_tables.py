"""Types of the columns of whole tables, and what is said of them."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from zoobot.tables.table_notes import (
    ColumnNote,
    TableNotes,
    notes_of,
    with_notes,
)
from zoobot.tables.typed_tables import open_table

TYPES = {
    "n": (["1", "-2", " 3 ", "4", "0", ""], pa.int64()),
    "zeros": (["007", "1", "2", "3", "4", ""], pa.string()),
    "objid": (["588018090547020096", "1237648720693755918"] * 3, pa.int64()),
    "too_long": (["12376487206937559180", "1"] * 3, pa.string()),
    "as_long": (["9999999999999999999", "1"] * 3, pa.string()),
    "x": (["1", "2.5", "-.5", "3.", "6.02E+23", "nan"], pa.float64()),
    "flag": (["True", "false", "TRUE", "", "true", "False"], pa.bool_()),
    "mixed": (["1", "2", "3", "4", "5", "six"], pa.string()),
    "hms": (["08:26:17.42"] * 6, pa.string()),
    "dots": ([".", "e5", "-", "+", "1", "2"], pa.string()),
    "empty": ([""] * 6, pa.string()),
    "name": (["1", "2", "3", "4", "5", "6"], pa.string()),
}


def test_types_of_a_csv_file(tmp_path: Path):
    """The narrowest that holds every value; zeros in front make a text."""
    columns = [values for values, _ in TYPES.values()]
    lines = [",".join(TYPES), *map(",".join, zip(*columns, strict=True))]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    table = open_table(tmp_path / "t.csv", texts=["name"])
    found = {field.name: field.type for field in table.schema}
    assert found == {name: kind for name, (_, kind) in TYPES.items()}
    rows = pa.concat_tables(table.pieces())
    assert rows["n"].to_pylist() == [1, -2, 3, 4, 0, None]
    assert rows["objid"][1].as_py() == 1237648720693755918
    assert rows["x"].to_pylist()[:5] == [1, 2.5, -0.5, 3, 6.02e23]
    assert rows["flag"].to_pylist() == [True, False, True, None, True, False]
    assert rows["zeros"].to_pylist() == ["007", "1", "2", "3", "4", ""]
    assert notes_of(table.schema).columns["n"].description == "Column n of t.csv"


def test_types_of_a_parquet_file(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """What FITS lacks becomes a type that holds it; lists are left out, and told."""
    columns = {
        "votes": pa.array([200, None], pa.uint8()),
        "half": pa.array([0.5, None], pa.float16()),
        "kind": pa.array(["a", None]).dictionary_encode(),
        "day": pa.array([0, 1], pa.date32()),
        "flux": pa.array([[1.0], [2.0]]),
        "raw": pa.array([b"x", b"y"]),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with caplog.at_level(logging.WARNING):
        table = open_table(tmp_path / "t.parquet")
    rows = pa.concat_tables(table.pieces())
    assert rows.to_pydict() == {
        "votes": [200, None],
        "half": [0.5, None],
        "kind": ["a", ""],
        "day": ["1970-01-01", "1970-01-02"],
        "raw": ["x", "y"],
    }
    assert rows["votes"].type == pa.int16()
    assert "left out columns of lists: flux" in caplog.text


@pytest.mark.parametrize("suffix", ["fits", "fits.gz", "vot", "parquet"])
def test_units_and_descriptions_of_any_kind_of_file(tmp_path: Path, suffix: str):
    """As astropy writes them, or FITS has them in TCOMM; a column without any, too."""
    table = Table({"z": [0.1], "mag": np.float32([20.5]), "n": [3]})
    table["z"].description = "Redshift"
    table["mag"].unit = "mag"
    path = tmp_path / f"t.{suffix}"
    if suffix == "vot":
        table.write(path, format="votable")
    elif suffix == "parquet":
        notes = {"z": ColumnNote("Redshift"), "mag": ColumnNote("", "mag")}
        schema = pa.schema(
            [("z", pa.float64()), ("mag", pa.float32()), ("n", pa.int64())]
        )
        schema = with_notes(schema, TableNotes("", notes | {"n": ColumnNote("")}))
        pq.write_table(pa.table([[0.1], [20.5], [3]], schema=schema), path)
    else:
        hdu = fits.table_to_hdu(table)
        hdu.header["TCOMM1"] = "Redshift"
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(np.ones((2, 2))), hdu]
        fits.HDUList(hdus).writeto(path)
    found = open_table(path)
    assert found.schema.types == [pa.float64(), pa.float32(), pa.int64()]
    assert notes_of(found.schema).columns == {
        "z": ColumnNote("Redshift"),
        "mag": ColumnNote(f"Column mag of t.{suffix}", "mag"),
        "n": ColumnNote(f"Column n of t.{suffix}"),
    }
    assert pa.concat_tables(found.pieces()).to_pydict() == {
        "z": [0.1],
        "mag": [20.5],
        "n": [3],
    }


def test_notes_of_a_parquet_file_are_kept(tmp_path: Path):
    """Where the file has some; others are told by their names."""
    notes = TableNotes("T", {"x": ColumnNote("How far", "pc"), "y": ColumnNote("")})
    schema = with_notes(pa.schema([("x", pa.float64()), ("y", pa.int64())]), notes)
    pq.write_table(pa.table([[1.0], [2]], schema=schema), tmp_path / "t.parquet")
    found = notes_of(open_table(tmp_path / "t.parquet").schema)
    assert found.title == "T"
    assert found.columns["x"] == ColumnNote("How far", "pc")
    assert found.columns["y"] == ColumnNote("Column y of t.parquet")


def test_what_cannot_be_read_is_named(tmp_path: Path):
    """A row with too many fields, a number too large; file, row or column."""
    (tmp_path / "t.csv").write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(
        ValueError, match=r"t\.csv: found 1 malformed rows, the first: "
    ):
        list(open_table(tmp_path / "t.csv").pieces())
    big = pa.table({"n": pa.array([2**64 - 1], pa.uint64())})
    pq.write_table(big, tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"t\.parquet: n: expected int64"):
        list(open_table(tmp_path / "t.parquet").pieces())
    with pytest.raises(ValueError, match="columns missing: y"):
        open_table(tmp_path / "t.csv", columns=["y"])
