"""Log-linear Dirichlet-multinomial regression: concentrations from a few features.

The likelihood is the network's own, so that the two differ in their features alone.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

from zoobot.dirichlet_multinomial import (
    HIGHEST_CONCENTRATION,
    LOWEST_CONCENTRATION,
    fit_constant_concentrations,
)
from zoobot.logs import track
from zoobot.schemas import Schema

__all__ = ["concentrations", "fit", "loss_and_gradient"]

_GALAXIES_IN_BLOCK = 2048
_LOG_RANGE = np.log([LOWEST_CONCENTRATION, HIGHEST_CONCENTRATION])


def fit(
    features: np.ndarray, votes: np.ndarray, *, schema: Schema, ridge: float
) -> np.ndarray:
    """Coefficients that make the votes most probable, less a penalty on the weights.

    Parameters
    ----------
    features : (n_galaxies, n_features) float
        z, standardised.
    votes : (n_galaxies, n_answers) int
        Counts. A galaxy without a vote for a question does not enter its fit.
    schema : Schema
        Says which answers belong to one question; each question is fitted alone.
    ridge : float
        Penalty, in nats for a squared weight of 1.

    Returns
    -------
    (1 + n_features, n_answers) float64
        b_a in the first row, below it the weights w_a of ``alpha_a = exp(b_a + w_a
        z)``. Weights are 0 for a question without any vote.

    Raises
    ------
    ValueError
        If the votes are no counts, or do not fit the schema.
    """
    start = np.zeros((1 + features.shape[1], len(schema.label_cols)))
    start[0] = np.log(fit_constant_concentrations(votes, schema=schema))
    fitted = start.copy()
    for question in track(
        schema.questions, total=len(schema.questions), what="questions"
    ):
        counts = votes[:, question.columns]
        if counts.any():
            fitted[:, question.columns] = _fit_question(
                start[:, question.columns],
                features=features,
                counts=counts,
                ridge=ridge,
            )
    return fitted


def concentrations(coefficients: np.ndarray, *, features: np.ndarray) -> np.ndarray:
    """What the model predicts.

    Parameters
    ----------
    coefficients : (1 + n_features, n_answers) float
        From `fit`.
    features : (n_galaxies, n_features) float
        z, standardised as those it was fitted to.

    Returns
    -------
    (n_galaxies, n_answers) float64
        alpha_a, in votes, from 1e-4 to 1e6.
    """
    return np.exp(np.clip(_log_alpha(coefficients, features), *_LOG_RANGE))


def loss_and_gradient(
    coefficients: np.ndarray, *, features: np.ndarray, counts: np.ndarray, ridge: float
) -> tuple[float, np.ndarray]:
    """Penalised loss of one question, and its derivative.

    Parameters
    ----------
    coefficients : (1 + n_features, n_answers) float
        b_a in the first row, weights below.
    features : (n_galaxies, n_features) float
        z.
    counts : (n_galaxies, n_answers) int or float
        k_a, votes for the question's answers; a galaxy without any adds nothing.
    ridge : float
        In nats for a squared weight of 1.

    Returns
    -------
    loss : float
        In nats, without the terms that hold no alpha, with N = sum of k_a and A = sum
        of alpha_a::

            sum over galaxies of lnG(A + N) - lnG(A)
                - sum( lnG(alpha_a + k_a) - lnG(alpha_a) )
            + ridge * sum of w^2

    gradient : (1 + n_features, n_answers) float64
        ``d loss / d coefficients``.

    References
    ----------
    Walmsley et al. 2022, MNRAS 509, 3966 (the likelihood).
    """
    weights = coefficients[1:]
    loss, gradient = ridge * (weights**2).sum(), np.zeros(coefficients.shape)
    gradient[1:] = 2 * ridge * weights
    for start in range(0, len(counts), _GALAXIES_IN_BLOCK):
        block = slice(start, start + _GALAXIES_IN_BLOCK)
        asked = counts[block].any(axis=1)
        added, slope = _of_block(
            coefficients, features=features[block][asked], counts=counts[block][asked]
        )
        loss += added
        gradient += slope
    return float(loss), gradient


def _of_block(
    coefficients: np.ndarray, *, features: np.ndarray, counts: np.ndarray
) -> tuple[float, np.ndarray]:
    """Loss and gradient without the penalty, in double precision."""
    features, counts = features.astype(np.float64), counts.astype(np.float64)
    log_alpha = _log_alpha(coefficients, features)
    alpha = np.exp(np.clip(log_alpha, *_LOG_RANGE))
    total, n = alpha.sum(axis=1), counts.sum(axis=1)
    # An answer without a vote adds 0, and most have none.
    voted = np.nonzero(counts)
    a, k = alpha[voted], counts[voted]
    loss = (gammaln(total + n) - gammaln(total)).sum()
    loss -= (gammaln(a + k) - gammaln(a)).sum()
    slope = np.repeat((digamma(total + n) - digamma(total))[:, None], alpha.shape[1], 1)
    slope[voted] -= digamma(a + k) - digamma(a)
    slope *= alpha
    slope[(log_alpha < _LOG_RANGE[0]) | (log_alpha > _LOG_RANGE[1])] = 0
    return loss, np.concatenate([slope.sum(axis=0)[None], features.T @ slope])


def _fit_question(
    start: np.ndarray, *, features: np.ndarray, counts: np.ndarray, ridge: float
) -> np.ndarray:
    n_galaxies = np.count_nonzero(counts.any(axis=1))

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = loss_and_gradient(
            flat.reshape(start.shape), features=features, counts=counts, ridge=ridge
        )
        return loss / n_galaxies, gradient.ravel() / n_galaxies

    best = minimize(
        objective,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 1000, "maxfun": 2000, "ftol": 1e-11, "gtol": 1e-7},
    )
    return best.x.reshape(start.shape)


def _log_alpha(coefficients: np.ndarray, features: np.ndarray) -> np.ndarray:
    return coefficients[0] + features @ coefficients[1:]
