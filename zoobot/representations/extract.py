"""The encoder's one sweep over images: a representation for every galaxy."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoobot.data_utils.galaxy_sources import galaxies_in_tables
from zoobot.data_utils.image_datasets import get_image_dataset
from zoobot.data_utils.tfrecord_datasets import get_dataset, shard_image_size
from zoobot.estimators.augmentation import center_view, unseen_margin
from zoobot.estimators.device_memory import within_memory
from zoobot.estimators.devices import use_gpus, use_threads
from zoobot.estimators.encoder_files import load_encoder
from zoobot.estimators.folding import folded
from zoobot.estimators.model_card import ModelCard, load_card
from zoobot.logs import track
from zoobot.preprocess import PreprocessingConfig, preprocess_images
from zoobot.representations import openvino_engine
from zoobot.representations.representation_files import write_representations
from zoobot.settings.images import RenderFits
from zoobot.settings.representations import ExtractRepresentations

__all__ = [
    "central_views",
    "extract_representations",
    "preprocessing_of",
    "sweep",
    "sweep_shards",
]

log = logging.getLogger(__name__)


def extract_representations(
    chunk: str | Path,
    *,
    model_folder: str | Path,
    representations: str | Path,
    settings: ExtractRepresentations,
    threads: int | None = None,
) -> None:
    """Sweep the encoder over one chunk of galaxies and write an HDF5 file.

    Parameters
    ----------
    chunk : path
        Table of any kind with id_str and file_loc, as
        `zoobot.data_utils.galaxy_sources.galaxies_in_tables` reads it.
    model_folder : path
        A trained model.
    representations : path
        HDF5 file to write: ``representations`` (n_galaxies, n_features) float32.
    settings : ExtractRepresentations
        Galaxies in a batch, and what computes.
    threads : int, optional
        Threads that decode and compute; else all cores.
    """
    if threads is not None:
        use_threads(threads)
    use_gpus()
    galaxies = galaxies_in_tables([chunk])
    card = load_card(model_folder)
    encoder = load_encoder(model_folder)
    blocks = sweep(
        encoder,
        galaxies["file_loc"],
        card=card,
        batch_size=settings.batch_size,
        engine=settings.engine,
        threads=threads,
    )
    write_representations(
        representations, id_str=galaxies["id_str"], blocks=blocks, card=card
    )


def sweep(
    encoder: keras.Model,
    paths: Sequence[str],
    *,
    card: ModelCard,
    batch_size: int,
    engine: str = "tensorflow",
    threads: int | None = None,
    unreadable: dict[str, str] | None = None,
    rendering: RenderFits | None = None,
) -> Iterator[np.ndarray]:
    """Representations of image files, batch by batch, in the order given.

    The galaxies are seen at the scale the model was trained at: the card's image size,
    crop and input size.

    Parameters
    ----------
    encoder : keras.Model
    paths : (n_galaxies,) sequence of str
        Image files.
    card : ModelCard
        Of the encoder's model.
    batch_size : int
        Galaxies that go through the encoder together, as long as the memory suffices
        for so many.
    engine : {"tensorflow", "openvino"}
        What computes.
    threads : int, optional
        Threads of OpenVINO; else all cores.
    unreadable : dict, optional
    rendering : RenderFits, optional
        As `central_views` takes them.

    Yields
    ------
    (batch, n_features) float32

    Raises
    ------
    ValueError
        If the engine is not installed.
    """
    encode: Callable[[tf.Tensor], tf.Tensor | np.ndarray]
    if engine == "tensorflow":
        encode = _encoding(encoder)
    else:
        encode = openvino_engine.compiled(folded(encoder), threads=threads)
    images = central_views(
        paths,
        card=card,
        batch_size=batch_size,
        unreadable=unreadable,
        rendering=rendering,
    )
    yield from within_memory(
        encode,
        track(images, total=len(paths), what="galaxies", size=batch_size),
        batch_size=batch_size,
    )


def sweep_shards(
    encoder: keras.Model,
    shards: Sequence[str | Path],
    *,
    card: ModelCard,
    batch_size: int,
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Representations of the galaxies in shards, the same as `sweep` gives of files.

    Parameters
    ----------
    encoder : keras.Model
    shards : sequence of path
        TFRecords with images of the card's size.
    card : ModelCard
        Of the encoder's model.
    batch_size : int
        Galaxies that go through the encoder together.

    Yields
    ------
    id_str : (batch,) list of str
    representations : (batch, n_features) float32

    Raises
    ------
    ValueError
        If there is no shard, or the images are of another size.
    """
    size = shard_image_size(shards)
    if size != card.image_size_px:
        raise ValueError(
            f"{shards[0]}: found images of {size} px, expected {card.image_size_px} "
            "px as the model was trained on"
        )
    view, margin = _viewing(card), _margin(card)
    inner = slice(margin, size - margin)
    galaxies = get_dataset(shards, [], batch_size, image_size=size).map(
        lambda batch: (batch["id_str"], view(batch["image"][:, inner, inner])),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    encode = _encoding(encoder)
    for ids, batch in galaxies.prefetch(tf.data.AUTOTUNE):
        yield [id_str.decode() for id_str in ids.numpy()], encode(batch).numpy()


def central_views(
    paths: Sequence[str],
    *,
    card: ModelCard,
    batch_size: int,
    unreadable: dict[str, str] | None = None,
    rendering: RenderFits | None = None,
) -> tf.data.Dataset:
    """What a model's encoder takes of image files, in the order given.

    Parameters
    ----------
    paths : (n_galaxies,) sequence of str
        Image files.
    card : ModelCard
        Says how large the images were stored, and which part the network sees.
    batch_size : int
        Galaxies in a batch.
    unreadable : dict, optional
        Filled, on the way, with paths of images that cannot be read, which are black
        then, and the reasons; without it the first is an error.
    rendering : RenderFits, optional
        How FITS images become pictures; as config.yaml sets it if not given.

    Returns
    -------
    tf.data.Dataset
        (batch, input_size, input_size, channels) float32, 0-1.
    """
    images = get_image_dataset(
        list(paths),
        requested_img_size=card.image_size_px,
        batch_size=batch_size,
        margin_px=_margin(card),
        unreadable=unreadable,
        rendering=rendering,
    )
    view = _viewing(card)
    views = images.map(
        lambda batch: view(batch["image"]), num_parallel_calls=tf.data.AUTOTUNE
    )
    return views.prefetch(tf.data.AUTOTUNE)


def preprocessing_of(card: ModelCard) -> PreprocessingConfig:
    """The preprocessing that a model was trained with, for images without labels."""
    return PreprocessingConfig(
        label_cols=[], input_size=card.image_size_px, make_greyscale=card.greyscale
    )


def _margin(card: ModelCard) -> int:
    return unseen_margin(image_size=card.image_size_px, crop_size=card.crop_size_px)


def _viewing(card: ModelCard) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from the seen part of images to what the encoder takes of it."""
    config = dataclasses.replace(
        preprocessing_of(card), input_size=card.image_size_px - 2 * _margin(card)
    )

    def view(images: tf.Tensor) -> tf.Tensor:
        return center_view(
            preprocess_images(images, config),
            crop_size=card.crop_size_px,
            input_size=card.input_size_px,
        )

    return view


def _encoding(encoder: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """The encoder as a function traced once, also for a last, smaller batch."""
    quick = folded(encoder)
    signature = tf.TensorSpec(encoder.input_shape, tf.float32)

    @tf.function(input_signature=[signature])
    def encode(views: tf.Tensor) -> tf.Tensor:
        return quick(views, training=False)

    return encode
