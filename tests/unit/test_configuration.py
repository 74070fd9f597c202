"""Settings: the shipped file is complete, and each mistake in one is named."""

import copy
import re
from pathlib import Path

import pydantic
import pytest
import yaml

from zoobot.configuration import Settings, read_settings
from zoobot.settings.images import PrepareAndRender
from zoobot.settings.section import Section
from zoobot.settings.training import Training, View

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())


def edited(key: str, value: object) -> dict:
    """The shipped configuration with one value set, or removed if it is `...`."""
    config = copy.deepcopy(CONFIG)
    *sections, last = key.split(".")
    place = config
    for section in sections:
        place = place[section]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return config


def test_shipped_file_is_valid():
    """Every value of config.yaml arrives."""
    found = read_settings(CONFIG).model_dump(by_alias=True)
    assert found == CONFIG


def test_every_field_stands_in_the_file():
    """No hidden defaults and no dead keys: the file's keys are the fields."""
    sections = 0
    for name, field in Settings.model_fields.items():
        assert field.is_required(), name
        key = field.alias or name
        assert key in CONFIG
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            fields = field.annotation.model_fields
            assert all(f.is_required() for f in fields.values()), name
            assert all(f.description for f in fields.values()), name
            assert list(CONFIG[key]) == list(fields), f"{name}: same keys, same order"
            sections += 1
    kinds = set(Section.__subclasses__())
    kinds |= {of for kind in kinds for of in kind.__subclasses__()}
    # Parts of Train, those of programs that are no stages, and all of them together.
    kinds -= {Settings, Training, View, PrepareAndRender}
    kinds = {one for one in kinds if one.__module__ != "zoobot.settings.programs"}
    assert sections == len(kinds)


@pytest.mark.parametrize(
    "example", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name
)
def test_examples_override_keys_that_exist(example):
    """An example laid over config.yaml is valid, too."""
    config = copy.deepcopy(CONFIG)
    for key, value in yaml.safe_load(example.read_text()).items():
        if isinstance(value, dict):
            config[key] |= value
        else:
            config[key] = value
    read_settings(config)


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.epochs", ..., "train.epochs: not there, expected this key"),
        ("train", ..., "train: not there, expected this key"),
        ("trian", {}, "trian: unknown key (found {}), expected one of"),
        ("train.epoch", 3, "train.epoch: unknown key (found 3), expected one of"),
        ("train", None, "train: found None, expected a valid dictionary"),
        (
            *("train.learning_rate", "1e-4"),
            "train.learning_rate: found '1e-4', expected a valid number "
            "(YAML reads 1e-4 as text: write 1.0e-4)",
        ),
        ("train.epochs", 2.5, "train.epochs: found 2.5, expected a valid integer"),
        ("train.epochs", True, "train.epochs: found True, expected a valid integer"),
        ("train.epochs", "2", "train.epochs: found '2', expected a valid integer"),
        ("train.greyscale", 1, "train.greyscale: found 1, expected a valid boolean"),
        ("train.epochs", 0, "train.epochs: found 0, expected greater than 0"),
        ("train.seed", -1, "train.seed: found -1, expected greater than or equal to 0"),
        ("train.dropout_rate", 1.0, "found 1.0, expected less than 1"),
        ("train.learning_rate", NAN, "train.learning_rate: found nan, expected a fin"),
        ("train.learning_rate", INFINITE, "train.learning_rate: found inf, expected a"),
        ("train.optimizer", "sgd", "train.optimizer: found 'sgd', expected 'adam' or"),
        ("train.concentration_max", 0.01, "concentration_max: found 0.01, expected mo"),
        (
            *("train.crop_size_px", 97),
            "train.crop_size_px: found 97, expected at most write_shards.image_size_px",
        ),
        (
            "train.shift_max_px",
            49.0,
            "train.shift_max_px: found 49.0, expected at most 1",
        ),
        (
            *("split_catalog.train", 0.8),
            "split_catalog: train + val + test: found 0.8 + 0.1 + 0.2 = 1.1, expected",
        ),
        ("split_catalog.train", -0.1, "found -0.1, expected greater than or equal to"),
        ("schema", "gz3", "schema: found 'gz3', expected one of gz_decals, gz_decals"),
        ("schema", "no.yaml", "schema: no.yaml: expected a decision tree, found no su"),
        ("schema", ..., "schema: not there"),
        ("run_name", "../up", "run_name: found '../up', expected"),
        ("run_name", "", "run_name: found '', expected"),
        ("n_models", 0, "n_models: found 0, expected greater than 0"),
        ("simulate_survey.volunteers_max", 4, "volunteers_max: found 4, expected at l"),
        ("compress_representations.batch_size", 8, "batch_size: found 8, expected at"),
        (
            *("prepare_ring_catalog.columns", {"id": "iauname"}),
            "prepare_ring_catalog: columns: unknown name 'id', expected one of id_str,",
        ),
        ("prepare_ring_catalog.ring_fraction_max", 0.3, "ring_fraction_max: found 0.3"),
        ("prepare_catalog.image_folders", "here", "image_folders: found 'here', expec"),
        ("prepare_catalog.image_folders", [1], "image_folders.0: found 1, expected a"),
        (
            "prepare_catalog.columns",
            {"id": "iauname"},
            "prepare_catalog.columns: unknown name 'id', expected one of id_str, file_",
        ),
        (
            "prepare_catalog.columns",
            {"smooth-or-featured_smoth": "s"},
            "(is it 'smooth-or-featured_smooth'?)",
        ),
        (
            "prepare_catalog.columns",
            {"bar_weak": "b", "bar_no": "b"},
            "prepare_catalog.columns: bar_weak and bar_no are both 'b', expected a col",
        ),
        (
            "prepare_catalog.columns",
            {"id_str": " "},
            "prepare_catalog.columns: found 'id_str': ' ', expected a name without =",
        ),
        (
            "prepare_catalog.columns",
            ["a"],
            "columns: found ['a'], expected a valid dic",
        ),
        ("prepare_catalog.columns", {"id_str": 1}, "columns.id_str: found 1, expected"),
        (
            "prepare_catalog.preset",
            "gz_decals_dr12",
            "found gz_decals_dr12, whose tables have the answers of schema gz_decals_",
        ),
        (
            "prepare_catalog.preset",
            "gz3",
            "preset: found 'gz3', expected 'none', 'gz_d",
        ),
        (
            "prepare_catalog.preset",
            "gz2",
            "file_loc_table: empty, expected the path of",
        ),
        (
            "prepare_catalog",
            CONFIG["prepare_catalog"]
            | {"labelled_catalogs": [], "unlabelled_catalogs": []},
            "are all empty, expected at least one table or folder",
        ),
        (
            "finetune_rings.unfreeze_blocks",
            8,
            "found 8, expected less than or equal to",
        ),
    ],
)
def test_bad_value_is_named(key, value, message):
    """An error says which key, what was found and what was expected."""
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_settings(edited(key, value))
    assert type(caught.value) is ValueError
    assert len(str(caught.value).splitlines()) == 2, "one problem, one line"


def test_columns_of_images_by_band_may_be_renamed():
    """Of the bands of render_fits, and positions; of no other band."""
    columns = {"ra": "RA", "mosaic": "brick"}
    for band in CONFIG["render_fits"]["bands"]:
        columns[f"file_loc_{band}"] = f"file {band}"
    found = read_settings(edited("prepare_catalog.columns", columns))
    assert found.prepare_catalog.columns == columns
    with pytest.raises(ValueError, match="unknown name 'file_loc_none'"):
        read_settings(edited("prepare_catalog.columns", {"file_loc_none": "x"}))


def test_all_problems_at_once():
    """Nobody should need three runs to find three mistakes."""
    config = edited("train.epochs", 0)
    config["schema"] = "gz3"
    config["predict"]["n"] = 1
    with pytest.raises(ValueError) as caught:
        read_settings(config)
    lines = str(caught.value).splitlines()
    assert lines[0] == "settings:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "schema",
        "train.epochs",
        "predict.n",
    ]


def test_settings_do_not_change():
    """A section cannot be edited once it is made."""
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        read_settings(CONFIG).train.epochs = 5
