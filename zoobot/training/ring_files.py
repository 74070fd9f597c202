"""The ring finder as a folder: its encoder, its head and a card that fits them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras

from zoobot.estimators.encoder_files import save_encoder
from zoobot.estimators.model_card import ModelCard, load_card, save_card
from zoobot.estimators.model_files import load_network, save_network
from zoobot.estimators.weights_digests import (
    check_weights,
    digest_of_head,
    joined,
    sha256_of,
)

__all__ = ["load_ring_head", "save_ring_finder"]


def save_ring_finder(
    folder: str | Path, *, encoder: keras.Model, head: keras.Model, card: ModelCard
) -> None:
    """Write ``encoder.keras``, ``head.keras`` and ``card.json``.

    Parameters
    ----------
    folder : path
        Folder to write.
    encoder, head : keras.Model
        As finetuned; from images to representations, and from those to a probability.
    card : ModelCard
        Of the model that was finetuned; the digest of its weights is replaced.
    """
    plain = keras.models.clone_model(head)  # without the state of training
    plain.set_weights(head.get_weights())
    save_encoder(folder, encoder)
    save_network(Path(folder, "head.keras"), plain)
    digest = joined(
        encoder=sha256_of(encoder.get_weights()), head=sha256_of(plain.get_weights())
    )
    save_card(folder, dataclasses.replace(card, weights_digest=digest))


def load_ring_head(folder: str | Path) -> keras.Model:
    """Read ``head.keras``, (batch, n_features) to (batch, 1).

    Raises
    ------
    ValueError
        If it is missing, damaged, or not the one that the card tells of.
    """
    path = Path(folder, "head.keras")
    expected = digest_of_head(load_card(folder).weights_digest)
    head = load_network(path)
    check_weights(path, head.get_weights(), expected=expected)
    return head
