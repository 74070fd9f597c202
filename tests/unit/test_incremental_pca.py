"""Incremental PCA: scikit-learn's numbers, also where singular values vanish."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import IncrementalPCA

from zoobot.representations.incremental_pca import IncrementalPca


def draw(n: int, n_features: int, *, rank: int, noise: float) -> np.ndarray:
    """Rows with a few directions of falling variance, noise, and a mean."""
    rng = np.random.default_rng(3)
    directions = rng.normal(size=(rank, n_features)) * 0.8 ** np.arange(rank)[:, None]
    values = rng.normal(size=(n, rank)) @ directions + rng.normal(size=n_features)
    return values + noise * rng.normal(size=values.shape)


def fit(values: np.ndarray, *, n_components: int, sizes: list[int]) -> IncrementalPca:
    """Add rows in blocks of the given sizes."""
    pca = IncrementalPca(n_components=n_components, n_features=values.shape[1])
    for block in np.split(values, np.cumsum(sizes)[:-1]):
        pca.add(block)
    return pca


@pytest.mark.parametrize(
    ("n_features", "sizes"),
    [(60, [40, 40, 20]), (60, [100]), (12, [40, 40, 20]), (12, [10, 90])],
)
def test_same_as_scikit_learn(n_features, sizes):
    """In the same blocks, wider or longer, all numbers agree to rounding.

    Squaring the singular values, of which the least kept is over 1e-2 of the largest,
    costs at most four of float64's sixteen digits.
    """
    values = draw(100, n_features, rank=12, noise=0.1)
    found = fit(values, n_components=8, sizes=sizes)
    expected = IncrementalPCA(8)
    for block in np.split(values, np.cumsum(sizes)[:-1]):
        expected.partial_fit(block)
    assert found.n_samples == expected.n_samples_seen_
    for mine, theirs in [
        (found.components, expected.components_),
        (found.mean, expected.mean_),
        (found.explained_variance, expected.explained_variance_),
        (found.explained_variance_ratio, expected.explained_variance_ratio_),
    ]:
        np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("n_features", [60, 12])
def test_fewer_directions_than_components(n_features):
    """Components without variance are still orthonormal, and the others exact."""
    values = draw(100, n_features, rank=3, noise=0.0)
    pca = fit(values, n_components=8, sizes=[40, 40, 20])
    np.testing.assert_allclose(pca.components @ pca.components.T, np.eye(8), atol=1e-9)
    centred = values - values.mean(axis=0)
    variance = np.linalg.svd(centred, compute_uv=False)[:8] ** 2 / 99
    np.testing.assert_allclose(pca.explained_variance, variance, atol=1e-9)
    np.testing.assert_allclose(pca.explained_variance_ratio.sum(), 1, atol=1e-9)
    rebuilt = centred @ pca.components.T @ pca.components
    np.testing.assert_allclose(rebuilt, centred, atol=1e-9)
