"""Galaxies in random order, the same for TFRecords and for tables of image files."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

__all__ = ["n_buffered", "shuffled"]

_BANDS = 3
_BUFFER_BYTES = 2**29
_SHARDS_AT_ONCE = 16


def n_buffered(size: int) -> int:
    """Galaxies to choose from at random: as many as some memory holds.

    Parameters
    ----------
    size : int
        Side of an image, pixels.
    """
    return min(16_384, max(1024, _BUFFER_BYTES // (size * size * _BANDS)))


def shuffled(
    shards: tf.data.Dataset,
    *,
    n_shards: int,
    galaxies_of: Callable[[tf.Tensor], tf.data.Dataset],
    seed: int | tf.Tensor,
    image_size: int,
    reshuffle_each_iteration: bool = False,
) -> tf.data.Dataset:
    """Shards in random order, many at once, and a shuffling buffer.

    Parameters
    ----------
    shards : tf.data.Dataset
        One element a shard.
    n_shards : int
        How many.
    galaxies_of : callable
        From an element of `shards` to the dataset of its galaxies.
    seed : int or () int64 tensor
        The same seed and numbers of galaxies give the same order.
    image_size : int
        Side of an image, pixels: decides how many galaxies the buffer holds.
    reshuffle_each_iteration : bool
        Whether each pass over the dataset has another order; the seed gives them all.

    Returns
    -------
    tf.data.Dataset
        Elements of the datasets of galaxies.
    """
    # Catalogues are sorted, by position or by survey. The buffer mixes the whole of a
    # small survey; of a large one it holds too little, so that shards mix, too.
    seed = tf.cast(seed, tf.int64)
    again = reshuffle_each_iteration
    galaxies = _reordered(shards, n_shards, seed=seed, again=again).interleave(
        galaxies_of, cycle_length=_SHARDS_AT_ONCE
    )
    return _reordered(galaxies, n_buffered(image_size), seed=seed, again=again)


def _reordered(
    dataset: tf.data.Dataset, buffer_size: int, *, seed: tf.Tensor, again: bool
) -> tf.data.Dataset:
    """What `Dataset.shuffle` gives, by an operation that keeps no state unless `again`.

    That of `Dataset.shuffle` keeps some: where operations are deterministic, TensorFlow
    then neither reads in parallel nor ahead, and halves the speed of a dataset in which
    it occurs. It also mixes in the seed of the whole process.
    """
    spec = dataset.element_spec
    reordered = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(dataset),
        buffer_size=buffer_size,
        seed=1,
        seed2=seed,
        reshuffle_each_iteration=again,
        output_types=[spec.dtype],
        output_shapes=[spec.shape],
    )
    return tf.data.experimental.from_variant(reordered, spec)
