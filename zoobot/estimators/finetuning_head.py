"""Heads that are finetuned: from a representation to an answer of a new task."""

from __future__ import annotations

import keras
import numpy as np

from zoobot.data_utils.tasks import Task
from zoobot.estimators.layers import Concentrations

__all__ = ["get_finetuning_head"]


def get_finetuning_head(
    task: Task,
    *,
    n_features: int,
    hidden_units: int,
    dropout_rate: float,
    mean: np.ndarray,
    variance: np.ndarray,
    start_at: np.ndarray,
    concentration_range: tuple[float, float] = (0.02, 100.02),
) -> keras.Model:
    """A small network that answers a new task from a representation.

    Parameters
    ----------
    task : Task
        Its outputs are probabilities that are independent (binary, fraction) or add up
        to 1 (classes), or concentrations (votes).
    n_features : int
        Length of a representation.
    hidden_units : int
        Units in each of two hidden layers.
    dropout_rate : float
        Dropout behind each hidden layer, in training only.
    mean, variance : (n_features,) float
        Of the training representations: features enter with mean 0 and variance 1.
    start_at : (n_outputs,) float
        What an untrained head predicts on average: the best constant prediction.
    concentration_range : (float, float)
        Range of the concentrations.

    Returns
    -------
    keras.Model
        (batch, n_features) to (batch, n_outputs) float32.

    References
    ----------
    Walmsley et al. 2022, arXiv 2110.12735, section 4.3: the layers for rings.
    """
    hidden = [
        layer
        for name in ("hidden_1", "hidden_2")
        for layer in (
            keras.layers.Dense(hidden_units, activation="relu", name=name),
            keras.layers.Dropout(dropout_rate, name=f"{name}_dropout"),
        )
    ]
    low, high = concentration_range
    share = (start_at - low) / (high - low) if task.kind == "votes" else start_at
    share = np.clip(share, 1e-3, 1 - 1e-3)
    is_softmax = task.kind == "classes"
    bias = np.log(share / share.mean()) if is_softmax else np.log(share / (1 - share))
    activation = {"classes": "softmax", "votes": None}.get(task.kind, "sigmoid")
    last = keras.layers.Dense(
        task.n_outputs,
        activation=activation,
        bias_initializer=keras.initializers.Constant(bias),
        dtype="float32",
        name="answer",
    )
    ranged = [Concentrations(low=low, high=high, name="concentrations")]
    return keras.Sequential(
        [
            keras.Input((n_features,)),
            keras.layers.Normalization(mean=mean, variance=variance, name="normalise"),
            *hidden,
            last,
            *(ranged if task.kind == "votes" else []),
        ],
        name=f"{task.kind}_head",
    )
