"""The encoder, from images to representations."""

from __future__ import annotations

import math

import keras

from zoobot.estimators.layers import FusedBatchNormalization, GalaxyDropout

__all__ = ["get_encoder"]

# What keras.applications builds in; a given rate is applied in proportion.
_KERAS_DROP_CONNECT_RATE = 0.2


def get_encoder(
    architecture: str,
    *,
    input_size: int,
    channels: int,
    drop_connect_rate: float = 0.2,
    batch_norm_momentum: float = 0.99,
    precision: str = "float32",
    use_imagenet_weights: bool = False,
) -> keras.Model:
    """An EfficientNet that turns images into representations.

    Parameters
    ----------
    architecture : str
        Name of an EfficientNet in keras.applications, as EfficientNetB0.
    input_size : int
        Side of the images, pixels.
    channels : int
        1 for greyscale, 3 for colour.
    drop_connect_rate : float
        Share of residual branches dropped in the last block, in training only.
    batch_norm_momentum : float
        Momentum of the moving averages of batch normalisation.
    precision : {"float32", "mixed_bfloat16", "mixed_float16"}
        Arithmetic of all layers but the last, the mean over pixels, which is float32,
        as all weights are. It is stored with the encoder.
    use_imagenet_weights : bool
        Start from the weights that keras.applications offers, of photographs; they are
        fetched from the net once. What they expect of an image, other than to be in
        0-1, then stands first in the encoder.

    Returns
    -------
    keras.Model
        (batch, input_size, input_size, channels) float32 in 0-1 to (batch, n_features)
        float32; 1280 features for EfficientNetB0. Without those weights, nothing is
        rescaled in front.

    Raises
    ------
    ValueError
        If keras.applications has no EfficientNet of that name, or there are no such
        weights for images of one channel.

    References
    ----------
    Tan & Le 2019, arXiv 1905.11946.
    """
    known = [
        name for name in dir(keras.applications) if name.startswith("EfficientNet")
    ]
    if architecture not in known:
        raise ValueError(
            f"architecture: found {architecture!r}, expected one of {', '.join(known)}"
        )
    if use_imagenet_weights and channels != 3:
        raise ValueError(
            f"use_imagenet_weights: found True with channels {channels}, expected 3, "
            "as photographs are in colour"
        )
    plain = getattr(keras.applications, architecture)(
        include_top=False,
        weights="imagenet" if use_imagenet_weights else None,
        pooling="avg",
        input_shape=(input_size, input_size, channels),
    )

    last = plain.layers[-1].name

    def replace(layer: keras.layers.Layer) -> keras.layers.Layer:
        dtype = "float32" if layer.name == last else precision
        config = layer.get_config() | {"dtype": dtype}
        if isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization):
            if use_imagenet_weights:
                return _rescaling(layer)
            return keras.layers.Identity(name=layer.name, dtype="float32")
        if isinstance(layer, keras.layers.BatchNormalization):
            return FusedBatchNormalization.from_config(
                config | {"momentum": batch_norm_momentum}
            )
        if isinstance(layer, keras.layers.Dropout):
            config["rate"] *= drop_connect_rate / _KERAS_DROP_CONNECT_RATE
            return GalaxyDropout.from_config(config)
        return type(layer).from_config(config)

    encoder = keras.models.clone_model(plain, clone_function=replace)
    if use_imagenet_weights:
        for layer in encoder.layers:
            if layer.weights:
                layer.set_weights(plain.get_layer(layer.name).get_weights())
    return encoder


def _rescaling(
    layer: keras.layers.Rescaling | keras.layers.Normalization,
) -> keras.layers.Layer:
    """What does to 0-1 what a layer of the original does to 0-255, in fixed numbers."""
    if isinstance(layer, keras.layers.Normalization):
        mean, variance, _ = layer.get_weights()
        return keras.layers.Normalization(
            mean=mean.ravel().tolist(),
            variance=variance.ravel().tolist(),
            name=layer.name,
            dtype="float32",
        )
    scale = layer.scale
    is_first = not isinstance(scale, (list, tuple)) and math.isclose(scale, 1 / 255)
    return keras.layers.Rescaling(
        1.0 if is_first else scale, name=layer.name, dtype="float32"
    )
