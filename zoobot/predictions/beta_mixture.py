"""Quantiles of equal mixtures of Beta distributions, for millions of them at a time."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaincinv, betaln

__all__ = ["quantile"]

_TOLERANCE = 2e-5  # width of the final bracket; a fraction is never told finer
_STEPS_PER_HALVING = 4
_LARGEST_EXPONENT = 50.0  # looser bounds are of no use and might overflow
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
    Halley's method. It starts from the quantile of the one Beta distribution with the
    mixture's mean and variance. The distribution function dominates the cost, the
    density and its derivatives are cheap, so that each step also bounds what the
    Taylor series that it follows leaves out: most roots are certain to 1e-5 after one
    or two evaluations. The others are kept inside a bracket that always holds the root;
    steps then go slightly too far, so that the bracket closes from both sides. Near 0
    and 1 the density of a small parameter is unbounded and such steps are useless, so
    that every fourth step halves the bracket instead.
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
        root, is_certain = _halley(alpha, beta, log_norm, x, excess)
        low[active[is_certain]] = high[active[is_certain]] = root[is_certain]
        if step % _STEPS_PER_HALVING:
            x = _beyond(root, x, low[active], high[active])
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


def _halley(
    alpha: np.ndarray,
    beta: np.ndarray,
    log_norm: np.ndarray,
    x: np.ndarray,
    excess: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Where Halley's step ends, and whether the root is sure to be that near.

    With F the distribution function, f its density, s the step and t the tolerance::

        F(x + s) - p = excess + f s + f' s^2 / 2 + rest,  |rest| <= max |f''| |s|^3 / 6

    and the root lies within t of x + s if this is less than t times the least density
    within r = |s| + t of x. For each component d log f / dx stays within ``steepest``
    of 0 there, its derivative within ``curvature``, hence f within a factor of
    exp(r steepest), and |f''| <= f (steepest^2 + curvature).
    """
    at = x[:, None]
    a, b = alpha - 1, beta - 1
    densities = np.exp(a * np.log(at) + b * np.log1p(-at) - log_norm)
    slopes = a / at - b / (1 - at)
    density = np.maximum(densities.mean(axis=1), np.finfo(float).tiny ** 0.5)
    gradient = (densities * slopes).mean(axis=1)
    newton = np.clip(-excess / density, -1, 1)
    step = newton / np.maximum(1 + newton * gradient / (2 * density), 0.5)

    tolerance = _TOLERANCE / 2
    reach = np.abs(step) + tolerance
    is_inside = (x > reach) & (1 - x > reach)
    reach = np.where(is_inside, reach, 0)
    left, right = (x - reach)[:, None], (1 - x - reach)[:, None]
    curvature = np.abs(a) / left**2 + np.abs(b) / right**2
    steepest = np.abs(slopes) + reach[:, None] * curvature
    exponent = reach[:, None] * steepest
    is_bounded = is_inside & (exponent.max(axis=1) <= _LARGEST_EXPONENT)
    factor = np.exp(np.minimum(exponent, _LARGEST_EXPONENT))
    least_density = (densities / factor).mean(axis=1)
    largest = (densities * factor * (steepest**2 + curvature)).mean(axis=1)
    taylor = excess + density * step + gradient * step**2 / 2
    error = np.abs(taylor) + largest * np.abs(step) ** 3 / 6
    return x + step, is_bounded & (error <= tolerance * least_density)


def _beyond(
    root: np.ndarray, x: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Slightly farther from x than the root, but inside the bracket."""
    beyond = _TOLERANCE / 4
    root = root + np.copysign(beyond, root - x)
    # Inside by enough to close it if the root lies beyond.
    inside = np.minimum(beyond, (high - low) / 2)
    return np.clip(root, low + inside, high - inside)


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
