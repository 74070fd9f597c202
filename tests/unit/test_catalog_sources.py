"""Tables whose galaxies have no image of their own yet: files by band, positions."""

import gzip

import numpy as np
import pandas as pd
import pytest

from tests.catalogs import COLUMNS, SCHEMA, draw_images, prepare, write_csv
from zoobot.data_utils.catalog_sources import find_sources
from zoobot.data_utils.tables import column_names, read_table
from zoobot.settings.catalog import PrepareCatalog

BANDS = ["g", "z"]


def rows_of(path, *, bands=BANDS, votes=()):
    """All rows of one table, in one piece."""
    settings = PrepareCatalog(
        labelled_catalogs=[path.name] if votes else [],
        unlabelled_catalogs=[] if votes else [path.name],
        image_folders=[],
        rejected_share_max=1.0,
    )
    (source,) = find_sources(
        settings, data_folder=path.parent, label_cols=list(votes), bands=bands
    )
    pieces = [piece for piece in source.rows() if len(piece)]
    assert [one for some in source.ids() for one in some] == [
        one for piece in pieces for one in piece.table["id_str"]
    ]
    return pd.concat([piece.table for piece in pieces], ignore_index=True)


def test_a_file_for_each_band(tmp_path):
    """Absolute paths in the order of the bands; a row without one is rejected."""
    columns = ["file_loc_z", "id_str", "file_loc_g", "file_loc_r"]
    rows = [["z.fits", "a", "/g.fits", "r"], ["", "b", "g", "r"], ["z", "c", "g"]]
    path = write_csv(tmp_path / "u.csv", rows, columns=columns)
    found = rows_of(path)
    names = ["id_str", "file_loc", "kind", "reason", "file_loc_g", "file_loc_z"]
    assert list(found) == names
    assert list(found["file_loc_g"]) == ["/g.fits", *[str(tmp_path / "g")] * 2]
    assert found["file_loc_z"][0] == str(tmp_path / "z.fits")
    assert list(found["file_loc"]) == [""] * 3
    assert found["reason"][0] == ""
    assert found["reason"][1] == "file_loc_z: empty, expected the path of an image"
    assert "line 4: found 3 fields, expected 4" in found["reason"][2]


@pytest.mark.parametrize("mosaics", [["mosaic"], ["mosaic_g", "mosaic_z"]])
def test_positions_on_a_mosaic(tmp_path, mosaics):
    """Numbers keep every digit; what is no position is named with its column."""
    columns = ["id_str", "ra", "dec", "petro_th50", *mosaics]
    values = [
        ["good", "150.12345678901234", "-2.5e0", "3.25"],
        ["no size", "0", "90", ""],
        ["no ra", "", "0", "1"],
        ["no number", "10:00:00", "0", "1"],
        ["far south", "10", "-90.5", "1"],
        ["no radius", "10", "0", "-99"],
    ]
    rows = [[*row, *[f"{m}.fits" for m in mosaics]] for row in values]
    path = write_csv(
        tmp_path / "l.csv", [[*row, 1] for row in rows], columns=[*columns, "x"]
    )
    found = rows_of(path, votes=["x"]).set_index("id_str")
    assert list(found)[3:] == [*mosaics, "ra", "dec", "petro_th50"]
    assert found.loc["good", "ra"] == 150.12345678901234
    assert found.loc["good", "dec"] == -2.5
    assert found.loc["good", "petro_th50"] == 3.25
    assert np.isnan(found.loc["no size", "petro_th50"])
    for mosaic in mosaics:
        assert set(found[mosaic]) == {str(tmp_path / f"{mosaic}.fits")}
    reasons = dict(found["reason"])
    assert reasons.pop("good") == reasons.pop("no size") == ""
    assert reasons == {
        "no ra": "ra: found no value, expected degrees from -180 to 360",
        "no number": "ra: found '10:00:00', expected degrees from -180 to 360",
        "far south": "dec: found '-90.5', expected degrees from -90 to 90",
        "no radius": "petro_th50: found '-99', expected arcsec from 0 to 3600",
    }


def test_file_loc_goes_before_all_others(tmp_path):
    """A table with positions and images needs no mosaic."""
    columns = ["id_str", "file_loc", "ra", "dec", "mosaic", "file_loc_g"]
    path = write_csv(
        tmp_path / "u.csv", [["a", "a.png", 1, 2, "m", "g"]], columns=columns
    )
    assert list(rows_of(path)) == ["id_str", "file_loc", "kind", "reason"]


@pytest.mark.parametrize(
    ("columns", "bands", "message"),
    [
        (["file_loc_g"], BANDS, "columns missing: file_loc_z"),
        (["ra", "mosaic"], BANDS, "columns missing: dec"),
        (["ra", "dec", "mosaic_z"], BANDS, "columns missing: mosaic_g"),
        (["ra", "dec"], BANDS, "columns missing: file_loc"),
        (["ra", "dec", "mosaic"], [], "columns missing: file_loc"),
        (["file_loc_g", "file_loc_z"], [], "columns missing: file_loc"),
    ],
)
def test_half_of_what_is_needed(tmp_path, columns, bands, message):
    """The error names the table and what it lacks."""
    path = write_csv(tmp_path / "u.csv", [], columns=["id_str", *columns])
    with pytest.raises(ValueError, match=rf"u\.csv: {message};"):
        rows_of(path, bands=bands)


def test_gzipped_csv(tmp_path):
    """The same galaxies as of the csv file itself, dirty ones too."""
    draw_images(tmp_path, ["good.png"])
    rows = [[f"g{i}", "good.png", i % 3, 1, 0, i % 2] for i in range(3000)]
    rows[7:9] = [["short"], ["caf\udce9", "good.png", 1, 1, 0, 0]]
    plain = tmp_path / "l.csv"
    text = "\n".join(",".join(map(str, row)) for row in [COLUMNS, *rows])
    plain.write_text(text, errors="surrogateescape")
    first = prepare(tmp_path, labelled=["l.csv"])
    (tmp_path / "l.CSV.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    zipped = prepare(tmp_path, labelled=["l.CSV.gz"])
    assert len(zipped.rejected) == 2
    pd.testing.assert_frame_equal(zipped.labelled, first.labelled)
    assert list(zipped.rejected["id_str"]) == list(first.rejected["id_str"])
    assert column_names(tmp_path / "l.CSV.gz") == COLUMNS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id_str,file_loc\n1,2\n", "expected a complete csv.gz table; Not a gzipped"),
        (gzip.compress(b"id_str,file_loc\n" * 99)[:-9], "expected a complete csv.gz"),
        (gzip.compress(bytes(5_000_000)), "found a row longer than 65536 bytes"),
        (gzip.compress(b"id_str\n1\n"), "columns missing: file_loc"),
    ],
)
def test_damaged_gzip(tmp_path, content, message):
    """No archive, one cut short, a row that grows without end."""
    path = tmp_path / "u.csv.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_table(path, columns=["id_str", "file_loc"])
    assert "u.csv.gz: " in str(error.value)


def test_columns_may_be_renamed(tmp_path):
    """One column of the file may be two; messages call it by the file's name."""
    path = write_csv(tmp_path / "t.csv", [["7\a", "x"], ["8"]], columns=["objid", "y"])
    table = read_table(path, columns={"id_str": "objid", "file_loc": "objid"})
    assert table.columns.to_pydict() == {"id_str": ["7\a"], "file_loc": ["7\a"]}
    assert table.malformed[0][0] == {"id_str": "8", "file_loc": "8"}
    assert table.name_of("id_str") == "objid"
    assert column_names(path) == ["objid", "y"]
    assert SCHEMA.label_cols[0] not in column_names(path)
