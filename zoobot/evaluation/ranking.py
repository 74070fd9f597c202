"""How well scores rank galaxies of one class before all others."""

from __future__ import annotations

import numpy as np

__all__ = ["Ranked"]


class Ranked:
    """Galaxies sorted once by their score, for many resamples of them.

    Parameters
    ----------
    scores : (n_galaxies,) float
        Higher for galaxies that are more likely of the class.
    labels : (n_galaxies,) bool
        Which are of the class.
    """

    def __init__(self, scores: np.ndarray, *, labels: np.ndarray) -> None:
        self._order = np.argsort(-scores, kind="stable")
        self._is_one = labels[self._order]
        ends = np.diff(scores[self._order]) != 0
        # Galaxies of equal scores come in together.
        self._last = np.append(np.flatnonzero(ends), len(scores) - 1)

    def roc_auc(self, weights: np.ndarray) -> float:
        """Probability that one of the class scores higher than another galaxy.

        Parameters
        ----------
        weights : (n_galaxies,) float
            How often each galaxy counts.

        Returns
        -------
        float
            Equal scores count half; NaN if a side is empty.
        """
        ones, others = self._counts(weights)
        if ones[-1] == 0 or others[-1] == 0:
            return np.nan
        before = np.append(0, ones[:-1])
        area = np.sum(np.diff(others, prepend=0) * (ones + before) / 2)
        return float(area / (ones[-1] * others[-1]))

    def average_precision(self, weights: np.ndarray) -> float:
        """Mean of the precision over the galaxies of the class, down the ranks.

        Parameters
        ----------
        weights : (n_galaxies,) float
            How often each galaxy counts.

        Returns
        -------
        float
            NaN if the class is empty.
        """
        ones, others = self._counts(weights)
        if ones[-1] == 0:
            return np.nan
        n_found = ones + others
        precision = ones / np.where(n_found > 0, n_found, 1)
        return float(np.sum(np.diff(ones, prepend=0) * precision) / ones[-1])

    def _counts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Galaxies of the class, and others, down to each distinct score."""
        ordered = weights[self._order]
        ones = np.cumsum(ordered * self._is_one)[self._last]
        others = np.cumsum(ordered * ~self._is_one)[self._last]
        return ones, others
