"""Ring catalogues: the cuts, the parts, and a reason for everybody else."""

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from workflow_scripts import prepare_ring_catalog as script
from zoobot.data_utils import ring_catalogs
from zoobot.data_utils.ring_catalogs import prepare_ring_catalog
from zoobot.data_utils.splits import assign_parts
from zoobot.schemas import get_schema
from zoobot.settings.catalog import SplitCatalog
from zoobot.settings.rings import PrepareRingCatalog
from zoobot.tables import csv_tables, malformed_rows, parquet_pieces

FEATURED = "smooth-or-featured_featured-or-disk_fraction"
FACE_ON = "disk-edge-on_no_fraction"
NO_SPIRAL = "has-spiral-arms_no_fraction"
RING_FRACTION = "rare-features_ring_fraction"
CUTS = {
    "ring_fraction_min": 0.25,
    "ring_fraction_max": 0.05,
    "featured_fraction_min": 0.25,
    "face_on_fraction_min": 0.75,
    "no_spiral_fraction_min": 0.5,
}
RING = {"label": "ring", "task": "binary", "columns": {}}
SPLIT = {"train": 0.7, "val": 0.1, "seed": 42}
N = 400


def survey_table(seed=0, n=N):
    """Draw galaxies of which most fail one cut or another; none on a cut."""
    rng = np.random.default_rng(seed)
    columns = {name: rng.random(n) for name in (FEATURED, FACE_ON, NO_SPIRAL)}
    columns[FEATURED] = columns[FEATURED] ** 0.3
    columns[FACE_ON] = columns[FACE_ON] ** 0.2
    columns[RING_FRACTION] = rng.random(n) ** 2 * 0.6
    columns["ring"] = rng.integers(0, 2, n)
    ids = [f"{i:05d}" for i in range(n)]
    return pd.DataFrame({"id_str": ids, **columns})


def sure_table(n=N):
    """Make galaxies that pass all cuts, every second one a ring."""
    ring = np.arange(n) % 2
    return pd.DataFrame(
        {
            "id_str": [f"{i:05d}" for i in range(n)],
            FEATURED: 0.9,
            FACE_ON: 0.9,
            NO_SPIRAL: 0.9,
            RING_FRACTION: np.where(ring, 0.5, 0.0),
            "ring": ring,
        }
    )


def prepare(folder, table, *, kind="advanced", survey=None, **settings):
    """Run on one table; the survey has its galaxies unless given."""
    table.to_csv(folder / "rings.csv", index=False)
    ids = table["id_str"].drop_duplicates() if survey is None else survey
    galaxies = pd.DataFrame({"id_str": ids})
    galaxies["file_loc"] = "/images/" + galaxies["id_str"] + ".png"
    half = len(galaxies) // 2
    galaxies[:half].to_parquet(folder / "labelled.parquet")
    galaxies[half:].to_parquet(folder / "unlabelled.parquet")
    prepare_ring_catalog(
        PrepareRingCatalog(
            catalogs=["rings.csv"], kind=kind, **(CUTS | RING | settings)
        ),
        survey=[folder / "labelled.parquet", folder / "unlabelled.parquet"],
        data_folder=folder,
        catalog=folder / "catalog.csv",
        rejected=folder / "rejected.csv",
        **SPLIT,
    )
    return read(folder)


def read(folder):
    """Read what was written."""
    text = {"id_str": str, "reason": str}
    chosen = pd.read_csv(folder / "catalog.csv", dtype=text)
    rejected = pd.read_csv(folder / "rejected.csv", dtype=text, keep_default_na=False)
    return chosen, rejected


def test_advanced_cuts(tmp_path):
    """Rings and others are those of the published cuts, written another way."""
    table = survey_table(n=4000)
    chosen, rejected = prepare(tmp_path, table)
    clean = table.query(f"`{FEATURED}` > 0.25 and `{FACE_ON}` > 0.75")
    rings = clean.query(f"`{RING_FRACTION}` > 0.25")["id_str"]
    others = clean.query(f"`{RING_FRACTION}` < 0.05")["id_str"]
    assert list(chosen.columns) == ["id_str", "file_loc", "ring", "part"]
    assert set(chosen.query("ring == 1")["id_str"]) == set(rings)
    assert set(chosen.query("ring == 0")["id_str"]) == set(others)
    assert len(chosen) + len(rejected) == len(table)
    assert not set(chosen["id_str"]) & set(rejected["id_str"])


def test_basic_cuts(tmp_path):
    """The basic catalogue takes the ring column, and cuts on spiral arms too."""
    table = survey_table(n=4000).drop(columns=RING_FRACTION)
    chosen, rejected = prepare(tmp_path, table, kind="basic", featured_fraction_min=0.6)
    clean = table[
        (table[FEATURED] > 0.6) & (table[FACE_ON] > 0.75) & (table[NO_SPIRAL] > 0.5)
    ]
    expected = clean.set_index("id_str")["ring"]
    assert chosen.set_index("id_str")["ring"].to_dict() == expected.to_dict()
    assert len(chosen) + len(rejected) == len(table)


def test_parts_are_those_of_the_survey(tmp_path):
    """A galaxy is in the part in which the encoder met it; its image is known."""
    chosen, _ = prepare(tmp_path, sure_table())
    settings = SplitCatalog(**SPLIT, test=0.2, galaxies_per_shard=1)
    parts = assign_parts(chosen["id_str"], settings=settings)
    np.testing.assert_array_equal(chosen["part"], parts)
    assert list(chosen["file_loc"]) == [f"/images/{i}.png" for i in chosen["id_str"]]


def test_everybody_else_has_a_reason(tmp_path):
    """One row of each kind: on a cut, between cuts, no value, unknown, twice."""
    table = sure_table().astype({"ring": float})
    changes = {
        "00001": (FEATURED, 0.25, f"{FEATURED}: found 0.25, expected above 0.25"),
        "00002": (FACE_ON, 0.7, f"{FACE_ON}: found 0.7, expected above 0.75"),
        "00003": (RING_FRACTION, 0.25, "expected above 0.25 (a ring) or below 0.05"),
        "00004": (RING_FRACTION, 0.05, f"{RING_FRACTION}: found 0.05, expected above"),
        "00005": (FEATURED, np.nan, f"{FEATURED}: found no value, expected a number"),
        "00006": (RING_FRACTION, np.nan, f"{RING_FRACTION}: found no value"),
        "00007": (FACE_ON, 1.5, f"{FACE_ON}: found '1.5', expected a number from 0"),
    }
    for id_str, (column, value, _) in changes.items():
        table.loc[table["id_str"] == id_str, column] = value
    survey = table["id_str"][table["id_str"] != "00008"]
    twice = pd.concat([table, table[table["id_str"] == "00009"]])
    chosen, rejected = prepare(tmp_path, twice, survey=survey)
    reasons = rejected.set_index("id_str")["reason"].to_dict()
    assert set(reasons) == {*changes, "00008", "00009"}
    for id_str, (_, _, expected) in changes.items():
        assert expected in reasons[id_str]
    assert "not in the survey" in reasons["00008"]
    assert "stands already" in reasons["00009"]
    assert "00009" in set(chosen["id_str"])
    assert len(chosen) + len(rejected) == len(twice)


def test_a_malformed_row_is_listed(tmp_path):
    """The program lists a row with too few fields, and all others stay."""
    chosen, _ = prepare(tmp_path, sure_table())
    with (tmp_path / "rings.csv").open("a") as file:
        file.write("broken,0.5\n")
    arguments = [f"--{name.replace('_', '-')} {value}" for name, value in CUTS.items()]
    script.main(
        f"--survey {tmp_path}/labelled.parquet {tmp_path}/unlabelled.parquet "
        f"--data-folder {tmp_path} --catalogs rings.csv "
        "--kind advanced --label ring --task binary "
        f"--split-train 0.7 --split-val 0.1 --split-seed 42 {' '.join(arguments)} "
        f"--catalog {tmp_path}/catalog.csv --rejected {tmp_path}/rejected.csv".split()
    )
    again, rejected = read(tmp_path)
    pd.testing.assert_frame_equal(again, chosen)
    assert list(rejected["id_str"]) == ["broken"]
    assert "found 2 fields, expected 6" in rejected["reason"][0]


def test_a_ring_column_must_say_yes_or_no(tmp_path):
    """Values other than 0 and 1 are rejected."""
    table = sure_table().astype({"ring": str})
    table.loc[3, "ring"] = "maybe"
    _, rejected = prepare(tmp_path, table, kind="basic")
    assert rejected.to_numpy().tolist() == [
        ["00003", "ring: found 'maybe', expected 0 or 1"]
    ]


@pytest.mark.parametrize(
    ("kind", "column"), [("advanced", RING_FRACTION), ("basic", "ring")]
)
def test_missing_column_is_named(tmp_path, kind, column):
    """The error has the file and the column that the kind needs."""
    with pytest.raises(ValueError, match=rf"rings\.csv: columns missing: {column}"):
        prepare(tmp_path, sure_table().drop(columns=column), kind=kind)


@pytest.mark.parametrize("ring", [0, 1])
def test_both_kinds_in_every_part(tmp_path, ring):
    """Without rings, or with rings only, the error has the counts; nothing is left."""
    table = sure_table()
    table[RING_FRACTION] = ring
    found = r"[1-9]\d* rings, 0 without" if ring else r"0 rings, [1-9]\d* without"
    with pytest.raises(ValueError, match=rf"found train: {found}; val: {found}; test"):
        prepare(tmp_path, table)
    assert not (tmp_path / "catalog.csv").exists()


def test_blocks_and_tables_change_nothing(tmp_path, monkeypatch):
    """Few rows at a time, from two tables: the same as all rows from one."""
    table = survey_table(n=3000)
    table["id_str"] = (
        table["id_str"].sample(frac=1, replace=True, random_state=0).values
    )
    survey = table["id_str"].drop_duplicates()[50:]
    chosen, rejected = prepare(tmp_path, table, survey=survey)
    kinds = ("stands already", "not in the survey", "expected above")
    assert all(rejected["reason"].str.contains(kind).any() for kind in kinds)
    for module in (csv_tables, parquet_pieces, malformed_rows):
        monkeypatch.setattr(module, "_ROWS", 70)
    monkeypatch.setattr(ring_catalogs, "_ROWS_IN_PASS", 210)
    table[:1000].to_csv(tmp_path / "one.csv", index=False)
    table[1000:].to_csv(tmp_path / "other.csv", index=False)
    prepare_ring_catalog(
        PrepareRingCatalog(
            catalogs=["one.csv", "other.csv"], kind="advanced", **CUTS, **RING
        ),
        survey=[tmp_path / "labelled.parquet", tmp_path / "unlabelled.parquet"],
        data_folder=tmp_path,
        catalog=tmp_path / "catalog.csv",
        rejected=tmp_path / "rejected.csv",
        **SPLIT,
    )
    for found, expected in zip(read(tmp_path), (chosen, rejected), strict=True):
        pd.testing.assert_frame_equal(found, expected)


NAMES = {"id_str": "iauname", RING_FRACTION: "ring_share"}


def test_columns_of_other_names(tmp_path):
    """Of two tables, one FITS, whose names differ: as one table with the names here."""
    table = survey_table(n=2000)
    expected = prepare(tmp_path, table)
    others = table[:1000].rename(columns=NAMES)
    Table.from_pandas(others).write(tmp_path / "others.fits")
    table[1000:].to_csv(tmp_path / "ours.csv", index=False)
    settings = CUTS | RING | {"columns": NAMES}
    prepare_ring_catalog(
        PrepareRingCatalog(
            catalogs=["others.fits", "ours.csv"], kind="advanced", **settings
        ),
        survey=[tmp_path / "labelled.parquet", tmp_path / "unlabelled.parquet"],
        data_folder=tmp_path,
        catalog=tmp_path / "catalog.csv",
        rejected=tmp_path / "rejected.csv",
        **SPLIT,
    )
    chosen, rejected = read(tmp_path)
    pd.testing.assert_frame_equal(chosen, expected[0])
    # Reasons name the column as the user knows it.
    assert rejected["reason"].str.startswith("ring_share: found").any()
    reasons = rejected["reason"].str.replace("ring_share", RING_FRACTION)
    pd.testing.assert_series_equal(reasons, expected[1]["reason"])


def test_a_misspelt_column(tmp_path):
    """Else a table with the names here would hide it."""
    with pytest.raises(
        ValueError, match=r"columns: id_str: found 'iuaname', which is a column of none"
    ):
        prepare(tmp_path, sure_table(), columns={"id_str": "iuaname"})


def test_a_row_that_fails_a_cut_is_the_first_with_its_id(tmp_path):
    """A later row repeats it, though it would pass."""
    table = sure_table()
    bad = table[table["id_str"] == "00003"].assign(**{FEATURED: 0.1})
    chosen, rejected = prepare(tmp_path, pd.concat([bad, table]))
    assert "00003" not in set(chosen["id_str"])
    assert list(rejected["id_str"]) == ["00003", "00003"]
    assert rejected["reason"][0].startswith(FEATURED)
    assert "stands already" in rejected["reason"][1]


@pytest.mark.parametrize(
    ("task", "good", "bad", "reason"),
    [
        ("binary", ["0", "true", "1"], "2", "found '2', expected 0 or 1"),
        ("classes", ["disk", "NA", "3"], " ", "found no value, expected the name"),
        ("fraction", ["0", "0.5", "1"], "1.01", "found '1.01', expected a number"),
    ],
)
def test_own_labels_without_cuts(tmp_path, task, good, bad, reason):
    """Any column of labels; the rows that have none are listed."""
    labels = [*np.resize(good, N - 1), bad]
    table = pd.DataFrame({"id_str": [f"{i:05d}" for i in range(N)], "merger": labels})
    chosen, rejected = prepare(tmp_path, table, kind="own", label="merger", task=task)
    assert list(chosen) == ["id_str", "file_loc", "merger", "part"]
    assert len(chosen) == N - 1
    assert rejected["id_str"].tolist() == [f"{N - 1:05d}"]
    assert (
        rejected["reason"][0].startswith("merger: ") and reason in rejected["reason"][0]
    )
    found = pd.read_csv(
        tmp_path / "catalog.csv", dtype=str, keep_default_na=False, index_col="id_str"
    )["merger"]
    expected = {"true": "1"} if task == "binary" else {}
    for galaxy, label in zip(table["id_str"], labels[:-1], strict=False):
        is_same = found[galaxy] == expected.get(label, label)
        assert is_same or float(found[galaxy]) == float(label)


def test_own_votes(tmp_path):
    """The columns of a decision tree; who has no vote at all is listed."""
    tree = get_schema("gz2")
    rng = np.random.default_rng(0)
    votes = pd.DataFrame(rng.integers(0, 9, (N, 30)), columns=tree.label_cols)
    votes.iloc[7] = 0
    table = votes.assign(id_str=[f"{i:05d}" for i in range(N)])
    chosen, rejected = prepare(tmp_path, table, kind="own", label="gz2", task="votes")
    assert list(chosen) == ["id_str", "file_loc", *tree.label_cols, "part"]
    assert rejected.to_numpy().tolist() == [
        ["00007", "votes: found none at all, expected one or more"]
    ]
    np.testing.assert_array_equal(chosen[tree.label_cols], votes.drop(index=7))


@pytest.mark.parametrize(
    ("task", "labels", "match"),
    [
        ("classes", "only", r"train: \d+ of merger only; val: .*expected two classes"),
        ("binary", "1", r"0 of merger 0, \d+ of merger 1.*expected both kinds"),
        ("fraction", "nothing", r"train: 0; val: 0; test: 0; expected galaxies in"),
    ],
)
def test_own_labels_that_teach_nothing(tmp_path, task, labels, match):
    """One class, or no label at all, in every part: the error counts them."""
    table = sure_table().assign(merger=labels)
    with pytest.raises(ValueError, match=match):
        prepare(tmp_path, table, kind="own", label="merger", task=task)
