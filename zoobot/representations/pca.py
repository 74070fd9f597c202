"""A fitted principal component analysis, as a file that anyone can load safely.

It is stored as plain arrays, without pickle: loading it from a stranger runs no code,
and new galaxies can be projected on the same components.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from zoobot.files import written_whole
from zoobot.npz_files import stored_arrays

__all__ = ["FittedPca", "load_pca", "mean_over_views", "project", "save_pca"]


@dataclasses.dataclass(frozen=True)
class FittedPca:
    """Principal components, and the representations that they were fitted to."""

    components: np.ndarray
    """(n_components, n_features) float64, orthonormal rows."""
    mean: np.ndarray
    """(n_features,) float64."""
    explained_variance: np.ndarray
    """(n_components,) float64, variance along each component."""
    explained_variance_ratio: np.ndarray
    """(n_components,) float64, as a share of the variance of all features."""
    n_samples: int
    """Galaxies that it was fitted to."""
    model_digest: str
    """Of the model that made the representations; others do not belong here."""
    recipe: str = ""
    """What it was made by, apart from the galaxies."""


def save_pca(pca: FittedPca, path: str | Path) -> None:
    """Store a PCA, for `load_pca`."""
    arrays = {name: np.asarray(value) for name, value in vars(pca).items()}
    with written_whole(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_pca(path: str | Path) -> FittedPca:
    """Read the PCA that `save_pca` stored; no code in the file is run.

    Raises
    ------
    ValueError
        If the file is damaged, or not such a file.
    """
    with stored_arrays(path, what="PCA") as stored:
        return FittedPca(
            components=stored["components"],
            mean=stored["mean"],
            explained_variance=stored["explained_variance"],
            explained_variance_ratio=stored["explained_variance_ratio"],
            n_samples=int(stored["n_samples"]),
            model_digest=str(stored["model_digest"]),
            recipe=str(stored["recipe"]),
        )


def project(representations: np.ndarray, *, pca: FittedPca) -> np.ndarray:
    """Project representations on principal components.

    Parameters
    ----------
    representations : (n_galaxies, n_features[, n_views]) float
        Of the model that the PCA was fitted to; the mean over views is taken.
    pca : FittedPca
        From `load_pca`.

    Returns
    -------
    (n_galaxies, n_components) float32
        ``(representations - mean) @ components.T``

    Raises
    ------
    ValueError
        If the number of features differs.
    """
    values = mean_over_views(np.asarray(representations))
    if values.ndim != 2 or values.shape[1] != len(pca.mean):
        raise ValueError(
            f"representations: found shape {np.shape(representations)}, expected "
            f"(galaxies, {len(pca.mean)} features)"
        )
    return ((values - pca.mean) @ pca.components.T).astype(np.float32)


def mean_over_views(values: np.ndarray) -> np.ndarray:
    """Average representations over views, if there are several.

    Parameters
    ----------
    values : (n_galaxies, n_features) or (n_galaxies, n_features, n_views) float

    Returns
    -------
    (n_galaxies, n_features) float64
    """
    values = values.astype(np.float64)
    return values.mean(axis=2) if values.ndim == 3 else values
