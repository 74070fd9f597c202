"""Finetune a trained model for a yes-or-no question, such as whether it is a ring.

Stage 1 trains a new head on stored representations, in seconds. Stage 2 trains the last
blocks of the encoder (or all of it) together with that head on images, at a low
learning rate; batch normalisation stays frozen, as a few hundred galaxies would spoil
its averages.
"""

from __future__ import annotations

import logging
from typing import Literal

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from zoobot.data_utils.untuned import untuned
from zoobot.estimators.heads import get_binary_head
from zoobot.estimators.model_card import ModelCard
from zoobot.settings.rings import FinetuneRings
from zoobot.training.batch_progress import BatchProgress
from zoobot.training.compiling import compile_model
from zoobot.training.finetune_views import (
    balancing_weights,
    labelled_central_views,
    random_views,
)
from zoobot.training.stop_at_nan import StopAtNaN

__all__ = [
    "balance",
    "correct_prior",
    "train_encoder",
    "train_head",
    "unfreeze",
]

log = logging.getLogger(__name__)

_TOP = 99  # what comes after the last block, of which there are 6 or 7

# Of the mean over features: one that hardly varies would otherwise be blown up, and
# with it every small change of the encoder in stage 2.
_LEAST_VARIANCE = 1e-3


def balance(labels: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Rows in which both classes are equally frequent: the rarer one repeats.

    Parameters
    ----------
    labels : (n_galaxies,) int, 0 or 1
    rng : np.random.Generator
        Chooses which galaxies repeat once more than others, and the order.

    Returns
    -------
    (n_rows,) int
        Indices into `labels`, shuffled. Every galaxy is in it at least once.

    Raises
    ------
    ValueError
        If a class is empty.
    """
    classes = [np.flatnonzero(labels == label) for label in (0, 1)]
    if not all(map(len, classes)):
        raise ValueError(f"labels: found only {np.unique(labels)}, expected 0 and 1")
    n_most = max(len(rows) for rows in classes)
    repeated = []
    for rows in classes:
        n_more = n_most % len(rows)
        repeated += [
            np.tile(rows, n_most // len(rows)),
            rng.choice(rows, n_more, replace=False),
        ]
    return rng.permutation(np.concatenate(repeated))


def train_head(
    representations: dict[str, np.ndarray],
    *,
    labels: dict[str, np.ndarray],
    settings: FinetuneRings,
) -> keras.Model:
    """Stage 1: a new head on representations, the encoder frozen.

    Parameters
    ----------
    representations : dict
        ``train`` and ``val``: (n_galaxies, n_features) float32.
    labels : dict
        ``train`` and ``val``: (n_galaxies,) int, 0 or 1.
    settings : FinetuneRings

    Returns
    -------
    keras.Model
        (batch, n_features) to (batch, 1): probability among classes of equal frequency.

    Raises
    ------
    FloatingPointError
        If representations, or the loss, are no finite numbers.
    """
    for part, values in representations.items():
        n_bad = np.sum(~np.isfinite(values).all(axis=1))
        if n_bad:
            raise FloatingPointError(
                f"representations: found NaN or infinite numbers in {n_bad} of "
                f"{len(values)} galaxies of {part!r}, expected none"
            )
    rng = np.random.default_rng(settings.seed)
    variance = representations["train"].var(0)
    head = get_binary_head(
        n_features=representations["train"].shape[-1],
        hidden_units=settings.hidden_units,
        dropout_rate=settings.dropout_rate,
        mean=representations["train"].mean(0),
        variance=np.maximum(variance, _LEAST_VARIANCE * variance.mean()),
    )
    rows = balance(labels["train"], rng=rng)
    columns = representations["train"][rows], labels["train"][rows].astype("float32")
    train = untuned(tf.data.Dataset.from_tensor_slices(columns))
    train = train.shuffle(len(rows), seed=settings.seed).batch(settings.batch_size)
    _fit(
        head,
        train,
        _weighted(representations["val"], labels["val"]).batch(settings.batch_size),
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
    galaxies: dict[str, pd.DataFrame],
    card: ModelCard,
    settings: FinetuneRings,
) -> None:
    """Stage 2: the encoder's blocks and the head, on images; both change in place.

    If no epoch has a lower validation loss than stage 1, they stay as they were.

    Parameters
    ----------
    encoder, head : keras.Model
        Of the trained model, and from stage 1.
    galaxies : dict
        ``train`` and ``val``: tables with id_str, file_loc and label (0 or 1).
    card : ModelCard
        Of the encoder's model: the scale at which it sees galaxies.
    settings : FinetuneRings
    """
    unfreeze(encoder, which=settings.unfreeze, n_blocks=settings.unfreeze_blocks)
    rng = np.random.default_rng(settings.seed)
    rows = balance(galaxies["train"]["label"].to_numpy(), rng=rng)
    train = random_views(galaxies["train"].iloc[rows], card=card, settings=settings)
    val = labelled_central_views(
        galaxies["val"], card=card, batch_size=settings.batch_size
    )
    _fit(
        keras.Sequential([encoder, head]),
        train,
        val,
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


def _weighted(representations: np.ndarray, labels: np.ndarray) -> tf.data.Dataset:
    columns = representations, labels.astype("float32"), balancing_weights(labels)
    return untuned(tf.data.Dataset.from_tensor_slices(columns))


def correct_prior(head: keras.Model, *, labels: np.ndarray) -> None:
    """Turn a head trained on balanced classes into one for the classes as they are.

    ``log odds = log odds(balanced) + log(n_1 / n_0)``, a shift of the last bias.

    Parameters
    ----------
    head : keras.Model
        Changed in place.
    labels : (n_galaxies,) int, 0 or 1
        Before balancing.

    References
    ----------
    Saerens, Latinne & Decaestecker 2002, Neural Computation 14, 21, eq. 2.4.
    """
    last = head.layers[-1]
    kernel, bias = last.get_weights()
    last.set_weights([kernel, bias + np.log(np.sum(labels == 1) / np.sum(labels == 0))])


def _fit(
    model: keras.Model,
    train: tf.data.Dataset,
    val: tf.data.Dataset,
    *,
    epochs: int,
    patience: int,
    learning_rate: float,
    n_galaxies: int,
    steps_per_epoch: int | None = None,
    advice: str = "a lower learning_rate",
) -> None:
    """Train, keeping the weights with the lowest validation loss: first or later.

    The validation data carry weights that make both classes count the same, as they do
    in training: else the fewer rings there are, the sooner training would stop.
    """
    compile_model(
        model,
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="binary_crossentropy",
    )
    model.optimizer.build(model.trainable_variables)  # else Keras traces twice
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
