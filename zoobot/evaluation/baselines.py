"""What a model must beat: one prediction for all galaxies, and a few simple numbers."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoobot.data_utils import hdf5
from zoobot.dirichlet_multinomial import fit_constant_concentrations
from zoobot.evaluation import linear_model
from zoobot.evaluation.baseline_tables import (
    read_ids,
    read_statistics,
    read_votes,
    rows_of,
)
from zoobot.predictions.stored_predictions import DATASET
from zoobot.schemas import Schema, get_schema
from zoobot.settings.evaluation import PredictBaselines
from zoobot.versions import library_versions

__all__ = ["constant_prediction", "linear_prediction", "predict_baselines"]

log = logging.getLogger(__name__)

# Standard deviations; an image unlike all others must not rule a weight, nor be given
# concentrations that no other galaxy has.
_LARGEST_FEATURE = 5.0


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


def linear_prediction(
    train_statistics: np.ndarray,
    train_votes: np.ndarray,
    *,
    test_statistics: np.ndarray,
    schema: Schema,
    ridge: float,
) -> np.ndarray:
    """Predict concentrations whose logarithms are linear in some statistics.

    Parameters
    ----------
    train_statistics : (n_train, n_statistics) float
        Statistics of the training galaxies, such as those of their images. They are
        standardised by the mean and standard deviation of these galaxies, and cut at 5
        standard deviations; one that is the same for all is left out.
    train_votes : (n_train, n_answers) int
        Counts of the same galaxies.
    test_statistics : (n_test, n_statistics) float
        Statistics of the galaxies to predict.
    schema : Schema
        Says which answers belong to one question.
    ridge : float
        Penalty on the weights, in nats for a squared weight of 1.

    Returns
    -------
    (n_test, n_answers, 1) float64
        Concentrations in votes, as of a model with one pass.

    Raises
    ------
    ValueError
        If shapes do not fit, or a statistic is not finite.
    """
    for name, found in (("train", train_statistics), ("test", test_statistics)):
        _check_statistics(name, found, expected=train_statistics.shape[1:])
    if len(train_statistics) != len(train_votes):
        raise ValueError(
            f"train_statistics: found {len(train_statistics)} galaxies, expected as "
            f"many as have votes, {len(train_votes)}"
        )
    train = train_statistics.astype(np.float64)
    varies = np.ptp(train, axis=0) > 0
    mean, spread = train.mean(axis=0)[varies], train.std(axis=0)[varies]

    def standardised(statistics: np.ndarray) -> np.ndarray:
        z = (statistics[:, varies].astype(np.float64) - mean) / spread
        return np.clip(z, -_LARGEST_FEATURE, _LARGEST_FEATURE)

    fitted = linear_model.fit(
        standardised(train), train_votes, schema=schema, ridge=ridge
    )
    features = standardised(test_statistics)
    return linear_model.concentrations(fitted, features=features)[:, :, None]


def predict_baselines(
    train_statistics: Sequence[str | Path],
    *,
    test_statistics: Sequence[str | Path],
    train: str | Path,
    test: str | Path,
    schema: str | Schema,
    constant: str | Path,
    linear: str | Path,
    settings: PredictBaselines,
) -> None:
    """Write the predictions of both baselines for the test galaxies.

    They are files of predictions like a network's, of one pass, in the order of the
    test galaxies; everything that reads predictions reads them.

    Parameters
    ----------
    train_statistics, test_statistics : sequence of path
        Parquet tables with id_str and a column of numbers for each statistic, which
        together hold every galaxy of `train` and of `test`; others are not used.
    train : str or Path
        Parquet table with id_str and the votes that the baselines are fitted to.
    test : str or Path
        Parquet table with id_str, the galaxies to predict.
    schema : str or Schema
        Decision tree, or its name, or its YAML file.
    constant, linear : str or Path
        HDF5 files to write.
    settings : PredictBaselines
        Strength of the penalty.

    Raises
    ------
    ValueError
        If a table lacks a column, or a galaxy its statistics, an id repeats, a
        statistic is not finite, or a vote is no count.
    """
    schema = schema if isinstance(schema, Schema) else get_schema(schema)
    train_ids, votes = read_votes(train, schema=schema)
    test_ids = read_ids(test)
    of_train = read_statistics(train_statistics)
    of_test = read_statistics(test_statistics, names=list(of_train.columns))
    features = rows_of(of_train, train_ids, path=train)
    wanted = rows_of(of_test, test_ids, path=test)
    log.info(
        "fitting %d statistics of %d galaxies, to predict %d",
        *(features.shape[1], len(train_ids), len(test_ids)),
    )
    predicted = {
        "constant": constant_prediction(votes, n_galaxies=len(test_ids), schema=schema),
        "linear": linear_prediction(
            features,
            votes,
            test_statistics=wanted,
            schema=schema,
            ridge=settings.ridge,
        ),
    }
    for (name, values), path in zip(predicted.items(), (constant, linear), strict=True):
        _write(path, name=name, values=values, id_str=test_ids, schema=schema)


def _check_statistics(
    name: str, found: np.ndarray, *, expected: tuple[int, ...]
) -> None:
    if found.ndim != 2 or found.shape[1:] != expected:
        raise ValueError(
            f"{name}_statistics: found shape {found.shape}, expected (n_galaxies, "
            "n_statistics), the same statistics for training and test"
        )
    if not np.isfinite(found).all():
        row, column = np.argwhere(~np.isfinite(found))[0]
        raise ValueError(
            f"{name}_statistics, row {row}, column {column}: found "
            f"{found[row, column]}, expected a finite number"
        )


def _write(
    path: str | Path,
    *,
    name: str,
    values: np.ndarray,
    id_str: list[str],
    schema: Schema,
) -> None:
    attributes = {
        "schema": schema.to_json(),
        "n_samples": 1,
        "seed": 0,  # Nothing is drawn.
        "model_digest": name,
        "versions": json.dumps(library_versions("numpy", "scipy", "h5py")),
    }
    with hdf5.create(
        path,
        dataset=DATASET,
        id_str=id_str,
        label_cols=schema.label_cols,
        n_passes=1,
        attributes=attributes,
    ) as dataset:
        dataset[...] = values
    log.info("wrote the %s predictions of %d galaxies to %s", name, len(id_str), path)
