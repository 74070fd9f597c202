"""Views of labelled galaxies, to finetune an encoder on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from zoobot.data_utils.image_datasets import get_image_dataset
from zoobot.data_utils.untuned import untuned
from zoobot.estimators.augmentation import random_view
from zoobot.estimators.model_card import ModelCard
from zoobot.preprocess import preprocess_images
from zoobot.representations.extract import central_views, preprocessing_of
from zoobot.settings.finetuning import Finetune

__all__ = ["central_views_of", "random_views"]


def central_views_of(
    paths: Sequence[str],
    *,
    targets: Sequence[np.ndarray],
    card: ModelCard,
    batch_size: int,
) -> tf.data.Dataset:
    """What stage 2 validates on, kept in memory.

    Parameters
    ----------
    paths : (n_galaxies,) sequence of str
        Image files.
    targets : sequence of (n_galaxies, ...) float32
        Targets and, it may be, weights.
    card : ModelCard
        Says at which scale the encoder sees galaxies.
    batch_size : int
        Galaxies in a batch.

    Returns
    -------
    tf.data.Dataset
        Views and targets: (batch, input_size, input_size, channels) float32, and
        (batch, ...) each.
    """
    images = central_views(paths, card=card, batch_size=batch_size)
    known = tf.data.Dataset.from_tensor_slices(tuple(targets)).batch(batch_size)
    both = tf.data.Dataset.zip(images, known)
    return both.map(lambda views, target: (views, *target)).cache()


def random_views(
    paths: Sequence[str],
    *,
    targets: Sequence[np.ndarray],
    card: ModelCard,
    settings: Finetune,
) -> tf.data.Dataset:
    """What stage 2 trains on: all its epochs, with new views in each.

    Parameters
    ----------
    paths : (n_rows,) sequence of str
        Image files; a galaxy may repeat.
    targets : sequence of (n_rows, ...) float32
        Targets and, it may be, weights.
    card : ModelCard
        Says at which scale the encoder sees galaxies.
    settings : Finetune
        Epochs, batch size and seed.

    Returns
    -------
    tf.data.Dataset
        Views and targets: (batch, input_size, input_size, channels) float32, and
        (batch, ...) each.
    """
    config = preprocessing_of(card)
    size = settings.batch_size
    images = get_image_dataset(
        list(paths), requested_img_size=card.image_size_px, batch_size=size
    )
    known = tf.data.Dataset.from_tensor_slices(tuple(targets)).batch(size)
    dataset = untuned(tf.data.Dataset.zip(images, known))

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        def view(step: tf.Tensor, both: tuple):
            batch, target = both
            # A galaxy may repeat within an epoch: its place tells its copies apart.
            place = tf.range(tf.size(batch["id_str"], tf.int64)) + step * size
            copy = tf.strings.join([batch["id_str"], "/", tf.strings.as_string(place)])
            seen = random_view(
                preprocess_images(batch["image"], config),
                id_str=copy,
                epoch=epoch,
                seed=settings.seed,
                shift_max=card.shift_max_px,
                crop_size=card.crop_size_px,
                input_size=card.input_size_px,
            )
            return (seen, *target)

        return dataset.enumerate().map(view, num_parallel_calls=tf.data.AUTOTUNE)

    epochs = untuned(tf.data.Dataset.range(settings.unfreeze_epochs))
    return epochs.flat_map(one_epoch).prefetch(tf.data.AUTOTUNE)
