"""What a training that was killed goes on from: its state at the last epoch's end."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import logging
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from zoobot.files import written_whole

__all__ = ["Checkpoint", "Record"]

log = logging.getLogger(__name__)

_NAME = "state.npz"
_ABOUT = "about"
# What reading a file that is cut short, or of which a byte is wrong, ends with.
_DAMAGE = (
    ValueError,
    LookupError,
    TypeError,
    OSError,
    EOFError,
    MemoryError,  # of arrays that are larger than their file can hold
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclasses.dataclass
class Record:
    """What a training has seen so far.

    Parameters
    ----------
    rows : list of dict
        One an epoch: ``loss``, ``val_loss`` and more, by name.
    best_weights : list of np.ndarray
        Of the epoch with the lowest validation loss, the first of equals.
    """

    rows: list[dict[str, float]] = dataclasses.field(default_factory=list)
    best_weights: list[np.ndarray] = dataclasses.field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """Number of the best epoch, from 0."""
        return int(np.argmin([row["val_loss"] for row in self.rows]))

    @property
    def columns(self) -> dict[str, list[float]]:
        """Each measure's values, one an epoch."""
        names = self.rows[0] if self.rows else ()
        return {name: [row[name] for row in self.rows] for name in names}

    def add(self, row: Mapping[str, float], *, model: keras.Model) -> None:
        """One epoch more, and the model's weights if it is the best so far."""
        self.rows.append(dict(row))
        if self.best_epoch == len(self.rows) - 1:
            self.best_weights = model.get_weights()

    def is_over(self, *, epochs: int, patience: int) -> bool:
        """Whether all epochs are done, or so many have passed since the best."""
        done = len(self.rows)
        return done >= epochs or (done > 0 and done - 1 - self.best_epoch >= patience)

    def write(self, path: str | Path) -> None:
        """Write a csv table with a row an epoch, numbered from 0."""
        names = ["epoch", *sorted(self.columns)]
        with written_whole(path) as beside, beside.open("w", newline="") as file:
            table = csv.DictWriter(file, names, lineterminator="\n")
            table.writeheader()
            table.writerows({"epoch": i} | row for i, row in enumerate(self.rows))


class Checkpoint:
    """A folder with the state of one training, whole or not there at all.

    The state is all that decides what comes: weights, averages of batch normalisation,
    states of dropout's random numbers, the optimiser with its count of steps, and the
    `Record`. The order of galaxies and their views are functions of seed and epoch.

    Parameters
    ----------
    folder : path or None
        Where to keep it, made when there is something to keep; None keeps nothing.
    belongs_to : mapping
        Names and values, as JSON can hold them, of what the training depends on. With
        other values a state is not used.

    Attributes
    ----------
    record : Record
        Of the epochs so far; empty before the first, and before `restore`.
    """

    def __init__(
        self, folder: str | Path | None, *, belongs_to: Mapping[str, object]
    ) -> None:
        self.path = None if folder is None else Path(folder, _NAME)
        self.belongs_to = json.loads(json.dumps(dict(belongs_to)))
        self.record = Record()

    def save(self, model: keras.Model) -> None:
        """Write the state of the model, of its optimiser, and the record."""
        if self.path is None:
            return
        about = {"belongs_to": self.belongs_to, "rows": self.record.rows}
        arrays = {_ABOUT: np.array(json.dumps(about))}
        arrays |= _numbered("state", [np.asarray(v) for v in _variables(model)])
        arrays |= _numbered("best", self.record.best_weights)
        with written_whole(self.path) as path:
            np.savez(path, **arrays)  # type: ignore[arg-type]

    def restore(self, model: keras.Model) -> None:
        """Set the model, its optimiser and the record to the stored state, if it fits.

        Of none, of another training's and of a damaged one nothing is used; the log
        says why training starts anew. It stays until the first epoch's end: whoever
        takes a changed setting back before has lost nothing.

        Parameters
        ----------
        model : keras.Model
            Compiled, in the same way as the one that was saved.
        """
        if self.path is None or not self.path.exists():
            return
        variables = _variables(model)
        try:
            about, arrays = _read(self.path)
            different = self._different(about["belongs_to"])
            if different:
                log.warning(
                    "%s: found a training with another %s; this one starts anew",
                    self.path,
                    ", ".join(different),
                )
                return
            state, best = _listed("state", arrays), _listed("best", arrays)
            _check_fit(state, variables)
            _check_fit(best, model.weights)
            self.record = Record(about["rows"], best)
        except _DAMAGE as error:
            log.warning(
                "%s: found a damaged file (%s); training starts anew", self.path, error
            )
            return
        for variable, value in zip(variables, state, strict=True):
            variable.assign(value)

    def _different(self, found: Mapping[str, object]) -> list[str]:
        """Names of what the stored training depended on, and this one does not."""
        names = sorted({*found, *self.belongs_to})
        return [n for n in names if found.get(n) != self.belongs_to.get(n)]

    def remove(self) -> None:
        """Delete the state, and what a process killed while writing it has left."""
        if self.path is None:
            return
        for path in self.path.parent.glob(f".{self.path.stem}.*{self.path.suffix}"):
            path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there is more in it, or no folder
            self.path.parent.rmdir()


def _variables(model: keras.Model) -> list[keras.Variable]:
    """All that changes while the model trains; the optimiser's begin when it is built.

    `keras.Model.variables` has the states of random numbers, which `weights` has not.
    """
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def _numbered(name: str, values: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{name}_{i}": value for i, value in enumerate(values)}


def _listed(name: str, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    n_values = sum(key.startswith(f"{name}_") for key in arrays)
    return [arrays[f"{name}_{i}"] for i in range(n_values)]


def _read(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """What a state says about itself, and its arrays, each as its checksum says."""
    # Opened here, as NumPy leaves a damaged file open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return json.loads(arrays[_ABOUT].item()), dict(arrays)


def _check_fit(values: list[np.ndarray], variables: list[keras.Variable]) -> None:
    found = [(value.shape, str(value.dtype)) for value in values]
    if found != [(tuple(v.shape), str(v.dtype)) for v in variables]:
        raise ValueError("its arrays are not those of this model")
