"""The encoder's sweep: representations from files equal what training's shards give."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit

from tests import networks
from zoobot.data_utils import hdf5
from zoobot.estimators import define_model
from zoobot.estimators.model_card import load_card, load_head
from zoobot.representations import extract
from zoobot.representations.extract import extract_representations, sweep_shards
from zoobot.settings.representations import ExtractRepresentations
from zoobot.training.train import validation_batches


def extracted(
    table, model: Path, path: Path, *, batch_size: int = 7, engine: str = "tensorflow"
) -> hdf5.GalaxyRows:
    """Representations of a table of galaxies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chunk = path.with_suffix(".parquet")
    table[["id_str", "file_loc"]].to_parquet(chunk, index=False)
    extract_representations(
        chunk,
        model_folder=model,
        representations=path,
        settings=ExtractRepresentations(batch_size=batch_size, engine=engine),
    )
    return hdf5.read(path, dataset="representations")


@pytest.fixture(scope="module")
def rows(planted, trained, tmp_path_factory) -> hdf5.GalaxyRows:
    """All planted galaxies through the trained encoder."""
    path = tmp_path_factory.mktemp("representations") / "all.hdf5"
    return extracted(planted, trained, path)


def test_file_says_what_made_it(rows, planted, trained):
    """Ids in order, names of features, and the model's digest and tree."""
    card = load_card(trained)
    assert rows.values.shape == (24, 1280)
    assert rows.id_str == list(planted["id_str"])
    assert rows.label_cols == [f"feat_{i}" for i in range(1280)]
    assert rows.attributes["model_digest"] == card.weights_digest
    assert rows.attributes["schema"] == card.schema.to_json()
    assert "zoobot" in json.loads(rows.attributes["versions"])


def test_features_have_spread(rows):
    """The comparisons below are of numbers that differ between galaxies."""
    assert np.median(rows.values.std(axis=0)) > 1e-3


def test_head_in_numpy_is_the_model_in_keras(rows, planted_shard, trained):
    """Files, HDF5 and NumPy lead to what shards and Keras give with dropout off."""
    card, arrays = load_card(trained), load_head(trained)
    found = 0.02 + 100 * expit(rows.values.astype(float) @ arrays.kernel + arrays.bias)
    head = define_model.get_head(
        n_features=card.n_features,
        n_answers=len(card.schema.answers),
        dropout_rate=0.0,
        concentration_min=card.concentration_min,
        concentration_max=card.concentration_max,
    )
    # The scale that the head puts on features is in the stored kernel.
    scale = np.divide(
        define_model.head_arrays(head).kernel, head.get_layer("dense").get_weights()[0]
    ).mean()
    head.get_layer("dense").set_weights([arrays.kernel / scale, arrays.bias])
    model = keras.Sequential([define_model.load_encoder(trained), head])
    batches = validation_batches(
        [planted_shard], card.schema.label_cols, settings=networks.train_settings()
    )
    expected = np.concatenate([model(images, training=False) for images, _ in batches])
    assert expected.std(axis=0).max() > 0.3, "predictions should differ"
    # Concentrations up to 100 votes, in float32 through eighty layers.
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_batches_do_not_matter(rows, planted, trained, tmp_path):
    """Nor does the order of the galaxies: each row is its galaxy's alone."""
    order = np.random.default_rng(0).permutation(24)[:5]
    found = extracted(
        planted.iloc[order], trained, tmp_path / "some.hdf5", batch_size=1
    )
    assert found.id_str == list(planted["id_str"].iloc[order])
    # Convolutions of another batch size add up in another order.
    np.testing.assert_allclose(found.values, rows.values[order], rtol=0, atol=1e-5)


def test_a_bad_image_is_named(planted, trained, tmp_path):
    """The error says which file; nothing is left under the final name."""
    table = planted[:3].copy()
    table.loc[1, "file_loc"] = str(tmp_path / "gone.png")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"gone.png: file does"):
        extracted(table, trained, tmp_path / "some.hdf5")
    assert not (tmp_path / "some.hdf5").exists()


def test_shards_give_what_files_give(rows, planted_shard, trained):
    """Ids travel along, and the last batch is a smaller one."""
    batches = list(
        sweep_shards(
            define_model.load_encoder(trained),
            [planted_shard],
            card=load_card(trained),
            batch_size=7,
        )
    )
    ids = [id_str for ids, _ in batches for id_str in ids]
    assert ids == rows.id_str
    found = np.concatenate([values for _, values in batches])
    np.testing.assert_allclose(found, rows.values, rtol=0, atol=1e-5)


def test_shards_of_another_size_are_refused(planted_shard, trained):
    """The network would see galaxies at another scale."""
    card = dataclasses.replace(load_card(trained), image_size_px=64)
    encoder = define_model.load_encoder(trained)
    with pytest.raises(ValueError, match=r"found images of 32 px, expected 64 px"):
        next(sweep_shards(encoder, [planted_shard], card=card, batch_size=7))


@pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="openvino is not installed"
)
def test_openvino_gives_what_tensorflow_gives(rows, planted, trained, tmp_path):
    """The same galaxies and representations."""
    path = tmp_path / "some.hdf5"
    found = extracted(planted, trained, path, engine="openvino")
    assert found.id_str == rows.id_str
    np.testing.assert_allclose(found.values, rows.values, rtol=0, atol=1e-3)


def test_a_missing_engine_is_named(planted, trained, tmp_path, monkeypatch):
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ValueError, match="pip install openvino"):
        extracted(planted, trained, tmp_path / "some.hdf5", engine="openvino")


@pytest.mark.faults
def test_a_device_with_little_memory_gives_the_same(
    rows, planted, trained, tmp_path, monkeypatch, caplog
):
    """Seven galaxies do not fit at once, three do: halved once, and no galaxy lost."""
    encoding = extract._encoding

    def of_little_memory(encoder: keras.Model):
        encode = encoding(encoder)

        def encode_few(views: tf.Tensor) -> tf.Tensor:
            if len(views) > 4:
                raise tf.errors.ResourceExhaustedError(
                    None, None, "OOM when allocating"
                )
            return encode(views)

        return encode_few

    monkeypatch.setattr(extract, "_encoding", of_little_memory)
    found = extracted(planted, trained, tmp_path / "all.hdf5")
    assert caplog.text.count("do not fit into the memory") == 1
    assert found.id_str == rows.id_str
    # Convolutions of another batch size add up in another order.
    largest = np.abs(rows.values).max()
    np.testing.assert_allclose(found.values, rows.values, rtol=0, atol=1e-5 * largest)
