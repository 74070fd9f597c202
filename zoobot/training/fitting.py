"""Fit a model: epochs, early stopping, history."""

from __future__ import annotations

import dataclasses
import logging
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import keras
import tensorflow as tf

from zoobot.estimators.galaxy_model import (
    WEIGHTS_SUFFIX,
    GalaxyModel,
    TrainedAs,
    of_any_length,
)
from zoobot.training.batch_progress import BatchProgress
from zoobot.training.checkpoint import Checkpoint, Record
from zoobot.training.stop_at_nan import StopAtNaN

__all__ = ["TrainConfig", "train_estimator"]

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long to train, and where to keep the record.

    Parameters
    ----------
    log_dir : path
        Folder for ``history.csv``, the TensorBoard log and the best weights so far,
        written as epochs end.
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
    checkpoint: Checkpoint | None = None,
) -> keras.callbacks.History:
    """Fit a compiled model, and leave it with the weights of its best epoch.

    They are kept in ``log_dir`` too, unless there is a checkpoint: as a model folder,
    to be used as ``weights_loc`` or ``checkpoint_dir``, if the model is one of
    `zoobot.estimators.define_model.get_model` with its top and a loss of
    `zoobot.training.losses.get_multiquestion_loss`; else as ``best.weights.h5``.

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
    checkpoint : Checkpoint, optional
        Written at the end of each epoch. If it has been restored, training goes on
        after its last epoch, and there `train_dataset` has to begin.

    Returns
    -------
    keras.callbacks.History
        ``history`` maps each metric to one value an epoch, also of epochs before a
        restart.

    Raises
    ------
    FloatingPointError
        If the loss becomes NaN or infinite: it says at which step, what is kept and
        what to do. The model has the weights of its best epoch before that.
    """
    folder = Path(train_config.log_dir)
    folder.mkdir(parents=True, exist_ok=True)
    best = _BestWeights(folder, n_galaxies) if checkpoint is None else None
    checkpoint = checkpoint or Checkpoint(None, belongs_to={})
    record = checkpoint.record
    if record.rows:
        log.info("resuming after epoch %d of %d", len(record.rows), train_config.epochs)
    if model.built and not model.optimizer.built:
        # Else Keras traces the whole training step twice, which takes longer than many
        # a training.
        model.optimizer.build(model.trainable_variables)
    try:
        if not record.is_over(
            epochs=train_config.epochs, patience=train_config.patience
        ):
            with _lengths(steps_per_epoch):
                model.fit(
                    train_dataset,
                    validation_data=test_dataset,
                    initial_epoch=len(record.rows),
                    epochs=train_config.epochs,
                    steps_per_epoch=steps_per_epoch,
                    shuffle=False,  # the dataset shuffles
                    verbose=0,
                    callbacks=[
                        StopAtNaN(),
                        BatchProgress(n_galaxies),
                        _EpochLines(train_config.epochs, n_galaxies),
                        keras.callbacks.TensorBoard(str(folder), write_graph=False),
                        _Keeper(checkpoint, train_config, best),
                    ],
                )
    except FloatingPointError as error:
        raise FloatingPointError(f"{error}. {_what_to_do(checkpoint)}") from None
    finally:
        if record.best_weights:
            model.set_weights(record.best_weights)
    history = keras.callbacks.History()
    history.epoch, history.history = list(range(len(record.rows))), record.columns
    return history


def _lengths(steps_per_epoch: int | None) -> AbstractContextManager[None]:
    """Where no length is asked for, a dataset may have any."""
    return of_any_length() if steps_per_epoch is None else nullcontext()


def _what_to_do(checkpoint: Checkpoint) -> str:
    record, path = checkpoint.record, checkpoint.path
    kept = "No epoch was finished before it, so that nothing is kept."
    if record.rows:
        best = record.best_epoch + 1
        kept = f"The model has the weights of its best epoch, {best}."
        if path is not None:
            kept = (
                f"The state after epoch {len(record.rows)} and the best weights, of "
                f"epoch {best}, are kept in {path.parent}."
            )
    return (
        f"{kept} The same settings would end here again. Try a lower learning_rate, or "
        "precision float32 if it is another: with changed settings training starts anew"
    )


class _Keeper(keras.callbacks.Callback):
    """At each epoch's end, keep the best weights, and write history and checkpoint."""

    def __init__(
        self, checkpoint: Checkpoint, config: TrainConfig, best: _BestWeights | None
    ):
        super().__init__()
        self.checkpoint = checkpoint
        self.config = config
        self.best = best

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        record = self.checkpoint.record
        record.add(logs or {}, model=self.model)
        record.write(Path(self.config.log_dir, "history.csv"))
        self.checkpoint.save(self.model)
        if self.best is not None and record.best_epoch == epoch:
            self.best.save(self.model, record)
        self.model.stop_training = record.is_over(
            epochs=self.config.epochs, patience=self.config.patience
        )


@dataclasses.dataclass(frozen=True)
class _BestWeights:
    """Where the weights of the best epoch so far are written."""

    folder: Path
    n_galaxies: int | None

    def save(self, model: keras.Model, record: Record) -> None:
        if not (isinstance(model, GalaxyModel) and model.fills_a_folder):
            model.save_weights(self.folder / f"best{WEIGHTS_SUFFIX}")
            return
        model.trained_as = TrainedAs(
            n_train=self.n_galaxies or 0,
            best_epoch=record.best_epoch + 1,
            val_loss=record.rows[record.best_epoch]["val_loss"],
            seed=model.views.seed or 0,
        )
        model.save_weights(self.folder)


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
        # As a tensor, also where several devices have a copy of it each.
        learning_rate = tf.convert_to_tensor(self.model.optimizer.learning_rate)
        logs["learning_rate"] = float(learning_rate)
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
