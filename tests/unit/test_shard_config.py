"""Shards of a user's own tables, from Python and from a shell."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from tests import galaxies
from workflow_scripts.create_shards import main
from zoobot.data_utils import shard_catalogs, tfrecord_datasets
from zoobot.data_utils.create_shards import ShardConfig, create_shards
from zoobot.data_utils.images import load_image
from zoobot.data_utils.splits import part_of
from zoobot.schemas import get_schema

ROOT = Path(__file__).parents[2]
VOTES = get_schema("gz_decals").label_cols
PARTS = ("train", "val", "test", "unlabelled")
DEBUG_RECIPE = """
python create_shards.py --labelled-catalog \
data/decals/prepared_catalogs/my_subfolder/labelled_catalog.csv \
--shard-dir data/decals/shards/decals_debug --img-size 300 --eval-size 100 \
--max-labelled 500 --max-unlabelled 300 --img-size 32
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """60 galaxies with votes, whole-number labels and a fraction."""
    folder = tmp_path_factory.mktemp("images")
    found = galaxies.write_galaxies(folder, n_galaxies=60, agreement=0.8)
    rng = np.random.default_rng(0)
    return found.assign(
        ring=rng.integers(0, 2, 60), seen=found.index % 2 == 0, bulge=rng.random(60)
    )


def make(folder: Path, table: pd.DataFrame, *more, **changes: object) -> ShardConfig:
    """Shards of 20 px, at most 10 galaxies each."""
    config = ShardConfig(folder, 20, galaxies_per_shard=10)
    options = {"columns_to_save": ["ring"], "train_test_fraction": 0.7} | changes
    config.prepare_shards(table, *more, threads=2, **options)
    return config


def records(config: ShardConfig) -> dict[str, list[str]]:
    """Paths of the shards of each part."""
    return {part: getattr(config, f"{part}_records") for part in PARTS}


def rows(paths: list[str], columns: list[str]) -> pd.DataFrame:
    """Ids and labels in shards."""
    ids, labels = tfrecord_datasets.read_columns(paths, columns)
    return pd.DataFrame(labels, index=ids, columns=columns)


def test_every_galaxy_is_in_the_part_of_its_hash(table, tmp_path):
    config = make(tmp_path, table, table[:7])
    expected = {
        id_str: part_of(id_str, train=0.7, val=0.0, seed=42)
        for id_str in table["id_str"]
    }
    assert {*expected.values()} == {"train", "test"}
    found = {
        id_str: part
        for part in ("train", "test")
        for id_str in rows(records(config)[part], []).index
    }
    assert found == expected
    assert list(rows(config.unlabelled_records, []).index) == list(table["id_str"][:7])


def test_shards_are_numbered_in_order_and_not_too_large(table, tmp_path):
    config = make(tmp_path, table)
    n_train = len(rows(config.train_records, []))
    names = [Path(path).name for path in config.train_records]
    n_shards = -(-n_train // 10)
    assert names == [f"s20_shard_{i}.tfrecord" for i in range(n_shards)]
    sizes = [len(rows([path], [])) for path in config.train_records]
    assert max(sizes) <= 10 and max(sizes) - min(sizes) <= 1
    again = [*rows(config.train_records, []).index]
    assert again == [one for one in table["id_str"] if one in {*again}]
    more = ShardConfig(tmp_path / "many", 20, galaxies_per_shard=1)
    more.prepare_shards(table, columns_to_save=[], train_test_fraction=1.0)
    assert [*rows(more.train_records, []).index] == list(table["id_str"])


def test_pixels_and_labels_are_those_of_the_table(table, tmp_path):
    """Whole numbers exactly, fractions as float32; one type the whole column."""
    columns = ["ring", "seen", "bulge", *VOTES[:2]]
    config = make(tmp_path, table, columns_to_save=columns)
    by_id = table.set_index("id_str")
    n_found = 0
    for paths in (config.train_records, config.test_records):
        for batch in tfrecord_datasets.get_dataset(paths, columns, 16):
            ids = [one.decode() for one in batch["id_str"].numpy()]
            expected = by_id.loc[ids]
            for column in ("ring", "seen", *VOTES[:2]):
                assert batch[column].dtype == np.int64
                np.testing.assert_array_equal(batch[column], expected[column])
            np.testing.assert_array_equal(
                batch["bulge"], expected["bulge"].astype(np.float32)
            )
            images = [load_image(path, size_px=20) for path in expected["file_loc"]]
            np.testing.assert_array_equal(batch["image"], images)
            n_found += len(ids)
    assert n_found == 60
    found = rows(config.test_records, ["bulge", "ring"])
    assert found["bulge"].between(0, 1, inclusive="neither").all()


def test_eval_size_is_exact_and_does_not_depend_on_the_order_of_rows(table, tmp_path):
    tested = []
    for name, rows_ in (("one", table), ("two", table[::-1])):
        config = make(tmp_path / name, rows_, train_test_fraction=None, eval_size=13)
        tested.append({*rows(config.test_records, []).index})
    assert tested[0] == tested[1]
    assert len(tested[0]) == 13
    other = ShardConfig(tmp_path / "three", 20, seed=1)
    other.prepare_shards(table, columns_to_save=[], eval_size=13)
    assert {*rows(other.test_records, []).index} != tested[0]


def test_galaxies_to_validate_are_taken_from_those_to_train(table, tmp_path):
    """Who is held out stays held out."""
    without = make(tmp_path / "without", table)
    config = make(tmp_path / "with", table, val_size=5)
    found = {
        part: {*rows(paths, []).index}
        for part, paths in records(config).items()
        if paths
    }
    trained = {*rows(without.train_records, []).index}
    assert len(found["val"]) == 5
    assert found["train"] == trained - found["val"]
    assert found["val"] < trained
    assert found["test"] == {*rows(without.test_records, []).index}


def test_the_record_says_how_they_were_made(table, tmp_path):
    config = make(tmp_path, table, table[:7])
    record = json.loads((tmp_path / "shard_config.json").read_text())
    assert (record["size"], record["encoding"], record["seed"]) == (20, "raw", 42)
    assert record["columns_to_save"] == ["ring"]
    assert record["train_test_fraction"] == 0.7
    for part, paths in records(config).items():
        if part == "val":
            assert record["shards"]["val"] == paths == [] and record["n_val"] == 0
            continue
        assert [str(tmp_path / path) for path in record["shards"][part]] == paths
        catalog = pd.read_parquet(tmp_path / f"{part}_catalog.parquet")
        assert len(catalog) == record[f"n_{part}"]
        assert list(catalog["id_str"]) == list(rows(paths, []).index)


def test_nothing_is_overwritten_unless_asked(table, tmp_path):
    """And then only what such a run writes."""
    config = make(tmp_path, table, table[:7])
    mine = tmp_path / "train" / "notes.txt"
    mine.write_text("mine")
    before = {path: Path(path).read_bytes() for path in config.train_records}
    with pytest.raises(ValueError, match=r"earlier shards, as .* expected none"):
        make(tmp_path, table[:9])
    assert {path: Path(path).read_bytes() for path in config.train_records} == before
    with pytest.raises(ValueError, match="columns missing: nothing"):
        make(tmp_path, table[:9], columns_to_save=["nothing"], overwrite=True)
    assert {path: Path(path).read_bytes() for path in config.train_records} == before
    make(tmp_path, table[:9], overwrite=True)
    assert len(config.train_records) == 1
    assert not config.unlabelled_records
    assert not (tmp_path / "unlabelled_catalog.parquet").exists()
    assert mine.read_text() == "mine"


def test_a_run_that_fails_leaves_no_shard(table, tmp_path):
    """An image that does not decode, as the last: those before are written by then."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(Path(table["file_loc"][0]).read_bytes()[:100])
    bad = table.copy()
    bad.loc[59, "file_loc"] = str(broken)
    with pytest.raises(ValueError, match=r"broken.png: image does not decode"):
        make(tmp_path / "shards", bad, columns_to_save=["ring"])
    assert [p for p in (tmp_path / "shards").rglob("*") if p.is_file()] == []


def changed(table: pd.DataFrame, column: str, value: object) -> pd.DataFrame:
    """The table with another value in the fourth row."""
    found = table.copy()
    found[column] = found[column].astype(object)
    found.loc[3, column] = value
    return found.infer_objects() if column != "id_str" else found


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("id_str", "smooth-0000", "id_str: found 'smooth-0000' several times"),
        ("id_str", None, "id_str: found None, expected a text"),
        ("id_str", "", "id_str: found '', expected a text"),
        ("file_loc", np.nan, "file_loc: found nan, expected a text"),
        ("file_loc", "/gone.png", r"found no file /gone.png.* \(1 of 60 are missing\)"),
        ("ring", "yes", "labelled_catalog: ring: found type object, as "),
        ("ring", np.nan, "ring: found nan for galaxy 'smooth-0003', expected a number"),
        ("bulge", np.inf, "bulge: found inf for galaxy 'smooth-0003'"),
    ],
)
def test_bad_rows_are_named(table, tmp_path, column, value, message):
    bad = changed(table, column, value)
    with pytest.raises(ValueError, match=message):
        make(tmp_path / "shards", bad, columns_to_save=["ring", "bulge"])
    assert not (tmp_path / "shards").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"columns_to_save": ["rung"]},
            "labelled_catalog: columns missing: rung; found",
        ),
        ({"columns_to_save": "ring"}, "columns_to_save: found one text, 'ring'"),
        ({"columns_to_save": ["size"]}, "columns_to_save: found 'size'"),
        ({"columns_to_save": ["ring", "ring"]}, "columns_to_save: found 'ring'"),
        ({"train_test_fraction": 1.2}, "train_test_fraction: found 1.2"),
        ({"train_test_fraction": 0.0}, "leaves 0 of 60 galaxies to train"),
        ({"train_test_fraction": 1e-9}, "leaves 0 of 60 galaxies to train"),
        ({"train_test_fraction": None}, "expected one of the two"),
        ({"eval_size": 5}, "expected one of the two"),
        ({"train_test_fraction": None, "eval_size": 60}, "eval_size: found 60"),
        ({"train_test_fraction": None, "eval_size": -1}, "eval_size: found -1"),
        ({"val_size": 60}, "val_size: found 60"),
        ({"val_size": -1}, "val_size: found -1"),
    ],
)
def test_bad_options_are_named(table, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        make(tmp_path / "shards", table, **changes)
    assert not (tmp_path / "shards").exists()


def test_bad_tables_and_sizes_are_named(table, tmp_path):
    with pytest.raises(
        ValueError, match="labelled_catalog: found a str, expected a pan"
    ):
        make(tmp_path, "galaxies.csv")
    with pytest.raises(ValueError, match="labelled_catalog: found no galaxy"):
        make(tmp_path, table[:0])
    with pytest.raises(
        ValueError, match="unlabelled_catalog: columns missing: file_loc"
    ):
        make(tmp_path, table, table[["id_str"]])
    for changes, message in (
        ({"size": 8}, "size: found 8"),
        ({"size": 300.5}, "size: found 300.5"),
        ({"size": 300, "encoding": "gif"}, "encoding: found 'gif'"),
        ({"size": 300, "jpeg_quality": 0}, "jpeg_quality: found 0"),
        ({"size": 300, "galaxies_per_shard": 0}, "galaxies_per_shard: found 0"),
    ):
        with pytest.raises(ValueError, match=message):
            ShardConfig(tmp_path, **changes)


def test_ids_that_are_numbers_keep_their_digits(table, tmp_path):
    numbered = table.assign(id_str=np.arange(60) + 587722981741363200)
    config = make(tmp_path, numbered, columns_to_save=[], train_test_fraction=1.0)
    assert list(rows(config.train_records, []).index) == [
        str(id_str) for id_str in numbered["id_str"]
    ]


@pytest.fixture
def survey(table, tmp_path) -> Path:
    """A folder with csv tables whose paths are relative, and the images."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "images").symlink_to(Path(table["file_loc"][0]).parent)
    names = ["images/" + Path(path).name for path in table["file_loc"]]
    relative = table.assign(file_loc=names)
    relative.to_csv(folder / "labelled.csv", index=False)
    relative[["id_str", "file_loc"]].to_csv(folder / "unlabelled.csv", index=False)
    return folder


def test_from_csv(survey, table, tmp_path):
    """Labels of the decision tree are whole numbers; a limited table is a sample."""
    create_shards(
        survey / "labelled.csv",
        shard_dir=tmp_path / "shards",
        img_size=20,
        eval_size=10,
        unlabelled_catalog=survey / "unlabelled.csv",
        max_labelled=40,
        max_unlabelled=5,
        threads=2,
    )
    config = ShardConfig(tmp_path / "shards", 20)
    by_id = table.set_index("id_str")
    counts = []
    for part, paths in records(config).items():
        if not paths:
            assert part == "val" and not (tmp_path / "shards/val").exists()
            counts.append(0)
            continue
        found = rows(paths, [] if part == "unlabelled" else VOTES)
        counts.append(len(found))
        assert list(found.index) == [i for i in by_id.index if i in {*found.index}]
        np.testing.assert_array_equal(found, by_id.loc[found.index, found.columns])
    assert counts == [30, 0, 10, 5]
    assert list(rows(config.unlabelled_records, []).index) != list(by_id.index[:5])


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".fits", ".vot"])
def test_tables_of_every_kind(survey, table, suffix):
    """Fractions stay fractions, whole numbers whole, whatever else is in the table."""
    relative = pd.read_csv(survey / "labelled.csv")
    path = survey / f"table{suffix}"
    if suffix == ".parquet":
        relative.to_parquet(path)
    elif suffix.startswith(".csv"):
        relative.to_csv(path, index=False)
    else:
        columns = relative[["id_str", "file_loc", "ring", "bulge"]].to_dict("list")
        Table(columns).write(path, format=None if suffix == ".fits" else "votable")
    found = shard_catalogs.read_galaxies(path, columns=["ring", "bulge"])
    assert list(found["id_str"]) == list(table["id_str"])
    assert all(
        Path(path).samefile(image)
        for path, image in zip(found["file_loc"], table["file_loc"], strict=True)
    )
    assert found["ring"].dtype == np.int64
    assert found["bulge"].dtype == np.float64
    np.testing.assert_array_equal(found["ring"], table["ring"])
    np.testing.assert_array_equal(found["bulge"], table["bulge"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",ring,", ",rong,", r"labelled.csv: columns missing: ring"),
        ("smooth-0000,", ",", r"labelled.csv: row 1 \(''\): id_str: empty"),
    ],
)
def test_bad_csv_is_named(survey, old, new, message):
    path = survey / "labelled.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        shard_catalogs.read_galaxies(path, columns=["ring"])


def test_bad_numbers_in_csv_are_named(survey, table):
    path = survey / "labelled.csv"
    content = pd.read_csv(path, dtype=str)
    content.loc[2, "ring"] = "maybe"
    content.to_csv(path, index=False)
    message = r"labelled.csv: row 3 \('ring-0002'\): ring: found 'maybe'"
    with pytest.raises(ValueError, match=message):
        shard_catalogs.read_galaxies(path, columns=["ring"])


def program(*options: object, folder: Path) -> subprocess.CompletedProcess:
    """Run the program by its path from another folder, with zoobot on Python's path."""
    script = ROOT / "workflow_scripts" / "create_shards.py"
    return subprocess.run(
        [sys.executable, str(script), *map(str, options)],
        cwd=folder,
        text=True,
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def test_the_debug_recipe_runs_as_the_documents_show_it(table, tmp_path):
    """More galaxies asked for than there are, the size given twice: the last counts."""
    catalog = (
        tmp_path / "data/decals/prepared_catalogs/my_subfolder/labelled_catalog.csv"
    )
    catalog.parent.mkdir(parents=True)
    repeated = [table.assign(id_str=table["id_str"] + f"-{i}") for i in range(10)]
    pd.concat(repeated).to_csv(catalog, index=False)
    _, _, *options = shlex.split(DEBUG_RECIPE)
    done = program(*options, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    config = ShardConfig(tmp_path / "data/decals/shards/decals_debug", 32)
    assert tfrecord_datasets.shard_image_size(config.train_records) == 32
    assert len(rows(config.train_records, VOTES)) == 400
    assert len(rows(config.test_records, VOTES)) == 100
    assert "500 galaxies in " in done.stderr
    assert "train: 400 galaxies, 1 shards" in done.stderr


def test_options(survey, table, tmp_path):
    """Those of the program reach the library; bad ones are errors."""
    options = (
        f"--labelled-catalog {survey / 'labelled.csv'} --shard-dir {tmp_path / 'out'} "
        "--img-size 20 --eval-size 7 --columns ring bulge --galaxies-per-shard 30 "
        "--seed 3 --encoding jpeg --jpeg-quality 80 --threads 2"
    ).split()
    main(options)
    config = ShardConfig(tmp_path / "out", 20)
    assert [len(rows([one], [])) for one in config.train_records] == [27, 26]
    assert len(rows(config.test_records, ["ring", "bulge"])) == 7
    record = json.loads((tmp_path / "out/shard_config.json").read_text())
    assert (record["encoding"], record["jpeg_quality"]) == ("jpeg", 80)
    assert (record["seed"], record["columns_to_save"]) == (3, ["ring", "bulge"])
    with pytest.raises(ValueError, match="expected none; ask to overwrite them"):
        main(options)
    main([*options, "--overwrite", "--max-labelled", "8"])
    assert len(rows(config.train_records, [])) == 1
    with pytest.raises(
        ValueError, match=r"an answer of the schema gz2 \([0-9]+ of its"
    ):
        main(
            [
                *(one for one in options if one not in ("--columns", "ring", "bulge")),
                "--schema",
                "gz2",
            ]
        )
    with pytest.raises(ValueError, match="most galaxies: found -1"):
        main([*options, "--overwrite", "--max-labelled", "-1"])


def test_help_has_units_and_defaults(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for phrase in ("in pixels", "(default: 42)", "(default: all)", "(default: raw)"):
        assert phrase in text
    with pytest.raises(SystemExit) as end:
        main(["--img-size", "big"])
    assert end.value.code == 2
