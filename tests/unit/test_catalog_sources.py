"""Tables whose galaxies have no image of their own yet: files by band, positions."""

import gzip

import numpy as np
import pandas as pd
import pytest

from tests.catalogs import (
    COLUMNS,
    SCHEMA,
    catalog_settings,
    draw_images,
    prepare,
    write_csv,
)
from zoobot.data_utils.catalog_sources import find_sources
from zoobot.tables.read_tables import column_names, read_table

BANDS = ["g", "z"]


def rows_of(path, *, bands=BANDS, votes=(), **changes):
    """All rows of one table, in one piece."""
    kind = "labelled_catalogs" if votes else "unlabelled_catalogs"
    settings = catalog_settings(**{kind: [path.name]}, **changes)
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
    ids=["no archive", "cut short", "long row", "no column"],
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


MAP = {"id_str": "objid", "file_loc": "png_loc", "arms_no": "no arms"}
THEIRS = ["objid", "png_loc", *SCHEMA.label_cols[:-1], "no arms"]


def test_columns_of_other_names(tmp_path):
    """Of all tables that have them; reasons call columns by the table's names."""
    draw_images(tmp_path, ["a.png", "b.png"])
    good = ["a", "a.png", 1, 2, 0, 3]
    dirty = [["b\a", "a.png", 1, 0, 0, 0], ["c", "", 1, 0, 0, 0]]
    dirty += [["d", "a.png", 1, 0, 0, -1], ["short"]]
    write_csv(tmp_path / "theirs.csv", [good, *dirty], columns=THEIRS)
    write_csv(tmp_path / "ours.csv", [["e", "b.png", 5, 0, 0, 0]])
    (tmp_path / "u.csv").write_text("objid,png_loc,ra\nf,b.png,1\n")
    tables = {"labelled": ["theirs.csv", "ours.csv"], "unlabelled": ["u.csv"]}
    result = prepare(tmp_path, **tables, columns=MAP)
    assert list(result.labelled["id_str"]) == ["a", "e"]
    assert list(result.labelled["arms_no"]) == [3, 0]
    assert list(result.unlabelled["id_str"]) == ["f"]
    assert result.reason("b\a").startswith("objid: found 'b\\x07'")
    assert result.reason("c") == "png_loc: empty, expected the path of an image"
    assert result.reason("d").startswith("no arms: found '-1', expected a whole")
    assert "line 6: found 1 fields, expected 6" in result.reason("short")


def test_where_paths_of_images_start_and_end(tmp_path):
    """In a folder of the settings, with a suffix; a whole path stays."""
    draw_images(tmp_path / "all images", ["7.x.jpg", "8.jpg"])
    whole = tmp_path / "all images" / "8"
    path = tmp_path / "tables" / "l.csv"
    rows = [["7.x", 1, 0, 0, 0], [str(whole), 1, 0, 0, 0], ["", 1, 0, 0, 0]]
    write_csv(path, rows, columns=["objid", *SCHEMA.label_cols])
    result = prepare(
        tmp_path,
        labelled=["tables/l.csv"],
        columns={"id_str": "objid", "file_loc": "objid"},
        file_loc_folder="all images",
        file_loc_suffix=".jpg",
    )
    assert list(result.labelled["id_str"]) == ["7.x", str(whole)]
    images = [str(tmp_path / "all images" / name) for name in ("7.x.jpg", "8.jpg")]
    assert list(result.labelled["file_loc"]) == images
    assert list(result.rejected["file_loc"]) == [""]


def test_files_by_band_of_other_names(tmp_path):
    """A band's column may be called anything, too."""
    path = write_csv(
        tmp_path / "u.csv", [["a", "1", "2"]], columns=["id_str", "G", "Z"]
    )
    names = {"file_loc_g": "G", "file_loc_z": "Z"}
    found = rows_of(path, columns=names, file_loc_folder="/data")
    assert found.loc[0, ["file_loc_g", "file_loc_z"]].to_list() == [
        "/data/1",
        "/data/2",
    ]
    with pytest.raises(ValueError, match="unknown name 'file_loc_r', expected one of"):
        rows_of(path, columns={"file_loc_r": "R"})
    with pytest.raises(ValueError, match="unknown name 'file_loc_g', expected one of"):
        rows_of(path, columns=names, bands=[])


def test_names_in_the_settings_that_no_table_has(tmp_path):
    """A name that is misspelt is an error even if all tables have ours."""
    write_csv(tmp_path / "l.csv", [])
    with pytest.raises(
        ValueError, match="columns: id_str: found 'objd', which is a col"
    ):
        prepare(tmp_path, labelled=["l.csv"], columns={"id_str": "objd"})
    write_csv(tmp_path / "l.csv", [], columns=THEIRS)
    with pytest.raises(ValueError, match=r"l\.csv: columns missing: objd;") as error:
        prepare(tmp_path, labelled=["l.csv"], columns=MAP | {"id_str": "objd"})
    assert "objd: is it 'objid'?" in str(error.value)
    assert "prepare_catalog.columns: id_str is 'objd'" in str(error.value)
    with pytest.raises(ValueError, match=r"unknown name 'arm_no', .*is it 'arms_no'"):
        prepare(tmp_path, labelled=["l.csv"], columns={"arm_no": "x"})


def test_names_of_images_in_a_table_of_their_own(tmp_path):
    """Without a preset it has our names; tables that have file_loc do without."""
    draw_images(tmp_path / "images", ["1.png", "2.png", "3.png"])
    rows = [["a", 1, 0, 0, 0], ["b", 1, 0, 0, 0]]
    write_csv(tmp_path / "l.csv", rows, columns=["id_str", *SCHEMA.label_cols])
    write_csv(tmp_path / "u.csv", [["c", "images/3.png"]], columns=COLUMNS[:2])
    names = [["b", "2.png"], ["a", "1.png"], ["c", "nowhere.png"], ["a", "1.png"]]
    write_csv(tmp_path / "images" / "names.csv", names, columns=COLUMNS[:2])
    tables = {"labelled": ["l.csv"], "unlabelled": ["u.csv"]}
    result = prepare(tmp_path, **tables, file_loc_table="images/names.csv")
    images = [str(tmp_path / "images" / name) for name in ("1.png", "2.png")]
    assert list(result.labelled["file_loc"]) == images
    assert list(result.unlabelled["file_loc"]) == [str(tmp_path / "images/3.png")]
