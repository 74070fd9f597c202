"""The two stages of finetuning a trained model for a new task, such as finding rings.

Stage 1 trains a new head on stored representations, in seconds. Stage 2 trains the last
blocks of the encoder (or all of it) together with that head on images, at a low
learning rate; batch normalisation stays frozen, as a few hundred galaxies would spoil
its averages.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from zoobot.data_utils.tasks import Task
from zoobot.data_utils.untuned import untuned
from zoobot.estimators.finetuning_head import get_finetuning_head
from zoobot.estimators.model_card import ModelCard
from zoobot.settings.finetuning import Finetune
from zoobot.training.class_balance import balance, balancing_weights
from zoobot.training.finetune_views import central_views_of, random_views
from zoobot.training.keep_best import fit_keeping_best
from zoobot.training.losses import get_multiquestion_loss

__all__ = ["Labelled", "train_encoder", "train_head", "unfreeze"]

_TOP = 99  # what comes after the last block, of which there are 6 or 7

# Of the mean over features: one that hardly varies would otherwise be blown up, and
# with it every small change of the encoder in stage 2.
_LEAST_VARIANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Some galaxies whose answer is known."""

    targets: np.ndarray
    """(n_galaxies,) or (n_galaxies, n_outputs) float32."""
    representations: np.ndarray
    """(n_galaxies, n_features) float32, by the encoder as it was."""
    file_loc: Sequence[str] = ()
    """(n_galaxies,), images; needed by stage 2 only."""


def train_head(
    galaxies: Mapping[str, Labelled],
    *,
    task: Task,
    card: ModelCard,
    settings: Finetune,
) -> keras.Model:
    """Stage 1: a new head on representations, the encoder frozen.

    Parameters
    ----------
    galaxies : mapping
        ``train`` and ``val``.
    task : Task
    card : ModelCard
        Of the encoder's model: the range of concentrations.
    settings : Finetune

    Returns
    -------
    keras.Model
        (batch, n_features) to (batch, n_outputs). Probabilities are those among classes
        of equal frequency, if classes are balanced.

    Raises
    ------
    FloatingPointError
        If representations, or the loss, are no finite numbers.
    """
    for part, some in galaxies.items():
        n_bad = np.sum(~np.isfinite(some.representations).all(axis=1))
        if n_bad:
            raise FloatingPointError(
                f"representations: found NaN or infinite numbers in {n_bad} of "
                f"{len(some.representations)} galaxies of {part!r}, expected none"
            )
    train, val = galaxies["train"], galaxies["val"]
    rows, weights = _balanced(train.targets, task=task, settings=settings)
    variance = train.representations.var(0)
    head = get_finetuning_head(
        task,
        n_features=train.representations.shape[-1],
        hidden_units=settings.hidden_units,
        dropout_rate=settings.dropout_rate,
        mean=train.representations.mean(0),
        variance=np.maximum(variance, _LEAST_VARIANCE * variance.mean()),
        start_at=_start(train.targets, task=task, settings=settings),
        concentration_range=(card.concentration_min, card.concentration_max),
    )
    columns = train.representations[rows], train.targets[rows], *_of(rows, weights)
    batches = untuned(tf.data.Dataset.from_tensor_slices(columns))
    batches = batches.shuffle(len(rows), seed=settings.seed).batch(settings.batch_size)
    known = val.representations, val.targets, *_val_weights(val, task, settings)
    fit_keeping_best(
        head,
        batches,
        val=untuned(tf.data.Dataset.from_tensor_slices(known)).batch(
            settings.batch_size
        ),
        loss=_loss(task),
        epochs=settings.epochs,
        patience=settings.patience,
        learning_rate=settings.learning_rate,
        n_galaxies=len(rows),
    )
    return head


def train_encoder(
    encoder: keras.Model,
    *,
    head: keras.Model,
    galaxies: Mapping[str, Labelled],
    task: Task,
    card: ModelCard,
    settings: Finetune,
) -> None:
    """Stage 2: the encoder's blocks and the head, on images; both change in place.

    If no epoch has a lower validation loss than stage 1, they stay as they were.

    Parameters
    ----------
    encoder, head : keras.Model
        Of the trained model, and from stage 1.
    galaxies : mapping
        ``train`` and ``val``, with images.
    task : Task
    card : ModelCard
        Of the encoder's model: the scale at which it sees galaxies.
    settings : Finetune
    """
    unfreeze(encoder, which=settings.unfreeze, n_blocks=settings.unfreeze_blocks)
    train, val = galaxies["train"], galaxies["val"]
    rows, weights = _balanced(train.targets, task=task, settings=settings)
    fit_keeping_best(
        keras.Sequential([encoder, head]),
        random_views(
            [train.file_loc[row] for row in rows],
            targets=(train.targets[rows], *_of(rows, weights)),
            card=card,
            settings=settings,
        ),
        val=central_views_of(
            val.file_loc,
            targets=(val.targets, *_val_weights(val, task, settings)),
            card=card,
            batch_size=settings.batch_size,
        ),
        loss=_loss(task),
        epochs=settings.unfreeze_epochs,
        patience=settings.unfreeze_epochs,
        learning_rate=settings.unfreeze_learning_rate,
        advice="a lower unfreeze_learning_rate",
        n_galaxies=len(rows),
        steps_per_epoch=-(-len(rows) // settings.batch_size),
    )


def unfreeze(
    encoder: keras.Model, *, which: Literal["none", "some", "all"], n_blocks: int
) -> None:
    """Choose which layers of an EfficientNet train; batch normalisation never does.

    Parameters
    ----------
    encoder : keras.Model
        Its blocks are numbered from 1 in the layers' names, as ``block7a_expand_conv``.
    which : {"none", "some", "all"}
    n_blocks : int
        For "some": this many last blocks, and what comes after them.
    """
    numbers = [_block_number(layer.name) for layer in encoder.layers]
    last = max(number for number in numbers if number < _TOP)
    first = {"none": _TOP + 1, "some": max(1, last + 1 - n_blocks), "all": 0}[which]
    for layer, number in zip(encoder.layers, numbers, strict=True):
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = number >= first and not is_norm
    encoder.trainable_variables  # noqa: B018, Keras collects them here


def _block_number(name: str) -> int:
    if name.startswith("block"):
        return int(name[len("block")])
    return _TOP if name.startswith(("top_", "avg_pool")) else 0


def _balanced(
    targets: np.ndarray, *, task: Task, settings: Finetune
) -> tuple[np.ndarray, np.ndarray | None]:
    """Rows of an epoch, in random order, and weights of the galaxies, if any."""
    rng = np.random.default_rng(settings.seed)
    classes = task.classes_of(targets)
    if classes is None or settings.balance == "none":
        return rng.permutation(len(targets)), None
    if settings.balance == "weights":
        return rng.permutation(len(targets)), balancing_weights(classes)
    return balance(classes, n_classes=task.n_classes, rng=rng), None


def _of(rows: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, ...]:
    return () if weights is None else (weights[rows],)


def _val_weights(
    val: Labelled, task: Task, settings: Finetune
) -> tuple[np.ndarray, ...]:
    """Weights by which classes count in validation as in training."""
    classes = task.classes_of(val.targets)
    if classes is None or settings.balance == "none":
        return ()
    return (balancing_weights(classes),)


def _start(targets: np.ndarray, *, task: Task, settings: Finetune) -> np.ndarray:
    """The best constant prediction, of what training sees, (n_outputs,)."""
    if task.n_classes and settings.balance != "none":
        return np.full(task.n_outputs, 1 / task.n_classes)
    return task.constant_prediction(targets)


def _loss(task: Task) -> str | Callable:
    if task.schema:
        return get_multiquestion_loss(task.schema.question_index_groups)
    is_softmax = task.kind == "classes"
    return "categorical_crossentropy" if is_softmax else "binary_crossentropy"
