"""Principal components of rows that come in blocks, never all at once.

The same numbers as scikit-learn's IncrementalPCA, several times as fast: a block has
fewer rows than features, and only a few components are kept, so that eigenvectors of
the rows' products replace a singular value decomposition of the block.

References
----------
Ross, Lim, Lin and Yang 2008, Int. J. Comput. Vision 77, 125, section 3.1.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

__all__ = ["IncrementalPca"]

# Products square the singular values. Where the least that is kept is this share of the
# largest, it is still exact to 1e-8 of itself; below, the slower way is taken.
_LEAST_SHARE = 1e-4


class IncrementalPca:
    """Principal components of all rows added so far.

    Parameters
    ----------
    n_components : int
        Components to keep; at most the number of features, and of rows added first.
    n_features : int
        Length of a row.
    """

    def __init__(self, *, n_components: int, n_features: int):
        self.n_samples = 0
        self.mean = np.zeros(n_features)
        """(n_features,) float64."""
        self.components = np.zeros((n_components, n_features))
        """(n_components, n_features) float64, orthonormal rows, the largest first."""
        self._singular = np.zeros(n_components)
        self._sum_of_squares = 0.0  # of all rows less their mean

    def add(self, rows: np.ndarray) -> None:
        """Take more rows into account.

        Parameters
        ----------
        rows : (n, n_features) float64
        """
        n, total = len(rows), self.n_samples + len(rows)
        mean = rows.mean(axis=0)
        centred = rows - mean
        # One row that stands for the distance between the old mean and the new.
        between = np.sqrt(self.n_samples * n / total) * (self.mean - mean)
        self._sum_of_squares += np.vdot(centred, centred) + np.vdot(between, between)
        if self.n_samples:
            so_far = self._singular[:, None] * self.components
            centred = np.concatenate([so_far, centred, between[None]])
        self._singular, components = _leading(centred, n_components=len(self._singular))
        largest = np.abs(components).argmax(axis=1)[:, None]
        # Signs are free: each component's largest entry is positive.
        self.components = components * np.sign(
            np.take_along_axis(components, largest, axis=1)
        )
        self.mean += (mean - self.mean) * (n / total)
        self.n_samples = total

    @property
    def explained_variance(self) -> np.ndarray:
        """(n_components,) float64, variance along each component."""
        return self._singular**2 / (self.n_samples - 1)

    @property
    def explained_variance_ratio(self) -> np.ndarray:
        """(n_components,) float64, as a share of all features' variance."""
        return self._singular**2 / np.float64(self._sum_of_squares)


def _leading(matrix: np.ndarray, *, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest singular values, (n_components,), and their right singular vectors."""
    is_wide = matrix.shape[0] <= matrix.shape[1]
    products = matrix @ matrix.T if is_wide else matrix.T @ matrix
    side = len(products)
    squares, vectors = linalg.eigh(
        products, subset_by_index=[side - n_components, side - 1], check_finite=False
    )
    if squares[0] <= _LEAST_SHARE**2 * squares[-1]:
        _, singular, components = linalg.svd(
            matrix, full_matrices=False, check_finite=False
        )
        return singular[:n_components], components[:n_components]
    singular = np.sqrt(squares[::-1])
    components = vectors[:, ::-1].T
    if is_wide:
        components = components @ matrix / singular[:, None]
    return singular, components
