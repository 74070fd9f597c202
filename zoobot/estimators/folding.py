"""Encoders for prediction alone: normalisation folded into the convolutions."""

from __future__ import annotations

import keras
import numpy as np

__all__ = ["folded"]

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


class _Same(keras.layers.Layer):
    """What came in; takes the arguments that batch normalisation is called with."""

    def call(self, inputs, training=None, mask=None):
        return inputs


def folded(encoder: keras.Model) -> keras.Model:
    """A copy of an EfficientNet without batch normalisation, for prediction.

    With fixed averages, normalising what a convolution gives is the same as scaling its
    kernel and adding a bias. That saves reading and writing every activation once, a
    tenth of the time on a CPU.

    Parameters
    ----------
    encoder : keras.Model
        Every batch normalisation behind a convolution without activation, which
        nothing else uses, as in EfficientNets. Those that do not compute in float32
        stay, since rounding kernels after scaling would change results.

    Returns
    -------
    keras.Model
        The same results to the rounding of float32; not to be trained.
    """
    normalisations = {
        layer.name: layer.input._keras_history.operation.name
        for layer in encoder.layers
        if isinstance(layer, keras.layers.BatchNormalization)
        and layer.compute_dtype == "float32"
        and isinstance(layer.input._keras_history.operation, _CONVOLUTIONS)
    }
    convolutions = {conv: name for name, conv in normalisations.items()}

    def replace(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name in normalisations:
            return _Same(name=layer.name)
        config = layer.get_config()
        if layer.name in convolutions:
            config["use_bias"] = True
        return type(layer).from_config(config)

    copy = keras.models.clone_model(encoder, clone_function=replace)
    for layer in copy.layers:
        source = encoder.get_layer(layer.name)
        if layer.name in convolutions:
            normalisation = encoder.get_layer(convolutions[layer.name])
            layer.set_weights(_folded_weights(source, normalisation))
        elif layer.name not in normalisations:
            layer.set_weights(source.get_weights())
    return copy


def _folded_weights(
    convolution: keras.layers.Layer, normalisation: keras.layers.BatchNormalization
) -> list[np.ndarray]:
    """Kernel and bias that do the work of both."""
    gamma, beta, mean, variance = (
        np.asarray(weight, np.float64)
        for weight in (
            normalisation.gamma,
            normalisation.beta,
            normalisation.moving_mean,
            normalisation.moving_variance,
        )
    )
    scale = gamma / np.sqrt(variance + normalisation.epsilon)
    kernel, *bias = convolution.get_weights()
    # The last axes of a depthwise kernel are the channel and a multiplier of 1.
    is_depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    of_kernel = scale[:, None] if is_depthwise else scale
    return [
        (kernel * of_kernel).astype(np.float32),
        (beta + (sum(bias) - mean) * scale).astype(np.float32),
    ]
