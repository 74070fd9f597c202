"""The posterior of the vote fractions, and what follows from it down the tree.

The posterior is the equal mixture over dropout passes (and members) of Dirichlet
distributions, so each vote fraction follows a mixture of Beta distributions. Given one
pass, that is one network, the questions are independent of each other; over all passes
they are not.

References
----------
Walmsley et al. 2022, MNRAS 509, 3966 (dropout passes as samples of the posterior).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoobot.predictions import beta_mixture
from zoobot.predictions.concentrations import in_blocks, with_totals
from zoobot.schemas import Schema

__all__ = [
    "intervals",
    "joint_fractions",
    "mean_fractions",
    "proportions_asked",
    "standard_deviations",
]


def mean_fractions(concentrations: np.ndarray, *, schema: Schema) -> np.ndarray:
    """Posterior mean of each vote fraction.

    Parameters
    ----------
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a > 0, in votes.
    schema : Schema
        Says which answers belong to one question.

    Returns
    -------
    (n_galaxies, n_answers) float64
        Mean over passes of ``alpha_a / A``, A the sum over the question's answers.
    """

    def means(block: np.ndarray) -> np.ndarray:
        return _means_of_passes(block, schema).mean(axis=2)

    return in_blocks(concentrations, schema=schema, function=means)


def standard_deviations(concentrations: np.ndarray, *, schema: Schema) -> np.ndarray:
    """Posterior standard deviation of each vote fraction.

    Parameters
    ----------
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a > 0, in votes.
    schema : Schema
        Says which answers belong to one question.

    Returns
    -------
    (n_galaxies, n_answers) float64
        Square root of the mixture's variance; with m = alpha_a / A in each pass::

            mean over passes of m (1 - m) / (A + 1)  +  variance over passes of m
    """

    def deviations(block: np.ndarray) -> np.ndarray:
        alpha, total = with_totals(block, schema=schema)
        means = alpha / total
        within = alpha * (total - alpha) / (total**2 * (total + 1))
        return np.sqrt(within.mean(axis=2) + means.var(axis=2))

    return in_blocks(concentrations, schema=schema, function=deviations)


def intervals(
    concentrations: np.ndarray, *, schema: Schema, interval: float, n_threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Equal-tailed interval of each vote fraction.

    Parameters
    ----------
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a > 0, in votes.
    schema : Schema
        Says which answers belong to one question.
    interval : float
        Probability inside, between 0 and 1.
    n_threads : int
        Threads that share the work; does not change the result.

    Returns
    -------
    lower, upper : (n_galaxies, n_answers) float64
        Quantiles ``(1 - interval) / 2`` and ``(1 + interval) / 2`` of the equal mixture
        over passes of Beta(alpha_a, A - alpha_a), to 1e-5.
    """
    if not 0 < interval < 1:
        raise ValueError(
            f"interval: found {interval}, expected a probability between 0 and 1"
        )

    def bounds(block: np.ndarray) -> np.ndarray:
        alpha, total = with_totals(block, schema=schema)
        n_passes = block.shape[2]
        a, b = alpha.reshape(-1, n_passes), (total - alpha).reshape(-1, n_passes)
        tails = ((1 - interval) / 2, (1 + interval) / 2)
        found = [beta_mixture.quantile(a, beta=b, probability=tail) for tail in tails]
        return np.stack([f.reshape(block.shape[:2]) for f in found], axis=1)

    both = in_blocks(
        concentrations, schema=schema, function=bounds, n_threads=n_threads
    )
    return both[:, 0], both[:, 1]


def proportions_asked(concentrations: np.ndarray, *, schema: Schema) -> np.ndarray:
    """Posterior mean of the fraction of volunteers who are asked each question.

    Parameters
    ----------
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a > 0, in votes.
    schema : Schema
        Says which answers lead to which question.

    Returns
    -------
    (n_galaxies, n_questions) float64
        Mean over passes of `Schema.proportion_asked` of the pass's mean fractions.

    Notes
    -----
    This is exact: given a pass the questions are independent, so that the mean of a
    product down the tree is the product of the means. The product of the means over
    all passes is not the same, as passes that favour one answer favour, or not, those
    that follow it.
    """
    return _down_the_tree(concentrations, schema, schema.proportion_asked)


def joint_fractions(concentrations: np.ndarray, *, schema: Schema) -> np.ndarray:
    """Posterior mean of the fraction of all volunteers who give each answer.

    Parameters
    ----------
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a > 0, in votes.
    schema : Schema
        Says which answers lead to which question.

    Returns
    -------
    (n_galaxies, n_answers) float64
        Mean over passes of `Schema.joint_p` of the pass's mean fractions; exact, as in
        `proportions_asked`. A question's sum to the proportion asked.
    """
    return _down_the_tree(concentrations, schema, schema.joint_p)


def _down_the_tree(
    concentrations: np.ndarray,
    schema: Schema,
    function: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Mean over passes of a function of the pass's mean fractions."""

    def mean(block: np.ndarray) -> np.ndarray:
        means = np.moveaxis(_means_of_passes(block, schema), 2, 1)
        return function(means).mean(axis=1)

    return in_blocks(concentrations, schema=schema, function=mean)


def _means_of_passes(block: np.ndarray, schema: Schema) -> np.ndarray:
    alpha, total = with_totals(block, schema=schema)
    return alpha / total
