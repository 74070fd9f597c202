"""Train a network, and keep its best weights."""

from __future__ import annotations

import logging
from collections.abc import Callable

import keras
import tensorflow as tf

from zoobot.training.batch_progress import BatchProgress
from zoobot.training.compiling import compile_model
from zoobot.training.stop_at_nan import StopAtNaN

__all__ = ["fit_keeping_best"]

log = logging.getLogger(__name__)


def fit_keeping_best(
    model: keras.Model,
    train: tf.data.Dataset,
    *,
    val: tf.data.Dataset,
    loss: str | Callable,
    epochs: int,
    patience: int,
    learning_rate: float,
    n_galaxies: int,
    steps_per_epoch: int | None = None,
    advice: str = "a lower learning_rate",
) -> None:
    """Train, keeping the weights with the lowest validation loss: first or later.

    Where classes count the same in training, weights in the validation data should do
    it there too: else the fewer rings there are, the sooner training would stop.

    Parameters
    ----------
    model : keras.Model
        Changed in place.
    train, val : tf.data.Dataset
        Batches of inputs, targets and, it may be, weights.
    loss : str or callable
        As Keras takes it.
    epochs, patience : int
        Most epochs, and those without a lower validation loss after which it stops.
    learning_rate : float
        Of Adam.
    n_galaxies : int
        Rows of an epoch, to show progress.
    steps_per_epoch : int, optional
        If `train` holds all epochs.
    advice : str
        What to try if the loss becomes NaN.

    Raises
    ------
    FloatingPointError
        If the loss or a weight becomes NaN.
    """
    compile_model(model, optimizer=keras.optimizers.Adam(learning_rate), loss=loss)
    before = model.evaluate(val, verbose=0)
    best = {"loss": before, "weights": model.get_weights()}

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            log.info(
                "epoch %d: %s",
                epoch + 1,
                {k: round(v, 4) for k, v in (logs or {}).items()},
            )
            if logs and logs["val_loss"] < best["loss"]:
                best.update(loss=logs["val_loss"], weights=model.get_weights())

    try:
        model.fit(
            train,
            validation_data=val,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            shuffle=False,
            verbose=0,
            callbacks=[
                StopAtNaN(),
                BatchProgress(n_galaxies),
                Keep(),
                keras.callbacks.EarlyStopping(patience=patience),
            ],
        )
    except FloatingPointError as error:
        raise FloatingPointError(
            f"finetuning: {error}; nothing is written. The same settings would end "
            f"here again, try {advice}"
        ) from None
    finally:
        model.set_weights(best["weights"])
    log.info("validation loss %.4f before, %.4f after", before, best["loss"])
