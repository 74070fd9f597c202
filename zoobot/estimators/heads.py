"""The head of a decision tree, from representations to concentrations."""

from __future__ import annotations

import keras
import numpy as np

from zoobot.estimators.layers import AlwaysOnDropout, Concentrations
from zoobot.estimators.model_card import Head

__all__ = ["get_head", "head_arrays", "set_head_arrays"]

# Adam moves every weight by about the learning rate, so that one step moves the sum
# over 1280 features far enough to change concentrations by half. On smaller features
# the head keeps pace with the encoder.
_FEATURE_SCALE = 0.1


def get_head(
    *,
    n_features: int,
    n_answers: int,
    dropout_rate: float,
    concentration_min: float,
    concentration_max: float,
    start_at: np.ndarray | None = None,
) -> keras.Model:
    """Dropout that is always on, one dense layer, and the range of the concentrations.

    Parameters
    ----------
    n_features, n_answers : int
        Length of a representation, and number of answers.
    dropout_rate : float
        Share of the features dropped.
    concentration_min, concentration_max : float
        Range of the concentrations.
    start_at : (n_answers,) float, optional
        Concentrations that the untrained head predicts for the mean galaxy. Starting at
        the best constant prediction saves the epochs that find it.

    Returns
    -------
    keras.Model
        (batch, n_features) to (batch, n_answers) float32.
    """
    width = concentration_max - concentration_min
    bias = np.zeros(n_answers)
    if start_at is not None:
        share = np.clip((start_at - concentration_min) / width, 1e-3, 1 - 1e-3)
        bias = np.log(share / (1 - share))
    return keras.Sequential(
        [
            keras.Input((n_features,)),
            AlwaysOnDropout(dropout_rate, name="dropout"),
            keras.layers.Rescaling(_FEATURE_SCALE, dtype="float32", name="scale"),
            keras.layers.Dense(
                n_answers,
                bias_initializer=keras.initializers.Constant(bias),
                dtype="float32",
                name="dense",
            ),
            Concentrations(
                low=concentration_min, high=concentration_max, name="concentrations"
            ),
        ],
        name="head",
    )


def head_arrays(head: keras.Model) -> Head:
    """The dense layer as arrays, the scale of the features in its kernel."""
    kernel, bias = head.get_layer("dense").get_weights()
    return Head(kernel=kernel * np.float32(_FEATURE_SCALE), bias=bias)


def set_head_arrays(head: keras.Model, arrays: Head) -> None:
    """Give a head of `get_head` the dense layer that `head_arrays` took from one."""
    kernel = arrays.kernel / np.float32(_FEATURE_SCALE)
    head.get_layer("dense").set_weights([kernel, arrays.bias])
