"""What a model must beat: one prediction for all galaxies, and a few simple numbers."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from zoobot.data_utils import hdf5
from zoobot.dirichlet_multinomial import fit_constant_concentrations
from zoobot.evaluation import linear_model
from zoobot.evaluation.baseline_tables import (
    read_ids,
    read_statistics,
    read_votes,
    statistics_names,
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
_GALAXIES_IN_BLOCK = 2048


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
    linear = _fit_linear(train_statistics, train_votes, schema=schema, ridge=ridge)
    _check_statistics("test", test_statistics, expected=train_statistics.shape[1:])
    return linear.concentrations(test_statistics)[:, :, None]


@dataclasses.dataclass(frozen=True)
class _Standards:
    """What statistics are measured by: those of the training galaxies."""

    varies: np.ndarray
    """(n_statistics,) bool, whether a statistic differs between galaxies."""
    mean: np.ndarray
    """(n_varying,) float64."""
    spread: np.ndarray
    """(n_varying,) float64, standard deviation."""

    @classmethod
    def of(cls, statistics: np.ndarray) -> _Standards:
        varies = np.ptp(statistics, axis=0) > 0
        mean = statistics.mean(axis=0, dtype=np.float64)
        squares = sum(
            ((statistics[block] - mean) ** 2).sum(axis=0)
            for block in _blocks(len(statistics))
        )
        spread = np.sqrt(squares / len(statistics))
        return cls(varies, mean=mean[varies], spread=spread[varies])

    def features(self, statistics: np.ndarray) -> np.ndarray:
        """(n_galaxies, n_varying) float32, in standard deviations."""
        features = np.empty((len(statistics), len(self.mean)), np.float32)
        for block in _blocks(len(statistics)):
            z = (statistics[block][:, self.varies] - self.mean) / self.spread
            features[block] = np.clip(z, -_LARGEST_FEATURE, _LARGEST_FEATURE)
        return features


@dataclasses.dataclass(frozen=True)
class _Linear:
    """A linear model that was fitted."""

    standards: _Standards
    coefficients: np.ndarray

    def concentrations(self, statistics: np.ndarray) -> np.ndarray:
        """(n_galaxies, n_answers) float64."""
        features = self.standards.features(statistics)
        return linear_model.concentrations(self.coefficients, features=features)


def _fit_linear(
    statistics: np.ndarray, votes: np.ndarray, *, schema: Schema, ridge: float
) -> _Linear:
    _check_statistics("train", statistics, expected=statistics.shape[1:])
    if len(statistics) != len(votes):
        raise ValueError(
            f"train_statistics: found {len(statistics)} galaxies, expected as many as "
            f"have votes, {len(votes)}"
        )
    standards = _Standards.of(statistics)
    features = standards.features(statistics)
    fitted = linear_model.fit(features, votes, schema=schema, ridge=ridge)
    return _Linear(standards, fitted)


def predict_baselines(
    statistics: Sequence[str | Path],
    *,
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
    statistics : sequence of path
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
    if not statistics:
        raise ValueError("statistics: found no file, expected one or more")
    names = statistics_names(statistics[0])
    votes = read_votes(train, schema=schema)
    test_ids = read_ids(test)
    features = read_statistics(
        statistics, names=names, ids=read_ids(train), galaxies=train
    )
    wanted = read_statistics(statistics, names=names, ids=test_ids, galaxies=test)
    log.info(
        "fitting %d statistics of %d galaxies, to predict %d",
        *(len(names), len(votes), len(test_ids)),
    )
    fitted = _fit_linear(features, votes, schema=schema, ridge=settings.ridge)
    of_all = constant_prediction(votes, n_galaxies=len(test_ids), schema=schema)
    blocks = list(_blocks(len(test_ids)))
    predicted = {
        "constant": (of_all[block] for block in blocks),
        "linear": (fitted.concentrations(wanted[b])[:, :, None] for b in blocks),
    }
    for (name, values), path in zip(predicted.items(), (constant, linear), strict=True):
        _write(path, name=name, values=values, id_str=list(test_ids), schema=schema)


def _blocks(n_galaxies: int) -> Iterator[slice]:
    for start in range(0, n_galaxies, _GALAXIES_IN_BLOCK):
        yield slice(start, start + _GALAXIES_IN_BLOCK)


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
    values: Iterable[np.ndarray],
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
        for block, concentrations in zip(_blocks(len(id_str)), values, strict=True):
            dataset[block] = concentrations
    log.info("wrote the %s predictions of %d galaxies to %s", name, len(id_str), path)
