"""The encoder, image to representation, and the head, from that to concentrations."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from zoobot.estimators.layers import (
    AlwaysOnDropout,
    Concentrations,
    FusedBatchNormalization,
)
from zoobot.estimators.model_card import Head, load_card
from zoobot.estimators.model_files import load_network, save_network
from zoobot.estimators.weights_digests import (
    check_weights,
    digest_of_encoder,
    joined,
    sha256_of,
)
from zoobot.files import MAKE_ANEW

__all__ = [
    "get_binary_head",
    "get_encoder",
    "get_head",
    "head_arrays",
    "load_encoder",
    "save_encoder",
    "weights_digest",
]

# Adam moves every weight by about the learning rate, so that one step moves the sum
# over 1280 features far enough to change concentrations by half. On smaller features
# the head keeps pace with the encoder.
_FEATURE_SCALE = 0.1

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

    Returns
    -------
    keras.Model
        (batch, input_size, input_size, channels) float32 in 0-1 to (batch, n_features)
        float32; 1280 features for EfficientNetB0. No rescaling in front.

    Raises
    ------
    ValueError
        If keras.applications has no EfficientNet of that name.

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
    plain = getattr(keras.applications, architecture)(
        include_top=False,
        weights=None,
        pooling="avg",
        input_shape=(input_size, input_size, channels),
    )

    last = plain.layers[-1].name

    def replace(layer: keras.layers.Layer) -> keras.layers.Layer:
        dtype = "float32" if layer.name == last else precision
        config = layer.get_config() | {"dtype": dtype}
        if isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization):
            return keras.layers.Identity(name=layer.name, dtype="float32")
        if isinstance(layer, keras.layers.BatchNormalization):
            return FusedBatchNormalization.from_config(
                config | {"momentum": batch_norm_momentum}
            )
        if isinstance(layer, keras.layers.Dropout):
            config["rate"] *= drop_connect_rate / _KERAS_DROP_CONNECT_RATE
        return type(layer).from_config(config)

    return keras.models.clone_model(plain, clone_function=replace)


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


def get_binary_head(
    *,
    n_features: int,
    hidden_units: int,
    dropout_rate: float,
    mean: np.ndarray,
    variance: np.ndarray,
) -> keras.Model:
    """A small network that answers one yes-or-no question from a representation.

    Parameters
    ----------
    n_features : int
        Length of a representation.
    hidden_units : int
        Units in each of two hidden layers.
    dropout_rate : float
        Dropout behind each hidden layer, in training only.
    mean, variance : (n_features,) float
        Of the training representations: features enter with mean 0 and variance 1.

    Returns
    -------
    keras.Model
        (batch, n_features) to (batch, 1) float32, a probability.

    References
    ----------
    Walmsley et al. 2022, arXiv 2110.12735, section 4.3.
    """
    hidden = [
        layer
        for name in ("hidden_1", "hidden_2")
        for layer in (
            keras.layers.Dense(hidden_units, activation="relu", name=name),
            keras.layers.Dropout(dropout_rate, name=f"{name}_dropout"),
        )
    ]
    return keras.Sequential(
        [
            keras.Input((n_features,)),
            keras.layers.Normalization(mean=mean, variance=variance, name="normalise"),
            *hidden,
            keras.layers.Dense(
                1, activation="sigmoid", dtype="float32", name="probability"
            ),
        ],
        name="binary_head",
    )


def head_arrays(head: keras.Model) -> Head:
    """The dense layer as arrays, the scale of the features in its kernel."""
    kernel, bias = head.get_layer("dense").get_weights()
    return Head(kernel=kernel * np.float32(_FEATURE_SCALE), bias=bias)


def weights_digest(encoder: keras.Model, head: Head) -> str:
    """Hexadecimal sha256 of the weights of encoder and head, with a dash between.

    Equal for models that predict the same.
    """
    return joined(
        encoder=sha256_of(encoder.get_weights()),
        head=sha256_of([head.kernel, head.bias]),
    )


def save_encoder(folder: str | Path, encoder: keras.Model) -> None:
    """Write ``encoder.keras`` in a model folder."""
    save_network(Path(folder, "encoder.keras"), encoder)


def load_encoder(folder: str | Path) -> keras.Model:
    """Read ``encoder.keras`` from a model folder, without running code found in it.

    Raises
    ------
    ValueError
        If it is not there, damaged, no encoder of this project, or not the one of
        the card beside it, if there is a card.
    """
    path = Path(folder, "encoder.keras")
    if not path.is_file():
        raise ValueError(
            f"{folder}: expected a model folder with encoder.keras, found none; "
            f"{MAKE_ANEW}"
        )
    encoder = load_network(path)
    if Path(folder, "card.json").is_file():
        _check_encoder(encoder, path)
    return encoder


def _check_encoder(encoder: keras.Model, path: Path) -> None:
    card = load_card(path.parent)
    size = card.input_size_px
    expected = (None, size, size, card.channels), (None, card.n_features)
    found = encoder.input_shape, encoder.output_shape
    if found != expected:
        raise ValueError(
            f"{path}: found a network from {found[0]} to {found[1]}, expected from "
            f"{expected[0]} to {expected[1]} as its card.json says; with the whole "
            f"folder, {MAKE_ANEW}"
        )
    check_weights(
        path,
        encoder.get_weights(),
        expected=digest_of_encoder(card.weights_digest),
    )
