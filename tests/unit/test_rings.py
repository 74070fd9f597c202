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
from zoobot.data_utils.ring_catalogs import prepare_ring_catalog
from zoobot.data_utils.ring_tables import summarise_rings
from zoobot.estimators.model_card import load_card
from zoobot.representations.extract import extract_representations
from zoobot.representations.gather import gather
from zoobot.schemas import get_schema
from zoobot.settings.representations import ExtractRepresentations
from zoobot.settings.rings import PrepareRingCatalog
from zoobot.training import finetuning, rings
from zoobot.training.train import train_member


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
        *("task.json", "metrics.json", "held_out.csv"),
    }
    held_out = pd.read_csv(tmp_path / "rings" / "held_out.csv", dtype={"id_str": str})
    test = catalog[catalog["part"] == "test"]
    assert set(held_out["id_str"]) == set(test["id_str"])
    found = held_out.set_index("id_str")
    assert dict(found["ring"]) == dict(zip(test["id_str"], test["ring"], strict=True))
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
        probability[found.index], found["ring_probability"], rtol=0, atol=1e-5
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


def test_too_little_memory_says_what_to_set(survey, tmp_path, monkeypatch):
    """As the workflow calls it."""
    table, folder, representations = survey
    ring_catalog(table).to_csv(tmp_path / "rings.csv", index=False)

    def greedy(*_, **__):
        raise MemoryError

    monkeypatch.setattr(finetuning, "train_head", greedy)
    with pytest.raises(ValueError, match=r"finetune_rings.batch_size: found 64, .* 32"):
        rings.finetune_rings(
            tmp_path / "rings.csv",
            representations=representations,
            model_folder=folder / "model",
            ring_folder=tmp_path / "rings",
            settings=networks.finetune_settings(batch_size=64),
        )


def test_views_are_averaged(survey, tmp_path):
    """Representations of several views enter as their mean, in both steps."""
    table, folder, representations = survey
    rings.finetune_rings(
        written(ring_catalog(table), tmp_path / "rings.csv"),
        representations=representations,
        model_folder=folder / "model",
        ring_folder=tmp_path / "rings",
        settings=networks.finetune_settings(unfreeze="none", epochs=2),
    )
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
    features = gather(
        [tmp_path / "views.hdf5"],
        id_str=rows.id_str[3:5],
        card=load_card(folder / "model"),
    )
    np.testing.assert_allclose(features, rows.values[3:5], rtol=0, atol=1e-6)
    found = []
    for name in (tmp_path / "views.hdf5", representations[0]):
        rings.find_rings(
            folder / "0.parquet",
            representations=name,
            ring_folder=tmp_path / "rings",
            ring_table=tmp_path / "found.parquet",
            settings=networks.finetune_settings(unfreeze="none"),
        )
        found.append(pd.read_parquet(tmp_path / "found.parquet")["ring_probability"])
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-5)


def written(catalog: pd.DataFrame, path: Path) -> Path:
    """A catalogue as a csv file."""
    catalog.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("task", "label", "columns"),
    [
        (
            "classes",
            "kind",
            [f"kind_{k}_probability" for k in ("disk", "ring", "smooth")],
        ),
        ("fraction", "light", ["light_predicted"]),
        ("votes", "gz_decals", None),
    ],
)
def test_any_catalogue_takes_the_place_of_the_rings(
    survey, tmp_path, task, label, columns
):
    """From a csv table with any label column to one table of all galaxies, sorted."""
    table, folder, representations = survey
    kinds = galaxies.kind_of(table["id_str"])
    own = table[["id_str"]].assign(
        kind=kinds, light=np.where(kinds == "ring", 0.9, 0.2)
    )
    if task == "votes":
        own = table.drop(columns="file_loc")
        columns = [f"{c}_fraction" for c in get_schema("gz_decals").label_cols]
        columns += [f"{c}_concentration" for c in get_schema("gz_decals").label_cols]
    written(own, tmp_path / "own.csv")
    table[["id_str", "file_loc"]].to_parquet(tmp_path / "survey.parquet")
    prepare_ring_catalog(
        PrepareRingCatalog(
            catalogs=["own.csv"],
            columns={},
            kind="own",
            label=label,
            task=task,
            ring_fraction_min=0.0,
            ring_fraction_max=0.0,
            featured_fraction_min=0.0,
            face_on_fraction_min=0.0,
            no_spiral_fraction_min=0.0,
        ),
        survey=[tmp_path / "survey.parquet"],
        data_folder=tmp_path,
        catalog=tmp_path / "rings.csv",
        rejected=tmp_path / "rejected.csv",
        train=0.5,
        val=0.25,
        seed=42,
    )
    settings = networks.finetune_settings(unfreeze="none")
    rings.finetune_rings(
        tmp_path / "rings.csv",
        representations=representations,
        model_folder=folder / "model",
        ring_folder=tmp_path / "rings",
        settings=settings,
        label=label,
        task=task,
    )
    for i, path in enumerate(representations):
        rings.find_rings(
            folder / f"{i}.parquet",
            representations=path,
            ring_folder=tmp_path / "rings",
            ring_table=tmp_path / f"{i}.parquet",
            settings=settings,
        )
    summarise_rings(
        [tmp_path / "0.parquet", tmp_path / "1.parquet"],
        parquet=tmp_path / "all.parquet",
        csv=tmp_path / "all.csv",
        fits_table=tmp_path / "all.fits",
    )
    found = pd.read_parquet(tmp_path / "all.parquet")
    assert list(found) == ["id_str", *columns]
    assert sorted(found["id_str"]) == sorted(table["id_str"])
    assert (np.diff(found[columns[0]]) <= 0).all()
    measures = json.loads((tmp_path / "rings" / "metrics.json").read_text())
    assert (measures["task"], measures["label"]) == (task, label)
    assert measures["final"]["loss"] < measures["final"]["constant_loss"]
    if task == "classes":
        # Thirds of each, the disks first.
        first = galaxies.kind_of(found["id_str"][:20])
        assert np.mean(first == "disk") > 0.6
