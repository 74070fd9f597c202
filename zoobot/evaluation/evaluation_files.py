"""Evaluation and calibration of stored predictions: files in, tables out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from zoobot.evaluation.agreement import evaluate
from zoobot.evaluation.baseline_tables import read_ids, read_votes
from zoobot.evaluation.calibration import calibrate
from zoobot.evaluation.volunteers import equivalent_volunteers
from zoobot.files import written_whole
from zoobot.predictions.stored_predictions import (
    StoredGalaxies,
    find_galaxies,
    schema_of,
)
from zoobot.schemas import Schema
from zoobot.settings.evaluation import Calibrate, Evaluate

__all__ = ["calibrate_files", "evaluate_files", "read_held_out"]

log = logging.getLogger(__name__)


def evaluate_files(
    predictions: Sequence[str | Path],
    *,
    test: str | Path,
    baselines: Sequence[str | Path],
    metrics: str | Path,
    answers: str | Path,
    confusion: str | Path,
    volunteers: str | Path,
    volunteer_errors: str | Path,
    settings: Evaluate,
) -> None:
    """Write the tables of the evaluation.

    Parameters
    ----------
    predictions : sequence of path
        HDF5 files of concentrations that together hold every test galaxy.
    test : path
        Parquet table with id_str and the votes of held-out galaxies.
    baselines : sequence of path
        HDF5 files of concentrations of the same galaxies, one a baseline; its name is
        the file's, without the suffix.
    metrics, answers, confusion : path
        csv tables to write, see `zoobot.evaluation.agreement.Evaluation`.
    volunteers, volunteer_errors : path
        csv tables to write, see `zoobot.evaluation.volunteers.Volunteers`; a column
        ``predictor`` in front.
    settings : Evaluate
        Which galaxies count for what, and the bootstrap.

    Raises
    ------
    ValueError
        If a test galaxy has no prediction or two, two baselines have one name, or a
        file does not hold what it should.
    """
    model, catalog, schema = read_held_out(predictions, test=test)
    by_name: dict[str, StoredGalaxies] = {}
    for path in baselines:
        name = Path(path).stem
        if name in by_name:
            raise ValueError(f"{path}: baseline {name} repeats, expected other names")
        by_name[name] = find_galaxies([path], ids=catalog["id_str"])
    options = settings.model_dump()
    found = evaluate(model, catalog, schema, baselines=by_name, **options)
    for name in ("asked_fraction_min", "confident_fraction_min"):
        del options[name]
    worth = [
        equivalent_volunteers(rows, catalog, schema, **options)
        for rows in (model, *by_name.values())
    ]
    names = ["model", *by_name]
    _write(
        {
            metrics: found.metrics,
            answers: found.answers,
            confusion: found.confusion,
            volunteers: _by_predictor([each.numbers for each in worth], names),
            volunteer_errors: _by_predictor([each.errors for each in worth], names),
        }
    )
    for row in found.metrics[found.metrics["question"] == "all"].itertuples():
        log.info("%s: loss %.4f nats a galaxy", row.predictor, row.loss)


def calibrate_files(
    predictions: Sequence[str | Path],
    *,
    test: str | Path,
    coverage: str | Path,
    pit: str | Path,
    reliability: str | Path,
    calibration_error: str | Path,
    settings: Calibrate,
) -> None:
    """Write the tables of the calibration.

    Parameters
    ----------
    predictions : sequence of path
        HDF5 files of concentrations that together hold every test galaxy.
    test : path
        Parquet table with id_str and the votes of held-out galaxies.
    coverage, pit, reliability, calibration_error : path
        csv tables to write, see `zoobot.evaluation.calibration.Calibration`.
    settings : Calibrate
        Bins, draws, and the bootstrap.

    Raises
    ------
    ValueError
        If a test galaxy has no prediction or two, or a file does not hold what it
        should.
    """
    model, catalog, schema = read_held_out(predictions, test=test)
    found = calibrate(model, catalog, schema, **settings.model_dump())
    _write(
        {
            coverage: found.coverage,
            pit: found.pit,
            reliability: found.reliability,
            calibration_error: found.calibration_error,
        }
    )
    for row in found.calibration_error.itertuples():
        log.info(
            "%s: expected calibration error %.4f on %d galaxies",
            *(row.question, row.expected_calibration_error, row.n),
        )


def read_held_out(
    predictions: Sequence[str | Path], *, test: str | Path
) -> tuple[StoredGalaxies, pd.DataFrame, Schema]:
    """Find held-out galaxies: their predictions, their votes, and the decision tree.

    Parameters
    ----------
    predictions : sequence of path
        HDF5 files of concentrations of one run.
    test : path
        Parquet table with id_str and the votes.

    Returns
    -------
    predictions : StoredGalaxies
        Of these galaxies only; the concentrations stay in their files.
    catalog : DataFrame
        ``id_str`` and the schema's label columns, of the smallest type of integers that
        holds them.
    schema : Schema
        That of the predictions.

    Raises
    ------
    ValueError
        If a file does not hold what it should, or a galaxy has two predictions.
    """
    ids = read_ids(test)
    rows = find_galaxies(predictions, ids=ids)
    schema = schema_of(rows)
    votes = read_votes(test, schema=schema)
    catalog = pd.DataFrame(votes, columns=schema.label_cols)
    catalog.insert(0, "id_str", ids)
    return rows, catalog, schema


def _by_predictor(tables: list[pd.DataFrame], names: list[str]) -> pd.DataFrame:
    together = pd.concat(dict(zip(names, tables, strict=True)), names=["predictor"])
    return together.reset_index("predictor")


def _write(tables: Mapping[str | Path, pd.DataFrame]) -> None:
    for path, table in tables.items():
        with written_whole(path) as beside:
            table.to_csv(beside, index=False, float_format="%.6g")
        log.info("wrote %d rows to %s", len(table), path)
