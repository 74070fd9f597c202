"""The encoder against that of keras.applications, and the heads."""

from __future__ import annotations

import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit

from tests import networks
from zoobot.estimators import define_model
from zoobot.estimators.layers import FusedBatchNormalization
from zoobot.estimators.model_card import Head

IMAGES = networks.drawn_images(8, seed=0)


@pytest.fixture(scope="module")
def encoder(efficientnet) -> keras.Model:
    """EfficientNetB0 with real spread, shared: its weights must stay."""
    return efficientnet


@pytest.fixture(scope="module")
def features(encoder) -> np.ndarray:
    """What it says of eight images."""
    found = encoder(IMAGES, training=False).numpy()
    assert found.std(axis=0).mean() > 1e-2, "features should differ between images"
    return found


@pytest.fixture(scope="module")
def plain() -> keras.Model:
    """EfficientNetB0 of keras.applications, with all it has in front."""
    return keras.applications.EfficientNetB0(
        include_top=False, weights=None, pooling="avg", input_shape=(32, 32, 1)
    )


def test_shape_and_layers(encoder, features):
    """1280 features, no rescaling or normalisation, fused batch normalisation."""
    assert features.shape == (8, 1280)
    assert features.dtype == np.float32
    kinds = [type(layer) for layer in encoder.layers]
    assert keras.layers.Rescaling not in kinds
    assert keras.layers.Normalization not in kinds
    assert keras.layers.BatchNormalization not in kinds
    assert kinds.count(FusedBatchNormalization) == 49
    assert all(
        layer.momentum == 0.1
        for layer in encoder.layers
        if isinstance(layer, FusedBatchNormalization)
    )


def test_parameters(encoder, plain):
    """As many as keras.applications has, less the input's mean, variance and count."""
    normalisation = sum(
        layer.count_params()
        for layer in plain.layers
        if isinstance(layer, keras.layers.Normalization)
    )
    assert normalisation == 3
    assert encoder.count_params() == plain.count_params() - normalisation
    assert [layer.name for layer in encoder.layers[3:]] == [
        layer.name for layer in plain.layers[3:]
    ]


def test_same_as_keras_applications(encoder, features, plain):
    """With the same weights, images of 0-1 give what 0-255 give there."""
    for layer in encoder.layers:
        if layer.weights:
            plain.get_layer(layer.name).set_weights(layer.get_weights())
    expected = plain(IMAGES * 255, training=False).numpy()
    # Eighty layers in float32, features of order 1.
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-4)


def test_batch_mates_do_not_matter(encoder, features):
    """One image alone gives what it gives among eight."""
    alone = np.concatenate([encoder(IMAGES[i : i + 1]).numpy() for i in range(8)])
    # Convolutions of another batch size add up in another order.
    np.testing.assert_allclose(alone, features, rtol=0, atol=1e-5)
    shuffled = encoder(IMAGES[::-1].copy(), training=False).numpy()
    np.testing.assert_allclose(shuffled[::-1], features, rtol=0, atol=1e-5)


def test_inference_changes_nothing(encoder, features):
    """Averages rest and nothing is dropped: the same numbers a second time."""
    before = define_model.weights_digest(encoder, HEAD)
    np.testing.assert_array_equal(encoder(IMAGES, training=False), features)
    assert define_model.weights_digest(encoder, HEAD) == before


def test_save_and_load(encoder, features, tmp_path):
    """The same numbers; the file is a zip of JSON and HDF5, no pickle."""
    define_model.save_encoder(tmp_path, encoder)
    again = define_model.load_encoder(tmp_path)
    np.testing.assert_array_equal(again(IMAGES, training=False), features)
    digests = [define_model.weights_digest(e, HEAD) for e in (encoder, again)]
    assert digests[0] == digests[1]
    with zipfile.ZipFile(tmp_path / "encoder.keras") as file:
        names = set(file.namelist())
        assert names == {"config.json", "metadata.json", "model.weights.h5"}
        assert b"Lambda" not in file.read("config.json")


def test_load_without_a_model(tmp_path):
    """A folder without an encoder is named."""
    with pytest.raises(ValueError, match=r"expected a model folder with encoder.keras"):
        define_model.load_encoder(tmp_path)


def test_drop_connect_rates(encoder, plain):
    """Rates rise along the network as in keras.applications, up to the one given."""
    rates = [
        [
            layer.rate
            for layer in model.layers
            if isinstance(layer, keras.layers.Dropout)
        ]
        for model in (encoder, plain)
    ]
    assert len(rates[0]) == 9
    np.testing.assert_allclose(rates[0], np.array(rates[1]) / 2, rtol=1e-12, atol=0)


@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_drop_connect_is_all_chance_in_training(small_network, rate):
    """At rate 0 training is deterministic; above, two passes differ."""
    encoder = define_model.get_encoder(
        networks.SMALL, input_size=32, channels=1, drop_connect_rate=rate
    )
    first, second = (encoder(IMAGES, training=True).numpy() for _ in range(2))
    assert np.array_equal(first, second) == (rate == 0)


def test_colour_and_any_size(small_network):
    """Three channels, another size."""
    encoder = define_model.get_encoder(networks.SMALL, input_size=40, channels=3)
    assert encoder.input_shape == (None, 40, 40, 3)
    assert encoder.output_shape == (None, networks.N_FEATURES)
    assert not any(
        isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization)
        for layer in encoder.layers
    )


@pytest.mark.parametrize("name", ["ResNet50", "EfficientNetB9", "efficientnetb0", ""])
def test_unknown_architecture(name):
    """The error lists what there is."""
    with pytest.raises(ValueError, match=f"found '{name}', expected one of Effic"):
        define_model.get_encoder(name, input_size=32, channels=1)


HEAD = Head(np.zeros((1280, 3), np.float32), np.zeros(3, np.float32))


def head(*, start_at=None, dropout_rate=0.2, n_features=50) -> keras.Model:
    """A head of three answers."""
    keras.utils.set_random_seed(0)
    return define_model.get_head(
        n_features=n_features,
        n_answers=3,
        dropout_rate=dropout_rate,
        concentration_min=0.02,
        concentration_max=100.02,
        start_at=start_at,
    )


def test_head_starts_where_it_is_told():
    """The concentrations asked for, at the representation 0."""
    start_at = np.array([0.5, 7.0, 90.0])
    found = head(start_at=start_at)(np.zeros((2, 50)))
    # float32 near 90, behind a sigmoid whose slope is up to 25 here.
    np.testing.assert_allclose(found, [start_at] * 2, rtol=0, atol=1e-4)


def test_head_starts_there_on_average():
    """Logits of galaxies scatter around those asked for, over dropout and kernels."""
    start_at = np.array([0.5, 7.0, 90.0])
    share = (start_at - 0.02) / 100
    expected = np.log(share / (1 - share))
    rng = np.random.default_rng(0)
    concentration = head(start_at=start_at)(rng.normal(size=(20_000, 50))).numpy()
    share = (concentration.astype(np.float64) - 0.02) / 100
    logits = np.log(share / (1 - share))
    # A logit's standard deviation is about 2; five of the mean of 20,000.
    np.testing.assert_allclose(logits.mean(0), expected, rtol=0, atol=0.08)


def test_head_ends_of_the_range():
    """What lies outside the range starts just inside it, where gradients live."""
    found = head(start_at=np.array([1e-4, 1e6, 50.02]))(np.zeros((1, 50)))
    np.testing.assert_allclose(found[0], [0.12, 99.92, 50.02], rtol=0, atol=1e-4)


def test_head_arrays_are_the_head():
    """With the arrays alone NumPy computes what the head does without dropout."""
    model = head(dropout_rate=0.0)
    arrays = define_model.head_arrays(model)
    x = np.random.default_rng(0).normal(size=(6, 50)).astype(np.float32)
    expected = 0.02 + 100 * expit(x.astype(float) @ arrays.kernel + arrays.bias)
    np.testing.assert_allclose(model(x), expected, rtol=0, atol=1e-4)


def test_head_drops_at_prediction():
    """Two passes under predict() differ, galaxy by galaxy."""
    model = head()
    x = np.ones((10, 50), dtype=np.float32)
    first, second = (model.predict(x, verbose=0) for _ in range(2))
    assert np.all(np.any(first != second, axis=1))


def test_head_computes_in_float32_under_mixed_precision():
    """Half precision would spoil the loss."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = head()
    finally:
        keras.config.set_dtype_policy("float32")
    found = model(tf.ones((2, 50), tf.float16))
    assert found.dtype == tf.float32
    assert model.get_layer("dense").compute_dtype == "float32"


def test_digest_sees_every_number():
    """Equal weights, equal digest; one bit more, another one."""
    model = head(n_features=4)
    arrays = define_model.head_arrays(model)
    before = define_model.weights_digest(model, arrays)
    assert define_model.weights_digest(model, arrays) == before
    bias = arrays.bias.copy()
    bias[0] = np.nextafter(bias[0], np.float32(1))
    assert define_model.weights_digest(model, Head(arrays.kernel, bias)) != before
