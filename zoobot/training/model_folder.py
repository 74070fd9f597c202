"""Write what a training has made as a model folder."""

from __future__ import annotations

import logging
from pathlib import Path

import keras

from zoobot.estimators import encoder_files, heads, model_card
from zoobot.schemas import Schema
from zoobot.settings.training import Train
from zoobot.training.checkpoint import Record
from zoobot.versions import library_versions

__all__ = ["write_model_folder"]

log = logging.getLogger(__name__)


def write_model_folder(
    folder: str | Path,
    *,
    encoder: keras.Model,
    head: keras.Model,
    record: Record,
    schema: Schema,
    member: int,
    image_size_px: int,
    n_train: int,
    settings: Train,
    recipe: str = "",
) -> None:
    """Write encoder, head, card and history.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    encoder, head : keras.Model
        With the weights of the best epoch.
    record : Record
        All epochs.
    schema : Schema
    member : int
        Number of the model in the ensemble.
    image_size_px : int
        Side of the stored images it was trained on, pixels.
    n_train : int
        Training galaxies.
    settings : Train
    recipe : str
        Stored in the card: what the model is made by, apart from the galaxies.
    """
    arrays = heads.head_arrays(head)
    best = record.best_epoch
    val_loss = record.rows[best]["val_loss"]
    record.write(Path(folder, "history.csv"))
    encoder_files.save_encoder(folder, encoder)
    model_card.save_head(folder, arrays)
    model_card.save_card(
        folder,
        model_card.ModelCard(
            schema=schema,
            architecture=settings.architecture,
            image_size_px=image_size_px,
            crop_size_px=settings.crop_size_px,
            input_size_px=settings.input_size_px,
            shift_max_px=settings.shift_max_px,
            greyscale=settings.greyscale,
            channels=encoder.input_shape[-1],
            n_features=encoder.output_shape[-1],
            dropout_rate=settings.dropout_rate,
            concentration_min=settings.concentration_min,
            concentration_max=settings.concentration_max,
            seed=settings.seed + member,
            member=member,
            n_train=n_train,
            best_epoch=best + 1,
            val_loss=val_loss,
            weights_digest=encoder_files.weights_digest(encoder, arrays),
            versions=library_versions("tensorflow", "keras", "numpy"),
            recipe=recipe,
        ),
    )
    log.info("wrote the model, best validation loss %.4f, to %s", val_loss, folder)
