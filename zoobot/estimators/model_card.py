"""A trained model's folder, as far as it can be read without TensorFlow.

``encoder.keras`` is the encoder, ``head.npz`` the dense layer behind the dropout, and
``card.json`` everything else that is needed to use them. Nothing in it is a pickle.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from zoobot.estimators.weights_digests import check_weights, digest_of_head
from zoobot.files import MAKE_ANEW, written_whole
from zoobot.npz_files import stored_arrays
from zoobot.schemas import Schema

__all__ = ["Head", "ModelCard", "load_card", "load_head", "save_card", "save_head"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a model was made for and made with."""

    schema: Schema
    architecture: str
    image_size_px: int
    """Side of the stored images, before the crop."""
    crop_size_px: int
    """Side of the central part that the network sees."""
    input_size_px: int
    """Side to which that part is resized for the network."""
    shift_max_px: float
    """How far views in training lay off the centre at most, stored pixels."""
    greyscale: bool
    channels: int
    n_features: int
    """Length of a representation."""
    dropout_rate: float
    concentration_min: float
    concentration_max: float
    seed: int
    member: int
    """Number of this model in the ensemble."""
    n_train: int
    """Galaxies it was trained on; 0 if that is not known."""
    best_epoch: int
    """From 1; 0 if that is not known."""
    val_loss: float | None
    """Lowest validation loss, nats a galaxy; None if that is not known."""
    weights_digest: str
    """sha256 of the weights of the encoder, a dash, and that of the head's."""
    versions: dict[str, str]
    """Versions of the libraries that trained it."""
    recipe: str = ""
    """Digest of what it was made by, apart from the galaxies."""
    finetuned_from: str = ""
    """Digest of the weights of the model that it was finetuned from, if any."""


@dataclasses.dataclass(frozen=True)
class Head:
    """The dense layer that turns a representation into concentrations.

    ``concentration = min + (max - min) sigmoid(representation @ kernel + bias)``, with
    dropout in front of it at all times.
    """

    kernel: np.ndarray
    """(n_features, n_answers) float32."""
    bias: np.ndarray
    """(n_answers,) float32."""


def save_card(folder: str | Path, card: ModelCard) -> None:
    """Write ``card.json``."""
    content = dataclasses.asdict(card) | {"schema": json.loads(card.schema.to_json())}
    with written_whole(Path(folder, "card.json")) as path:
        path.write_text(json.dumps(content, indent=1))


def load_card(folder: str | Path) -> ModelCard:
    """Read ``card.json``.

    Raises
    ------
    ValueError
        If it is missing or damaged, or its keys are not those of `ModelCard`.
    """
    path = Path(folder, "card.json")
    if not path.is_file():
        raise ValueError(
            f"{folder}: expected a model folder with a card.json, found none; "
            f"{MAKE_ANEW}"
        )
    try:
        content = dict(json.loads(path.read_text()))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: expected a model's card (JSON); {error}; {MAKE_ANEW}"
        ) from error
    expected = {field.name for field in dataclasses.fields(ModelCard)}
    if set(content) != expected:
        different = ", ".join(sorted(set(content) ^ expected))
        raise ValueError(
            f"{path}: keys differ from what this version expects: {different}"
        )
    return ModelCard(
        **content | {"schema": Schema.from_json(json.dumps(content["schema"]))}
    )


def save_head(folder: str | Path, head: Head) -> None:
    """Write ``head.npz``."""
    with written_whole(Path(folder, "head.npz")) as path:
        np.savez(path, kernel=head.kernel, bias=head.bias)


def load_head(folder: str | Path) -> Head:
    """Read ``head.npz`` and check that it fits the card.

    Raises
    ------
    ValueError
        If it is missing or damaged, or its shapes or weights are not those that the
        card says.
    """
    card = load_card(folder)
    path = Path(folder, "head.npz")
    with stored_arrays(path, what="head") as arrays:
        head = Head(kernel=arrays["kernel"], bias=arrays["bias"])
    expected = (card.n_features, len(card.schema.answers))
    if head.kernel.shape != expected or head.bias.shape != expected[1:]:
        raise ValueError(
            f"{path}: found kernel {head.kernel.shape} and bias {head.bias.shape}, "
            f"expected {expected} and {expected[1:]} from card.json"
        )
    check_weights(
        path, [head.kernel, head.bias], expected=digest_of_head(card.weights_digest)
    )
    return head
