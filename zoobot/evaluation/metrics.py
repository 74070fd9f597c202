"""Comparison of predicted concentrations with the votes of the same galaxies."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from zoobot.dirichlet_multinomial import log_likelihood
from zoobot.predictions.vote_fractions import mean_fractions
from zoobot.schemas import Schema

__all__ = ["Losses", "answered_enough", "compare_with_votes", "losses"]

_GALAXIES_IN_BLOCK = 1000  # (block, n_answers, n_passes) float64 arrays stay small


@dataclasses.dataclass(frozen=True)
class Losses:
    """Negative log-likelihood of the votes of each galaxy, in nats."""

    per_pass: np.ndarray
    """(n_galaxies, n_questions), the mean over passes of each pass's loss."""
    mixture: np.ndarray
    """(n_galaxies, n_questions), of the mixture of passes, one question alone."""
    joint_mixture: np.ndarray
    """(n_galaxies,), of the mixture of passes, all questions together."""


def losses(concentrations: np.ndarray, *, votes: np.ndarray, schema: Schema) -> Losses:
    """Losses of each galaxy: what training minimises, and of the posterior predictive.

    A pass is one network, and given the network a galaxy's questions are independent.
    So the posterior predictive probability of all of a galaxy's votes is the mean over
    passes of the product over questions (`joint_mixture`); that of one question's votes
    is the mean over passes of that question's factor (`mixture`). The second does not
    add up to the first, unlike the loss of each pass. By Jensen's inequality a mixture
    is never worse than its passes are on average.

    Parameters
    ----------
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a, in votes.
    votes : (n_galaxies, n_answers) int
        Counts; a question without a vote has a loss of exactly 0.
    schema : Schema
        Says which answers belong to one question.

    Returns
    -------
    Losses
        In nats.
    """
    n_galaxies, n_questions = len(votes), len(schema.questions)
    per_pass, mixture = np.empty((2, n_galaxies, n_questions))
    joint = np.empty(n_galaxies)
    for start in range(0, n_galaxies, _GALAXIES_IN_BLOCK):
        block = slice(start, start + _GALAXIES_IN_BLOCK)
        log_p = log_likelihood(
            votes[block, None, :],
            concentrations=np.moveaxis(concentrations[block], 1, 2),
            schema=schema,
        )  # (block, n_passes, n_questions)
        per_pass[block] = -log_p.mean(axis=1)
        mixture[block] = -_log_mean_exp(log_p)
        joint[block] = -_log_mean_exp(log_p.sum(axis=2))
    return Losses(per_pass=per_pass, mixture=mixture, joint_mixture=joint)


def answered_enough(
    votes: np.ndarray, *, schema: Schema, asked_fraction_min: float
) -> np.ndarray:
    """Which galaxies count for the accuracy of which question.

    Parameters
    ----------
    votes : (n_galaxies, n_answers) int
        Counts.
    schema : Schema
        Says which questions are asked of everyone.
    asked_fraction_min : float
        Least share of a galaxy's volunteers who answered the question. The number of
        volunteers is the total of a question asked of everyone, the largest if the
        schema has several.

    Returns
    -------
    (n_galaxies, n_questions) bool
        Never True for a question without a vote.
    """
    totals = _totals(votes, schema)
    of_everyone = [not question.asked_after for question in schema.questions]
    volunteers = totals[:, of_everyone].max(axis=1, keepdims=True)
    return (totals > 0) & (totals >= asked_fraction_min * volunteers)


def compare_with_votes(
    concentrations: np.ndarray,
    *,
    votes: np.ndarray,
    schema: Schema,
    asked_fraction_min: float,
) -> pd.DataFrame:
    """Losses, accuracy and error of the vote fractions, by question and for all.

    Parameters
    ----------
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a, in votes.
    votes : (n_galaxies, n_answers) int
        Counts.
    schema : Schema
        The decision tree.
    asked_fraction_min : float
        As in `answered_enough`.

    Returns
    -------
    DataFrame
        Indexed by ``question``, the last row is ``all``. Losses are means over all
        galaxies, in nats; `accuracy` (the most probable answer is the one with most
        votes, the first of equals) and `mean_absolute_error` (of the vote fractions)
        over the `n` galaxies that `answered_enough`, in the row ``all`` over the `n`
        pairs of galaxy and question. NaN where there is nothing to average, as for the
        losses of a question that no galaxy has a vote for.

        - n_galaxies, n_with_votes : galaxies, and those with a vote for the question
        - loss, mixture_loss : see `losses`; ``all`` holds the joint mixture
        - n, accuracy, mean_absolute_error
    """
    found = losses(concentrations, votes=votes, schema=schema)
    has_votes = _totals(votes, schema) > 0
    counts = answered_enough(
        votes, schema=schema, asked_fraction_min=asked_fraction_min
    )
    is_right, error = _agreement(
        mean_fractions(concentrations, schema=schema), votes, schema
    )
    n_with_votes = np.append(has_votes.sum(axis=0), has_votes.any(axis=1).sum())
    loss = _means(found.per_pass, found.per_pass.sum(axis=1))
    mixture_loss = _means(found.mixture, found.joint_mixture)
    return pd.DataFrame(
        {
            "n_galaxies": len(votes),
            "n_with_votes": n_with_votes,
            "loss": np.where(n_with_votes > 0, loss, np.nan),
            "mixture_loss": np.where(n_with_votes > 0, mixture_loss, np.nan),
            "n": np.append(counts.sum(axis=0), counts.sum()),
            "accuracy": _means_where(is_right, counts),
            "mean_absolute_error": _means_where(error, counts),
        },
        index=pd.Index([q.text for q in schema.questions] + ["all"], name="question"),
    )


def _log_mean_exp(log_p: np.ndarray) -> np.ndarray:
    """Log of the mean over axis 1; exactly 0 where all passes are, without votes."""
    largest = log_p.max(axis=1)
    shifted = np.exp(log_p - np.expand_dims(largest, axis=1))
    return largest + np.log(shifted.mean(axis=1))


def _agreement(
    fractions: np.ndarray, votes: np.ndarray, schema: Schema
) -> tuple[np.ndarray, np.ndarray]:
    """Compare leading answers and fractions, (n_galaxies, n_questions) each."""
    is_right, error = np.empty((2, len(votes), len(schema.questions)))
    for i, question in enumerate(schema.questions):
        predicted, counted = fractions[:, question.columns], votes[:, question.columns]
        observed = counted / np.maximum(counted.sum(axis=1, keepdims=True), 1)
        is_right[:, i] = predicted.argmax(axis=1) == counted.argmax(axis=1)
        error[:, i] = np.abs(predicted - observed).mean(axis=1)
    return is_right, error


def _means(by_question: np.ndarray, overall: np.ndarray) -> np.ndarray:
    return np.append(by_question.mean(axis=0), overall.mean())


def _means_where(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    columns = [values[where[:, i], i] for i in range(values.shape[1])]
    return np.array([v.mean() if v.size else np.nan for v in [*columns, values[where]]])


def _totals(votes: np.ndarray, schema: Schema) -> np.ndarray:
    return np.stack([votes[:, q.columns].sum(axis=1) for q in schema.questions], axis=1)
