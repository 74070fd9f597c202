"""Losses of predicted concentrations, and scores of the answers that lead."""

from __future__ import annotations

import dataclasses

import numpy as np

from zoobot.dirichlet_multinomial import sum_by_question
from zoobot.predictions.predicted_votes import (
    log_mean_exp,
    log_probability_of_passes,
)
from zoobot.schemas import Schema

__all__ = [
    "Losses",
    "Scores",
    "answer_scores",
    "answered_enough",
    "confident",
    "losses",
    "question_scores",
    "ratio",
]


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
    for block, log_p in log_probability_of_passes(
        votes, concentrations=concentrations, schema=schema
    ):
        per_pass[block] = -log_p.mean(axis=1)
        mixture[block] = -log_mean_exp(log_p)
        joint[block] = -log_mean_exp(log_p.sum(axis=2))
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
    totals = sum_by_question(votes, schema=schema)
    of_everyone = [not question.asked_after for question in schema.questions]
    volunteers = totals[:, of_everyone].max(axis=1, keepdims=True)
    return (totals > 0) & (totals >= asked_fraction_min * volunteers)


def confident(
    votes: np.ndarray, *, schema: Schema, confident_fraction_min: float
) -> np.ndarray:
    """Of which galaxies the volunteers are sure, question by question.

    Parameters
    ----------
    votes : (n_galaxies, n_answers) int
        Counts.
    schema : Schema
        Says which answers belong to one question.
    confident_fraction_min : float
        One answer has more than this share of the question's votes.

    Returns
    -------
    (n_galaxies, n_questions) bool
        Never True for a question without a vote.

    References
    ----------
    Walmsley et al. 2022, MNRAS 509, 3966, Table 1 (0.8).
    """
    most = np.stack([votes[:, q.columns].max(axis=1) for q in schema.questions], axis=1)
    return most > confident_fraction_min * sum_by_question(votes, schema=schema)


@dataclasses.dataclass(frozen=True)
class Scores:
    """How well leading answers agree; (...) or, for each answer, (..., n_answers)."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


def answer_scores(confusion: np.ndarray) -> Scores:
    """Precision, recall and F1 of each answer of a question.

    Parameters
    ----------
    confusion : (..., n_answers, n_answers) float
        Galaxies by the volunteers' leading answer (rows) and the predicted (columns).

    Returns
    -------
    Scores
        (..., n_answers) float64. NaN where not defined: recall and F1 of an answer that
        leads for no galaxy, and the precision of one that is never predicted either.
        The precision of an answer that leads for some galaxy but is never predicted
        is 0, not undefined: it misses them all.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    support, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(predicted > 0, hits / predicted, 0.0)
        recall = hits / support
        f1 = 2 * hits / (support + predicted)
    return Scores(
        precision=np.where(support + predicted > 0, precision, np.nan),
        recall=np.where(support > 0, recall, np.nan),
        f1=np.where(support > 0, f1, np.nan),
    )


def question_scores(confusion: np.ndarray) -> Scores:
    """Precision, recall and F1 of a question: means over answers weighted by support.

    Parameters
    ----------
    confusion : (..., n_answers, n_answers) float
        As in `answer_scores`.

    Returns
    -------
    Scores
        (...) float64, NaN where there is no galaxy. Recall equals the accuracy.

    References
    ----------
    Walmsley et al. 2022, MNRAS 509, 3966, Table 1.
    """
    support = confusion.sum(axis=-1)
    each = answer_scores(confusion)

    def weighted(scores: np.ndarray) -> np.ndarray:
        known = np.where(support > 0, scores, 0.0)
        return ratio((known * support).sum(axis=-1), support.sum(axis=-1))

    return Scores(weighted(each.precision), weighted(each.recall), weighted(each.f1))


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """A mean out of its sums; NaN, never 0, where there is nothing to average.

    Parameters
    ----------
    numerator, denominator : (...) float
        Broadcast against each other.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)
