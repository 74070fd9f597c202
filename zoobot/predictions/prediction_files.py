"""Predictions written outside the workflow, in the format that a file name asks for."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import pandas as pd
import pyarrow as pa

from zoobot.data_utils import hdf5
from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.files import written_whole
from zoobot.predictions.dropout_passes import attributes_of
from zoobot.predictions.ensembles import Ensemble, Predicted
from zoobot.predictions.stored_predictions import DATASET
from zoobot.predictions.vote_fraction_notes import about_predictions, advanced_notes
from zoobot.predictions.vote_fraction_tables import advanced_table
from zoobot.representations.representation_files import write_representations
from zoobot.settings.predictions import SummarisePredictions
from zoobot.settings.programs import MakePredictions
from zoobot.tables.table_notes import TableNotes, with_notes
from zoobot.tables.table_writers import parquet_writer

__all__ = [
    "check_save_loc",
    "write_features",
    "write_outputs",
    "write_predictions",
    "write_rejected",
]

log = logging.getLogger(__name__)

_SUFFIXES = (".csv", ".hdf5", ".parquet")
_CSV_DECIMALS = 5


def check_save_loc(path: str | Path) -> None:
    """Refuse a file to write whose format is not known, before anything is computed."""
    if Path(path).suffix not in _SUFFIXES:
        raise ValueError(
            f"save_loc: found {str(path)!r}, expected a file that ends with one of "
            f"{', '.join(_SUFFIXES)}"
        )


def write_outputs(
    predicted: Predicted,
    *,
    ensemble: Ensemble,
    settings: MakePredictions,
    save_loc: str | Path | None,
    interval: float,
    representations: str | Path | None = None,
) -> None:
    """Write all that is asked for, and beside each file a list of bad images.

    Parameters
    ----------
    predicted : Predicted
    ensemble : Ensemble
        That predicted it.
    settings : MakePredictions
        That it was predicted with.
    save_loc : path, optional
        As `write_predictions` takes it.
    interval : float
        Probability that the interval of a vote fraction holds; of tables.
    representations : path, optional
        As `write_features` takes it.

    Raises
    ------
    ValueError
        If no galaxy is left.
    """
    for path in (save_loc, representations):
        if path is not None:
            write_rejected(predicted.rejected, beside=path)
    predicted.check_any()
    if save_loc is not None:
        write_predictions(
            save_loc,
            predicted=predicted,
            ensemble=ensemble,
            settings=settings,
            interval=interval,
        )
    if representations is not None:
        write_features(representations, predicted=predicted, ensemble=ensemble)


def write_predictions(
    path: str | Path,
    *,
    predicted: Predicted,
    ensemble: Ensemble,
    settings: MakePredictions,
    interval: float,
) -> None:
    """Write concentrations (.hdf5), or a table of vote fractions (.csv, .parquet).

    Parameters
    ----------
    path : path
        An HDF5 file is as the workflow's are: ``predictions`` (galaxy, answer, pass),
        concentrations. A table has the columns of
        `zoobot.predictions.vote_fraction_tables.advanced_table`.
    predicted : Predicted
    ensemble : Ensemble
        That predicted it.
    settings : MakePredictions
        That it was predicted with.
    interval : float
        Probability that the interval of a vote fraction holds; of tables.
    """
    attributes = attributes_of(ensemble.cards, settings=settings)
    values, schema = predicted.concentrations, ensemble.schema
    if Path(path).suffix == ".hdf5":
        with hdf5.create(
            path,
            dataset=DATASET,
            id_str=predicted.id_str,
            label_cols=schema.label_cols,
            n_passes=values.shape[-1],
            attributes=attributes,
        ) as dataset:
            dataset[...] = values
    else:
        rows = GalaxyRows(values, predicted.id_str, schema.label_cols, attributes)
        # Of its other settings, none is of this table but the number of next votes.
        summary = SummarisePredictions(
            interval=interval, asked_fraction_min=0.5, next_votes=1
        )
        notes = dataclasses.replace(
            advanced_notes(schema, settings=summary), about=about_predictions(rows)
        )
        _write_table(path, advanced_table(rows, settings=summary), notes=notes)
    log.info("wrote predictions of %d galaxies to %s", len(predicted.id_str), path)


def write_features(
    path: str | Path, *, predicted: Predicted, ensemble: Ensemble
) -> None:
    """Write representations by an ensemble's first model, as the workflow's are.

    Parameters
    ----------
    path : path
        HDF5 file.
    predicted : Predicted
        With representations.
    ensemble : Ensemble
        That made them.
    """
    if predicted.representations is None:
        raise ValueError(f"{path}: found no representations, expected some to write")
    write_representations(
        path,
        id_str=predicted.id_str,
        blocks=[predicted.representations],
        card=ensemble.cards[0],
    )


def write_rejected(rejected: pd.DataFrame, *, beside: str | Path) -> None:
    """List bad images in a csv beside an output, and say so; or remove an old list.

    Parameters
    ----------
    rejected : DataFrame
        id_str, file_loc, reason.
    beside : path
        The list of ``predictions.csv`` is ``predictions_rejected.csv``.
    """
    path = Path(beside).with_name(f"{Path(beside).stem}_rejected.csv")
    if rejected.empty:
        path.unlink(missing_ok=True)
        return
    with written_whole(path) as temporary:
        rejected.to_csv(temporary, index=False)
    first = rejected.iloc[0]
    log.warning(
        "%d images cannot be read and have no prediction; they are listed in %s. The "
        "first: %s: %s",
        len(rejected),
        path,
        first["file_loc"],
        first["reason"],
    )


def _write_table(path: str | Path, table: pd.DataFrame, *, notes: TableNotes) -> None:
    if Path(path).suffix == ".csv":
        with written_whole(path) as beside:
            table.round(_CSV_DECIMALS).to_csv(beside, index=False)
        return
    types = pa.Schema.from_pandas(table, preserve_index=False)
    with parquet_writer(path, schema=with_notes(types, notes)) as write:
        write(table)
