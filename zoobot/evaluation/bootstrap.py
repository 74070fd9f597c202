"""Bootstrap over galaxies of every figure that is a function of sums over galaxies.

Accuracy, F1, mean absolute error, calibration error: each is a function of a few sums
over galaxies, so it is enough to resample the sums.

References
----------
Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile
interval).
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping

import numpy as np

__all__ = ["Bootstrap", "bound_columns", "bounds", "resampled_sums"]

_RESAMPLES_IN_BLOCK = 64  # (block, n_galaxies) float64 weights stay small


@dataclasses.dataclass(frozen=True)
class Bootstrap:
    """Galaxies drawn with replacement, and the intervals that follow."""

    interval: float
    """Probability inside."""
    n_resamples: int
    seed: int

    def totals(self, *sums: np.ndarray) -> list[np.ndarray]:
        """Sums over the galaxies first, then over each resample.

        Parameters
        ----------
        *sums : (n_galaxies, ...) float
            What each galaxy adds to each sum.

        Returns
        -------
        list of (1 + n_resamples, ...) float64
            One for each of `sums`.
        """
        # math.prod, not -1: there may be no galaxy.
        flat = [each.reshape(len(each), math.prod(each.shape[1:])) for each in sums]
        every = np.concatenate(flat, axis=1)
        resampled = resampled_sums(every, n_resamples=self.n_resamples, seed=self.seed)
        both = np.concatenate([every.sum(axis=0, keepdims=True), resampled])
        ends = np.cumsum([each.shape[1] for each in flat])[:-1]
        return [
            part.reshape(len(both), *each.shape[1:])
            for part, each in zip(np.split(both, ends, axis=1), sums, strict=True)
        ]

    def columns(self, figures: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Columns of a table: figures and their intervals, flat, by name.

        Parameters
        ----------
        figures : mapping of str to (1 + n_resamples, ...) float
            Functions of `totals`.
        """
        result = {}
        for name, figure in figures.items():
            lower, upper = bounds(figure[1:], interval=self.interval)
            lower_name, upper_name = bound_columns(name, interval=self.interval)
            result[name] = np.ravel(figure[0])
            result[lower_name], result[upper_name] = np.ravel(lower), np.ravel(upper)
        return result


def resampled_sums(sums: np.ndarray, *, n_resamples: int, seed: int) -> np.ndarray:
    """Sums over galaxies drawn with replacement.

    Parameters
    ----------
    sums : (n_galaxies, n_sums) float
        What each galaxy adds to each sum.
    n_resamples : int
        How often to draw `n_galaxies` galaxies.
    seed : int
        The same galaxies are drawn for the same seed and `n_galaxies`, so that figures
        of two models can be compared resample by resample.

    Returns
    -------
    (n_resamples, n_sums) float64
    """
    sums = np.asarray(sums, dtype=np.float64)
    n_galaxies = len(sums)
    rng = np.random.default_rng(seed)
    result = np.zeros((n_resamples, sums.shape[1]))
    for start in range(0, n_resamples, _RESAMPLES_IN_BLOCK):
        n_block = min(_RESAMPLES_IN_BLOCK, n_resamples - start)
        times_drawn = np.empty((n_block, n_galaxies))
        for row in times_drawn:
            drawn = rng.integers(max(n_galaxies, 1), size=n_galaxies)
            row[:] = np.bincount(drawn, minlength=n_galaxies)
        result[start : start + n_block] = times_drawn @ sums
    return result


def bounds(samples: np.ndarray, *, interval: float) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval.

    Parameters
    ----------
    samples : (n_resamples, ...) float
        A figure of each resample; NaN where a resample has no galaxy that counts.
    interval : float
        Probability inside, between 0 and 1.

    Returns
    -------
    lower, upper : (...) float64
        Quantiles ``(1 - interval) / 2`` and ``(1 + interval) / 2`` over the resamples
        that are not NaN; NaN where all are.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        tails = (1 - interval) / 2, (1 + interval) / 2
        lower, upper = np.nanquantile(samples, tails, axis=0)
    return lower, upper


def bound_columns(name: str, *, interval: float) -> tuple[str, str]:
    """Names of the columns that hold the interval of a figure: ``x_90pc-lower``."""
    percent = f"{100 * interval:g}"
    return f"{name}_{percent}pc-lower", f"{name}_{percent}pc-upper"
