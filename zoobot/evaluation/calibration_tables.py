"""The tables of the calibration of one question."""

from __future__ import annotations

import numpy as np
import pandas as pd

from zoobot.evaluation.bootstrap import Bootstrap
from zoobot.evaluation.metrics import ratio
from zoobot.schemas import Question

__all__ = [
    "LEVELS",
    "coverage_error",
    "coverage_of",
    "coverage_sums",
    "histogram_sums",
    "histograms_of",
    "reliability_of",
    "reliability_sums",
]

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Probabilities inside the intervals whose coverage is told."""


def coverage_sums(pit: np.ndarray, *, counts: np.ndarray) -> np.ndarray:
    """Which central intervals hold each galaxy's counts.

    Parameters
    ----------
    pit : (n_galaxies, n_answers) float
        From `zoobot.evaluation.calibration.randomised_pit`.
    counts : (n_galaxies,) bool
        Galaxies with a vote for the question; others add 0.

    Returns
    -------
    (n_galaxies, n_answers + 1, n_levels) float64
        1 where the count lies inside; at last the mean over answers.
    """
    distance = 2 * np.abs(pit - 0.5)
    is_inside = distance[:, :, None] < np.array(LEVELS)  # also at random, where equal
    by_answer = (is_inside & counts[:, None, None]).astype(np.float64)
    return np.concatenate([by_answer, by_answer.mean(axis=1, keepdims=True)], axis=1)


def coverage_of(
    totals: np.ndarray, *, n: np.ndarray, question: Question, bootstrap: Bootstrap
) -> pd.DataFrame:
    """How often counts lie in their central intervals.

    Parameters
    ----------
    totals : (1 + n_resamples, n_answers + 1, n_levels) float
        Of `coverage_sums`.
    n : (1 + n_resamples,) float
        Galaxies that count.
    question : Question
        Whose answers these are.
    bootstrap : Bootstrap
        That made the totals: galaxies are resampled, with all of their answers.

    Returns
    -------
    DataFrame
        answer, level, n, coverage and its interval; rows of each answer, then of
        ``all``, the mean over answers.
    """
    coverage = ratio(totals, n[:, None, None])
    answers = [*(a.label_col for a in question.answers), "all"]
    return pd.DataFrame(
        {
            "answer": np.repeat(answers, len(LEVELS)),
            "level": np.tile(LEVELS, len(answers)),
            "n": int(n[0]),
            **bootstrap.columns({"coverage": coverage}),
        }
    )


def coverage_error(coverage: pd.DataFrame) -> float:
    """Mean over answers and levels of the distance of the coverage from its level."""
    by_answer = coverage[coverage["answer"] != "all"]
    return (by_answer["coverage"] - by_answer["level"]).abs().mean()


def histogram_sums(pit: np.ndarray, *, counts: np.ndarray, n_bins: int) -> np.ndarray:
    """In which bin each galaxy's transform lies.

    Parameters
    ----------
    pit : (n_galaxies, n_answers) float
        As in `coverage_sums`.
    counts : (n_galaxies,) bool
        As in `coverage_sums`.
    n_bins : int
        Bins of equal width.

    Returns
    -------
    (n_galaxies, n_answers, n_bins) float64
        1 in the bin.
    """
    return _is_in_bin(pit, n_bins) * counts[:, None, None]


def histograms_of(in_bins: np.ndarray, *, n: float, question: Question) -> pd.DataFrame:
    """Histogram of the probability integral transform of each answer.

    Parameters
    ----------
    in_bins : (n_answers, n_bins) float
        Sums over galaxies of `histogram_sums`.
    n : float
        Galaxies that count.
    question : Question
        Whose answers these are.

    Returns
    -------
    DataFrame
        answer, bin_lower, bin_upper, n (galaxies in all bins), share.
    """
    n_answers, n_bins = in_bins.shape
    edges = _edges(n_bins)
    return pd.DataFrame(
        {
            "answer": np.repeat([a.label_col for a in question.answers], n_bins),
            "bin_lower": np.tile(edges[:-1], n_answers),
            "bin_upper": np.tile(edges[1:], n_answers),
            "n": int(n),
            "share": ratio(in_bins.ravel(), np.array(n)),
        }
    )


def reliability_sums(
    confidence: np.ndarray, *, is_hit: np.ndarray, counts: np.ndarray, n_bins: int
) -> np.ndarray:
    """What each galaxy adds to the bin of its confidence.

    Parameters
    ----------
    confidence : (n_galaxies,) float
        Predicted probability of a hit; anything where a galaxy does not count.
    is_hit : (n_galaxies,) bool
        Whether it was one.
    counts : (n_galaxies,) bool
        Galaxies that count; others add 0.
    n_bins : int
        Bins of the confidence, of equal width.

    Returns
    -------
    (n_galaxies, 4, n_bins) float64
        1, the confidence, whether it was a hit, and the variance of that.
    """
    known = np.where(counts, confidence, 0.0)
    variance = known * (1 - known)
    of_galaxy = np.stack([counts, known, is_hit & counts, variance], axis=1)
    return of_galaxy[:, :, None] * _is_in_bin(known, n_bins)[:, None, :]


def reliability_of(
    totals: np.ndarray, *, bootstrap: Bootstrap
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How often the predicted answer is right, beside how often it should be.

    Parameters
    ----------
    totals : (1 + n_resamples, 4, n_bins) float
        Of `reliability_sums`.
    bootstrap : Bootstrap
        That made the totals.

    Returns
    -------
    reliability : DataFrame
        bin_lower, bin_upper, n, confidence, accuracy and its interval.
    calibration_error : DataFrame
        One row: n, confidence, accuracy, expected_calibration_error and its interval
        (mean over galaxies of the distance of accuracy from confidence in their bin),
        error_if_calibrated. Noise raises the error, and its bootstrap interval still
        more; the last column is the mean error of right predictions: noise alone.

    References
    ----------
    Guo et al. 2017, ICML 34, 1321, equations 3 and 5.
    """
    n, confident, hits, scatter = np.moveaxis(totals, 1, 0)  # (1 + n_resamples, n_bins)
    edges = _edges(n.shape[1])
    reliability = pd.DataFrame(
        {
            "bin_lower": edges[:-1],
            "bin_upper": edges[1:],
            "n": n[0].astype(np.int64),
            "confidence": ratio(confident[0], n[0]),
            **bootstrap.columns({"accuracy": ratio(hits, n)}),
        }
    )
    in_all = n.sum(axis=1)
    error = ratio(np.abs(hits - confident).sum(axis=1), in_all)
    # The sum of hits scatters around that of confidences as a normal variable, nearly,
    # whose mean absolute value is sqrt(2 / pi) times its standard deviation.
    noise = np.sqrt(2 / np.pi * scatter[0]).sum()
    calibration_error = pd.DataFrame(
        {
            "n": [int(in_all[0])],
            "confidence": ratio(confident[0].sum(), in_all[0]),
            "accuracy": ratio(hits[0].sum(), in_all[0]),
            **bootstrap.columns({"expected_calibration_error": error}),
            "error_if_calibrated": ratio(noise, in_all[0]),
        }
    )
    return reliability, calibration_error


def _is_in_bin(values: np.ndarray, n_bins: int) -> np.ndarray:
    """(..., n_bins) float64, 1 in the bin of each value from 0 to 1."""
    place = np.clip(np.digitize(values, _edges(n_bins)) - 1, 0, n_bins - 1)
    return (place[..., None] == np.arange(n_bins)).astype(np.float64)


def _edges(n_bins: int) -> np.ndarray:
    return np.arange(n_bins + 1) / n_bins  # 3 / 10 is 0.3, unlike 3 times 0.1
