"""Predictions and representations of galaxies from wherever they are, in one call."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from zoobot.data_utils import hdf5
from zoobot.data_utils.galaxy_sources import galaxies_in_folder, galaxies_in_tables
from zoobot.estimators.devices import use_threads
from zoobot.predictions.dropout_passes import attributes_of
from zoobot.predictions.ensembles import Ensemble, Predicted, load_ensemble
from zoobot.predictions.prediction_files import (
    check_save_loc,
    write_features,
    write_outputs,
    write_predictions,
    write_rejected,
)
from zoobot.predictions.stored_predictions import DATASET
from zoobot.schemas import get_schema
from zoobot.settings.programs import MakePredictions, MakePredictionsLoop

__all__ = ["Galaxies", "make_predictions", "make_predictions_loop"]

log = logging.getLogger(__name__)

Kind = Literal["predictions", "representations"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Galaxies:
    """Where galaxies are: exactly one of a folder, tables and shards.

    Parameters
    ----------
    images : path, optional
        Folder of images.
    file_formats : sequence of str
        Which files of the folder, as ``png``, ``jpg`` and ``fits``.
    catalogs : sequence of path
        Tables with id_str and file_loc.
    shards : sequence of path
        TFRecords.
    """

    images: str | Path | None = None
    file_formats: Sequence[str] = ("png", "jpg", "fits")
    catalogs: Sequence[str | Path] = ()
    shards: Sequence[str | Path] = ()

    def __post_init__(self) -> None:
        """Refuse none and several."""
        given = {
            "images": self.images is not None,
            "catalog": bool(self.catalogs),
            "shards": bool(self.shards),
        }
        if sum(given.values()) != 1:
            found = " and ".join(name for name, is_given in given.items() if is_given)
            raise ValueError(
                f"galaxies: found {found or 'none'}, expected one of images, catalog "
                "and shards"
            )

    def table(self) -> pd.DataFrame:
        """id_str and file_loc of those that are images."""
        if self.images is not None:
            return galaxies_in_folder(self.images, file_formats=self.file_formats)
        if not self.catalogs:
            raise ValueError("galaxies: found shards, expected images or a catalog")
        return galaxies_in_tables(self.catalogs)


def make_predictions(
    galaxies: Galaxies,
    *,
    model: str | Path,
    settings: MakePredictions,
    save_loc: str | Path | None = None,
    representations: str | Path | None = None,
    schema: str | None = None,
    interval: float = 0.9,
    threads: int | None = None,
) -> None:
    """Predict galaxies, and write predictions, representations, or both.

    Parameters
    ----------
    galaxies : Galaxies
    model : path
        A model folder, or that of an ensemble.
    settings : MakePredictions
    save_loc : path, optional
        Predictions to write: .csv, .parquet or .hdf5.
    representations : path, optional
        HDF5 file to write: representations by the model, or by an ensemble's first.
    schema : str, optional
        Decision tree that the model must answer.
    interval : float
        Probability that the interval of a vote fraction holds.
    threads : int, optional
        Threads that decode and compute; else all cores.

    Raises
    ------
    ValueError
        If nothing is to be written, no image can be read, or something is not as it
        should be. A bad image is listed beside the output, and no error.
    """
    if save_loc is None and representations is None:
        raise ValueError(
            "save_loc: found none, and no representations, expected one of both at "
            "least"
        )
    if save_loc is not None:
        check_save_loc(save_loc)
    if threads is not None:
        use_threads(threads)
    ensemble = load_ensemble(
        model, schema=None if schema is None else get_schema(schema)
    )
    predicted = _predicted(
        galaxies,
        ensemble=ensemble,
        settings=settings,
        threads=threads,
        with_representations=representations is not None,
    )
    write_outputs(
        predicted,
        ensemble=ensemble,
        settings=settings,
        save_loc=save_loc,
        interval=interval,
        representations=representations,
    )


def make_predictions_loop(
    galaxies: Galaxies,
    *,
    model: str | Path,
    save_dir: str | Path,
    run_name: str,
    kind: Kind,
    settings: MakePredictionsLoop,
    threads: int | None = None,
) -> None:
    """Predict many galaxies, some at a time, each some in a file of their own.

    Files that are there already, of the same galaxies, model and settings, are kept, so
    that a loop that was stopped goes on.

    Parameters
    ----------
    galaxies : Galaxies
        Images or tables of them.
    model : path
        A model folder, or that of an ensemble.
    save_dir : path
        Folder for the files ``{run_name}_{index}.hdf5``, index = 0, 1, ...
    run_name : str
    kind : {"predictions", "representations"}
        What to write: concentrations, or what the encoder makes of the images.
    settings : MakePredictionsLoop
    threads : int, optional
        Threads that decode and compute; else all cores.

    Raises
    ------
    ValueError
        If a file of that name is of other galaxies or another model, or no image at all
        can be read.
    """
    if threads is not None:
        use_threads(threads)
    table = galaxies.table()
    ensemble = load_ensemble(model)
    step = settings.galaxies_per_chunk
    n_files = -(-len(table) // step)
    n_written = 0
    predicted = None
    for index in range(n_files):
        piece = table.iloc[index * step : (index + 1) * step].reset_index(drop=True)
        path = Path(save_dir, f"{run_name}_{index}.hdf5")
        if path.exists():
            _check_same(path, piece, kind=kind, ensemble=ensemble, settings=settings)
            n_written += 1
            continue
        log.info("file %d of %d: %d galaxies", index + 1, n_files, len(piece))
        predicted = ensemble.predict_images(
            piece,
            settings=settings,
            threads=threads,
            with_representations=kind == "representations",
        )
        write_rejected(predicted.rejected, beside=path)
        if not predicted.id_str:
            continue
        n_written += 1
        if kind == "representations":
            write_features(path, predicted=predicted, ensemble=ensemble)
        else:
            write_predictions(
                path,
                predicted=predicted,
                ensemble=ensemble,
                settings=settings,
                interval=0.9,  # of tables only
            )
    if predicted is not None and not n_written:
        predicted.check_any()
    log.info("%d of %d files are in %s", n_written, n_files, save_dir)


def _predicted(
    galaxies: Galaxies,
    *,
    ensemble: Ensemble,
    settings: MakePredictions,
    threads: int | None,
    with_representations: bool,
) -> Predicted:
    if galaxies.shards:
        return ensemble.predict_shards(
            galaxies.shards,
            settings=settings,
            with_representations=with_representations,
        )
    return ensemble.predict_images(
        galaxies.table(),
        settings=settings,
        threads=threads,
        with_representations=with_representations,
    )


def _check_same(
    path: Path,
    piece: pd.DataFrame,
    *,
    kind: Kind,
    ensemble: Ensemble,
    settings: MakePredictions,
) -> None:
    """Refuse to keep a file that is not what would be written now."""
    expected = attributes_of(ensemble.cards, settings=settings)
    names = ["model_digest", "schema", "n_samples", "seed"]
    dataset = DATASET
    if kind == "representations":
        expected["model_digest"] = ensemble.cards[0].weights_digest
        names, dataset = ["model_digest"], "representations"
    header = hdf5.read_header(path, dataset=dataset)
    for name in names:
        if header.attributes.get(name) != expected[name]:
            raise ValueError(
                f"{path}: {name}: found {header.attributes.get(name)}, expected "
                f"{expected[name]}; choose another run_name, or delete the file"
            )
    others = set(header.id_str) - set(piece["id_str"])
    if others:
        raise ValueError(
            f"{path}: found galaxy {min(others)!r}, which is not among the galaxies "
            "of this file now; choose another run_name, or delete the file"
        )
