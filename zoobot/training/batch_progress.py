"""Progress within an epoch."""

from __future__ import annotations

import keras

from zoobot.logs import Progress

__all__ = ["BatchProgress"]


class BatchProgress(keras.callbacks.Callback):
    """Show how many galaxies of an epoch are done, the rate and the time left.

    Without the number of batches, as in the first epoch of a dataset that does not say
    its length, it shows nothing.

    Parameters
    ----------
    n_galaxies : int, optional
        Galaxies in an epoch; if not given, batches are shown.
    """

    def __init__(self, n_galaxies: int | None = None) -> None:
        super().__init__()
        self.n_galaxies = n_galaxies

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Start at 0."""
        self.n_batches = self.params.get("steps")
        self.progress = None
        if self.n_batches:
            unit = "batches" if self.n_galaxies is None else "galaxies"
            self.progress = Progress(self.n_galaxies or self.n_batches, unit)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """One batch more."""
        if self.progress:
            done = self.progress.total * (batch + 1) // self.n_batches
            self.progress.add(done - self.progress.done)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """What an epoch took stands in the line that says its loss."""
        if self.progress:
            self.progress.close(summary=False)
