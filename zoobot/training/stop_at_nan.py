"""Stop a training at the first loss that is no number, and say where that was."""

from __future__ import annotations

import keras
import numpy as np

__all__ = ["StopAtNaN"]


class StopAtNaN(keras.callbacks.Callback):
    """Raise FloatingPointError where a loss or a weight is NaN or infinite.

    Placed before callbacks that keep weights or write files at the end of an epoch, it
    saves them from weights that are NaN.
    """

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Note the number of the epoch."""
        self.where = f"epoch {epoch + 1} of {self.params['epochs']}"

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Look at the mean loss of the epoch so far."""
        loss = (logs or {}).get("loss", 0.0)
        if not np.isfinite(loss):
            of_all = f" of {self.params['steps']}" if self.params["steps"] else ""
            raise FloatingPointError(
                f"{self.where}, step {batch + 1}{of_all}: the loss is {float(loss)}"
            )

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Look at the validation loss, and at the weights.

        The last step may have spoilt them; and where an activation turns NaN into 0,
        the loss is a number whatever the weights are.
        """
        loss = (logs or {}).get("val_loss", 0.0)
        if not np.isfinite(loss):
            raise FloatingPointError(
                f"{self.where}, after its last step: the validation loss is {loss}"
            )
        if not all(np.isfinite(array).all() for array in self.model.get_weights()):
            raise FloatingPointError(
                f"{self.where}, after its last step: weights are NaN or infinite"
            )
