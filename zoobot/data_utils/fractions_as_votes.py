"""Votes that would have given published vote fractions."""

from __future__ import annotations

import numpy as np

from zoobot.schemas import Schema

__all__ = ["votes_of_fractions"]


def votes_of_fractions(
    fractions: np.ndarray, *, schema: Schema, volunteers: int
) -> np.ndarray:
    """Turn fractions into the votes of a number of volunteers.

    Parameters
    ----------
    fractions : (n_galaxies, n_answers) float
        Of each answer its share, of all volunteers or of those who were asked: only how
        the answers of one question compare counts.
    schema : Schema
        The decision tree.
    volunteers : int
        How many volunteers are asked the first question.

    Returns
    -------
    (n_galaxies, n_answers) int64
        As many votes at each question as its parent answers have together; whole
        numbers nearest to the shares by the method of largest remainders: each is the
        exact number rounded down or up, and of two that are rounded differently the
        one with the larger remainder is rounded up (of equals the first). 0 where all
        answers of a question have the share 0.
    """
    votes = np.zeros(fractions.shape, dtype=np.int64)
    for question in schema.questions:
        asked = np.full(len(fractions), volunteers)
        if question.asked_after:
            parents = [answer.index for answer in question.asked_after]
            asked = votes[:, parents].sum(axis=1)
        votes[:, question.columns] = _apportioned(fractions[:, question.columns], asked)
    return votes


def _apportioned(shares: np.ndarray, totals: np.ndarray) -> np.ndarray:
    sums = shares.sum(axis=1)
    parts = shares / np.where(sums > 0, sums, 1)[:, None]
    # What is whole but for the rounding of floats is whole.
    exact = np.round(parts * totals[:, None], 9)
    whole = np.floor(exact)
    left = np.where(sums > 0, totals, 0) - whole.sum(axis=1)
    order = np.argsort(-(exact - whole), axis=1, kind="stable")
    rank = np.argsort(order, axis=1)
    return (whole + (rank < left[:, None])).astype(np.int64)
