"""The model against the votes of galaxies it has never seen."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from zoobot.evaluation.baselines import constant_prediction
from zoobot.evaluation.figures import plot_metrics
from zoobot.evaluation.metrics import compare_with_votes
from zoobot.files import written_whole
from zoobot.logs import track
from zoobot.predictions.stored_predictions import read_each, schema_of
from zoobot.schemas import Schema
from zoobot.settings import Evaluate

__all__ = ["evaluate", "metrics_table"]

log = logging.getLogger(__name__)


def evaluate(
    predictions: Sequence[str | Path],
    *,
    test: str | Path,
    train: str | Path,
    metrics: str | Path,
    figure: str | Path,
    settings: Evaluate,
) -> None:
    """Write metrics and a figure of the predictions of held-out galaxies.

    Parameters
    ----------
    predictions : sequence of path
        HDF5 files of concentrations that together hold every test galaxy.
    test, train : path
        Parquet tables with id_str and the votes; the constant prediction that the model
        is compared with is fitted to the second.
    metrics : path
        csv table to write, see `metrics_table`.
    figure : path
        png image to write.
    settings : Evaluate
        Which galaxies count for a question.

    Raises
    ------
    ValueError
        If a test galaxy has no prediction or two, or a table lacks a column.
    """
    schema, test_votes, concentrations = _read_test(predictions, test)
    train_votes = _read_votes(train, schema).to_numpy()
    table = metrics_table(
        concentrations,
        test_votes=test_votes,
        train_votes=train_votes,
        schema=schema,
        asked_fraction_min=settings.asked_fraction_min,
    )
    with written_whole(metrics) as path:
        table.to_csv(path, float_format="%.6g")
    plot_metrics(table, path=figure)
    whole = table.loc["all"]
    log.info(
        "%d test galaxies: loss %.4f, of the mixture of passes %.4f, of the constant "
        "prediction %.4f; wrote %s and %s",
        *(len(test_votes), whole["loss"], whole["mixture_loss"]),
        *(whole["constant_loss"], metrics, figure),
    )


def metrics_table(
    concentrations: np.ndarray,
    *,
    test_votes: np.ndarray,
    train_votes: np.ndarray,
    schema: Schema,
    asked_fraction_min: float,
) -> pd.DataFrame:
    """Metrics of the model beside those of the constant prediction.

    Parameters
    ----------
    concentrations : (n_test, n_answers, n_passes) float
        Predicted, in votes.
    test_votes : (n_test, n_answers) int
        Counts of the same galaxies.
    train_votes : (n_train, n_answers) int
        Counts that the constant prediction is fitted to.
    schema : Schema
        The decision tree.
    asked_fraction_min : float
        As in `zoobot.evaluation.metrics.answered_enough`.

    Returns
    -------
    DataFrame
        What `zoobot.evaluation.metrics.compare_with_votes` gives, one row a question
        and ``all``, and ``constant_loss``, ``constant_accuracy`` and
        ``constant_mean_absolute_error``.
    """
    options: dict[str, Any] = {
        "votes": test_votes,
        "schema": schema,
        "asked_fraction_min": asked_fraction_min,
    }
    model = compare_with_votes(concentrations, **options)
    constant = compare_with_votes(
        constant_prediction(train_votes, n_galaxies=len(test_votes), schema=schema),
        **options,
    )
    for name in ("loss", "accuracy", "mean_absolute_error"):
        model[f"constant_{name}"] = constant[name]
    counts, losses = ["n_galaxies", "n_with_votes"], ["loss", "mixture_loss"]
    agreement = ["accuracy", "mean_absolute_error"]
    return model[
        [*counts, *losses, "constant_loss", "n"]
        + [name for each in agreement for name in (each, f"constant_{each}")]
    ]


def _read_test(
    predictions: Sequence[str | Path], test: str | Path
) -> tuple[Schema, np.ndarray, np.ndarray]:
    """Read the schema, the test galaxies' votes, and their concentrations."""
    votes: pd.DataFrame | None = None
    schema: Schema | None = None
    concentrations = np.empty(0)
    times_found = np.empty(0)
    for rows in track(read_each(predictions), total=len(predictions), what="files"):
        if votes is None or schema is None:
            schema = schema_of(rows)
            votes = _read_votes(test, schema)
            times_found = np.zeros(len(votes), dtype=int)
            concentrations = np.empty((len(votes), *rows.values.shape[1:]), np.float32)
        place = votes.index.get_indexer(rows.id_str)
        is_test = place >= 0
        concentrations[place[is_test]] = rows.values[is_test]
        np.add.at(times_found, place[is_test], 1)
    if votes is None or schema is None:
        raise ValueError("predictions: found no file, expected one or more")
    for is_wrong, what in ((times_found == 0, "no"), (times_found > 1, "two")):
        if is_wrong.any():
            raise ValueError(
                f"{test}: {is_wrong.sum()} of {len(votes)} galaxies have {what} "
                f"predictions in the {len(predictions)} files, expected one each; the "
                f"first is {votes.index[int(np.argmax(is_wrong))]}"
            )
    return schema, votes.to_numpy(), concentrations


def _read_votes(path: str | Path, schema: Schema) -> pd.DataFrame:
    """Votes of a catalogue, (n_galaxies, n_answers) int64, indexed by id_str."""
    columns = ["id_str", *schema.label_cols]
    missing = set(columns) - set(pq.read_schema(path).names)
    if missing:
        raise ValueError(
            f"{path}: {len(missing)} columns of schema {schema.name} not found, the "
            f"first is {min(missing)}"
        )
    votes = pd.read_parquet(path, columns=columns).set_index("id_str")
    if votes.empty:
        raise ValueError(f"{path}: found no galaxy, expected one or more")
    if not votes.index.is_unique:
        repeated = votes.index[votes.index.duplicated()][0]
        raise ValueError(f"{path}: id_str {repeated} repeats, expected unique ids")
    log.info("read votes of %d galaxies from %s", len(votes), path)
    return votes
