"""Networks for tests: one of EfficientNet's parts and names that trains in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from tests import galaxies
from zoobot.estimators import define_model
from zoobot.estimators.model_card import Head, ModelCard, save_card, save_head
from zoobot.schemas import get_schema
from zoobot.settings.finetuning import Finetune
from zoobot.settings.training import Train

__all__ = [
    "N_FEATURES",
    "SMALL",
    "drawn_images",
    "finetune_settings",
    "model_card",
    "small_efficientnet",
    "train_settings",
    "write_model",
]

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


def drawn_images(n_galaxies: int, *, seed: int) -> np.ndarray:
    """Galaxies of three kinds in turn, (n_galaxies, 32, 32, 1) float32, 0-1."""
    rng = np.random.default_rng(seed)
    kinds = [galaxies.KINDS[i % 3] for i in range(n_galaxies)]
    images = np.array([galaxies.draw(kind, rng=rng) for kind in kinds])
    return images.mean(axis=-1, keepdims=True).astype(np.float32) / 255


def train_settings(**changes: object) -> Train:
    """Settings of a training of seconds, with some changes."""
    settings = {
        "shards": "tfrecords",
        "cache": "none",
        "architecture": SMALL,
        "crop_size_px": 32,
        "input_size_px": 32,
        "shift_max_px": 0.0,
        "greyscale": True,
        "dropout_rate": 0.2,
        "drop_connect_rate": 0.2,
        "concentration_min": 0.02,
        "concentration_max": 100.02,
        "batch_size": 12,
        "n_gpus": 1,
        "precision": "float32",
        "epochs": 3,
        "patience": 10,
        "optimizer": "adam",
        "learning_rate": 3e-3,
        "schedule": "constant",
        "warmup_epochs": 0.0,
        "weight_decay": 0.0,
        "batch_norm_momentum": 0.5,
        "seed": 42,
    }
    return Train(**settings | changes)


def finetune_settings(**changes: object) -> Finetune:
    """Settings of a finetuning of seconds, with some changes."""
    settings = {
        "hidden_units": 16,
        "dropout_rate": 0.2,
        "batch_size": 16,
        "epochs": 10,
        "patience": 10,
        "learning_rate": 1e-2,
        "balance": "repeats",
        "unfreeze": "some",
        "unfreeze_blocks": 1,
        "unfreeze_epochs": 2,
        "unfreeze_learning_rate": 1e-3,
        "seed": 42,
    }
    return Finetune(**settings | changes)


def model_card(**changes: object) -> ModelCard:
    """Tell of a small model for 32 px images, with some changes."""
    values = {
        "schema": get_schema("gz_decals"),
        "architecture": SMALL,
        "image_size_px": 32,
        "crop_size_px": 32,
        "input_size_px": 32,
        "shift_max_px": 0.0,
        "greyscale": True,
        "channels": 1,
        "n_features": N_FEATURES,
        "dropout_rate": 0.2,
        "concentration_min": 0.02,
        "concentration_max": 100.02,
        "seed": 0,
        "member": 0,
        "n_train": 24,
        "best_epoch": 1,
        "val_loss": 1.0,
        "weights_digest": "",
        "versions": {},
    }
    return ModelCard(**values | changes)


def write_model(
    folder: Path, *, encoder: keras.Model, head: Head, **changes: object
) -> Path:
    """Write a model folder, its card as `model_card` makes it."""
    digest = define_model.weights_digest(encoder, head)
    define_model.save_encoder(folder, encoder)
    save_head(folder, head)
    save_card(folder, model_card(weights_digest=digest, **changes))
    return folder
