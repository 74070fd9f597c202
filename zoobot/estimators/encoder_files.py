"""The encoder's file in a model folder, and the digest of a model's weights."""

from __future__ import annotations

from pathlib import Path

import keras

from zoobot.estimators.model_card import Head, load_card
from zoobot.estimators.model_files import load_network, save_network
from zoobot.estimators.weights_digests import (
    check_weights,
    digest_of_encoder,
    joined,
    sha256_of,
)
from zoobot.files import MAKE_ANEW

__all__ = ["load_encoder", "save_encoder", "weights_digest"]


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
