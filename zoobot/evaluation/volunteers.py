"""How many volunteers the model is worth, question by question.

References
----------
Walmsley et al. 2022, MNRAS 509, 3966, section 5 (about 10 volunteers).
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from scipy.special import gammaln

from zoobot.evaluation.bootstrap import Bootstrap, bound_columns, bounds
from zoobot.evaluation.matching import Predictions, match
from zoobot.evaluation.metrics import ratio
from zoobot.logs import track
from zoobot.predictions.vote_fractions import mean_fractions
from zoobot.schemas import Schema

__all__ = ["Volunteers", "equivalent_volunteers", "expected_errors"]

_JUDGES_MIN = 5  # volunteers of a galaxy that are always left to judge


@dataclasses.dataclass(frozen=True)
class Volunteers:
    """Tidy tables, one row a question, and one row a point of each curve."""

    numbers: pd.DataFrame
    """question, n (galaxies), mean_absolute_error (of the model, against all votes of
    these galaxies), volunteers and its interval, is_lower_bound (the model is better
    than the largest number tried), is_below_one (worse than one volunteer)."""
    errors: pd.DataFrame
    """question, n_volunteers, volunteers_error, model_error: mean absolute errors of
    the vote fractions against those of the volunteers who were not drawn."""


def equivalent_volunteers(
    predictions: Predictions,
    catalog: pd.DataFrame,
    schema: Schema,
    *,
    votes_min: int = 20,
    interval: float = 0.9,
    n_resamples: int = 1000,
    seed: int = 42,
) -> Volunteers:
    """Count the volunteers whose vote fractions are as good as the model's.

    Of a galaxy's N votes for a question, n are drawn without replacement. The fractions
    of these n volunteers and the posterior mean fractions of the model are both judged
    by the fractions of the other N - n volunteers, so that both see the same noise of
    the judge. The mean absolute errors over galaxies and answers cross where n
    volunteers know as much as the model. Between whole numbers, the difference of the
    squared errors is taken as linear in 1 / n: the variance of a fraction of n votes
    falls as 1 / n, and the judge's noise, common to both, drops out. For fewer than
    one volunteer the number is 0.

    Parameters
    ----------
    predictions : GalaxyRows or StoredGalaxies
        Concentrations, (n, n_answers, n_passes), of all galaxies of the catalogue.
    catalog : DataFrame
        ``id_str`` and the votes of held-out galaxies.
    schema : Schema
        The decision tree of both.
    votes_min : int
        Galaxies with this many votes for the question count. From 1 to this minus 5
        volunteers are tried, so that at least 5 judge.
    interval : float
        Probability inside the bootstrap intervals.
    n_resamples : int
        Resamples of the galaxies.
    seed : int
        Seed of the resamples.

    Returns
    -------
    Volunteers
        NaN for a question of which no galaxy has enough votes. The ends of an interval
        lie between 0 and the largest number tried, too.

    Raises
    ------
    ValueError
        As `zoobot.evaluation.matching.match` does, or if `votes_min` leaves no number
        to try.

    References
    ----------
    Walmsley et al. 2022, MNRAS 509, 3966, section 5.
    """
    if votes_min < _JUDGES_MIN + 2:
        raise ValueError(
            f"votes_min: found {votes_min}, expected at least {_JUDGES_MIN + 2}: 1 or "
            f"2 volunteers to compare, and {_JUDGES_MIN} who judge"
        )
    matched = match(predictions, catalog, schema=schema)
    n_volunteers = np.arange(1, votes_min - _JUDGES_MIN + 1)
    blocks = track(
        matched.blocks(),
        total=len(catalog),
        what="galaxies",
        size=lambda block: len(block.votes),
    )
    sums = (
        _galaxy_sums(
            mean_fractions(block.concentrations, schema=schema),
            block.votes,
            schema=schema,
            votes_min=votes_min,
            n_volunteers=n_volunteers,
        )
        for block in blocks
    )
    bootstrap = Bootstrap(interval, n_resamples, seed)
    totals = bootstrap.totals(sums, n_galaxies=len(catalog))
    numbers, curves = [], []
    for question, part in zip(schema.questions, totals, strict=True):
        row, curve = _summarise(part, n_volunteers=n_volunteers, interval=interval)
        numbers.append({"question": question.text, **row})
        curves.append(pd.DataFrame({"question": question.text, **curve}))
    return Volunteers(
        numbers=pd.DataFrame(numbers), errors=pd.concat(curves, ignore_index=True)
    )


def expected_errors(
    fractions: np.ndarray, *, votes: np.ndarray, n_drawn: int
) -> tuple[np.ndarray, np.ndarray]:
    """Expected absolute errors of n drawn volunteers and of a model, judged alike.

    Exact, by the hypergeometric distribution of j, the answer's votes among n drawn
    ones of N, k of which are for the answer::

        E |j / n - (k - j) / (N - n)|  and  E |f - (k - j) / (N - n)|

    Parameters
    ----------
    fractions : (n_galaxies, n_answers) float
        f of one question.
    votes : (n_galaxies, n_answers) int
        Counts k of the same question; each galaxy has more than `n_drawn`.
    n_drawn : int
        n, at least 1.

    Returns
    -------
    of_volunteers, of_model : (n_galaxies,) float64
        Means over answers.
    """
    totals = np.broadcast_to(votes.sum(axis=1, keepdims=True), votes.shape)
    pairs = np.stack([totals.ravel(), votes.ravel()], axis=1)
    # Galaxies share few pairs (N, k): what depends on these alone is computed once.
    distinct, place = np.unique(pairs, axis=0, return_inverse=True)
    place = place.ravel()
    n_votes, n_answer = distinct[:, :1], distinct[:, 1:]
    j = np.arange(n_drawn + 1)
    probability = _hypergeometric(j, n_votes, n_answer, n_drawn)
    judged = (n_answer - j) / (n_votes - n_drawn)  # (n_distinct, n_drawn + 1)
    of_pair = (probability * np.abs(j / n_drawn - judged)).sum(axis=1)
    f, of_model = fractions.ravel(), np.zeros(len(place))
    for one in j:
        gap = np.abs(f - judged[place, one])
        of_model += probability[place, one] * gap
    return (
        of_pair[place].reshape(votes.shape).mean(axis=1),
        of_model.reshape(votes.shape).mean(axis=1),
    )


def _hypergeometric(
    j: np.ndarray, n_votes: np.ndarray, n_answer: np.ndarray, n_drawn: int
) -> np.ndarray:
    """P(j), as of `scipy.stats.hypergeom`, which takes several times as long."""
    n_others = n_votes - n_answer
    is_possible = (j <= n_answer) & (n_drawn - j <= n_others)
    left, others_left = n_answer - j, n_others - (n_drawn - j)
    log_p = (
        (gammaln(n_answer + 1) - gammaln(j + 1))
        + (gammaln(n_others + 1) - gammaln(n_drawn - j + 1))
        - (gammaln(n_votes + 1) - gammaln(n_drawn + 1))
        + gammaln(n_votes - n_drawn + 1)
        - gammaln(np.maximum(left, 0) + 1)
        - gammaln(np.maximum(others_left, 0) + 1)
    )
    return np.where(is_possible, np.exp(log_p), 0.0)


def _galaxy_sums(
    fractions: np.ndarray,
    votes: np.ndarray,
    *,
    schema: Schema,
    votes_min: int,
    n_volunteers: np.ndarray,
) -> list[np.ndarray]:
    """Sums of each question, as `_question_sums` gives them."""
    return [
        _question_sums(
            fractions[:, question.columns],
            votes[:, question.columns],
            votes_min=votes_min,
            n_volunteers=n_volunteers,
        )
        for question in schema.questions
    ]


def _question_sums(
    fractions: np.ndarray,
    votes: np.ndarray,
    *,
    votes_min: int,
    n_volunteers: np.ndarray,
) -> np.ndarray:
    """What each galaxy adds: count, error against all votes, and both curves.

    (n_galaxies, 2 + 2 len(n_volunteers)), 0 where votes are too few.
    """
    n = len(n_volunteers)
    sums = np.zeros((len(votes), 2 + 2 * n))
    counts = votes.sum(axis=1) >= votes_min
    f, k = fractions[counts], votes[counts]
    observed = k / k.sum(axis=1, keepdims=True)
    sums[counts, 0] = 1
    sums[counts, 1] = np.abs(f - observed).mean(axis=1)
    for i, n_drawn in enumerate(n_volunteers):
        of_volunteers, of_model = expected_errors(f, votes=k, n_drawn=int(n_drawn))
        sums[counts, 2 + i] = of_volunteers
        sums[counts, 2 + n + i] = of_model
    return sums


def _summarise(
    totals: np.ndarray, *, n_volunteers: np.ndarray, interval: float
) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Number and curves of one question from the sums, the galaxies' own first."""
    means = ratio(totals[:, 1:], totals[:, :1])
    of_volunteers, of_model = np.split(means[:, 1:], 2, axis=1)
    number = _crossing(of_volunteers, of_model, n_volunteers)
    lower, upper = bounds(number[1:], interval=interval)
    lower_name, upper_name = bound_columns("volunteers", interval=interval)
    row = {
        "n": int(totals[0, 0]),
        "mean_absolute_error": means[0, 0],
        "volunteers": number[0],
        lower_name: float(lower),
        upper_name: float(upper),
        "is_lower_bound": bool(number[0] == n_volunteers[-1]),
        "is_below_one": bool(number[0] == 0),
    }
    curve = {
        "n_volunteers": n_volunteers,
        "volunteers_error": of_volunteers[0],
        "model_error": of_model[0],
    }
    return row, curve


def _crossing(
    of_volunteers: np.ndarray, of_model: np.ndarray, n_volunteers: np.ndarray
) -> np.ndarray:
    """Where the volunteers become as good as the model, (n_rows,).

    Both errors are (n_rows, len(n_volunteers)). 0 where one volunteer is better than
    the model, the largest number where none is as good, NaN where errors are NaN.
    """
    ahead = of_volunteers**2 - of_model**2  # of the model; positive: it is better
    reached = ahead <= 0
    first = np.where(reached.any(axis=1), reached.argmax(axis=1), -1)
    after = np.clip(first, 1, None)  # the first number that is as good, from the second
    rows = np.arange(len(ahead))
    left, right = ahead[rows, after - 1], ahead[rows, after]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = left / (left - right)
        inverse = 1 / n_volunteers
        inside = 1 / ((1 - share) * inverse[after - 1] + share * inverse[after])
    at_first = np.where(ahead[:, 0] == 0, float(n_volunteers[0]), 0.0)
    number = np.where(first == 0, at_first, inside)
    number = np.where(first < 0, float(n_volunteers[-1]), number)
    return np.where(np.isnan(ahead).any(axis=1), np.nan, number)
