"""Cross-matches of whole tables: what is written, and agreement on real tables."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from tests.workflow.workflow import ROOT
from workflow_scripts import crossmatch as script
from zoobot.tables.crossmatch import Source, cross_match
from zoobot.tables.table_notes import ColumnNote, TableNotes, with_notes

ARCSEC = 1 / 3600
OURS = pd.DataFrame(
    {
        "id_str": pd.Series(["007", "b", "c", "d", "e"], dtype="str"),
        "ring": np.float32([0.1, 0.2, np.nan, 0.4, 0.5]),
        "ra": [359.9999, 10, 10, 50, np.nan],
        "dec": [0, 89.9999, -60, 20, 0],
    }
)
# Its rows: near 007 across RA 0, near b across the pole, far from c, twice near d.
THEIRS = pd.DataFrame(
    {
        "name": ["p", "q", "r", "s", "t"],
        "RA": [0.0001, 190, 10, 50, 50],
        "Dec": [0, 89.9999, -60 + 3 * ARCSEC, 20 + ARCSEC, 20 - 0.5 * ARCSEC],
        "ring": [1, 2, 3, 4, 5],
        "z": [0.1, 0.2, 0.3, 0.4, 0.5],
    }
)
NAMES = ("id_str", "ring", "ra", "dec", "name", "RA_2", "Dec_2", "ring_2", "z")


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Source, Source]:
    """Ours as parquet, with a description; theirs as csv."""
    notes = {name: ColumnNote(f"Our {name}") for name in OURS}
    types = pa.Schema.from_pandas(OURS, preserve_index=False)
    schema = with_notes(types, TableNotes("Rings", notes, about={"model": "abc"}))
    table = pa.Table.from_pandas(OURS, schema=schema, preserve_index=False)
    pq.write_table(table, tmp_path / "ours.parquet")
    THEIRS.to_csv(tmp_path / "theirs.csv", index=False)
    return (
        Source(tmp_path / "ours.parquet"),
        Source(tmp_path / "theirs.csv", "name", "RA", "Dec"),
    )


def read(path: Path) -> pd.DataFrame:
    """A result of any format, with texts as text and empty ones empty."""
    if path.suffix == ".csv":
        return pd.read_csv(path, dtype={"id_str": "str", "name": "str"}).fillna(
            {"name": ""}
        )
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    table = Table.read(path)
    table.convert_bytestring_to_unicode()
    return table.to_pandas().fillna({"name": ""})


@pytest.mark.parametrize("suffix", ["parquet", "csv", "fits"])
def test_positions_across_the_edges_in_every_format(
    tmp_path: Path, sources: tuple[Source, Source], suffix: str
):
    """The nearest of several; empty where there is none; separations by hand."""
    ours, theirs = sources
    path = tmp_path / f"m.{suffix}"
    cross_match(ours, catalog=theirs, matched=path, keep="all")
    found = read(path)
    assert list(found) == [*NAMES, "n_matches", "n_sharing", "separation"]
    assert found["id_str"].tolist() == ["007", "b", "c", "d", "e"]
    assert found["name"].tolist() == ["p", "q", "", "t", ""]
    assert found["n_matches"].tolist() == [1, 1, 0, 2, 0]
    assert found["n_sharing"].tolist() == [1, 1, 0, 1, 0]
    np.testing.assert_allclose(
        found["separation"].astype(float),
        [0.72, 0.72, np.nan, 0.5, np.nan],  # 2 x 0.0001 degrees are 0.72 arcsec
        rtol=0,
        atol=1e-6,
    )
    assert found["ring_2"].isna().tolist() == [False, False, True, False, True]
    assert found["ring_2"].dropna().tolist() == [1, 2, 5]
    np.testing.assert_array_equal(found["ring"].astype(np.float32), OURS["ring"])

    cross_match(ours, catalog=theirs, matched=path)
    pd.testing.assert_frame_equal(
        read(path), found[found["name"] != ""].reset_index(drop=True), check_dtype=False
    )


@pytest.mark.parametrize("suffix", ["parquet", "fits"])
def test_units_and_descriptions_go_along(
    tmp_path: Path, sources: tuple[Source, Source], suffix: str
):
    """Ours, theirs by name, and those of the match."""
    ours, theirs = sources
    cross_match(ours, catalog=theirs, matched=tmp_path / f"m.{suffix}", keep="all")
    table = Table.read(tmp_path / f"m.{suffix}")
    assert table["separation"].unit == u.arcsec
    assert table["ring"].description == "Our ring"
    assert table["ring_2"].description == "Column ring of theirs.csv"
    assert all(table[name].description for name in table.colnames)
    meta = {name.lower(): value for name, value in table.meta.items()}
    assert meta["model"] == "abc"
    assert meta["radius"] == "2 arcsec"


@pytest.mark.parametrize("suffix", ["fits", "vot", "csv.gz", "parquet"])
def test_catalogues_of_any_kind(
    tmp_path: Path,
    sources: tuple[Source, Source],
    suffix: str,
    caplog: pytest.LogCaptureFixture,
):
    """The same rows; with units of their own, and without columns of lists."""
    ours, theirs = sources
    table = Table.from_pandas(THEIRS)
    path = tmp_path / f"theirs.{suffix}"
    if suffix in ("fits", "vot"):
        table["z"].unit = "km / s"
        table["flux"] = np.ones((len(table), 7))
        table.write(path, format={"vot": "votable"}.get(suffix, suffix))
    elif suffix == "parquet":
        THEIRS.to_parquet(path)
    else:
        THEIRS.to_csv(path, index=False)
    names = ("name", "RA", "Dec")
    for source, name in ((theirs, "csv"), (Source(path, *names), "other")):
        cross_match(ours, catalog=source, matched=tmp_path / f"{name}.fits", keep="all")
    expected, found = (Table.read(tmp_path / f"{n}.fits") for n in ("csv", "other"))
    assert found.colnames == expected.colnames
    for column in expected.colnames:
        assert found[column].tolist() == pytest.approx(
            expected[column].tolist(), nan_ok=True
        ), column
    if suffix in ("fits", "vot"):
        assert found["z"].unit == "km / s"
        assert f"theirs.{suffix}: left out columns of lists: flux" in caplog.text


def test_other_units_of_angles(tmp_path: Path, sources: tuple[Source, Source]):
    """Right ascension in hours and declination in radians, if the columns say so."""
    ours, theirs = sources
    columns = {"h": THEIRS["RA"] / 15, "r": np.radians(THEIRS["Dec"])}
    columns |= {"ra": THEIRS["RA"], "dec": THEIRS["Dec"]}
    units = ("hourangle", "rad", "Degrees", "deg")
    notes = {
        name: ColumnNote("", unit) for name, unit in zip(columns, units, strict=True)
    }
    types = pa.schema([(name, pa.float64()) for name in columns])
    schema = with_notes(types, TableNotes("", notes))
    pq.write_table(pa.table(columns, schema=schema), tmp_path / "t.parquet")
    for catalog, name in (
        (theirs, "degrees"),
        (Source(tmp_path / "t.parquet", ra_column="h", dec_column="r"), "other"),
        (Source(tmp_path / "t.parquet"), "spelt"),
    ):
        cross_match(ours, catalog=catalog, matched=tmp_path / f"{name}.csv")
    degrees = read(tmp_path / "degrees.csv")
    for name in ("other", "spelt"):
        found = read(tmp_path / f"{name}.csv")
        assert found["id_str"].tolist() == degrees["id_str"].tolist()
        np.testing.assert_allclose(
            found["separation"], degrees["separation"], atol=1e-6
        )


def test_positions_from_the_survey_by_the_script(tmp_path: Path):
    """Our table has none: they are in another, in another order, and lack one."""
    OURS[["id_str", "ring"]].to_csv(tmp_path / "rings.csv", index=False)
    survey = OURS.rename(columns={"id_str": "iauname"}).iloc[[3, 1, 0]]
    survey.to_parquet(tmp_path / "survey.parquet")
    THEIRS.to_parquet(tmp_path / "theirs.parquet")
    options = f"""--table {tmp_path}/rings.csv --catalog {tmp_path}/theirs.parquet
        --matched {tmp_path}/m.csv --catalog-ra RA --catalog-dec Dec
        --positions {tmp_path}/survey.parquet --positions-id iauname
        --radius-arcsec 0.6 --keep all --catalog-columns name z"""
    script.main(options.split())
    found = read(tmp_path / "m.csv")
    assert list(found)[:4] == ["id_str", "ring", "name", "z"]
    assert found["id_str"].tolist() == ["007", "b", "c", "d", "e"]
    assert found["name"].tolist() == ["", "", "", "t", ""]
    assert found["z"].notna().sum() == 1


def test_ids(tmp_path: Path):
    """Whole numbers in one table, text in the other; the first of several rows."""
    ids = [588018090547020096, 7, 8]
    pd.DataFrame({"objid": ids, "z": [1.0, 2.0, 3.0]}).to_parquet(
        tmp_path / "c.parquet"
    )
    (tmp_path / "t.csv").write_text("id_str,x\n7,1\n588018090547020096,2\n007,3\n7,4\n")
    cross_match(
        Source(tmp_path / "t.csv"),
        catalog=Source(tmp_path / "c.parquet", "objid"),
        matched=tmp_path / "m.parquet",
        by="id",
        keep="all",
    )
    found = pd.read_parquet(tmp_path / "m.parquet")
    assert found["id_str"].tolist() == ["7", "588018090547020096", "007", "7"]
    assert found["z"].fillna(0).tolist() == [2, 1, 0, 2]
    assert found["n_sharing"].tolist() == [2, 1, 0, 2]
    assert "separation" not in found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dec": 91.0}, "theirs.parquet, row 2: Dec: found 91.0, expected -90 to 90"),
        ({"ra": -181.0}, "theirs.parquet, row 2: RA: found -181.0, expected -180 to"),
        ({"ra_column": "R.A."}, r"theirs.parquet: columns missing: R\.A\."),
        (
            {"unit": "kpc"},
            "theirs.parquet: column RA: found unit 'kpc', expected degre",
        ),
        ({"suffix": "xlsx"}, r"m\.xlsx: expected a name that ends in \.parquet, \.csv"),
        ({"table": "none.csv"}, r"none\.csv: expected a table, found no such file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict, message: str):
    """File, row and column; and nothing is written."""
    OURS.to_csv(tmp_path / "ours.csv", index=False)
    theirs = THEIRS[["RA", "Dec"]].copy()
    theirs.loc[1, "RA"] = changes.get("ra", 0.0)
    theirs.loc[1, "Dec"] = changes.get("dec", 0.0)
    notes = {"RA": ColumnNote("", changes.get("unit", "")), "Dec": ColumnNote("")}
    types = pa.schema([(name, pa.float64()) for name in theirs])
    schema = with_notes(types, TableNotes("", notes))
    table = pa.Table.from_pandas(theirs, schema=schema, preserve_index=False)
    pq.write_table(table, tmp_path / "theirs.parquet")
    matched = tmp_path / f"m.{changes.get('suffix', 'csv')}"
    with pytest.raises(ValueError, match=message):
        cross_match(
            Source(tmp_path / changes.get("table", "ours.csv")),
            catalog=Source(
                tmp_path / "theirs.parquet",
                ra_column=changes.get("ra_column", "RA"),
                dec_column="Dec",
            ),
            matched=matched,
        )
    assert not matched.exists()


REAL = Path(os.environ.get("ZOOBOT_REAL_DATA", ""), "gz_decals_sample")
if "ZOOBOT_REAL_DATA" in os.environ:
    REAL = (ROOT / REAL).resolve()
real = pytest.mark.skipif(
    not (REAL / "gz_decals_volunteers_5.csv").is_file(),
    reason=f"no real tables: ZOOBOT_REAL_DATA names no folder with {REAL}",
)
TABLES = ("volunteers_5", "volunteers_1_and_2", "auto_posteriors")


def source(name: str) -> Source:
    """A released table."""
    return Source(REAL / f"gz_decals_{name}.csv", "iauname")


@real
@pytest.mark.parametrize("name", TABLES)
def test_names_and_positions_agree_on_real_tables(tmp_path: Path, name: str):
    """A name is a position, as astropy reads it: the same galaxy by both, if near it.

    Some galaxies are named after a position that is arcseconds from the one in the
    table; a haversine tells which.
    """
    names = [
        one for table in TABLES for one in pd.read_csv(source(table).path)["iauname"]
    ]
    sky = SkyCoord(
        [f"{n[1:3]}h{n[3:5]}m{n[5:10]}s {n[10:13]}d{n[13:15]}m{n[15:]}s" for n in names]
    )
    named = pd.DataFrame({"iauname": names, "ra": sky.ra.deg, "dec": sky.dec.deg})
    named.to_csv(tmp_path / "named.csv", index=False)
    found = {}
    for by in ("id", "position"):
        cross_match(
            Source(tmp_path / "named.csv", "iauname"),
            catalog=source(name),
            matched=tmp_path / f"{by}.parquet",
            by=by,
            radius_arcsec=1,
        )
        found[by] = pd.read_parquet(tmp_path / f"{by}.parquet")
    assert len(found["id"]) == 6
    assert (found["id"]["iauname"] == found["id"]["iauname_2"]).all()
    ra, dec, ra_2, dec_2 = np.radians(
        found["id"][["ra", "dec", "ra_2", "dec_2"]]
    ).T.values
    square = np.sin((dec - dec_2) / 2) ** 2
    square += np.cos(dec) * np.cos(dec_2) * np.sin((ra - ra_2) / 2) ** 2
    apart = np.degrees(2 * np.arcsin(np.sqrt(square))) * 3600
    is_near = apart <= 1
    assert is_near.sum() >= 3
    by_position = found["position"].drop(columns="separation")
    pd.testing.assert_frame_equal(
        found["id"][is_near].reset_index(drop=True), by_position
    )
    np.testing.assert_allclose(
        found["position"]["separation"], apart[is_near], rtol=0, atol=1e-6
    )


@real
def test_released_tables_agree_by_name_and_by_position(tmp_path: Path):
    """Who is in both the volunteers' and the automatic table."""
    for by in ("id", "position"):
        cross_match(
            source("volunteers_5"),
            catalog=source("auto_posteriors"),
            matched=tmp_path / f"{by}.csv",
            by=by,
        )
    by_id, by_position = (
        pd.read_csv(tmp_path / f"{b}.csv") for b in ("id", "position")
    )
    assert by_id["iauname"].tolist() == by_position["iauname"].tolist()
    assert by_position["iauname"].tolist() == by_position["iauname_2"].tolist()
