"""Deterministic changes to images between the file and the network."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

__all__ = [
    "PreprocessingConfig",
    "preprocess_dataset",
    "preprocess_images",
    "stack_labels",
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreprocessingConfig:
    """Choices that training, validation and prediction must share.

    Parameters
    ----------
    label_cols : sequence of str
        Columns that become the labels, in this order; empty for images without labels.
    input_size : int
        Side of the images in the dataset, pixels.
    normalise_from_uint8 : bool
        Divide by 255: 0-255 becomes 0-1.
    make_greyscale : bool
        Average over the bands into one channel.
    permute_channels : bool
        Shuffle the bands of each image at random; of no use with `make_greyscale`.
    """

    label_cols: Sequence[str]
    input_size: int
    normalise_from_uint8: bool = True
    make_greyscale: bool = True
    permute_channels: bool = False

    def __post_init__(self) -> None:
        """Refuse a contradiction."""
        if self.make_greyscale and self.permute_channels:
            raise ValueError(
                "permute_channels: found True with make_greyscale True, expected at "
                "most one of them, as one channel has no order"
            )


def preprocess_images(images: tf.Tensor, config: PreprocessingConfig) -> tf.Tensor:
    """Turn stored pixels into what the network takes.

    Parameters
    ----------
    images : (batch, size, size, bands) uint8
    config : PreprocessingConfig

    Returns
    -------
    (batch, size, size, channels) float32, 0-1 if normalised

    Raises
    ------
    ValueError
        If the images are not of the configured size.
    """
    if images.shape[1] != config.input_size or images.shape[2] != config.input_size:
        raise ValueError(
            f"images: found {images.shape[1]} x {images.shape[2]} pixels, "
            f"expected {config.input_size} x {config.input_size}"
        )
    if config.make_greyscale:
        images = _mean_of_bands(images)
    images = tf.cast(images, tf.float32)
    if config.normalise_from_uint8:
        images = images / 255
    if config.permute_channels:
        images = tf.map_fn(_permute_bands, images)
    return images


def _mean_of_bands(images: tf.Tensor) -> tf.Tensor:
    # Band by band: tf.reduce_mean over so short an axis takes twice as long.
    bands = [tf.cast(band, tf.float32) for band in tf.unstack(images, axis=-1)]
    return tf.expand_dims(tf.add_n(bands) / len(bands), axis=-1)


def _permute_bands(image: tf.Tensor) -> tf.Tensor:
    return tf.gather(image, tf.random.shuffle(tf.range(image.shape[-1])), axis=-1)


def preprocess_dataset(
    dataset: tf.data.Dataset, config: PreprocessingConfig
) -> tf.data.Dataset:
    """Turn batches of galaxies into what ``model.fit`` or ``model.predict`` takes.

    Parameters
    ----------
    dataset : tf.data.Dataset
        Batches as `zoobot.data_utils` gives them: a dict with ``image`` and columns.
    config : PreprocessingConfig

    Returns
    -------
    tf.data.Dataset
        (images, labels), or images alone without `label_cols`. Labels are
        (batch, n_labels) float32.

    Raises
    ------
    ValueError
        If batches are no dicts with an image, lack a label, or have images of another
        size.
    """
    _check_batches(dataset.element_spec, config)

    def preprocess(batch: dict[str, tf.Tensor]):
        images = preprocess_images(batch["image"], config)
        if not config.label_cols:
            return images
        return images, stack_labels(batch, config.label_cols)

    return dataset.map(preprocess, num_parallel_calls=tf.data.AUTOTUNE)


def stack_labels(batch: dict[str, tf.Tensor], label_cols: Sequence[str]) -> tf.Tensor:
    """The label columns of a batch as one array.

    Parameters
    ----------
    batch : dict
        Columns, (batch,) numbers each or (batch, n) of several labels in one, among
        others.
    label_cols : sequence of str
        Which of them, in this order.

    Returns
    -------
    (batch, n_labels) float32
    """
    columns = [tf.cast(batch[col], tf.float32) for col in label_cols]
    one_each = [col[:, None] if col.shape.rank == 1 else col for col in columns]
    return tf.concat(one_each, axis=-1)


def _check_batches(spec: object, config: PreprocessingConfig) -> None:
    if not isinstance(spec, dict) or "image" not in spec:
        found = (
            sorted(spec) if isinstance(spec, dict) else "batches preprocessed before"
        )
        raise ValueError(
            f"dataset: found {found}, expected dicts with image, as "
            "image_datasets.get_image_dataset and tfrecord_datasets.get_dataset give"
        )
    if isinstance(config.label_cols, str):
        raise ValueError(
            f"label_cols: found one text, {config.label_cols!r}, expected a list"
        )
    missing = [col for col in config.label_cols if col not in spec]
    if missing:
        raise ValueError(
            f"label_cols: found {missing}, which the dataset lacks; expected some of "
            f"{sorted(spec.keys() - {'image', 'id_str'})}"
        )
