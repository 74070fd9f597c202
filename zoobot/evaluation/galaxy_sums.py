"""What each galaxy adds to the figures of the evaluation.

Every figure is a function of these sums over galaxies, so that resampling the sums is
resampling the galaxies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from zoobot.evaluation.matching import Block, Predictions, match
from zoobot.evaluation.metrics import Losses, losses
from zoobot.predictions.vote_fractions import mean_fractions
from zoobot.schemas import Schema

__all__ = ["Compared", "compare", "error_sums", "loss_sums", "question_sums"]


@dataclasses.dataclass(frozen=True)
class Compared:
    """Votes of some galaxies of a catalogue, and what each predictor gives for them."""

    schema: Schema
    votes: np.ndarray
    """(n_galaxies, n_answers) int64."""
    losses: dict[str, Losses]
    """By predictor."""
    fractions: dict[str, np.ndarray]
    """By predictor, (n_galaxies, n_answers) float64, posterior means."""


def compare(
    predictions: Mapping[str, Predictions], *, catalog: pd.DataFrame, schema: Schema
) -> Iterator[Compared]:
    """Match each predictor with the votes, some galaxies at a time.

    Parameters
    ----------
    predictions : mapping of str to GalaxyRows or StoredGalaxies
        Concentrations by name of the predictor, at least one.
    catalog : DataFrame
        ``id_str`` and the votes.
    schema : Schema
        The decision tree of all.

    Yields
    ------
    Compared
        The next galaxies of the catalogue.

    Raises
    ------
    ValueError
        As `zoobot.evaluation.matching.match` and `Matched.blocks` do; the message names
        the predictor.
    """
    each = [_blocks(name, rows, catalog, schema) for name, rows in predictions.items()]
    for blocks in zip(*each, strict=True):
        by_name = dict(zip(predictions, blocks, strict=True))
        yield Compared(
            schema,
            votes=blocks[0].votes,
            losses={
                name: losses(one.concentrations, votes=one.votes, schema=schema)
                for name, one in by_name.items()
            },
            fractions={
                name: mean_fractions(one.concentrations, schema=schema)
                for name, one in by_name.items()
            },
        )


def _blocks(
    name: str, rows: Predictions, catalog: pd.DataFrame, schema: Schema
) -> Iterator[Block]:
    try:
        yield from match(rows, catalog, schema=schema).blocks()
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def loss_sums(compared: Compared) -> np.ndarray:
    """Losses of all questions together.

    Returns
    -------
    (n_galaxies, n_predictors, 2) float64
        The mean over passes, and that of the mixture, in nats.
    """
    each = [
        np.stack([one.per_pass.sum(axis=1), one.joint_mixture], axis=1)
        for one in compared.losses.values()
    ]
    return np.stack(each, axis=1)


def question_sums(
    compared: Compared, *, question_index: int, selected: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Losses of one question, and which answer leads.

    Parameters
    ----------
    compared : Compared
    question_index : int
        Place of the question in the schema.
    selected : (n_galaxies, n_selections) bool
        Which galaxies count; others add 0.

    Returns
    -------
    losses : (n_galaxies, n_selections, n_predictors, 2) float64
        The mean over passes, and that of the mixture, in nats.
    confusion : (n_galaxies, n_selections, n_predictors, n_answers, n_answers) float64
        1 where the volunteers' leading answer (row) and the predicted (column) meet.
    """
    columns = compared.schema.questions[question_index].columns
    leading = compared.votes[:, columns].argmax(axis=1)
    one_hot = np.eye(columns.stop - columns.start)
    each = [
        np.stack([one.per_pass, one.mixture], axis=2)[:, question_index]
        for one in compared.losses.values()
    ]
    cells = [
        one_hot[leading][:, :, None]
        * one_hot[fractions[:, columns].argmax(axis=1)][:, None, :]
        for fractions in compared.fractions.values()
    ]
    return (
        np.stack(each, axis=1)[:, None] * selected[:, :, None, None],
        np.stack(cells, axis=1)[:, None] * selected[:, :, None, None, None],
    )


def error_sums(compared: Compared, *, votes_min: int) -> np.ndarray:
    """Errors of the vote fractions.

    Parameters
    ----------
    compared : Compared
    votes_min : int
        Galaxies with fewer votes for the question add 0.

    Returns
    -------
    (n_galaxies, n_predictors, n_answers, 3) float64
        1 if the galaxy counts, the absolute and the squared error.
    """
    votes = compared.votes
    sums = np.zeros((len(votes), len(compared.fractions), votes.shape[1], 3))
    for question in compared.schema.questions:
        counted = votes[:, question.columns]
        n_votes = counted.sum(axis=1, keepdims=True)
        counts = n_votes >= max(votes_min, 1)
        observed = counted / np.maximum(n_votes, 1)
        for i, fractions in enumerate(compared.fractions.values()):
            error = counts * (fractions[:, question.columns] - observed)
            sums[:, i, question.columns, 0] = counts
            sums[:, i, question.columns, 1] = np.abs(error)
            sums[:, i, question.columns, 2] = error**2
    return sums
