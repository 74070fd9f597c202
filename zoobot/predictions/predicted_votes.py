"""The predicted distribution of the next N votes for each question.

Given one network, the counts of a question's answers are Dirichlet-multinomial, and the
count of one answer alone is beta-binomial. The prediction is the equal mixture of these
over dropout passes and members.

References
----------
Walmsley et al. 2022, MNRAS 509, 3966 (dropout passes as samples of the posterior).
Johnson, Kotz & Balakrishnan 1997, Discrete Multivariate Distributions, chapter 35.13
(the Dirichlet-multinomial, there called multivariate Polya-Eggenberger).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zoobot.dirichlet_multinomial import log_likelihood
from zoobot.predictions import beta_binomial_mixture
from zoobot.schemas import Schema

__all__ = [
    "log_mean_exp",
    "log_probability",
    "log_probability_of_passes",
    "marginal_probability",
    "winning_probability",
]

_GALAXIES_IN_BLOCK = 256  # keeps (block, n_answers, n_passes) within a few MB


def log_probability(
    votes: np.ndarray, *, concentrations: np.ndarray, schema: Schema
) -> np.ndarray:
    """Log-probability of the votes of each question, given how many they are.

    Parameters
    ----------
    votes : (n_galaxies, n_answers) int
        Counts k_a.
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a > 0, in votes.
    schema : Schema
        Says which answers belong to one question.

    Returns
    -------
    (n_galaxies, n_questions) float64
        In nats, the log of the mean over passes of the Dirichlet-multinomial
        probability; exactly 0 for a question without a vote.

    Raises
    ------
    ValueError
        If the shapes do not fit each other or the schema.
    """
    result = np.empty((len(votes), len(schema.questions)))
    for block, log_p in log_probability_of_passes(
        votes, concentrations=concentrations, schema=schema
    ):
        result[block] = log_mean_exp(log_p)
    return result


def log_probability_of_passes(
    votes: np.ndarray, *, concentrations: np.ndarray, schema: Schema
) -> Iterator[tuple[slice, np.ndarray]]:
    """Log-probability of the votes by each pass alone, some galaxies at a time.

    Parameters
    ----------
    votes : (n_galaxies, n_answers) int
        Counts k_a.
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a > 0, in votes.
    schema : Schema
        Says which answers belong to one question.

    Yields
    ------
    block : slice
        Which galaxies.
    log_p : (n_block, n_passes, n_questions) float64
        In nats. Given a pass a galaxy's questions are independent: the sum over
        questions, then `log_mean_exp`, is the log-probability of all its votes.

    Raises
    ------
    ValueError
        If the shapes do not fit each other or the schema.
    """
    _check_shapes(votes, concentrations, schema)
    for block in _blocks(len(votes)):
        log_p = log_likelihood(
            votes[block, None, :],
            concentrations=np.moveaxis(concentrations[block], 1, 2),
            schema=schema,
        )
        yield block, log_p


def log_mean_exp(log_p: np.ndarray) -> np.ndarray:
    """Log of the mean of probabilities over passes, without underflow.

    Parameters
    ----------
    log_p : (n_galaxies, n_passes, ...) float
        In nats.

    Returns
    -------
    (n_galaxies, ...) float64
        In nats; exactly 0 where all are 0.
    """
    largest = log_p.max(axis=1)
    shifted = np.exp(log_p - np.expand_dims(largest, axis=1))
    return largest + np.log(shifted.mean(axis=1))


def marginal_probability(
    votes: np.ndarray, *, concentrations: np.ndarray, schema: Schema
) -> tuple[np.ndarray, np.ndarray]:
    """How probable fewer votes, and as many votes, were for each answer.

    Parameters
    ----------
    votes : (n_galaxies, n_answers) int
        Counts k_a; their sum N over a question's answers is taken as known.
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a > 0, in votes.
    schema : Schema
        Says which answers belong to one question.

    Returns
    -------
    below, equal : (n_galaxies, n_answers) float64
        P(K_a < k_a) and P(K_a = k_a), K_a the mixture over passes of beta-binomials of
        N votes with parameters alpha_a and the sum of the other answers' alpha; 0 and 1
        where N = 0.

    Raises
    ------
    ValueError
        If the shapes do not fit each other or the schema.
    """
    _check_shapes(votes, concentrations, schema)
    below, equal = np.empty((2, *votes.shape))
    others = _others(schema)
    for block in _blocks(len(votes)):
        alpha = concentrations[block].astype(np.float64)
        # Summed, not A - alpha: a tiny sum must not vanish beside a large alpha.
        beta = others @ alpha
        k, n = votes[block], _totals(votes[block], schema)
        below[block], equal[block] = beta_binomial_mixture.probability(
            k, n=n, alpha=alpha, beta=beta
        )
    return below, equal


def winning_probability(
    n_votes: np.ndarray,
    *,
    concentrations: np.ndarray,
    schema: Schema,
    n_draws: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Probability that an answer gets most of the votes, the first of equals winning.

    Parameters
    ----------
    n_votes : (n_galaxies, n_questions) int
        Volunteers who answer the question, N.
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a > 0, in votes.
    schema : Schema
        Says which answers belong to one question.
    n_draws : int
        Draws of N votes, each from a pass at random; the result's standard error is at
        most ``0.5 / sqrt(n_draws)``. Questions of two answers need none, they are
        exact.
    rng : numpy.random.Generator
        Used up by the draws.

    Returns
    -------
    (n_galaxies, n_answers) float64
        Sums to 1 over a question's answers; NaN where N = 0.
    """
    result = np.full((len(n_votes), len(schema.label_cols)), np.nan)
    is_drawn = np.array([len(question.answers) > 2 for question in schema.questions])
    for i in np.flatnonzero(~is_drawn):
        columns = schema.questions[i].columns
        asked = np.flatnonzero(n_votes[:, i])
        for block in _blocks(len(asked)):
            rows = asked[block]
            alpha = concentrations[rows, columns].astype(np.float64)
            result[rows, columns] = _wins_of_two(n_votes[rows, i], alpha)
    # One galaxy after another: the draws are the same if a caller goes through them
    # some at a time.
    for row, i in np.argwhere(is_drawn & (n_votes > 0)):
        columns = schema.questions[i].columns
        alpha = concentrations[row, columns].astype(np.float64)
        result[row, columns] = _wins_in_draws(n_votes[row, i], alpha, n_draws, rng)
    return result


def _wins_of_two(n: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The first of two wins with half of the votes or more, (n_rows, 2)."""
    below, _ = beta_binomial_mixture.probability(
        (n + 1) // 2, n=n, alpha=alpha[:, 0], beta=alpha[:, 1]
    )
    return np.stack([1 - below, below], axis=1)


def _wins_in_draws(
    n: int, alpha: np.ndarray, n_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Share of one galaxy's draws that each answer wins, (n_answers,)."""
    n_answers, n_passes = alpha.shape
    passes = rng.integers(n_passes, size=n_draws)
    # Sums of the answers that follow, last first.
    left_over = np.cumsum(alpha[::-1], axis=0)[::-1]
    counts = np.empty((n_answers, n_draws), dtype=np.int64)
    left = np.full(n_draws, n)
    # One answer after another against those that follow it. All shares at once, by
    # gamma variates, would be 0 / 0 where every alpha is small.
    for i in range(n_answers - 1):
        share = rng.beta(alpha[i, passes], left_over[i + 1, passes])
        counts[i] = rng.binomial(left, share)
        left = left - counts[i]
    counts[-1] = left
    return np.bincount(counts.argmax(axis=0), minlength=n_answers) / n_draws


def _others(schema: Schema) -> np.ndarray:
    """(n_answers, n_answers), 1 for the other answers of the same question."""
    question_of = np.repeat(
        np.arange(len(schema.questions)), [len(q.answers) for q in schema.questions]
    )
    same = question_of[:, None] == question_of
    return same.astype(np.float64) - np.eye(len(question_of))


def _totals(votes: np.ndarray, schema: Schema) -> np.ndarray:
    """Votes for each answer's question, (n_galaxies, n_answers)."""
    return votes + votes @ _others(schema).astype(votes.dtype)


def _blocks(n_rows: int) -> Iterator[slice]:
    for start in range(0, n_rows, _GALAXIES_IN_BLOCK):
        yield slice(start, start + _GALAXIES_IN_BLOCK)


def _check_shapes(
    votes: np.ndarray, concentrations: np.ndarray, schema: Schema
) -> None:
    expected = len(votes), len(schema.label_cols)
    if votes.shape != expected or concentrations.shape[:2] != expected:
        raise ValueError(
            f"votes, concentrations: found shapes {votes.shape} and "
            f"{concentrations.shape}, expected {expected} and {expected} + (n_passes,) "
            f"for schema {schema.name}"
        )
