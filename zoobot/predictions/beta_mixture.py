"""Quantiles of equal mixtures of Beta distributions, for millions of them at a time."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaincinv, betaln, xlog1py, xlogy

__all__ = ["quantile"]

_TOLERANCE = 2e-5  # width of the final bracket; a fraction is never told finer
_STEPS_PER_HALVING = 4
# The halvings alone close a bracket of width 1 in this many steps.
_MAX_STEPS = _STEPS_PER_HALVING * (int(np.ceil(np.log2(1 / _TOLERANCE))) + 1)


def quantile(alpha: np.ndarray, *, beta: np.ndarray, probability: float) -> np.ndarray:
    """Where the distribution function of each mixture reaches a probability.

    Parameters
    ----------
    alpha, beta : (n_mixtures, n_components) float64
        Parameters of the components, all > 0.
    probability : float
        Between 0 and 1, both excluded.

    Returns
    -------
    (n_mixtures,) float64
        x with ``mean over components of I_x(alpha, beta) = probability``, to 1e-5 in
        x, where I is the regularised incomplete beta function.

    Raises
    ------
    ValueError
        If a parameter is not a positive, finite number.

    Notes
    -----
    Newton's method, kept inside a bracket that always holds the root. It starts from
    the quantile of the one Beta distribution with the mixture's mean and variance, and
    steps slightly too far, so that the bracket closes from both sides. Near 0 and 1 the
    density of a small parameter is unbounded and Newton's steps are useless, so that
    every fourth step halves the bracket instead.
    """
    alpha, beta = _positive("alpha", alpha), _positive("beta", beta)
    x = _start(alpha, beta, probability)
    low, high = np.zeros_like(x), np.ones_like(x)
    log_norm = betaln(alpha, beta)
    active = np.arange(len(x))  # the mixtures that alpha, beta, log_norm, x belong to
    for step in range(1, _MAX_STEPS + 1):
        excess = betainc(alpha, beta, x[:, None]).mean(axis=1) - probability
        low[active] = np.where(excess < 0, x, low[active])
        high[active] = np.where(excess < 0, high[active], x)
        if step % _STEPS_PER_HALVING:
            density = _density(alpha, beta, log_norm, x)
            x = _newton(x, excess, density, low[active], high[active])
        else:
            x = (low[active] + high[active]) / 2
        is_open = high[active] - low[active] > _TOLERANCE
        if not is_open.any():
            break
        if not is_open.all():
            alpha, beta, log_norm = alpha[is_open], beta[is_open], log_norm[is_open]
            x, active = x[is_open], active[is_open]
    return (low + high) / 2


def _start(alpha: np.ndarray, beta: np.ndarray, probability: float) -> np.ndarray:
    total = alpha + beta
    # Both shares, not 1 - share: a tiny parameter must not vanish beside a large one.
    shares, others = alpha / total, beta / total
    share, other = shares.mean(axis=1), others.mean(axis=1)
    variance = (shares * others / (total + 1)).mean(axis=1) + shares.var(axis=1)
    variance = np.maximum(variance, np.finfo(float).tiny)
    matched = np.maximum(share * other / variance - 1, 1e-3)  # alpha + beta
    x = betaincinv(matched * share, matched * other, probability)
    return np.clip(x, _TOLERANCE / 2, 1 - _TOLERANCE / 2)


def _density(
    alpha: np.ndarray, beta: np.ndarray, log_norm: np.ndarray, x: np.ndarray
) -> np.ndarray:
    x = x[:, None]
    return np.exp(xlogy(alpha - 1, x) + xlog1py(beta - 1, -x) - log_norm).mean(axis=1)


def _newton(
    x: np.ndarray,
    excess: np.ndarray,
    density: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    beyond = _TOLERANCE / 4
    step = -excess / np.maximum(density, np.finfo(float).tiny ** 0.5)
    x = x + step + np.copysign(beyond, step)
    # Inside the bracket, by enough to close it if the root lies beyond.
    inside = np.minimum(beyond, (high - low) / 2)
    return np.clip(x, low + inside, high - inside)


def _positive(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        row, component = np.argwhere(bad)[0]
        raise ValueError(
            f"{name}, mixture {row}, component {component}: found "
            f"{values[row, component]}, expected a positive, finite number"
        )
    return values
