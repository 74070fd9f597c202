"""A network of EfficientNet's parts and names that takes a second to train."""

from __future__ import annotations

from collections.abc import Sequence

import keras

__all__ = ["N_FEATURES", "SMALL", "small_efficientnet"]

SMALL = "EfficientNetSmall"
N_FEATURES = 16


def small_efficientnet(
    *,
    include_top: bool,
    weights: str | None,
    pooling: str,
    input_shape: Sequence[int],
) -> keras.Model:
    """Rescaling and normalisation, a stem, two residual blocks, top and pooling."""
    assert not include_top and weights is None and pooling == "avg"
    layers = keras.layers

    def normalised(x, name: str):
        x = layers.BatchNormalization(name=f"{name}_bn", epsilon=1e-3)(x)
        return layers.Activation("swish", name=f"{name}_activation")(x)

    inputs = keras.Input(input_shape)
    x = layers.Rescaling(1 / 255, name="rescaling")(inputs)
    x = layers.Normalization(name="normalization")(x)
    x = layers.Conv2D(8, 3, strides=2, use_bias=False, name="stem_conv")(x)
    x = normalised(x, "stem")
    for name, rate in (("block1a", 0.1), ("block2a", 0.2)):
        branch = layers.Conv2D(8, 3, padding="same", name=f"{name}_expand_conv")(x)
        branch = normalised(branch, f"{name}_expand")
        drop = layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")
        x = layers.add([drop(branch), x], name=f"{name}_add")
    x = layers.Conv2D(N_FEATURES, 1, use_bias=False, name="top_conv")(x)
    x = normalised(x, "top")
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, x)
