"""Trained models that predict together: one sweep of each, and passes of their heads.

Each image is decoded once for each model, however many passes there are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from zoobot.estimators.encoder_files import load_encoder
from zoobot.estimators.model_card import Head, ModelCard, load_card, load_head
from zoobot.estimators.model_folders import members_in
from zoobot.estimators.unnamed_schemas import is_unnamed
from zoobot.predictions.dropout_passes import (
    check_same_schema,
    concentrations_of_pass,
    draw_mask,
)
from zoobot.representations.extract import sweep, sweep_shards
from zoobot.schemas import Schema
from zoobot.settings.images import RenderFits
from zoobot.settings.programs import MakePredictions

__all__ = ["Ensemble", "Predicted", "load_ensemble"]


@dataclasses.dataclass(frozen=True)
class Predicted:
    """What models say of galaxies."""

    id_str: list[str]
    """(n_galaxies,)"""
    concentrations: np.ndarray
    """(n_galaxies, n_answers, n_passes) float32, votes; passes member by member."""
    representations: np.ndarray | None
    """(n_galaxies, n_features) float32, of the first member, if asked for."""
    rejected: pd.DataFrame
    """id_str, file_loc and reason of images that cannot be read."""

    def check_any(self) -> None:
        """Raise ValueError if no galaxy is left, naming the first bad image."""
        if self.id_str:
            return
        first = self.rejected.iloc[0]
        raise ValueError(
            f"{first['file_loc']}: {first['reason']}; none of {len(self.rejected)} "
            "images can be read, expected one at least"
        )


@dataclasses.dataclass(frozen=True)
class _Member:
    card: ModelCard
    encoder: keras.Model
    head: Head


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """One or more models with the same decision tree; `load_ensemble` reads it."""

    members: Sequence[_Member]

    @property
    def cards(self) -> list[ModelCard]:
        """Cards of the members."""
        return [member.card for member in self.members]

    @property
    def schema(self) -> Schema:
        """Decision tree of all members."""
        return self.members[0].card.schema

    def predict_images(
        self,
        galaxies: pd.DataFrame,
        *,
        settings: MakePredictions,
        threads: int | None = None,
        with_representations: bool = False,
        rendering: RenderFits | None = None,
    ) -> Predicted:
        """Predict galaxies from their image files; bad images are left out.

        Parameters
        ----------
        galaxies : DataFrame
            id_str and file_loc.
        settings : MakePredictions
            Passes, seed, galaxies in a batch, and what computes.
        threads : int, optional
            Threads of OpenVINO; else all cores.
        with_representations : bool
            Whether to keep those of the first member.
        rendering : RenderFits, optional
            How FITS images become pictures; as config.yaml sets it if not given.
        """
        unreadable: dict[str, str] = {}
        passes, features = [], None
        for number, member in enumerate(self.members):
            blocks = sweep(
                member.encoder,
                list(galaxies["file_loc"]),
                card=member.card,
                batch_size=settings.batch_size,
                engine=settings.engine,
                threads=threads,
                unreadable=unreadable,
                rendering=rendering,
            )
            is_kept = with_representations and number == 0
            found, kept = _passes(blocks, member, settings=settings, is_kept=is_kept)
            passes.append(found)
            features = features if kept is None else kept
        is_bad = galaxies["file_loc"].isin(list(unreadable)).to_numpy()
        rejected = galaxies.loc[is_bad, ["id_str", "file_loc"]].reset_index(drop=True)
        rejected["reason"] = [unreadable[path] for path in rejected["file_loc"]]
        return Predicted(
            id_str=list(galaxies["id_str"][~is_bad]),
            concentrations=np.concatenate(passes, axis=-1)[~is_bad],
            representations=None if features is None else features[~is_bad],
            rejected=rejected,
        )

    def predict_shards(
        self,
        shards: Sequence[str | Path],
        *,
        settings: MakePredictions,
        with_representations: bool = False,
    ) -> Predicted:
        """Predict galaxies in TFRecords.

        Parameters
        ----------
        shards : sequence of path
            With images of the size that the models were trained on.
        settings : MakePredictions
            Passes, seed, and galaxies in a batch.
        with_representations : bool
            Whether to keep those of the first member.
        """
        passes, features = [], None
        for number, member in enumerate(self.members):
            ids: list[str] = []

            def blocks(member: _Member, ids: list[str]) -> Iterator[np.ndarray]:
                for some, block in sweep_shards(
                    member.encoder,
                    shards,
                    card=member.card,
                    batch_size=settings.batch_size,
                ):
                    ids += some
                    yield block

            found, kept = _passes(
                blocks(member, ids),
                member,
                settings=settings,
                is_kept=with_representations and number == 0,
            )
            passes.append(found)
            features = features if kept is None else kept
        return Predicted(
            id_str=ids,
            concentrations=np.concatenate(passes, axis=-1),
            representations=features,
            rejected=pd.DataFrame({"id_str": [], "file_loc": [], "reason": []}),
        )


def load_ensemble(
    checkpoint_dir: str | Path,
    *,
    schema: Schema | None = None,
    initial_size: int | None = None,
    crop_size: int | None = None,
    final_size: int | None = None,
) -> Ensemble:
    """Read trained models, and check that they are what is expected.

    Parameters
    ----------
    checkpoint_dir : path
        A model folder, or one with the folders 0, 1, ... of an ensemble.
    schema : Schema, optional
        Decision tree that they must answer; theirs, if not given.
    initial_size, crop_size, final_size : int, optional
        Side of the stored images, of the part that the network sees, and of what that
        is resized to, pixels, that they must have been trained with.

    Raises
    ------
    ValueError
        If there is no model, one is damaged, or they are not what is expected.
    """
    folders = members_in(checkpoint_dir)
    expected = {
        "initial_size": initial_size,
        "crop_size": crop_size,
        "final_size": final_size,
    }
    cards = [
        _checked(load_card(folder), folder=folder, schema=schema, sizes=expected)
        for folder in folders
    ]
    check_same_schema(cards, models=folders)
    return Ensemble(
        [
            _Member(card=card, encoder=load_encoder(folder), head=load_head(folder))
            for card, folder in zip(cards, folders, strict=True)
        ]
    )


def _checked(
    card: ModelCard,
    *,
    folder: Path,
    schema: Schema | None,
    sizes: dict[str, int | None],
) -> ModelCard:
    """The card, with the words of the tree that is asked for."""
    stored = {
        "initial_size": card.image_size_px,
        "crop_size": card.crop_size_px,
        "final_size": card.input_size_px,
    }
    for name, expected in sizes.items():
        if expected is not None and expected != stored[name]:
            raise ValueError(
                f"{name}: found {expected}, expected {stored[name]} px, with which the "
                f"model in {folder} was trained; else it would see galaxies at another "
                "scale"
            )
    if schema is None:
        if is_unnamed(card.schema):
            raise ValueError(
                f"{folder}: found a model that does not know the words of its decision "
                "tree, expected schema to tell them"
            )
        return card
    same_shape = schema.question_index_groups == card.schema.question_index_groups
    same_words = is_unnamed(card.schema) or schema.label_cols == card.schema.label_cols
    if not (same_shape and same_words):
        raise ValueError(
            f"schema: found {schema}, expected {card.schema}, which the model in "
            f"{folder} answers"
        )
    return dataclasses.replace(card, schema=schema)


def _passes(
    blocks: Iterable[np.ndarray],
    member: _Member,
    *,
    settings: MakePredictions,
    is_kept: bool,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Concentrations, (n_galaxies, n_answers, n_passes), and the representations."""
    masks = [
        draw_mask(
            seed=settings.seed,
            member=member.card.member,
            index=index,
            card=member.card,
        )
        for index in range(settings.n_samples)
    ]
    passes, kept = [], []
    for block in blocks:
        each = [
            concentrations_of_pass(block, mask=mask, head=member.head, card=member.card)
            for mask in masks
        ]
        passes.append(np.stack(each, axis=-1))
        if is_kept:
            kept.append(block)
    return np.concatenate(passes), np.concatenate(kept) if is_kept else None
