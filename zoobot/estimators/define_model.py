"""All that defines a model: encoder, head, and both together with what they see."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import keras

from zoobot.estimators.encoder_files import load_encoder, save_encoder, weights_digest
from zoobot.estimators.encoders import get_encoder
from zoobot.estimators.galaxy_model import WEIGHTS_SUFFIX, GalaxyModel, TrainedAs
from zoobot.estimators.heads import get_head, head_arrays, set_head_arrays
from zoobot.estimators.model_card import ModelCard, load_card, load_head
from zoobot.estimators.model_folders import one_model_in
from zoobot.estimators.view_layers import GalaxyViews, shift_to_edge
from zoobot.schemas import Schema

__all__ = [
    "GalaxyModel",
    "TrainedAs",
    "get_encoder",
    "get_head",
    "get_model",
    "head_arrays",
    "load_encoder",
    "load_galaxy_model",
    "save_encoder",
    "set_head_arrays",
    "weights_digest",
]

_DEFAULTS = {
    "channels": 1,
    "architecture": "EfficientNetB0",
    "dropout_rate": 0.2,
    "concentration_min": 0.02,
    "concentration_max": 100.02,
}


def get_model(
    *,
    output_dim: int | None = None,
    input_size: int,
    crop_size: int,
    resize_size: int,
    weights_loc: str | Path | None = None,
    include_top: bool = True,
    pooling: Literal["avg"] | None = None,
    channels: int | None = None,
    dropout_rate: float | None = None,
    use_imagenet_weights: bool = False,
    schema: Schema | None = None,
    architecture: str | None = None,
    concentration_min: float | None = None,
    concentration_max: float | None = None,
    shift_max: float | None = None,
    drop_connect_rate: float = 0.2,
    batch_norm_momentum: float = 0.99,
    precision: str = "float32",
    seed: int | None = None,
) -> GalaxyModel:
    """A model from preprocessed images to concentrations, to be compiled and trained.

    It crops and resizes the images itself, to the same scale in training, where each
    galaxy is turned, mirrored and shifted at random, and in prediction, which sees the
    central part.

    Parameters
    ----------
    output_dim : int, optional
        Number of answers, ``len(schema.label_cols)``; not used without a top.
    input_size : int
        Side of the images that go in, pixels: those stored in shards.
    crop_size : int
        Side of the part of them that the network sees, pixels.
    resize_size : int
        Side to which that part is resized for the network, pixels, 32 or more.
    weights_loc : path, optional
        Trained weights: a model folder, made by the workflow, by ``save_weights`` or by
        `zoobot.training.training_config.train_estimator`; or a file ``*.weights.h5``.
        Of a folder, what is not said here is taken over, too.
    include_top : bool
        Whether there is a head; else the encoder's features come out.
    pooling : {None, "avg"}
        Without a top: None for the last map, (batch, height, width, n_features), "avg"
        for its mean, the representation, (batch, n_features).
    channels : int, optional
        1 for images made greyscale, which is the default, 3 for colour.
    dropout_rate : float, optional
        Share of the representation dropped in front of the head, in training and in
        prediction; 0.2 by default.
    use_imagenet_weights : bool
        Start the encoder from weights of photographs, which takes 3 channels.
    schema : Schema, optional
        Decision tree, stored with the model.
    architecture : str, optional
        Name of an EfficientNet in keras.applications, EfficientNetB0 by default.
    concentration_min, concentration_max : float, optional
        Range of the concentrations, votes; 0.02 and 100.02 by default.
    shift_max : float, optional
        How far views in training lie off the centre at most, along x and y, in pixels
        of the image; by default as far as the crop stays on it.
    drop_connect_rate : float
        Share of branches dropped in the encoder's last block, in training only.
    batch_norm_momentum : float
        Momentum of the moving averages of batch normalisation.
    precision : {"float32", "mixed_bfloat16", "mixed_float16"}
        Arithmetic of the encoder. With mixed_float16, compile the model with
        `zoobot.training.compiling.compile_model`.
    seed : int, optional
        Seed of weights, views and dropout. It sets Keras' random numbers, and with them
        those of the whole process.

    Returns
    -------
    GalaxyModel
        (batch, input_size, input_size, channels) float32 in 0-1 to (batch, output_dim)
        float32, concentrations, of which each call drops other features.

    Raises
    ------
    ValueError
        If sizes, channels or answers do not fit each other or the stored weights.

    References
    ----------
    Walmsley et al. 2022, MNRAS 509, 3966, section 3.
    """
    card = _card_in(weights_loc)
    chosen = _chosen(
        card,
        channels=channels,
        architecture=architecture,
        dropout_rate=dropout_rate,
        concentration_min=concentration_min,
        concentration_max=concentration_max,
    )
    if seed is not None:
        keras.utils.set_random_seed(seed)
    views = GalaxyViews(
        crop_size=crop_size,
        input_size=resize_size,
        shift_max=shift_to_edge(crop_size, image_size=input_size, shift_max=shift_max),
        seed=seed,
        name="views",
    )
    encoder = get_encoder(
        chosen["architecture"],
        input_size=resize_size,
        channels=chosen["channels"],
        drop_connect_rate=drop_connect_rate,
        batch_norm_momentum=batch_norm_momentum,
        precision=precision,
        use_imagenet_weights=use_imagenet_weights,
    )
    inputs = keras.Input((input_size, input_size, chosen["channels"]))
    if include_top:
        head = get_head(
            n_features=encoder.output_shape[-1],
            n_answers=_n_answers(output_dim, schema),
            dropout_rate=chosen["dropout_rate"],
            concentration_min=chosen["concentration_min"],
            concentration_max=chosen["concentration_max"],
        )
        model = GalaxyModel([inputs, views, encoder, head])
    elif pooling == "avg":
        model = GalaxyModel([inputs, views, encoder])
    else:
        before_the_mean = keras.Model(
            encoder.inputs, encoder.layers[-1].input, name=encoder.name
        )
        model = GalaxyModel([inputs, views, before_the_mean])
    model.architecture = chosen["architecture"]
    model.schema = schema
    if weights_loc is not None:
        model.load_weights(weights_loc)
    return model


def load_galaxy_model(folder: str | Path) -> GalaxyModel:
    """A trained model as it was stored, with its sizes and its decision tree.

    Parameters
    ----------
    folder : path
        Model folder.

    Raises
    ------
    ValueError
        If it is none, or damaged.
    """
    folder = one_model_in(folder)
    card = load_card(folder)
    head = get_head(
        n_features=card.n_features,
        n_answers=len(card.schema.answers),
        dropout_rate=card.dropout_rate,
        concentration_min=card.concentration_min,
        concentration_max=card.concentration_max,
    )
    set_head_arrays(head, load_head(folder))
    size = card.image_size_px
    inputs = keras.Input((size, size, card.channels))
    views = GalaxyViews(
        crop_size=card.crop_size_px,
        input_size=card.input_size_px,
        shift_max=card.shift_max_px,
        name="views",
    )
    model = GalaxyModel([inputs, views, load_encoder(folder), head])
    model.architecture = card.architecture
    model.schema = card.schema
    model.trained_as = TrainedAs.told_by(card)
    return model


def _card_in(weights_loc: str | Path | None) -> ModelCard | None:
    """The card of a model folder; None of a file of weights, which has none."""
    if weights_loc is None or str(weights_loc).endswith(WEIGHTS_SUFFIX):
        return None
    return load_card(one_model_in(weights_loc))


def _chosen(card: ModelCard | None, **given: Any) -> dict[str, Any]:
    """What is given, else what the stored model has, else the default."""
    return {
        name: getattr(card, name, _DEFAULTS[name]) if value is None else value
        for name, value in given.items()
    }


def _n_answers(output_dim: int | None, schema: Schema | None) -> int:
    if schema is not None:
        n_answers = len(schema.label_cols)
        if output_dim not in (None, n_answers):
            raise ValueError(
                f"output_dim: found {output_dim}, expected {n_answers}, the answers of "
                f"schema {schema.name}"
            )
        return n_answers
    if output_dim is None or output_dim < 1:
        raise ValueError(
            f"output_dim: found {output_dim}, expected the number of answers, "
            "len(schema.label_cols)"
        )
    return output_dim
