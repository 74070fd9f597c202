"""Fit a model: epochs, early stopping, history."""

from __future__ import annotations

import dataclasses
import logging
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoobot.training.batch_progress import BatchProgress

__all__ = ["TrainConfig", "train_estimator"]

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long to train, and where to keep the record.

    Parameters
    ----------
    log_dir : path
        Folder for ``history.csv`` and the TensorBoard log.
    epochs : int
        Most epochs.
    patience : int
        Epochs without a lower validation loss after which training stops.
    """

    log_dir: str | Path
    epochs: int = 50
    patience: int = 10


def train_estimator(
    model: keras.Model,
    train_config: TrainConfig,
    train_dataset: tf.data.Dataset,
    test_dataset: tf.data.Dataset,
    *,
    steps_per_epoch: int | None = None,
    n_galaxies: int | None = None,
) -> keras.callbacks.History:
    """Fit a compiled model, and leave it with the weights of its best epoch.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    train_config : TrainConfig
    train_dataset, test_dataset : tf.data.Dataset
        (images, labels) to train on, and to choose the best epoch: validation galaxies,
        never those of the final evaluation.
    steps_per_epoch : int, optional
        Batches in an epoch, if `train_dataset` runs over several epochs.
    n_galaxies : int, optional
        Galaxies in an epoch, to show progress and to log how many a second.

    Returns
    -------
    keras.callbacks.History
        ``history`` maps each metric to one value an epoch.

    Raises
    ------
    ValueError
        If the loss was not a number in the first epoch.
    """
    folder = Path(train_config.log_dir)
    folder.mkdir(parents=True, exist_ok=True)
    if model.built:
        # Else Keras traces the whole training step twice, which takes longer than many
        # a training.
        model.optimizer.build(model.trainable_variables)
    history = model.fit(
        train_dataset,
        validation_data=test_dataset,
        epochs=train_config.epochs,
        steps_per_epoch=steps_per_epoch,
        shuffle=False,  # the dataset shuffles
        verbose=0,
        callbacks=[
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.EarlyStopping(
                patience=train_config.patience, restore_best_weights=True
            ),
            BatchProgress(n_galaxies),
            _EpochLines(train_config.epochs, n_galaxies),
            keras.callbacks.CSVLogger(str(folder / "history.csv")),
            keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False),
        ],
    )
    if not np.isfinite(history.history.get("val_loss", [])).any():
        raise ValueError(
            "training stopped in its first epoch: the loss is not a number"
        )
    return history


class _EpochLines(keras.callbacks.Callback):
    """A log line an epoch, and the learning rate and seconds in the history."""

    def __init__(self, epochs: int, n_galaxies: int | None):
        super().__init__()
        self.epochs = epochs
        self.n_galaxies = n_galaxies

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.start = time.monotonic()

    def on_test_begin(self, logs: dict | None = None) -> None:
        self.training_seconds = time.monotonic() - self.start

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs = {} if logs is None else logs
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        logs["seconds"] = time.monotonic() - self.start
        rate = ""
        if self.n_galaxies is not None:
            rate = (
                f", training {self.n_galaxies / self.training_seconds:.1f} galaxies/s"
            )
        log.info(
            "epoch %d of %d: loss %.4f, validation loss %.4f, %.1f s%s",
            epoch + 1,
            self.epochs,
            logs["loss"],
            logs["val_loss"],
            logs["seconds"],
            rate,
        )
