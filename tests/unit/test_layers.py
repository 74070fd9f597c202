"""The layers that Keras does not have, against those that it has."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoobot.estimators.layers import (
    AlwaysOnDropout,
    Concentrations,
    FusedBatchNormalization,
)

# Two ways to sum 8 x 5 x 5 numbers of order 1 in float32.
ATOL = 1e-5
IMAGES = np.random.default_rng(0).normal(2, 3, (8, 5, 5, 4)).astype(np.float32)


def reloaded(layer: keras.layers.Layer, shape: tuple, folder) -> keras.Model:
    """A model of one layer after a save and a reload."""
    model = keras.Sequential([keras.Input(shape), layer])
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras", safe_mode=True)


def pair(**config) -> list[keras.layers.BatchNormalization]:
    """Ours and that of Keras, with the same random weights."""
    layers = []
    for kind in (FusedBatchNormalization, keras.layers.BatchNormalization):
        layer = kind(**{"momentum": 0.9, "epsilon": 1e-3} | config)
        layer.build(IMAGES.shape)
        rng = np.random.default_rng(1)
        layer.set_weights([rng.uniform(0.5, 2, 4).astype(np.float32) for _ in range(4)])
        layers.append(layer)
    return layers


def outcome(layer, *, training: bool) -> list[np.ndarray]:
    """Output, gradients by input, scale and offset, and the moving averages after."""
    images = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch([images, layer.gamma.value, layer.beta.value])
        output = layer(images, training=training)
        # A function of the output that is not symmetric, so that no gradient vanishes.
        scalar = tf.reduce_mean(output**3 * tf.cumsum(tf.ones_like(output), axis=1))
    gradients = tape.gradient(scalar, [images, layer.gamma.value, layer.beta.value])
    return [
        np.asarray(values)
        for values in (output, *gradients, layer.moving_mean, layer.moving_variance)
    ]


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_fused_equals_keras(training, trainable):
    """Output, every gradient and both moving averages, also if frozen."""
    found, expected = (
        outcome(layer, training=training) for layer in pair(trainable=trainable)
    )
    for ours, theirs in zip(found, expected, strict=True):
        scale = max(1, np.abs(theirs).max())
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=ATOL * scale)


def test_fused_averages_move_only_in_training():
    """The averages approach the batch's by 1 - momentum, and rest otherwise."""
    layer, _ = pair()
    before = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    layer(IMAGES, training=False)
    layer.trainable = False
    layer(IMAGES, training=True)
    np.testing.assert_array_equal(layer.moving_mean, before[0])
    np.testing.assert_array_equal(layer.moving_variance, before[1])
    layer.trainable = True
    layer(IMAGES, training=True)
    batch = IMAGES.mean((0, 1, 2)), IMAGES.var((0, 1, 2))
    for found, old, new in zip(
        (layer.moving_mean, layer.moving_variance), before, batch, strict=True
    ):
        np.testing.assert_allclose(found, 0.9 * old + 0.1 * new, rtol=0, atol=ATOL)


def test_fused_in_a_graph():
    """A traced function with batches of any size gives what eager code gives."""
    ours, theirs = pair()
    function = tf.function(
        lambda x: ours(x, training=True),
        input_signature=[tf.TensorSpec([None, 5, 5, 4])],
    )
    for size in (8, 3):
        np.testing.assert_allclose(
            function(IMAGES[:size]),
            theirs(IMAGES[:size], training=True),
            rtol=0,
            atol=ATOL,
        )
    np.testing.assert_allclose(
        ours.moving_variance, theirs.moving_variance, rtol=0, atol=ATOL
    )


def test_fused_half_precision():
    """Under mixed precision the averages stay float32; float16 keeps three digits."""
    ours, theirs = pair(dtype="mixed_float16")
    images = IMAGES.astype(np.float16)
    found, expected = ours(images, training=True), theirs(images, training=True)
    assert found.dtype == tf.float16
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.01)
    assert ours.moving_mean.dtype == "float32"
    np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, rtol=0, atol=1e-3)


def test_fused_after_reload(tmp_path):
    """A saved layer is the same layer, with the same numbers."""
    layer, _ = pair()
    layer(IMAGES, training=True)
    expected = np.asarray(layer(IMAGES, training=False))
    model = reloaded(layer, (5, 5, 4), tmp_path)
    assert isinstance(model.layers[0], FusedBatchNormalization)
    np.testing.assert_array_equal(model(IMAGES, training=False), expected)
    assert model.layers[0].momentum == 0.9


@pytest.mark.parametrize("again", ["fresh", "reloaded"])
def test_dropout_is_always_on(tmp_path, again):
    """Two passes differ under predict(), in inference, and after a reload."""
    model = keras.Sequential([keras.Input((1000,)), AlwaysOnDropout(0.2)])
    if again == "reloaded":
        model = reloaded(AlwaysOnDropout(0.2), (1000,), tmp_path)
    ones = np.ones((20, 1000), dtype=np.float32)
    passes = [
        model.predict(ones, verbose=0),
        model.predict(ones, verbose=0),
        np.asarray(model(ones, training=False)),
        np.asarray(model(ones, training=True)),
        np.asarray(model(ones)),
    ]
    for i, values in enumerate(passes):
        # 20,000 units: the share dropped has a standard deviation of 0.0028; five.
        assert np.mean(values == 0) == pytest.approx(0.2, rel=0, abs=0.014)
        np.testing.assert_allclose(values[values != 0], 1.25, rtol=0, atol=1e-6)
        # So the mean, 1, has one of 1.25 times that.
        assert values.mean() == pytest.approx(1, rel=0, abs=0.018)
        for other in passes[:i]:
            assert np.mean(values != other) > 0.2
        assert np.any(values[0] != values[1]), "galaxies of a batch drop other units"


def test_dropout_repeats_with_its_seed():
    """The same seed in front of the layer gives the same passes."""
    passes = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        layer = AlwaysOnDropout(0.5)
        passes.append([np.asarray(layer(np.ones((2, 50)))) for _ in range(2)])
    np.testing.assert_array_equal(passes[0], passes[1])
    assert np.any(passes[0][0] != passes[0][1])


def test_dropout_rate_of_zero():
    """Drops nothing and changes nothing."""
    x = np.random.default_rng(0).normal(size=(4, 10)).astype(np.float32)
    np.testing.assert_array_equal(AlwaysOnDropout(0.0)(x), x)


def test_concentrations_by_hand():
    """The middle at 0, the ends at infinity, 1 + 100 sigmoid(x) between."""
    layer = Concentrations(low=1.0, high=101.0)
    x = np.float32([-np.inf, -200, -2, 0, 2, 200, np.inf])
    expected = 1 + 100 / (1 + np.exp(-x.astype(np.longdouble)))
    # float32 near 100 is spaced by 7.6e-6.
    np.testing.assert_allclose(layer(x), expected.astype(float), rtol=0, atol=2e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float32"])
def test_concentrations_are_float32(policy):
    """Also under mixed precision, where the layer in front gives half precision."""
    keras.config.set_dtype_policy(policy)
    try:
        layer = Concentrations(low=0.02, high=100.02)
    finally:
        keras.config.set_dtype_policy("float32")
    x = tf.cast([[-20.0, 0.0, 3.0]], "float32" if policy == "float32" else policy[6:])
    found = layer(x)
    assert found.dtype == tf.float32
    assert np.all((found >= 0.02) & (found <= 100.02))
    np.testing.assert_allclose(found[0, 1], 50.02, rtol=0, atol=1e-5)


def test_concentrations_after_reload(tmp_path):
    """The range is stored with the layer."""
    model = reloaded(Concentrations(low=0.5, high=7.5), (3,), tmp_path)
    x = np.float32([[-1, 0, 1]])
    np.testing.assert_array_equal(model(x), Concentrations(low=0.5, high=7.5)(x))
