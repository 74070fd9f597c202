"""FITS tables against the parquet tables they are made from, read by astropy."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from zoobot.tables.fits_tables import write_fits_from_parquet
from zoobot.tables.table_notes import ColumnNote, TableNotes, with_notes
from zoobot.tables.table_writers import arrow_writer

HYPHENS = "smooth-or-featured_featured-or-disk_90pc-lower"


def converted(
    folder: Path, columns: dict, *, rows_in_batch: int = 8192, **options
) -> Table:
    """Write columns as parquet, convert, and read as an astronomer would."""
    pq.write_table(pa.table(columns), folder / "t.parquet", **options)
    write_fits_from_parquet(
        folder / "t.parquet", fits_table=folder / "t.fits", rows_in_batch=rows_in_batch
    )
    with fits.open(folder / "t.fits", checksum=True) as file:
        file.verify("exception")
    assert (folder / "t.fits").stat().st_size % 2880 == 0
    return Table.read(folder / "t.fits")


def draw_columns(n_rows: int) -> dict:
    """Ids, numbers of every type, floats with all that a float can be."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=n_rows).astype(np.float32)
    special = [np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38]
    numbers[: len(special)] = special[:n_rows]
    return {
        "id_str": pa.array([f"{i:03d}" for i in range(n_rows)], pa.string()),
        HYPHENS: numbers,
        "ra": rng.normal(size=n_rows),
        "n_votes": rng.integers(-(2**62), 2**62, size=n_rows),
        "member": np.arange(n_rows, dtype=np.int32),
    }


@pytest.mark.parametrize("n_rows", [0, 1, 6, 7, 1000])
def test_every_bit_is_kept(tmp_path: Path, n_rows: int) -> None:
    """Names, order, types, text and the bits of every number, over many batches."""
    columns = draw_columns(n_rows)
    table = converted(tmp_path, columns, rows_in_batch=7, row_group_size=100)
    assert table.colnames == list(columns)
    assert [str(x) for x in table["id_str"]] == columns.pop("id_str").to_pylist()
    with fits.open(tmp_path / "t.fits") as file:
        raw = file[1].data
        for name, expected in columns.items():
            found = np.asarray(raw[name])
            assert found.dtype.newbyteorder("=") == expected.dtype
            assert found.astype(expected.dtype).tobytes() == expected.tobytes(), name


def test_batches_do_not_matter(tmp_path: Path) -> None:
    """The same bytes whether written whole or three rows at a time."""
    columns = draw_columns(50)
    converted(tmp_path, columns)
    whole = (tmp_path / "t.fits").read_bytes()
    converted(tmp_path, columns, rows_in_batch=3)
    assert (tmp_path / "t.fits").read_bytes() == whole


def test_what_is_missing_is_nan(tmp_path: Path) -> None:
    """A null of parquet is a NaN, which astropy masks; an empty text stays empty."""
    columns = {
        "id_str": pa.array(["a", None, ""]),
        "x": pa.array([1.0, None, np.nan], pa.float32()),
    }
    table = converted(tmp_path, columns)
    np.testing.assert_array_equal(np.ma.filled(table["x"], np.nan), [1, np.nan, np.nan])
    assert table["x"].mask.tolist() == [False, True, True]
    assert [str(x) for x in table["id_str"].filled("")] == ["a", "", ""]


def test_text_that_pandas_writes(tmp_path: Path) -> None:
    """What pandas writes."""
    frame = pd.DataFrame({"a": ["x", "yy"], "b": pd.array(["1", "02"], dtype="str")})
    frame.to_parquet(tmp_path / "t.parquet")
    write_fits_from_parquet(tmp_path / "t.parquet", fits_table=tmp_path / "t.fits")
    table = Table.read(tmp_path / "t.fits")
    assert [list(row) for row in table] == [["x", "1"], ["yy", "02"]]


def test_text_that_fits_cannot_hold_is_escaped_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Beyond ASCII, control characters and spaces at the end: nothing gets lost."""
    ids = ["plain", " inner space", "Öpik", "galaxy ", "tab\there", "星", "a\n"]
    with caplog.at_level(logging.WARNING):
        table = converted(tmp_path, {"id_str": ids}, rows_in_batch=2)
    found = [str(x) for x in table["id_str"]]
    assert found[:2] == ids[:2]
    assert found[2:] == [r"\xd6pik", r"galaxy\x20", r"tab\there", r"\u661f", r"a\n"]
    for text, original in zip(found, ids, strict=True):
        assert text.encode().decode("unicode_escape") == original
    assert "column id_str: FITS cannot hold 'Öpik'" in caplog.text
    assert "column id_str: escaped 5 values" in caplog.text


def test_integers_that_are_missing_and_truth_values(tmp_path: Path) -> None:
    """TNULL where an integer is missing, in any batch, and only in such columns."""
    kinds = {"I": pa.int16(), "J": pa.int32(), "K": pa.int64()}
    columns = {name: pa.array([3, -1, None], kind) for name, kind in kinds.items()}
    columns["all"] = pa.array([1, 2, 3])
    table = converted(tmp_path, columns, rows_in_batch=2)
    for name in kinds:
        assert table[name].tolist() == [3, -1, None]
    assert table["all"].tolist() == [1, 2, 3]
    assert not hasattr(table["all"], "mask")
    converted_too = {"is_odd": pa.array([True, False, None])}
    pq.write_table(pa.table(converted_too), tmp_path / "t.parquet")
    write_fits_from_parquet(tmp_path / "t.parquet", fits_table=tmp_path / "t.fits")
    with fits.open(tmp_path / "t.fits", logical_as_bytes=True) as file:
        assert file[1].columns["is_odd"].format == "L"
        assert file[1].data["is_odd"].tolist() == [b"T", b"F", b""]


def write_described(folder: Path, columns: dict[str, ColumnNote]) -> Path:
    """A FITS table of one row of float32 columns with notes."""
    notes = TableNotes("Some 'title'", columns, about={"model": "0123abcd" * 16})
    schema = with_notes(pa.schema([(name, pa.float32()) for name in columns]), notes)
    with arrow_writer(folder / "t.parquet", schema=schema) as write:
        write(pa.table([[1.0]] * len(columns), schema=schema))
    write_fits_from_parquet(folder / "t.parquet", fits_table=folder / "t.fits")
    return folder / "t.fits"


def test_units_and_descriptions(tmp_path: Path) -> None:
    """In TUNIT and TCOMM, which TOPCAT reads, and where astropy's Table has them."""
    columns = {
        "apart": ColumnNote("Separation", "arcsec"),
        HYPHENS: ColumnNote(
            "Who said 'featured', or \"disk\": " + "long " * 60 + "end"
        ),
        "p": ColumnNote("Magnitudes per square arcsec", "mag / arcsec2"),
    }
    path = write_described(tmp_path, columns)
    with fits.open(path, checksum=True) as file:
        file.verify("exception")
        header = file[1].header
        assert header["EXTNAME"] == "Some 'title'"
        assert header["MODEL"] == "0123abcd" * 16
        for number, (name, note) in enumerate(columns.items(), start=1):
            assert header[f"TTYPE{number}"] == name
            assert header[f"TCOMM{number}"] == note.description
            assert header.get(f"TUNIT{number}", "") == note.unit
        # Standard cards of 80 printable characters; long text in CONTINUE.
        block = path.read_bytes()[2880 : 2880 + len(header.tostring())]
        assert set(block) <= set(range(32, 127))
    table = Table.read(path)
    assert {name: table[name].description for name in columns} == {
        name: note.description for name, note in columns.items()
    }
    assert table["apart"].unit == "arcsec"
    assert table["p"].unit == "mag / arcsec2"


@pytest.mark.filterwarnings("ignore:It is strongly recommended that column names")
def test_a_name_too_long_for_a_card_is_cut_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The longest that fits stays; of others the description has the whole name."""
    fits_in, too_long = "a" * 68, "b" * 69
    columns = {fits_in: ColumnNote("A"), too_long: ColumnNote("B")}
    columns |= {too_long + "too": ColumnNote("C"), "é": ColumnNote("Ä")}
    with caplog.at_level(logging.WARNING):
        table = Table.read(write_described(tmp_path, columns))
    first, second, third, fourth = table.colnames
    assert first == fits_in
    assert second != third
    assert len(second) < 69
    assert second.startswith("b" * 20)
    assert fourth == r"\xe9"
    assert table[second].description == f"{too_long}: B"
    assert table[third].description == f"{too_long}too: C"
    assert f"column {too_long}: called {second} in the FITS table" in caplog.text


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [b"x"]}, "column a: found type binary, expected text or one of float"),
        ({"a": [[1.0]]}, "column a: found type list"),
        ({"a": [1.0], "A": [1.0]}, "2 columns are called a but for upper and lower"),
        ({str(i): [1.0] for i in range(1000)}, "found 1000 columns, .* 999"),
    ],
)
def test_what_fits_cannot_hold_is_refused(
    tmp_path: Path, columns: dict, message: str
) -> None:
    """The error names file and column, and no file is left behind."""
    with pytest.raises(ValueError, match=rf"t\.parquet: .*{message}"):
        converted(tmp_path, columns)
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
