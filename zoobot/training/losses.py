"""The Dirichlet-multinomial loss of a decision tree, written for any Keras backend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import keras
from keras import ops

__all__ = [
    "MultiquestionLoss",
    "dirichlet_multinomial_loss",
    "get_multiquestion_loss",
    "log_rising",
]

# Stirling's series is used 8 above its argument, where three terms are exact to 1e-9.
_SHIFT = 8
_STIRLING = ((1, 1 / 12), (3, -1 / 360), (5, 1 / 1260))


def log_rising(concentration, count):
    """Logarithm of the rising factorial, ``lnG(alpha + k) - lnG(alpha)``.

    G is the gamma function. The difference is taken inside Stirling's series: taken
    between two log-gammas, float32 would lose 1e-4 to 1e-3 nats to cancellation.

    Parameters
    ----------
    concentration : (...) float32, above 0
        alpha, where the factorial starts.
    count : (...) float32, not negative
        k, how many factors it has. 0 gives exactly 0, with zero gradient.

    Returns
    -------
    (...) float32
        Nats.

    References
    ----------
    Abramowitz & Stegun 1964, 6.1.15 (recurrence) and 6.1.41 (Stirling's series).
    """
    shifted = concentration + _SHIFT
    growth = ops.log1p(count / shifted)
    # Each term has the count as a factor, so that 0 cancels exactly, in gradients too.
    result = (shifted - 0.5) * growth + count * (ops.log(shifted + count) - 1)
    for power, factor in _STIRLING:
        result = result + factor * shifted**-power * ops.expm1(-power * growth)
    # Back from alpha + 8 to alpha, by products too short to overflow.
    for first in range(0, _SHIFT, 4):
        steps = [1 + count / (concentration + i) for i in range(first, first + 4)]
        result = result - ops.log(math.prod(steps))
    return result


def dirichlet_multinomial_loss(votes, concentration, *, question_index_groups):
    """Negative log-likelihood of each question's votes.

    ::

        -[ lnG(N+1) - sum lnG(k_a+1) + lnG(A) - lnG(A+N)
           + sum( lnG(alpha_a+k_a) - lnG(alpha_a) ) ],   N = sum k_a, A = sum alpha_a

    with counts k (``votes``) and alpha (``concentration``) of one question's answers.

    Parameters
    ----------
    votes : (batch, n_answers) number
        Counts. A question that nobody was asked has zeros.
    concentration : (batch, n_answers) float
        Predicted concentrations, above 0. Computed in float32 whatever the dtype.
    question_index_groups : sequence of (int, int)
        First and last answer of each question, inclusive.

    Returns
    -------
    (batch, n_questions) float32
        Nats; exactly 0 where a question has no votes.

    References
    ----------
    Walmsley et al. 2020, MNRAS 491, 1554, eq. 3; Walmsley et al. 2022, section 3.
    """
    votes = ops.cast(votes, "float32")
    concentration = ops.cast(concentration, "float32")

    def by_question(values):
        sums = [
            ops.sum(values[:, first : last + 1], -1)
            for first, last in question_index_groups
        ]
        return ops.stack(sums, axis=-1)

    one = ops.ones_like(votes)
    answers = by_question(log_rising(concentration, votes) - log_rising(one, votes))
    n_votes = by_question(votes)
    total = by_question(concentration)
    return (
        log_rising(total, n_votes)
        - log_rising(ops.ones_like(n_votes), n_votes)
        - answers
    )


@keras.saving.register_keras_serializable(package="zoobot")
class MultiquestionLoss:
    """The loss of a whole tree: the sum over its questions.

    Parameters
    ----------
    question_index_groups : sequence of (int, int)
        First and last answer of each question, inclusive.
    """

    __name__ = "multiquestion_loss"

    def __init__(self, question_index_groups: Sequence[Sequence[int]]):
        self.question_index_groups = [
            (int(first), int(last)) for first, last in question_index_groups
        ]

    def __call__(self, votes, concentration):
        """(batch, n_answers) counts and concentrations to (batch,) float32, nats."""
        losses = dirichlet_multinomial_loss(
            votes, concentration, question_index_groups=self.question_index_groups
        )
        return ops.sum(losses, axis=-1)

    def get_config(self) -> dict:
        """What rebuilds the loss, as a compiled model is stored with it."""
        return {"question_index_groups": self.question_index_groups}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Rebuild it."""
        return cls(**config)


def get_multiquestion_loss(
    question_index_groups: Sequence[tuple[int, int]],
) -> MultiquestionLoss:
    """The loss of a whole tree, for ``model.compile``.

    Parameters
    ----------
    question_index_groups : sequence of (int, int)
        `zoobot.schemas.Schema.question_index_groups`.

    Returns
    -------
    callable
        ``loss(votes, concentration)``, both (batch, n_answers), gives (batch,) float32:
        the sum over questions. Keras takes the mean over galaxies.
    """
    return MultiquestionLoss(question_index_groups)
