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
import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

__all__ = ["Bootstrap", "bound_columns", "bounds"]


@dataclasses.dataclass(frozen=True)
class Bootstrap:
    """Galaxies drawn with replacement, and the intervals that follow."""

    interval: float
    """Probability inside."""
    n_resamples: int
    seed: int

    def totals(
        self, blocks: Iterable[Sequence[np.ndarray]], *, n_galaxies: int
    ) -> list[np.ndarray]:
        """Sums over the galaxies first, then over each resample.

        Parameters
        ----------
        blocks : iterable of sequences of (n_in_block, ...) float
            What each galaxy adds to each sum, for some galaxies after others. How they
            are cut into blocks does not matter.
        n_galaxies : int
            How many galaxies all blocks hold, and each resample. The same galaxies are
            drawn for the same seed and `n_galaxies`, so that figures of two models can
            be compared resample by resample.

        Returns
        -------
        list of (1 + n_resamples, ...) float64
            One for each array of a block.
        """
        resamples = _Resamples(n_galaxies, n_resamples=self.n_resamples, seed=self.seed)
        totals: list[np.ndarray] = []
        for sums in blocks:
            times_drawn = resamples.of_next(len(sums[0]))
            weights = np.concatenate([np.ones((1, len(sums[0]))), times_drawn])
            added = [np.tensordot(weights, each, axes=1) for each in sums]
            totals = totals or [np.zeros_like(each) for each in added]
            for total, each in zip(totals, added, strict=True):
                total += each
        return totals

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


class _Resamples:
    """How often each galaxy is drawn, of `n_galaxies` drawn with replacement.

    These counts are multinomial. Given those of the galaxies before it, the count of a
    galaxy is binomial: one galaxy after another is drawn for all resamples, and nothing
    of it has to be kept.
    """

    def __init__(self, n_galaxies: int, *, n_resamples: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._galaxies_left = n_galaxies
        self._draws_left = np.full(n_resamples, n_galaxies)

    def of_next(self, n_galaxies: int) -> np.ndarray:
        """Counts of the next galaxies, (n_resamples, n_galaxies) float64."""
        times_drawn = np.empty((len(self._draws_left), n_galaxies))
        for one in range(n_galaxies):
            count = self._rng.binomial(self._draws_left, 1 / self._galaxies_left)
            times_drawn[:, one] = count
            self._draws_left -= count
            self._galaxies_left -= 1
        return times_drawn


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
