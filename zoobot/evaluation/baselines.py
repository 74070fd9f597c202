"""What a model must beat: the same prediction for every galaxy."""

from __future__ import annotations

import numpy as np

from zoobot.dirichlet_multinomial import fit_constant_concentrations
from zoobot.schemas import Schema

__all__ = ["constant_prediction"]


def constant_prediction(
    train_votes: np.ndarray, *, n_galaxies: int, schema: Schema
) -> np.ndarray:
    """Give every galaxy the concentrations that fit the training votes best.

    Parameters
    ----------
    train_votes : (n_train, n_answers) int
        Counts of the training galaxies.
    n_galaxies : int
        Galaxies to predict.
    schema : Schema
        Says which answers belong to one question.

    Returns
    -------
    (n_galaxies, n_answers, 1) float64
        Concentrations in votes, as of a model with one pass; one row, repeated as a
        read-only view.
    """
    fitted = fit_constant_concentrations(train_votes, schema=schema)
    return np.broadcast_to(fitted[None, :, None], (n_galaxies, len(fitted), 1))
