"""Likelihood of votes: one Dirichlet-multinomial distribution for each question.

Needs NumPy and SciPy only, so that evaluation and the start of a training use the same
numbers. Arrays over answers have their last axis in the order of `Schema.label_cols`.

References
----------
Walmsley et al. 2022, MNRAS 509, 3966 (the loss of GZ DECaLS).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

from zoobot.schemas import Schema

__all__ = ["fit_constant_concentrations", "log_likelihood", "sum_by_question"]

# The maximum can lie at 0 (an answer that nobody gave) or at infinity (volunteers who
# agree as coins do). At these ends the likelihood equals its limit to about 1e-4 nats
# a galaxy, and differences of log-gamma functions still have nine digits.
LOWEST_CONCENTRATION = 1e-4
HIGHEST_CONCENTRATION = 1e6
_START_TOTAL = 5.0  # votes; between volunteers who agree fully and not at all


def log_likelihood(
    votes: np.ndarray, *, concentrations: np.ndarray, schema: Schema
) -> np.ndarray:
    """Log-probability of the votes of each question, given how many were asked.

    Parameters
    ----------
    votes : (..., n_answers) int or float
        Counts k_a.
    concentrations : (..., n_answers) float
        alpha_a > 0, in votes; broadcast against `votes`.
    schema : Schema
        Says which answers belong to one question.

    Returns
    -------
    (..., n_questions) float64
        In nats, with N = sum of k_a and A = sum of alpha_a::

            lnG(N + 1) - sum lnG(k_a + 1) + lnG(A) - lnG(A + N)
                + sum( lnG(alpha_a + k_a) - lnG(alpha_a) )

        Exactly 0 for a question without a vote.

    Raises
    ------
    ValueError
        If a last axis is not as long as the schema has answers.

    References
    ----------
    Walmsley et al. 2022, MNRAS 509, 3966 (the loss of GZ DECaLS).
    """
    k = _over_answers("votes", votes, schema)
    alpha = _over_answers("concentrations", concentrations, schema)
    n = sum_by_question(k, schema=schema)
    total = sum_by_question(alpha, schema=schema)
    arrangements = gammaln(n + 1) - sum_by_question(gammaln(k + 1), schema=schema)
    answers = sum_by_question(gammaln(alpha + k) - gammaln(alpha), schema=schema)
    return arrangements + (gammaln(total) - gammaln(total + n)) + answers


def fit_constant_concentrations(votes: np.ndarray, *, schema: Schema) -> np.ndarray:
    """Concentrations that, given to every galaxy alike, make the votes most probable.

    Parameters
    ----------
    votes : (n_galaxies, n_answers) int or float
        Counts; a galaxy whose volunteers were not asked has zeros.
    schema : Schema
        Says which answers belong to one question.

    Returns
    -------
    (n_answers,) float64
        In votes, each between 1e-4 and 1e6: the maximum may lie at 0 or infinity, as
        for an answer that nobody gave. 1 for every answer of a question of which
        `votes` holds no vote at all.

    Raises
    ------
    ValueError
        If the shape does not fit the schema, or a vote is negative or not finite.
    """
    # Not as floats: of many galaxies they would take several times the memory.
    counts = np.asarray(votes)
    _check_last_axis("votes", counts, schema)
    if counts.ndim != 2:
        raise ValueError(
            f"votes: found shape {counts.shape}, expected (n_galaxies, n_answers)"
        )
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        row, answer = np.argwhere(~(np.isfinite(counts) & (counts >= 0)))[0]
        raise ValueError(
            f"votes, row {row}, {schema.label_cols[answer]}: found "
            f"{counts[row, answer]}, expected a count of 0 or more"
        )
    by_question = [_fit_question(counts[:, q.columns]) for q in schema.questions]
    return np.concatenate(by_question)


def sum_by_question(
    values: np.ndarray, *, schema: Schema, axis: int = -1
) -> np.ndarray:
    """Add up the answers of each question.

    Parameters
    ----------
    values : (..., n_answers, ...) number
        Anything that stands for answers, votes or concentrations.
    schema : Schema
        Says which answers belong to one question.
    axis : int
        The axis over answers.

    Returns
    -------
    (..., n_questions, ...) number
        Their sums, of the same type.
    """
    starts = [question.start for question in schema.questions]
    return np.add.reduceat(values, starts, axis=axis)


def _fit_question(counts: np.ndarray) -> np.ndarray:
    counts = counts[counts.any(axis=1)]
    n_answers = counts.shape[1]
    if not len(counts):
        return np.ones(n_answers)
    # Counts repeat: a sum over distinct values costs the same for any number of rows.
    per_answer = [np.unique(column, return_counts=True) for column in counts.T]
    totals = counts.sum(axis=1, dtype=np.float64)
    per_galaxy = np.unique(totals, return_counts=True)
    n_galaxies = len(counts)

    def loss_and_gradient(log_alpha: np.ndarray) -> tuple[float, np.ndarray]:
        alpha = np.exp(log_alpha)
        total_value, total_slope = _rising(alpha.sum(), per_galaxy)
        values, slopes = zip(
            *(
                _rising(a, distinct)
                for a, distinct in zip(alpha, per_answer, strict=True)
            ),
            strict=True,
        )
        loss = (total_value - sum(values)) / n_galaxies
        return loss, alpha * (total_slope - np.array(slopes)) / n_galaxies

    of_answers = counts.sum(axis=0, dtype=np.float64)
    fractions = (of_answers + 0.5) / (of_answers.sum() + 0.5 * n_answers)
    start = np.clip(_START_TOTAL * fractions, LOWEST_CONCENTRATION, None)
    bounds = np.log([LOWEST_CONCENTRATION, HIGHEST_CONCENTRATION])
    best = minimize(
        loss_and_gradient,
        np.log(start),
        jac=True,
        method="L-BFGS-B",
        bounds=[tuple(bounds)] * n_answers,
        options={"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-9},
    )
    return np.exp(best.x)


def _rising(
    alpha: float, distinct: tuple[np.ndarray, np.ndarray]
) -> tuple[float, float]:
    """Sum of lnG(alpha + k) - lnG(alpha) over all rows, and its derivative."""
    k, n_rows = distinct
    value = np.dot(n_rows, gammaln(alpha + k) - gammaln(alpha))
    slope = np.dot(n_rows, digamma(alpha + k) - digamma(alpha))
    return value, slope


def _over_answers(name: str, values: np.ndarray, schema: Schema) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    _check_last_axis(name, values, schema)
    return values


def _check_last_axis(name: str, values: np.ndarray, schema: Schema) -> None:
    if values.ndim == 0 or values.shape[-1] != len(schema.label_cols):
        raise ValueError(
            f"{name}: found shape {values.shape}, expected a last axis of "
            f"{len(schema.label_cols)}, the answers of schema {schema.name}"
        )
