"""Views of labelled galaxies, to finetune an encoder on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import tensorflow as tf

from zoobot.data_utils.image_datasets import get_image_dataset
from zoobot.data_utils.untuned import untuned
from zoobot.estimators.augmentation import random_view
from zoobot.estimators.model_card import ModelCard
from zoobot.preprocess import preprocess_images
from zoobot.representations.extract import central_views, preprocessing_of
from zoobot.settings.rings import FinetuneRings

__all__ = ["balancing_weights", "labelled_central_views", "random_views"]


def balancing_weights(labels: np.ndarray) -> np.ndarray:
    """Weights that make both classes count the same; their mean is 1.

    Parameters
    ----------
    labels : (n_galaxies,) int, 0 or 1

    Returns
    -------
    (n_galaxies,) float32
    """
    share = np.mean(labels)
    return np.where(labels == 1, 0.5 / share, 0.5 / (1 - share)).astype(np.float32)


def labelled_central_views(
    galaxies: pd.DataFrame, *, card: ModelCard, batch_size: int
) -> tf.data.Dataset:
    """What stage 2 validates on, kept in memory.

    Parameters
    ----------
    galaxies : DataFrame
        With file_loc and label, 0 or 1.
    card : ModelCard
        Says at which scale the encoder sees galaxies.
    batch_size : int
        Galaxies in a batch.

    Returns
    -------
    tf.data.Dataset
        (views, labels, weights): (batch, input_size, input_size, channels), (batch,)
        and (batch,), all float32.
    """
    labels = galaxies["label"].to_numpy("float32")
    images = central_views(galaxies["file_loc"], card=card, batch_size=batch_size)
    targets = tf.data.Dataset.from_tensor_slices((labels, balancing_weights(labels)))
    both = tf.data.Dataset.zip(images, targets.batch(batch_size))
    return both.map(lambda views, target: (views, *target)).cache()


def random_views(
    galaxies: pd.DataFrame, *, card: ModelCard, settings: FinetuneRings
) -> tf.data.Dataset:
    """What stage 2 trains on: all its epochs, with new views in each.

    Parameters
    ----------
    galaxies : DataFrame
        With file_loc and label, 0 or 1; a galaxy may repeat.
    card : ModelCard
        Says at which scale the encoder sees galaxies.
    settings : FinetuneRings
        Epochs, batch size and seed.

    Returns
    -------
    tf.data.Dataset
        (views, labels): (batch, input_size, input_size, channels) and (batch,).
    """
    config = preprocessing_of(card)
    dataset = get_image_dataset(
        list(galaxies["file_loc"]),
        requested_img_size=card.image_size_px,
        batch_size=settings.batch_size,
        labels=galaxies["label"].to_numpy("float32"),
    )

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        def view(step: tf.Tensor, batch: dict[str, tf.Tensor]):
            # A galaxy may repeat within an epoch: its place tells its copies apart.
            place = tf.range(tf.size(batch["label"], tf.int64))
            place += step * settings.batch_size
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
            return seen, batch["label"]

        return dataset.enumerate().map(view, num_parallel_calls=tf.data.AUTOTUNE)

    epochs = untuned(tf.data.Dataset.range(settings.unfreeze_epochs))
    return epochs.flat_map(one_epoch).prefetch(tf.data.AUTOTUNE)
