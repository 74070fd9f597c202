"""A finetuned model: what it predicts, and its folder."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from zoobot.data_utils import hdf5
from zoobot.data_utils.tasks import Task
from zoobot.estimators.define_model import load_encoder, save_encoder
from zoobot.estimators.model_card import ModelCard, load_card, save_card
from zoobot.estimators.model_files import load_network, save_network
from zoobot.estimators.weights_digests import (
    check_weights,
    digest_of_encoder,
    digest_of_head,
    joined,
    sha256_of,
)
from zoobot.files import MAKE_ANEW, written_whole
from zoobot.representations.extract import sweep
from zoobot.representations.gather import (
    array_of_representations,
    as_paths,
    check_encoder,
    gather,
)
from zoobot.representations.pca import mean_over_views
from zoobot.representations.stored_representations import DATASET
from zoobot.settings.finetuning import Finetune

__all__ = ["Finetuned", "Representations", "card_of"]

Representations = str | Path | Sequence[str | Path] | np.ndarray

_GALAXIES_AT_ONCE = 1024


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finetuned:
    """A model that was finetuned for a task; `zoobot.training.finetuning` makes it."""

    task: Task
    card: ModelCard
    """Of its own encoder and head; ``finetuned_from`` is the digest of the model that
    it started as."""
    settings: Finetune
    head: keras.Model
    """(batch, n_features) to (batch, n_outputs)."""
    model_folder: Path
    """From where the encoder is read, once it is needed, unless it is in memory."""
    trained_encoder: keras.Model | None = None
    constant: np.ndarray
    """(n_outputs,) float64, the best constant prediction for the training galaxies: of
    binary labels the share of 1, of classes the share of each."""
    metrics: dict = dataclasses.field(default_factory=dict)
    """Of held-out galaxies, by ``stage_1`` and ``final``; empty if there are none."""
    held_out: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    """Labels and predictions of those galaxies; columns that end in ``_stage_1`` are
    what the head predicts with the encoder as it was."""

    @functools.cached_property
    def encoder(self) -> keras.Model:
        """Images to representations, as finetuned."""
        if self.trained_encoder is None:
            return load_encoder(self.model_folder)
        return self.trained_encoder

    @property
    def has_own_encoder(self) -> bool:
        """Whether its encoder was trained too: then it makes representations anew."""
        mine = digest_of_encoder(self.card.weights_digest)
        return mine != digest_of_encoder(self.card.finetuned_from)

    def predict(
        self,
        galaxies: pd.DataFrame | Sequence[str | Path] | None = None,
        *,
        representations: Representations | None = None,
        batch_size: int | None = None,
    ) -> pd.DataFrame:
        """Predict the answer of each galaxy from its image or its representation.

        Parameters
        ----------
        galaxies : DataFrame or sequence of path, optional
            ``id_str`` and, to read images, ``file_loc``; or images alone, whose paths
            are their ids then. May be left out if there are representations.
        representations : path, sequence of path, or (n, n_features[, n_views]) array
            HDF5 files by this model's encoder, which may hold other galaxies too; or
            one row for each of `galaxies`. If there are none, images are read.
        batch_size : int, optional
            Galaxies that go through the encoder at once; else as in its settings.

        Returns
        -------
        DataFrame
            One row a galaxy: ``id_str`` and the columns of
            `zoobot.data_utils.tasks.Task.predictions`. The same, up to float32's
            rounding, whatever other galaxies there are.

        Raises
        ------
        ValueError
            If galaxies lack a column, an image or a representation, or representations
            are not by this model's encoder.
        """
        table = _as_table(galaxies)
        if representations is None:
            if table is None or "file_loc" not in table:
                raise ValueError(
                    "galaxies: column file_loc not found, expected the images' paths, "
                    "or representations"
                )
            ids, features = table["id_str"], self._of_images(table, batch_size)
        elif isinstance(representations, np.ndarray):
            ids, features = self._of_array(table, representations)
        else:
            ids, features = self._of_files(table, as_paths(representations))
        outputs = self.head.predict(features, batch_size=_GALAXIES_AT_ONCE, verbose=0)
        return self.task.predictions(ids, outputs)

    def _of_images(self, table: pd.DataFrame, batch_size: int | None) -> np.ndarray:
        blocks = sweep(
            self.encoder,
            list(table["file_loc"]),
            card=self.card,
            batch_size=batch_size or self.settings.batch_size,
        )
        return np.concatenate(list(blocks))

    def _of_array(
        self, table: pd.DataFrame | None, array: np.ndarray
    ) -> tuple[Sequence[str], np.ndarray]:
        if self.has_own_encoder:
            raise ValueError(
                "representations: found an array, which does not say what encoder made "
                "it, expected HDF5 files or images: this model's encoder was finetuned"
            )
        ids = [str(i) for i in range(len(array))] if table is None else table["id_str"]
        n_features = self.card.n_features
        return ids, array_of_representations(
            array, n_galaxies=len(ids), n_features=n_features
        )

    def _of_files(
        self, table: pd.DataFrame | None, paths: Sequence[Path]
    ) -> tuple[Sequence[str], np.ndarray]:
        if table is not None:
            return table["id_str"], gather(
                paths, id_str=list(table["id_str"]), card=self.card
            )
        ids: list[str] = []
        features = []
        for path in paths:
            check_encoder(path, card=self.card)
            rows = hdf5.read(path, dataset=DATASET)
            ids += rows.id_str
            features.append(mean_over_views(rows.values))
        return ids, np.concatenate(features)

    def save(self, folder: str | Path) -> None:
        """Write a folder that `load` reads; nothing in it is a pickle.

        Parameters
        ----------
        folder : path
            To write: ``encoder.keras``, ``head.keras``, ``card.json`` (sizes, and
            digests of the weights), ``task.json`` (labels and settings),
            ``metrics.json`` and ``held_out.csv``. Other programs of this project take
            it for a model's folder as far as the encoder goes.
        """
        folder = Path(folder)
        save_encoder(folder, self.encoder)
        save_network(folder / "head.keras", self.head)
        save_card(folder, self.card)
        task = {
            "task": self.task.to_dict(),
            "settings": self.settings.model_dump(),
            "constant": self.constant.tolist(),
            "weights_digest": self.card.weights_digest,
        }
        for name, content in (("task.json", task), ("metrics.json", self.metrics)):
            with written_whole(folder / name) as path:
                path.write_text(json.dumps(content, indent=1))
        with written_whole(folder / "held_out.csv") as path:
            self.held_out.to_csv(path, index=False)

    @classmethod
    def load(cls, folder: str | Path) -> Finetuned:
        """Read what `save` wrote, without running code found in it.

        Raises
        ------
        ValueError
            If a file is missing or damaged, or not of the weights that the card has.
        """
        folder = Path(folder)
        card = load_card(folder)
        head = load_network(folder / "head.keras")
        check_weights(
            folder / "head.keras",
            head.get_weights(),
            expected=digest_of_head(card.weights_digest),
        )
        content = _read_task(folder / "task.json", card)
        return cls(
            task=Task.from_dict(content["task"]),
            card=card,
            settings=Finetune(**content["settings"]),
            head=head,
            model_folder=folder,
            constant=np.array(content["constant"]),
            metrics=_read_json(folder / "metrics.json"),
            held_out=_read_held_out(folder / "held_out.csv"),
        )


def card_of(
    card: ModelCard, *, encoder: keras.Model | None, head: keras.Model, recipe: str
) -> ModelCard:
    """The card of a finetuned model: its own digest, and that of the model before.

    Parameters
    ----------
    card : ModelCard
        Of the model before.
    encoder : keras.Model or None
        As finetuned; None if it stayed as it was.
    head : keras.Model
    recipe : str
        What it is made by, apart from the galaxies.
    """
    if encoder is None:
        of_encoder = digest_of_encoder(card.weights_digest) or ""
    else:
        of_encoder = sha256_of(encoder.get_weights())
    digest = joined(encoder=of_encoder, head=sha256_of(head.get_weights()))
    return dataclasses.replace(
        card, recipe=recipe, finetuned_from=card.weights_digest, weights_digest=digest
    )


def _as_table(
    galaxies: pd.DataFrame | Sequence[str | Path] | None,
) -> pd.DataFrame | None:
    if galaxies is None:
        return None
    if not isinstance(galaxies, pd.DataFrame):
        if isinstance(galaxies, str | Path):
            galaxies = [galaxies]
        paths = [str(path) for path in galaxies]
        return pd.DataFrame({"id_str": paths, "file_loc": paths})
    if "id_str" not in galaxies:
        raise ValueError("galaxies: column id_str not found")
    return galaxies


def _read_task(path: Path, card: ModelCard) -> dict:
    content = _read_json(path)
    missing = {"task", "settings", "constant", "weights_digest"} - set(content)
    if missing:
        raise ValueError(f"{path}: found no {min(missing)!r}; {MAKE_ANEW}")
    if content["weights_digest"] != card.weights_digest:
        raise ValueError(
            f"{path}: found the task of other weights than those of its card.json; "
            f"with the whole folder, {MAKE_ANEW}"
        )
    return content


def _read_json(path: Path) -> dict:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: expected a file (JSON) of a finetuned model; {error}; {MAKE_ANEW}"
        ) from error


def _read_held_out(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(
            path,
            dtype={"id_str": str},
            keep_default_na=False,
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except OSError as error:
        raise ValueError(
            f"{path}: expected predictions of a finetuned model; {error}; {MAKE_ANEW}"
        ) from error
