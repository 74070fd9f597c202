"""Finetune a trained model for any new task, in one call."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from zoobot.data_utils.label_tables import (
    PARTS,
    Labels,
    check_parts,
    images_of,
    parts_of,
    read_labels,
)
from zoobot.data_utils.tasks import Task
from zoobot.estimators import device_memory
from zoobot.estimators.define_model import load_encoder
from zoobot.estimators.devices import be_deterministic
from zoobot.estimators.model_card import ModelCard, load_card
from zoobot.evaluation.task_metrics import linear_probe, task_metrics
from zoobot.representations.extract import sweep
from zoobot.representations.gather import array_of_representations, as_paths, gather
from zoobot.schemas import Schema
from zoobot.settings.finetuning import Finetune, finetune_settings
from zoobot.settings.rings import TaskKind
from zoobot.training.class_balance import correct_prior
from zoobot.training.finetune import Labelled, train_encoder, train_head
from zoobot.training.finetuned import Finetuned, Representations, card_of

__all__ = ["Finetuned", "finetune", "measure"]

log = logging.getLogger(__name__)


def finetune(
    labels: pd.DataFrame,
    *,
    label: str | Schema,
    task: TaskKind,
    model_folder: str | Path,
    representations: Representations | None = None,
    settings: Finetune | Mapping[str, Any] | None = None,
    val: float = 0.1,
    test: float = 0.2,
    split_seed: int = 42,
    recipe: str = "",
    settings_name: str = "settings",
) -> Finetuned:
    """Train a new head, and if asked the encoder too, on labels of your own.

    Parameters
    ----------
    labels : DataFrame
        ``id_str``, the labels, and where images are read ``file_loc``. If there is a
        column ``part``, it says ``train``, ``val`` (chooses the best epoch) or ``test``
        (held out for metrics); else the hash of its id decides about each galaxy, as in
        the workflow.
    label : str or Schema
        Column of the labels. For votes, the decision tree, or its name or YAML file:
        its label columns hold the counts.
    task : {"binary", "classes", "fraction", "votes"}
        What labels are: 0 or 1 (false or true), names, numbers from 0 to 1, or counts
        of volunteers.
    model_folder : path
        A trained model.
    representations : path, sequence of path, or (n, n_features[, n_views]) array
        HDF5 files by that model, which may hold other galaxies too; or one row for each
        of `labels`. If there are none, the encoder sweeps the images once.
    settings : Finetune or mapping, optional
        All settings, or those that differ from `zoobot.settings.finetuning.USUAL`, as
        ``{"unfreeze": "some"}``.
    val, test : float
        Shares of the galaxies that choose the best epoch, and that are held out; if
        none are held out, there are no metrics.
    split_seed : int
        Another seed gives another split. That of a workflow with the same shares gives
        its parts: galaxies held out here are then none that its encoder was trained on.
    recipe : str
        Stored in the card: what the model is made by, apart from the galaxies.
    settings_name : str
        What the settings are called where they are to be changed, for errors.

    Returns
    -------
    Finetuned
        With ``predict``, ``save``, ``load``, ``metrics`` and ``held_out``.

    Raises
    ------
    ValueError
        If a label is none or all are the same, a column, image or representation is
        missing, representations are not by that model, or a setting is bad.
    FloatingPointError
        If representations or the loss are no numbers.

    Notes
    -----
    The same seed gives the same weights to the bit on one machine; for this TensorFlow
    is set to deterministic operations, in the whole process. Probabilities are those
    of classes as frequent as in the training part, also where they were balanced.
    """
    chosen = finetune_settings(settings)
    card = load_card(model_folder)
    known = read_labels(labels, label=label, kind=task)
    parts = parts_of(labels, val=val, test=test, seed=split_seed)
    check_parts(known, parts)
    paths: list[str] = []
    if representations is None:
        paths = images_of(labels, why="there are no representations")
    elif chosen.unfreeze != "none":
        paths = images_of(labels, why=f"unfreeze: {chosen.unfreeze} trains on them")
    train = device_memory.says_what_to_set(settings_name)(_finetune)
    return train(
        known,
        parts=parts,
        paths=paths,
        representations=representations,
        card=card,
        model_folder=Path(model_folder),
        settings=chosen,
        recipe=recipe,
    )


def measure(
    finetuned: Finetuned,
    labels: pd.DataFrame,
    *,
    representations: Representations | None = None,
) -> dict:
    """Figures of a finetuned model on other galaxies with labels of the same task.

    Parameters
    ----------
    finetuned : Finetuned
    labels : DataFrame
        ``id_str``, the label columns and, without representations, ``file_loc``.
    representations : path, sequence of path, or (n, n_features[, n_views]) array
        As in `Finetuned.predict`.

    Returns
    -------
    dict
        As `zoobot.evaluation.task_metrics.task_metrics`.

    Raises
    ------
    ValueError
        As `finetune` and `Finetuned.predict` do.
    """
    known = read_labels(labels, task=finetuned.task)
    predictions = finetuned.predict(labels, representations=representations)
    return task_metrics(
        known.targets,
        outputs=predictions[finetuned.task.output_names].to_numpy(),
        task=finetuned.task,
        constant=finetuned.constant,
    )


def _finetune(
    known: Labels,
    *,
    parts: np.ndarray,
    paths: list[str],
    representations: Representations | None,
    card: ModelCard,
    model_folder: Path,
    settings: Finetune,
    recipe: str,
) -> Finetuned:
    """Both stages, and what they come to on held-out galaxies."""
    task = known.task
    if representations is None:
        features = _swept(load_encoder(model_folder), paths, card, settings)
    else:
        features = _given(representations, known, card)
    galaxies = {}
    for part in PARTS:
        rows = np.flatnonzero(parts == part)
        images = [paths[row] for row in rows] if paths else []
        galaxies[part] = Labelled(known.targets[rows], features[rows], images)
    train, test = galaxies["train"], galaxies["test"]
    log.info("galaxies: %s", {p: len(some.targets) for p, some in galaxies.items()})

    be_deterministic(settings.seed)
    head = train_head(galaxies, task=task, card=card, settings=settings)
    stage_1 = _with_real_prior(head, train.targets, task, settings)
    outputs = {"stage_1": _predicted(stage_1, test.representations)}
    final, seen, encoder = stage_1, test.representations, None
    if settings.unfreeze != "none":
        encoder = load_encoder(model_folder)
        train_encoder(
            encoder,
            head=head,
            galaxies=galaxies,
            task=task,
            card=card,
            settings=settings,
        )
        final = _with_real_prior(head, train.targets, task, settings)
        if len(seen):
            seen = _swept(encoder, test.file_loc, card, settings)
    outputs["final"] = _predicted(final, seen)
    constant = task.constant_prediction(train.targets)
    in_test = parts == "test"
    return Finetuned(
        task=task,
        card=card_of(card, encoder=encoder, head=final, recipe=recipe),
        settings=settings,
        head=final,
        model_folder=model_folder,
        trained_encoder=encoder,
        constant=constant,
        metrics=_metrics(known, features, outputs, constant, in_test, settings.seed),
        held_out=_held_out(known, outputs, in_test),
    )


def _swept(
    encoder: keras.Model, paths: Sequence[str], card: ModelCard, settings: Finetune
) -> np.ndarray:
    """Representations of images, (n_galaxies, n_features) float32."""
    blocks = sweep(encoder, paths, card=card, batch_size=settings.batch_size)
    return np.concatenate(list(blocks))


def _given(
    representations: Representations, known: Labels, card: ModelCard
) -> np.ndarray:
    """Representations of all galaxies, (n_galaxies, n_features) float64."""
    if isinstance(representations, np.ndarray):
        return array_of_representations(
            representations, n_galaxies=len(known.id_str), n_features=card.n_features
        )
    return gather(as_paths(representations), id_str=known.id_str, card=card)


def _with_real_prior(
    head: keras.Model, targets: np.ndarray, task: Task, settings: Finetune
) -> keras.Model:
    """A copy, without the state of training, for classes as frequent as they are."""
    plain = keras.Sequential.from_config(head.get_config())
    plain.set_weights(head.get_weights())
    classes = task.classes_of(targets)
    if classes is not None and settings.balance != "none":
        correct_prior(plain, labels=classes, n_classes=task.n_classes)
    return plain


def _predicted(head: keras.Model, features: np.ndarray) -> np.ndarray:
    """(n_galaxies, n_outputs) float32, also where there is no galaxy."""
    if not len(features):
        return np.empty((0, head.output_shape[-1]), np.float32)
    return head.predict(features, verbose=0)


def _metrics(
    known: Labels,
    features: np.ndarray,
    outputs: dict[str, np.ndarray],
    constant: np.ndarray,
    in_test: np.ndarray,
    seed: int,
) -> dict:
    if not in_test.any():
        return {}
    result: dict = {"task": known.task.kind, "label": known.task.label}
    if known.task.kind == "binary":
        labels = known.targets.astype(int)
        result["linear_probe"] = linear_probe(features, labels=labels, seed=seed)
    for stage, one in outputs.items():
        result[stage] = task_metrics(
            known.targets[in_test], outputs=one, task=known.task, constant=constant
        )
    log.info("held-out galaxies: %s", result["final"])
    return result


def _held_out(
    known: Labels, outputs: dict[str, np.ndarray], in_test: np.ndarray
) -> pd.DataFrame:
    """Labels and predictions of held-out galaxies."""
    rows = np.flatnonzero(in_test)
    ids = [known.id_str[row] for row in rows]
    tables = {name: known.task.predictions(ids, one) for name, one in outputs.items()}
    final = tables["final"].set_index("id_str")
    first = tables["stage_1"].set_index("id_str").add_suffix("_stage_1")
    labels = known.values.iloc[rows].set_axis(final.index)
    return pd.concat([labels, final, first], axis=1).reset_index()
