"""Equal mixtures of beta-binomial distributions, for millions of them at a time."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

__all__ = ["probability"]


def probability(
    k: np.ndarray, *, n: np.ndarray, alpha: np.ndarray, beta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How probable fewer than k of n votes, and exactly k, are.

    Parameters
    ----------
    k : (...) int
        Counts, from 0 to n.
    n : (...) int
        Votes; 0 is allowed.
    alpha, beta : (..., n_components) float64
        Parameters of the components, all > 0.

    Returns
    -------
    below, equal : (...) float64
        P(K < k) and P(K = k), 0 and 1 where n = 0, the mean over components of::

            P(K = k) = C(n, k) B(alpha + k, beta + n - k) / B(alpha, beta)

    Notes
    -----
    From P(K = k) the probabilities of other counts follow by the ratios of neighbours.
    They are added up on the side away from the mean, where they fall off, so that the
    result is exact also where P(K = k) is too small for a float.
    """
    shape, n_components = alpha.shape[:-1], alpha.shape[-1]
    below, equal = np.zeros(shape), np.ones(shape)
    has_votes = n > 0
    k, n, a, b = k[has_votes], n[has_votes], alpha[has_votes], beta[has_votes]
    # (n_rows, 1), beside a and b: (n_rows, n_components)
    k, n = k[:, None].astype(np.float64), n[:, None].astype(np.float64)
    of_k = np.exp(
        (gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
        + (gammaln(a + k) - gammaln(a))
        + (gammaln(b + (n - k)) - gammaln(b))
        + (gammaln(a + b) - gammaln(a + b + n))
    )
    is_above = k * (a + b) > n * a
    # Above the mean: the same with votes for and against the answer exchanged.
    tail = of_k * _tail_over_end(
        np.where(is_above, n - k, k).ravel(),
        n=np.repeat(n, n_components),
        a=np.where(is_above, b, a).ravel(),
        b=np.where(is_above, a, b).ravel(),
    ).reshape(of_k.shape)
    of_fewer = np.where(is_above, np.maximum(1 - of_k - tail, 0), tail)
    below[has_votes], equal[has_votes] = of_fewer.mean(axis=1), of_k.mean(axis=1)
    return below, equal


def _tail_over_end(
    k: np.ndarray, *, n: np.ndarray, a: np.ndarray, b: np.ndarray
) -> np.ndarray:
    """P(K < k) / P(K = k), (n_rows,), for k not above the mean."""
    order = np.argsort(-k)  # the rows that still have terms stay a leading slice
    k, n, a, b = k[order], n[order], a[order], b[order]
    ratio, added = np.ones(len(k)), np.zeros(len(k))
    n_terms = np.arange(1, k.max(initial=0) + 1)
    for step, n_rows in enumerate(np.searchsorted(-k, -n_terms, side="right")):
        rows = slice(n_rows)
        j = k[rows] - step  # from j to j - 1 votes
        ratio[rows] *= j * (n[rows] - j + b[rows])
        ratio[rows] /= (n[rows] - j + 1) * (j - 1 + a[rows])
        added[rows] += ratio[rows]
    result = np.empty(len(k))
    result[order] = added
    return result
