"""Encoders without batch normalisation, against the encoders they come from."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests import networks
from zoobot.estimators import define_model
from zoobot.estimators.folding import folded


@pytest.fixture(scope="module", params=["EfficientNetB0", networks.SMALL])
def encoder(request, small_network) -> keras.Model:
    """An encoder whose normalisation is far from doing nothing."""
    keras.utils.set_random_seed(0)
    model = define_model.get_encoder(
        request.param, input_size=32, channels=1, batch_norm_momentum=0.1
    )
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(rng.uniform(0.5, 1.5, layer.gamma.shape))
            layer.beta.assign(rng.normal(0, 0.1, layer.beta.shape))
    # Averages of galaxies: with others, features shrink until all look alike.
    for seed in (1, 2):
        model(networks.drawn_images(12, seed=seed), training=True)
    return model


def test_same_representations(encoder):
    """To the rounding of float32 through eighty layers; galaxies differ by more."""
    images = networks.drawn_images(6, seed=0)
    expected = np.asarray(encoder(images, training=False))
    found = np.asarray(folded(encoder)(images, training=False))
    assert np.median(expected.std(axis=0)) > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_no_normalisation_is_left(encoder):
    """Each of them has gone, and the encoder itself still has them."""

    def count(model: keras.Model) -> int:
        kind = keras.layers.BatchNormalization
        return sum(isinstance(layer, kind) for layer in model.layers)

    before = count(encoder)
    assert count(folded(encoder)) == 0
    assert count(encoder) == before > 0


def test_a_saved_encoder_folds_too(encoder, tmp_path):
    """Layers of a loaded model know what stands before them as well."""
    define_model.save_encoder(tmp_path, encoder)
    images = networks.drawn_images(3, seed=1)
    expected = np.asarray(encoder(images, training=False))
    loaded = folded(define_model.load_encoder(tmp_path))
    np.testing.assert_allclose(
        np.asarray(loaded(images, training=False)), expected, rtol=1e-4, atol=1e-5
    )
