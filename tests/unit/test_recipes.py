"""Which stored models are kept: of the current recipe, and of the same weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from rules.recipes import NOTHING, Kept, kept_models, recipes_of
from zoobot.configuration import Settings, read_settings
from zoobot.representations.pca import FittedPca, save_pca

CONFIG = Path(__file__).parents[2] / "config.yaml"
MODEL = ("encoder.keras", "head.npz", "history.csv")
RINGS = ("encoder.keras", "head.keras", "task.json", "metrics.json", "held_out.csv")


def settings(**changes: dict | object) -> Settings:
    """Settings of config.yaml, for a survey of one's own, with some changes."""
    config = yaml.safe_load(CONFIG.read_text())
    sources = {"labelled_catalogs": ["mine.csv"], "unlabelled_catalogs": []}
    config["prepare_catalog"] |= sources
    for name, value in changes.items():
        config[name] = config[name] | value if isinstance(value, dict) else value
    return read_settings(config)


def write_card(folder: Path, names: tuple[str, ...], **content: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    (folder / "card.json").write_text(json.dumps({"finetuned_from": ""} | content))


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results of a finished run of config.yaml, with one member."""
    monkeypatch.chdir(tmp_path)
    recipes = recipes_of(settings())
    results = tmp_path / "results"
    model, rings = results / "models/demo/0", results / "rings/demo"
    write_card(model, MODEL, recipe=recipes.train, weights_digest="w")
    write_card(
        rings,
        RINGS,
        recipe=recipes.finetune_rings,
        weights_digest="r",
        finetuned_from="w",
    )
    start = results / "representations/demo_pca40"
    one = np.ones(1)
    pca = FittedPca(one[:, None], one, one, one, 1, "w", recipes.fit_pca)
    save_pca(pca, f"{start}_model.npz")
    for name in ("variance.csv", "variance.png"):
        Path(f"{start}_{name}").touch()
    return results


def kept(**changes: dict | object) -> Kept:
    changed = settings(**changes)
    return kept_models(changed, recipes_of(changed))


ALL = Kept(train=frozenset({0}), fit_pca=True, finetune_rings=True)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"prepare_catalog": {"labelled_catalogs": ["mine.csv", "more.csv"]}},
        {"prepare_catalog": {"image_folders": ["images"]}},
        {"prepare_ring_catalog": {"catalogs": ["more.csv"]}},
        {"prepare_ring_catalog": {"columns": {"id_str": "iauname"}}},
        {"data_folder": "elsewhere"},
        {"n_models": 3},
        {"train": {"n_gpus": 4}},
        {"chunk_catalog": {"galaxies_per_chunk": 100}},
        {"predict": {"n_samples": 9}},
        {"evaluate": {"seed": 1}},
        {"simulate_survey": {"seed": 1}},
    ],
)
def test_all_are_kept_whatever_the_catalogue(stored: Path, changes: dict):
    """New members are not there yet; settings of other stages do not matter."""
    assert kept(**changes) == ALL


def test_where_decoded_images_are_kept_is_no_part_of_a_recipe():
    plain, kept_in_memory = (
        recipes_of(settings(train={"shards": "none", "cache": cache}))
        for cache in ("none", "memory")
    )
    assert plain == kept_in_memory


@pytest.mark.parametrize(
    "changes",
    [
        {"train": {"epochs": 3}},
        {"write_shards": {"image_size_px": 128}},
        {"render_fits": {"lupton_q": 3.0}},
        {"split_catalog": {"seed": 1}},
        {"schema": "gz2"},
        {"prepare_catalog": {"labelled_catalogs": ["results/survey/labelled.csv"]}},
        {"run_name": "another"},
    ],
)
def test_what_trains_otherwise_trains_anew_and_all_that_follows(
    stored: Path, changes: dict
):
    assert kept(**changes) == NOTHING


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"compress_representations": {"batch_size": 99}}, {"fit_pca": False}),
        ({"compress_representations": {"n_components": 9}}, {"fit_pca": False}),
        ({"finetune_rings": {"epochs": 3}}, {"finetune_rings": False}),
        (
            {"prepare_ring_catalog": {"ring_fraction_min": 0.3}},
            {"finetune_rings": False},
        ),
        (
            {"extract_representations": {"engine": "openvino"}},
            {"fit_pca": False, "finetune_rings": False},
        ),
    ],
)
def test_what_fits_otherwise_fits_anew_and_nothing_else(
    stored: Path, changes: dict, expected: dict
):
    expected = {"fit_pca": True, "finetune_rings": True} | expected
    assert kept(**changes) == Kept(train=frozenset({0}), **expected)


def test_without_shards_only_the_size_of_images_matters():
    """How they would be stored does not."""

    def trained(shards: str, **stored: object) -> str:
        changed = settings(train={"shards": shards}, write_shards=stored)
        return recipes_of(changed).train

    assert trained("none") == trained("none", encoding="jpeg")
    assert trained("tfrecords") != trained("tfrecords", encoding="jpeg")
    assert trained("none") != trained("none", image_size_px=128)
    assert trained("none") != trained("tfrecords")


def test_the_simulated_survey_is_a_setting():
    """Of the demo, settings make the galaxies."""
    demo = {"labelled_catalogs": ["results/survey/labelled.csv"]}
    first = recipes_of(settings(prepare_catalog=demo))
    other = recipes_of(settings(prepare_catalog=demo, simulate_survey={"seed": 1}))
    assert first.train != other.train


def test_another_tree_at_the_same_path_is_another_recipe(tmp_path: Path):
    tree = tmp_path / "tree.yaml"
    trained = []
    for answers, comment in (("a, b", ""), ("a, b", "# the same"), ("a, c", "")):
        shape = f"shape: {{answers: [{answers}]}}  {comment}"
        tree.write_text(f"questions:\n  {shape}\n")
        trained.append(recipes_of(settings(schema=str(tree))).train)
    assert trained[0] == trained[1] != trained[2]


@pytest.mark.parametrize("damage", ["missing", "cut short", "of another version"])
@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ("models/demo/0/card.json", NOTHING),
        ("rings/demo/card.json", Kept(frozenset({0}), True, False)),
        ("representations/demo_pca40_model.npz", Kept(frozenset({0}), False, True)),
    ],
)
def test_what_is_not_whole_is_not_kept(
    stored: Path, lost: str, expected: Kept, damage: str
):
    path = stored / lost
    if damage == "missing":
        path.unlink()
    elif damage == "cut short":
        path.write_bytes(path.read_bytes()[:-10])
    elif path.suffix == ".json":
        path.write_text("[]")
    else:
        np.savez(path, components=np.ones(1))
    assert kept() == expected


def test_models_of_other_weights_do_not_belong_to_the_trained_one(stored: Path):
    """As when it was trained again by the same recipe, on other galaxies."""
    recipe = recipes_of(settings()).train
    write_card(stored / "models/demo/0", MODEL, recipe=recipe, weights_digest="other")
    assert kept() == Kept(frozenset({0}), fit_pca=False, finetune_rings=False)


def test_members_are_kept_one_by_one(stored: Path):
    """What stands on member 0 is only kept with it."""
    recipe = recipes_of(settings()).train
    for member in (1, 2):
        folder = stored / f"models/demo/{member}"
        write_card(folder, MODEL, recipe=recipe, weights_digest="x")
    (stored / "models/demo/2/head.npz").unlink()
    assert kept(n_models=3) == Kept(frozenset({0, 1}), True, True)
    (stored / "models/demo/0/history.csv").unlink()
    assert kept(n_models=3) == Kept(frozenset({1}), False, False)
    assert str(kept(n_models=3)) == "Kept as they are: trained members 1"
