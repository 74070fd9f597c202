"""Predict a folder of images with a trained model."""

from __future__ import annotations

from pathlib import Path

from zoobot.data_utils.galaxy_sources import galaxies_in_folder
from zoobot.predictions.ensembles import load_ensemble
from zoobot.predictions.prediction_files import check_save_loc, write_outputs
from zoobot.schemas import Schema
from zoobot.settings.images import RenderFits
from zoobot.settings.programs import MakePredictions

__all__ = ["predict"]


def predict(
    *,
    schema: Schema | None = None,
    file_format: str,
    folder_to_predict: str | Path,
    checkpoint_dir: str | Path,
    save_loc: str | Path,
    n_samples: int,
    batch_size: int,
    initial_size: int | None = None,
    crop_size: int | None = None,
    final_size: int | None = None,
    seed: int = 42,
    interval: float = 0.9,
    rendering: RenderFits | None = None,
) -> None:
    """Predict volunteers' votes for all images in a folder, and write a file.

    Each image goes through the encoder once; the dropout passes are made on its
    representation. A galaxy's prediction depends on its image, the model and the seed
    alone.

    Parameters
    ----------
    schema : Schema, optional
        Decision tree; the model must be one for it. The model's own, if not given.
    file_format : {"png", "jpg", "jpeg", "fits"}
        Which files of the folder.
    folder_to_predict : path
        An image's file name without its suffix becomes its ``id_str``.
    checkpoint_dir : path
        A model folder, made by the workflow, `train_estimator`, `run_estimator` or
        ``save_weights``; or the folder of an ensemble with several.
    save_loc : path
        File to write. ``.csv`` and ``.parquet``: a table of vote fractions with
        intervals. ``.hdf5``: concentrations, (galaxy, answer, pass), in votes.
    n_samples : int
        Dropout passes, of each member of an ensemble.
    batch_size : int
        Galaxies that go through the encoder together.
    initial_size, crop_size, final_size : int, optional
        Side of the images before the crop, of the crop, and of what it is resized to,
        pixels; they must be those that the model was trained with.
    seed : int
        Seed of the dropped units.
    interval : float
        Probability that the interval of a vote fraction holds.
    rendering : RenderFits, optional
        How FITS images become pictures: as those were drawn that the model was trained
        on. As config.yaml sets it if not given.

    Raises
    ------
    ValueError
        If something is not as it should be, or no image can be read. An image that
        cannot be read is no error: it is listed in ``{save_loc}_rejected.csv``, without
        the suffix of ``save_loc``, and the log warns of it.
    """
    check_save_loc(save_loc)
    settings = MakePredictions(
        n_samples=n_samples, seed=seed, batch_size=batch_size, engine="tensorflow"
    )
    galaxies = galaxies_in_folder(folder_to_predict, file_formats=[file_format])
    ensemble = load_ensemble(
        checkpoint_dir,
        schema=schema,
        initial_size=initial_size,
        crop_size=crop_size,
        final_size=final_size,
    )
    predicted = ensemble.predict_images(
        galaxies, settings=settings, rendering=rendering
    )
    write_outputs(
        predicted,
        ensemble=ensemble,
        settings=settings,
        save_loc=save_loc,
        interval=interval,
    )
