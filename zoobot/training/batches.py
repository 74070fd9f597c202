"""Batches to train on and to choose the best epoch by: views and votes of galaxies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from zoobot.data_utils.labelled_galaxies import (
    FileGalaxies,
    LabelledGalaxies,
    ShardGalaxies,
)
from zoobot.data_utils.untuned import untuned
from zoobot.estimators.augmentation import center_view, random_view
from zoobot.preprocess import PreprocessingConfig, preprocess_images, stack_labels
from zoobot.settings.training import Train

__all__ = ["get_galaxies", "training_batches", "validation_batches"]


def get_galaxies(
    paths: Sequence[str | Path], *, settings: Train, image_size: int | None = None
) -> LabelledGalaxies:
    """Galaxies as the settings want them read: from shards, or from image files.

    Parameters
    ----------
    paths : sequence of path
        TFRecords; with ``shards: none`` parquet tables.
    settings : Train
    image_size : int, optional
        Side of the stored images in pixels; image files are resized to it.

    Raises
    ------
    ValueError
        If the files are not of the kind that the settings say, or hold no galaxies.
    """
    suffix = ".parquet" if settings.shards == "none" else ".tfrecord"
    others = [path for path in paths if Path(path).suffix != suffix]
    if others:
        raise ValueError(
            f"{others[0]}: expected a file that ends in {suffix} with shards "
            f"{settings.shards}"
        )
    if settings.shards == "tfrecords":
        return ShardGalaxies(paths, image_size=image_size)
    if image_size is None:
        raise ValueError(
            "image_size: found none, expected the side to which image files are resized"
        )
    return FileGalaxies(paths, image_size=image_size, cache=settings.cache)


def training_batches(
    galaxies: LabelledGalaxies | Sequence[str | Path],
    label_cols: Sequence[str],
    *,
    settings: Train,
    seed: int,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Epochs' batches, one after another: new order and new views in each.

    Parameters
    ----------
    galaxies : LabelledGalaxies or sequence of path
        What to train on; paths are those of TFRecords.
    label_cols : sequence of str
        Vote columns, in the order of the model's answers.
    settings : Train
    seed : int
    first_epoch : int
        Number of the first epoch, from 0; those before it are left out.

    Returns
    -------
    tf.data.Dataset
        (images, votes): (batch, input_size, input_size, channels) float32 in 0-1, and
        (batch, n_answers) float32.
    """
    source = _source(galaxies)
    config = _preprocessing(label_cols, source.image_size, settings)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        batches = source.batches(
            label_cols,
            batch_size=settings.batch_size,
            shuffle=True,
            seed=seed + epoch,
        )

        def view(batch: dict[str, tf.Tensor]):
            images = random_view(
                preprocess_images(batch["image"], config),
                id_str=batch["id_str"],
                epoch=epoch,
                seed=seed,
                shift_max=settings.shift_max_px,
                crop_size=settings.crop_size_px,
                input_size=settings.input_size_px,
            )
            return images, stack_labels(batch, label_cols)

        return batches.map(view, num_parallel_calls=tf.data.AUTOTUNE)

    epochs = untuned(tf.data.Dataset.range(first_epoch, settings.epochs))
    return epochs.flat_map(one_epoch).prefetch(tf.data.AUTOTUNE)


def validation_batches(
    galaxies: LabelledGalaxies | Sequence[str | Path],
    label_cols: Sequence[str],
    *,
    settings: Train,
) -> tf.data.Dataset:
    """Batches of central views, in the galaxies' order; shapes as in training."""
    source = _source(galaxies)
    config = _preprocessing(label_cols, source.image_size, settings)

    def view(batch: dict[str, tf.Tensor]):
        images = center_view(
            preprocess_images(batch["image"], config),
            crop_size=settings.crop_size_px,
            input_size=settings.input_size_px,
        )
        return images, stack_labels(batch, label_cols)

    batches = source.batches(label_cols, batch_size=settings.batch_size)
    n_galaxies = len(source.labels(label_cols[:1]))
    # Records do not say how many they are, and Keras warns of an end that it meets.
    n_batches = math.ceil(n_galaxies / settings.batch_size)
    return (
        batches.map(view, num_parallel_calls=tf.data.AUTOTUNE)
        .apply(tf.data.experimental.assert_cardinality(n_batches))
        .prefetch(tf.data.AUTOTUNE)
    )


def _source(galaxies: LabelledGalaxies | Sequence[str | Path]) -> LabelledGalaxies:
    if isinstance(galaxies, Sequence):
        return ShardGalaxies(galaxies)
    return galaxies


def _preprocessing(
    label_cols: Sequence[str], size: int, settings: Train
) -> PreprocessingConfig:
    return PreprocessingConfig(
        label_cols=label_cols, input_size=size, make_greyscale=settings.greyscale
    )
