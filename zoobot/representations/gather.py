"""Stored representations of some galaxies, wherever among the files they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoobot.data_utils import hdf5
from zoobot.estimators.model_card import ModelCard
from zoobot.estimators.weights_digests import digest_of_encoder
from zoobot.logs import track
from zoobot.representations.pca import mean_over_views
from zoobot.representations.stored_representations import DATASET

__all__ = ["array_of_representations", "as_paths", "check_encoder", "gather"]


def as_paths(representations: object) -> list[Path]:
    """Give one path, or several, as a list."""
    if isinstance(representations, str | Path):
        return [Path(representations)]
    if isinstance(representations, Sequence):
        paths = [Path(path) for path in representations]
        if paths:
            return paths
    raise ValueError(
        f"representations: found {representations!r}, expected the path of an HDF5 "
        "file, several, or an array"
    )


def array_of_representations(
    array: np.ndarray, *, n_galaxies: int, n_features: int
) -> np.ndarray:
    """Check an array of representations; views are averaged.

    Parameters
    ----------
    array : (n_galaxies, n_features[, n_views]) float
    n_galaxies, n_features : int
        As it should be.

    Returns
    -------
    (n_galaxies, n_features) float64

    Raises
    ------
    ValueError
        If it is of another shape.
    """
    if array.ndim not in (2, 3) or array.shape[:2] != (n_galaxies, n_features):
        raise ValueError(
            f"representations: found an array of shape {array.shape}, expected "
            f"({n_galaxies}, {n_features}): a row a galaxy, as long as the model's"
        )
    return mean_over_views(array)


def gather(
    representations: Sequence[Path], *, id_str: Sequence[str], card: ModelCard
) -> np.ndarray:
    """Representations of some galaxies; views are averaged.

    Parameters
    ----------
    representations : sequence of path
        HDF5 files, of these galaxies and others.
    id_str : (n_galaxies,) sequence of str
        The galaxies, each once.
    card : ModelCard
        Of the model whose encoder made them.

    Returns
    -------
    (n_galaxies, n_features) float64
        In the order of `id_str`.

    Raises
    ------
    ValueError
        If a galaxy is in no file or in two, or a file is of another encoder.
    """
    places = {galaxy: place for place, galaxy in enumerate(id_str)}
    result = np.empty((len(places), card.n_features))
    found = np.zeros(len(places), dtype=bool)
    sizes = {p: hdf5.n_galaxies(p, dataset=DATASET) for p in representations}
    total = sum(sizes.values())
    for path in track(sizes, total=total, what="galaxies", size=sizes.__getitem__):
        check_encoder(path, card=card)
        ids = hdf5.read_ids(path, dataset=DATASET)
        rows = np.array([row for row, one in enumerate(ids) if one in places], int)
        if not len(rows):
            continue
        into = np.array([places[ids[row]] for row in rows])
        again = found[into] | (np.bincount(into)[into] > 1)
        if again.any():
            raise ValueError(
                f"{path}: galaxy {ids[rows[again.argmax()]]!r} repeats in the files of "
                "representations, expected each once"
            )
        values = hdf5.read_rows(path, dataset=DATASET, rows=rows)
        result[into] = mean_over_views(values)
        found[into] = True
    if not found.all():
        missing = sorted(one for one, place in places.items() if not found[place])
        raise ValueError(
            f"representations: {len(missing)} of {len(places)} galaxies with labels "
            f"not found in {len(representations)} files, first {missing[0]!r}"
        )
    return result


def check_encoder(path: Path, *, card: ModelCard) -> None:
    """Check that stored representations are of a model's encoder.

    Raises
    ------
    ValueError
        If they are of another length, or another encoder made them.
    """
    header = hdf5.read_header(path, dataset=DATASET)
    if header.shape[1] != card.n_features:
        raise ValueError(
            f"{path}: found {header.shape[1]} features, expected the "
            f"{card.n_features} of the model's encoder"
        )
    found = digest_of_encoder(str(header.attributes.get("model_digest", "")))
    expected = digest_of_encoder(card.weights_digest)
    if found and expected and found != expected:
        raise ValueError(
            f"{path}: found representations by encoder {found[:12]}..., expected "
            f"{expected[:12]}..., that of the model"
        )
