"""Dropout passes of the head over stored representations.

The encoder swept the images once; here only its last layer, dropout and one matrix,
is applied many times, which takes seconds on a CPU.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.special import expit

from zoobot.data_utils import hdf5
from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.estimators.model_card import Head, ModelCard, load_card, load_head
from zoobot.logs import track
from zoobot.predictions.stored_predictions import DATASET
from zoobot.settings.predictions import Predict
from zoobot.versions import library_versions

__all__ = [
    "attributes_of",
    "check_same_schema",
    "concentrations_of_pass",
    "draw_mask",
    "predict",
]

log = logging.getLogger(__name__)


def predict(
    representations: Sequence[str | Path],
    *,
    models: Sequence[str | Path],
    predictions: str | Path,
    settings: Predict,
) -> None:
    """Write the concentrations of every pass of every member for one chunk of galaxies.

    Parameters
    ----------
    representations : sequence of path
        HDF5 files of the same galaxies, one a member; rows are matched by id.
    models : sequence of path
        Model folders of the members, in the same order.
    predictions : path
        HDF5 file to write: (galaxy, answer, pass) float32, in votes, the passes of all
        members one after another, galaxies in the order of the first file.
    settings : Predict
        Passes a member, and the seed.

    Raises
    ------
    ValueError
        If files and models do not belong together, or the galaxies differ.
    """
    if len(representations) != len(models) or not models:
        raise ValueError(
            f"representations: found {len(representations)} files and {len(models)} "
            "models, expected one file for each of one or more models"
        )
    cards = [load_card(folder) for folder in models]
    check_same_schema(cards, models=models)
    ids = hdf5.read_ids(representations[0], dataset="representations")
    n_passes = settings.n_samples * len(cards)
    values = np.empty((len(ids), len(cards[0].schema.label_cols), n_passes), np.float32)
    passes = _passes(representations, models, ids=ids, settings=settings)
    for i, concentrations in enumerate(track(passes, total=n_passes, what="passes")):
        values[:, :, i] = concentrations
    with hdf5.create(
        predictions,
        dataset=DATASET,
        id_str=ids,
        label_cols=cards[0].schema.label_cols,
        n_passes=n_passes,
        attributes=attributes_of(cards, settings=settings),
    ) as dataset:
        dataset[...] = values
    log.info("wrote %d passes of %d galaxies to %s", n_passes, len(ids), predictions)


def draw_mask(*, seed: int, member: int, index: int, card: ModelCard) -> np.ndarray:
    """One network of the dropout posterior: what each feature is multiplied by.

    Parameters
    ----------
    seed, member, index : int
        Seed of all passes, number of the member, number of the pass. Nothing else
        enters, so that a pass is the same in every chunk and however many follow it.
    card : ModelCard
        Says how many features there are and the share that is dropped.

    Returns
    -------
    (n_features,) float32
        0 for dropped features, ``1 / (1 - rate)`` for the others.
    """
    name = f"{seed}/predict/{member}/{index}"
    stream = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")
    kept = np.random.default_rng(stream).random(card.n_features) >= card.dropout_rate
    return (kept / (1 - card.dropout_rate)).astype(np.float32)


def concentrations_of_pass(
    features: np.ndarray, *, mask: np.ndarray, head: Head, card: ModelCard
) -> np.ndarray:
    """Apply one network to all galaxies.

    Parameters
    ----------
    features : (n_galaxies, n_features) float32
        Representations.
    mask : (n_features,) float32
        From `draw_mask`; ones for the head without dropout.
    head : Head
        Dense layer.
    card : ModelCard
        Says the range of the concentrations.

    Returns
    -------
    (n_galaxies, n_answers) float32
        ``min + (max - min) sigmoid(x)`` > 0, in votes.
    """
    # Summed in double precision: the order in which a matrix product adds up depends on
    # its number of rows, and a galaxy's prediction must not depend on its neighbours.
    kernel = head.kernel.astype(np.float64) * mask[:, None]
    x = (features.astype(np.float64) @ kernel + head.bias).astype(np.float32)
    low, high = np.float32(card.concentration_min), np.float32(card.concentration_max)
    # With a minimum of 0 the sigmoid can underflow, and a concentration of 0 is none.
    return np.maximum(low + (high - low) * expit(x), np.finfo(np.float32).tiny)


def _passes(
    representations: Sequence[str | Path],
    models: Sequence[str | Path],
    *,
    ids: list[str],
    settings: Predict,
) -> Iterator[np.ndarray]:
    """Concentrations of each pass, (n_galaxies, n_answers), one member in memory."""
    for path, folder in zip(representations, models, strict=True):
        card, head = load_card(folder), load_head(folder)
        rows = hdf5.read(path, dataset="representations")
        _check_made_by(path, rows, folder=folder, card=card)
        values = rows.values[_order(path, rows.id_str, expected=ids)]
        log.info("read %d representations of shape %s", len(values), values.shape[1:])
        for index in range(settings.n_samples):
            view = index % values.shape[2] if values.ndim == 3 else None
            features = values if view is None else values[:, :, view]
            mask = draw_mask(
                seed=settings.seed, member=card.member, index=index, card=card
            )
            yield concentrations_of_pass(features, mask=mask, head=head, card=card)


def _order(path: str | Path, found: list[str], *, expected: list[str]) -> np.ndarray:
    """Rows of the file in the order of the expected ids."""
    row_of = {id_str: row for row, id_str in enumerate(found)}
    if len(row_of) < len(found):
        repeated = next(i for row, i in enumerate(found) if row_of[i] != row)
        raise ValueError(f"{path}: id_str {repeated} repeats, expected unique ids")
    different = [i for i in expected if i not in row_of]
    different += sorted(row_of.keys() - set(expected))
    if different:
        raise ValueError(
            f"{path}: found {len(found)} galaxies, expected the {len(expected)} of the "
            f"first member's file; {len(different)} are in one of the two only, the "
            f"first is {different[0]}"
        )
    return np.array([row_of[i] for i in expected], dtype=np.intp)


def _check_made_by(
    path: str | Path, rows: GalaxyRows, *, folder: str | Path, card: ModelCard
) -> None:
    digest = rows.attributes.get("model_digest")
    if digest != card.weights_digest:
        raise ValueError(
            f"{path}: found representations of model {digest}, expected those of "
            f"{folder}, {card.weights_digest}; run extract_representations again"
        )
    if rows.values.ndim not in (2, 3) or rows.values.shape[1] != card.n_features:
        raise ValueError(
            f"{path}: found representations of shape {rows.values.shape}, expected "
            f"(galaxy, {card.n_features}) or (galaxy, {card.n_features}, view)"
        )
    finite = np.isfinite(rows.values).all(axis=tuple(range(1, rows.values.ndim)))
    if not finite.all():
        raise ValueError(
            f"{path}: found a representation that is not finite in {(~finite).sum()} "
            f"galaxies, the first is {rows.id_str[int(np.argmin(finite))]}"
        )


def check_same_schema(
    cards: Sequence[ModelCard], *, models: Sequence[str | Path]
) -> None:
    """Refuse an ensemble whose members have several trees, naming the first other."""
    for card, folder in zip(cards, models, strict=True):
        if card.schema != cards[0].schema:
            raise ValueError(
                f"{folder}: found schema {card.schema.name}, expected "
                f"{cards[0].schema.name} as in {models[0]}, with the same questions"
            )


def attributes_of(
    cards: Sequence[ModelCard], *, settings: Predict
) -> dict[str, object]:
    """What a file of predictions says of the models that made it."""
    return {
        "schema": cards[0].schema.to_json(),
        "n_samples": settings.n_samples,
        "seed": settings.seed,
        "model_digest": " ".join(card.weights_digest for card in cards),
        "versions": json.dumps(library_versions("numpy", "scipy", "h5py")),
    }
