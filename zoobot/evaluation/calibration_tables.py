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
    "histograms_of",
    "reliability_of",
]

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Probabilities inside the intervals whose coverage is told."""


def coverage_of(
    pit: np.ndarray, *, question: Question, bootstrap: Bootstrap
) -> pd.DataFrame:
    """How often counts lie in their central intervals.

    Parameters
    ----------
    pit : (n_galaxies, n_answers) float
        From `zoobot.evaluation.calibration.randomised_pit`, of the galaxies with a vote
        for the question.
    question : Question
        Whose answers these are.
    bootstrap : Bootstrap
        Galaxies are resampled, with all of their answers.

    Returns
    -------
    DataFrame
        answer, level, n, coverage and its interval; rows of each answer, then of
        ``all``, the mean over answers.
    """
    distance = 2 * np.abs(pit - 0.5)
    is_inside = distance[:, :, None] < np.array(LEVELS)  # also at random, where equal
    by_answer = is_inside.astype(np.float64)
    sums = np.concatenate([by_answer, by_answer.mean(axis=1, keepdims=True)], axis=1)
    (totals,) = bootstrap.totals(sums)
    coverage = ratio(totals, np.array(len(pit)))
    answers = [*(a.label_col for a in question.answers), "all"]
    return pd.DataFrame(
        {
            "answer": np.repeat(answers, len(LEVELS)),
            "level": np.tile(LEVELS, len(answers)),
            "n": len(pit),
            **bootstrap.columns({"coverage": coverage}),
        }
    )


def coverage_error(coverage: pd.DataFrame) -> float:
    """Mean over answers and levels of the distance of the coverage from its level."""
    by_answer = coverage[coverage["answer"] != "all"]
    return (by_answer["coverage"] - by_answer["level"]).abs().mean()


def histograms_of(pit: np.ndarray, *, question: Question, n_bins: int) -> pd.DataFrame:
    """Histogram of the probability integral transform of each answer.

    Parameters
    ----------
    pit : (n_galaxies, n_answers) float
        As in `coverage_of`.
    question : Question
        Whose answers these are.
    n_bins : int
        Bins of equal width.

    Returns
    -------
    DataFrame
        answer, bin_lower, bin_upper, n (galaxies in all bins), share.
    """
    edges = _edges(n_bins)
    counts = [np.histogram(u, bins=edges)[0] for u in pit.T]
    n_answers = len(question.answers)
    return pd.DataFrame(
        {
            "answer": np.repeat([a.label_col for a in question.answers], n_bins),
            "bin_lower": np.tile(edges[:-1], n_answers),
            "bin_upper": np.tile(edges[1:], n_answers),
            "n": len(pit),
            "share": ratio(np.concatenate(counts), np.array(len(pit))),
        }
    )


def reliability_of(
    confidence: np.ndarray, *, is_hit: np.ndarray, n_bins: int, bootstrap: Bootstrap
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How often the predicted answer is right, beside how often it should be.

    Parameters
    ----------
    confidence : (n_galaxies,) float
        Predicted probability of a hit.
    is_hit : (n_galaxies,) bool
        Whether it was one.
    n_bins : int
        Bins of the confidence, of equal width.
    bootstrap : Bootstrap
        Of the intervals.

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
    edges = _edges(n_bins)
    place = np.clip(np.digitize(confidence, edges) - 1, 0, n_bins - 1)
    is_in_bin = (place[:, None] == np.arange(n_bins)).astype(np.float64)
    variance = confidence * (1 - confidence)
    per_galaxy = np.stack([np.ones(len(place)), confidence, is_hit, variance], axis=1)
    sums = per_galaxy[:, :, None] * is_in_bin[:, None, :]
    (totals,) = bootstrap.totals(sums)
    n, confident, hits, scatter = np.moveaxis(totals, 1, 0)  # (1 + n_resamples, n_bins)
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
            "n": [len(place)],
            "confidence": ratio(confident[0].sum(), in_all[0]),
            "accuracy": ratio(hits[0].sum(), in_all[0]),
            **bootstrap.columns({"expected_calibration_error": error}),
            "error_if_calibrated": ratio(noise, in_all[0]),
        }
    )
    return reliability, calibration_error


def _edges(n_bins: int) -> np.ndarray:
    return np.arange(n_bins + 1) / n_bins  # 3 / 10 is 0.3, unlike 3 times 0.1
