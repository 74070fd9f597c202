"""The ring finder from catalogue to table, and its measures."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from tests import galaxies, networks
from zoobot.data_utils import hdf5
from zoobot.estimators.define_model import load_encoder
from zoobot.estimators.model_card import load_card
from zoobot.representations.extract import extract_representations
from zoobot.settings.representations import ExtractRepresentations
from zoobot.training import rings
from zoobot.training.ring_files import save_ring_finder
from zoobot.training.train import train_member

LABELS = np.array([1, 1, 1, 0, 0, 0, 0, 0])
PROBABILITY = np.array([0.9, 0.6, 0.1, 0.7, 0.3, 0.2, 0.05, 0.0])


def test_ring_metrics_by_hand():
    """Eight galaxies, three of them rings, counted by a person."""
    found = rings.ring_metrics(LABELS, probability=PROBABILITY, prevalence=0.25)
    assert (found["n"], found["n_rings"]) == (8, 3)
    # Above 0.5: 0.9, 0.6 (rings) and 0.7 (none). One ring is missed.
    assert found["accuracy"] == pytest.approx(6 / 8)
    # Above 0.25: rings 0.9, 0.6; others 0.7, 0.3.
    assert found["confusion_matrix"] == [[3, 2], [1, 2]]
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 3 / 5) / 2)
    # Pairs in order: 0.9 beats 5, 0.6 beats 4, 0.1 beats 2 of 5.
    assert found["roc_auc"] == pytest.approx(11 / 15)
    # Precision where a ring comes: 1st of 1, 2nd of 3, 3rd of 6.
    assert found["average_precision"] == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)
    errors = [0.1, 0.4, 0.9, 0.7, 0.3, 0.2, 0.05, 0.0]
    assert found["brier_score"] == pytest.approx(np.mean(np.square(errors)))
    assert found["roc_auc_90pc_lower"] <= 11 / 15 <= found["roc_auc_90pc_upper"]
    assert json.loads(json.dumps(found)) == found


def test_bootstrap_interval_has_the_known_width():
    """Of 400 galaxies without information: that of a rank sum, by its formula."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 200)
    found = rings.ring_metrics(labels, probability=rng.random(400), prevalence=0.5)
    width = found["roc_auc_90pc_upper"] - found["roc_auc_90pc_lower"]
    expected = 2 * 1.645 * np.sqrt((200 + 200 + 1) / (12 * 200 * 200))
    # 500 bootstrap samples know the ends of an interval to about 10% each.
    assert width == pytest.approx(expected, rel=0.25)


@pytest.fixture(scope="module")
def survey(
    tmp_path_factory, write_shard, small_network
) -> tuple[pd.DataFrame, Path, list[Path]]:
    """60 galaxies with parts, a small trained model, and their representations."""
    folder = tmp_path_factory.mktemp("survey")
    table = galaxies.write_galaxies(folder / "images", n_galaxies=60)
    shard = write_shard(table)
    train_member(
        [shard],
        val_shards=[shard],
        schema="gz_decals",
        member=0,
        model_folder=folder / "model",
        tensorboard_folder=folder / "tensorboard",
        settings=networks.train_settings(epochs=4),
    )
    paths = []
    for i, rows in enumerate((slice(0, 25), slice(25, 60))):
        chunk = folder / f"{i}.parquet"
        table[rows][["id_str", "file_loc"]].to_parquet(chunk, index=False)
        paths.append(folder / f"{i}.hdf5")
        extract_representations(
            chunk,
            model_folder=folder / "model",
            representations=paths[-1],
            settings=ExtractRepresentations(batch_size=16, engine="tensorflow"),
        )
    return table, folder, paths


def ring_catalog(table: pd.DataFrame) -> pd.DataFrame:
    """Every galaxy with its part; each part has rings and others."""
    catalog = table[["id_str", "file_loc"]].copy()
    catalog["ring"] = (galaxies.kind_of(table["id_str"]) == "ring").astype(int)
    catalog["part"] = np.repeat(["train", "val", "test"], [30, 12, 18])
    return catalog


@pytest.mark.parametrize("unfreeze", ["none", "some"])
def test_from_catalogue_to_table(survey, tmp_path, unfreeze):
    """Held-out rings are found; every galaxy's probability is the held-out one."""
    table, folder, representations = survey
    catalog = ring_catalog(table)
    catalog.sample(frac=1, random_state=0).to_csv(tmp_path / "rings.csv", index=False)
    settings = networks.finetune_settings(unfreeze=unfreeze)
    rings.finetune_rings(
        tmp_path / "rings.csv",
        representations=representations,
        model_folder=folder / "model",
        ring_folder=tmp_path / "rings",
        settings=settings,
    )
    names = {path.name for path in (tmp_path / "rings").iterdir()}
    assert names == {
        *("head.keras", "encoder.keras", "card.json"),
        *("metrics.json", "held_out.csv"),
    }
    held_out = pd.read_csv(tmp_path / "rings" / "held_out.csv", dtype={"id_str": str})
    test = catalog[catalog["part"] == "test"]
    assert set(held_out["id_str"]) == set(test["id_str"])
    found = held_out.set_index("id_str")
    assert dict(found["label"]) == dict(zip(test["id_str"], test["ring"], strict=True))
    measures = json.loads((tmp_path / "rings" / "metrics.json").read_text())
    assert measures["final"]["roc_auc"] > 0.8
    if unfreeze == "none":
        assert measures["stage_1"] == measures["final"]

    tables = []
    for i, path in enumerate(representations):
        rings.find_rings(
            folder / f"{i}.parquet",
            representations=path,
            ring_folder=tmp_path / "rings",
            ring_table=tmp_path / f"{i}.parquet",
            settings=settings,
        )
        tables.append(pd.read_parquet(tmp_path / f"{i}.parquet"))
    everything = pd.concat(tables)
    assert list(everything["id_str"]) == list(table["id_str"])
    assert list(everything) == ["id_str", "ring_probability"]
    probability = everything.set_index("id_str")["ring_probability"]
    # float32 sums of another batch size; text keeps all digits.
    np.testing.assert_allclose(
        probability[found.index], found["probability"], rtol=0, atol=1e-5
    )


def test_seed_decides(survey, tmp_path):
    """The same seed, the same ring finder to the bit, in both stages; another, not."""
    table, folder, representations = survey
    ring_catalog(table).to_csv(tmp_path / "rings.csv", index=False)
    for name, seed in (("first", 42), ("again", 42), ("other", 7)):
        rings.finetune_rings(
            tmp_path / "rings.csv",
            representations=representations,
            model_folder=folder / "model",
            ring_folder=tmp_path / name,
            settings=networks.finetune_settings(seed=seed, epochs=3, unfreeze="some"),
        )

    def weights(name: str, part: str) -> list[bytes]:
        network = keras.models.load_model(tmp_path / name / f"{part}.keras")
        return [array.tobytes() for array in network.get_weights()]

    for part in ("head", "encoder"):
        assert weights("first", part) == weights("again", part)
        assert weights("first", part) != weights("other", part)
    for file in ("held_out.csv", "metrics.json"):
        first, again = (tmp_path / name / file for name in ("first", "again"))
        assert first.read_text() == again.read_text()


def test_missing_representations_are_named(survey, tmp_path):
    """A ring catalogue of galaxies that nobody swept."""
    table, folder, representations = survey
    ring_catalog(table).to_csv(tmp_path / "rings.csv", index=False)
    with pytest.raises(ValueError, match=r"35 of 60 galaxies .* first 'disk-0025'"):
        rings.finetune_rings(
            tmp_path / "rings.csv",
            representations=representations[:1],
            model_folder=folder / "model",
            ring_folder=tmp_path / "rings",
            settings=networks.finetune_settings(),
        )


def test_views_are_averaged(survey, tmp_path):
    """Representations of several views enter as their mean, in both steps."""
    _, folder, representations = survey
    rows = hdf5.read(representations[0], dataset="representations")
    with hdf5.create(
        tmp_path / "views.hdf5",
        dataset="representations",
        id_str=rows.id_str,
        label_cols=rows.label_cols,
        n_passes=2,
        attributes=rows.attributes,
    ) as dataset:
        dataset[...] = np.stack([rows.values - 1, rows.values + 1], axis=-1)
    features = rings._gather([tmp_path / "views.hdf5"], pd.Series(rows.id_str[3:5]))
    np.testing.assert_allclose(features, rows.values[3:5], rtol=0, atol=1e-6)
    head = keras.Sequential(
        [keras.Input((networks.N_FEATURES,)), keras.layers.Dense(1, "sigmoid")]
    )
    save_ring_finder(
        tmp_path,
        encoder=load_encoder(folder / "model"),
        head=head,
        card=load_card(folder / "model"),
    )
    rings.find_rings(
        folder / "0.parquet",
        representations=tmp_path / "views.hdf5",
        ring_folder=tmp_path,
        ring_table=tmp_path / "found.parquet",
        settings=networks.finetune_settings(unfreeze="none"),
    )
    found = pd.read_parquet(tmp_path / "found.parquet")["ring_probability"]
    expected = head.predict(rows.values, verbose=0)[:, 0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_linear_probe_finds_what_lies_open_and_nothing_else():
    """Shifted features are found; features without any information give chance."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [300, 60])
    features = rng.normal(size=(360, 5))
    blind = rings.linear_probe(features, labels=labels, seed=0)
    assert abs(blind["roc_auc"] - 0.5) < 0.12  # three standard errors of the AUC
    features[labels == 1, 2] += 2.0
    seen = rings.linear_probe(features, labels=labels, seed=0)
    # Two unit Gaussians 2 apart: AUC = Phi(2 / sqrt 2) = 0.921.
    assert abs(seen["roc_auc"] - 0.921) < 0.05
    assert seen["roc_auc_90pc_lower"] < 0.921 < seen["roc_auc_90pc_upper"]
