"""Read the TFRecord shards that `zoobot.data_utils.create_shards` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoobot.data_utils.untuned import untuned
from zoobot.data_utils.whole_shards import check_shards, damage_named

__all__ = ["get_dataset", "read_columns", "shard_image_size"]

_BANDS = 3
_BUFFER_BYTES = 2**29
_SHARDS_AT_ONCE = 16


def get_dataset(
    records: Sequence[str | Path],
    columns_to_save: Sequence[str],
    batch_size: int,
    *,
    shuffle: bool = False,
    seed: int | tf.Tensor = 0,
    image_size: int | None = None,
) -> tf.data.Dataset:
    """Batches of galaxies from shards.

    Parameters
    ----------
    records : sequence of path
        Shards, all with images of one size.
    columns_to_save : sequence of str
        Vote columns to read.
    batch_size : int
        Galaxies in a batch.
    shuffle : bool
        Shuffle galaxies, not only shards; the same `seed` gives the same order.
    seed : int or () int64 tensor
        Seed of the order.
    image_size : int, optional
        Side of the stored images in pixels, if known; else read from the first shard.

    Returns
    -------
    tf.data.Dataset
        Dicts of ``image`` (batch, size, size, 3) uint8, ``id_str`` (batch,) str, and
        for each column (batch,) int64.

    Raises
    ------
    ValueError
        If there is no shard, or a file is no whole shard.
    """
    check_shards(records)
    size = shard_image_size(records) if image_size is None else image_size
    paths = [str(path) for path in records]
    if shuffle:
        dataset = _shuffled(paths, seed=seed, n_buffered=_buffered(size))
    else:
        dataset = tf.data.TFRecordDataset(paths)
    return (
        untuned(dataset)
        .batch(batch_size)
        .map(
            lambda serialized: _parse(serialized, columns_to_save, size),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
    )


def _buffered(size: int) -> int:
    """Galaxies to choose from at random: as many as some memory holds."""
    return min(16_384, max(1024, _BUFFER_BYTES // (size * size * _BANDS)))


def _shuffled(
    paths: list[str], *, seed: int | tf.Tensor, n_buffered: int
) -> tf.data.Dataset:
    """Encoded records: shards in random order, many at once, and a shuffling buffer."""
    # Catalogues are sorted, by position or by survey. The buffer mixes the whole of a
    # small survey; of a large one it holds too little, so that shards mix, too.
    seed = tf.cast(seed, tf.int64)
    shards = _reordered(tf.data.Dataset.from_tensor_slices(paths), len(paths), seed)
    galaxies = shards.interleave(tf.data.TFRecordDataset, cycle_length=_SHARDS_AT_ONCE)
    return _reordered(galaxies, n_buffered, seed)


def _reordered(
    dataset: tf.data.Dataset, n_buffered: int, seed: tf.Tensor
) -> tf.data.Dataset:
    """What `Dataset.shuffle` gives, by an operation that keeps no state.

    That of `Dataset.shuffle` keeps some: where operations are deterministic, TensorFlow
    then neither reads in parallel nor ahead, and halves the speed of a dataset in which
    it occurs. It also mixes in the seed of the whole process.
    """
    shuffled = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(dataset),
        buffer_size=n_buffered,
        seed=1,
        seed2=seed,
        reshuffle_each_iteration=False,
        output_types=[tf.string],
        output_shapes=[()],
    )
    return tf.data.experimental.from_variant(shuffled, dataset.element_spec)


def read_columns(
    records: Sequence[str | Path], columns: Sequence[str]
) -> tuple[list[str], np.ndarray]:
    """Ids and votes in shards, without decoding images.

    Returns
    -------
    id_str : (n_galaxies,) list of str
    votes : (n_galaxies, n_columns) int64

    Raises
    ------
    ValueError
        If a shard is not whole, or a record is damaged: all of them are read.
    """
    check_shards(records)
    features = _column_features(columns)
    dataset = tf.data.TFRecordDataset([str(path) for path in records])
    ids: list[str] = []
    votes = [np.empty((0, len(columns)), np.int64)]
    with damage_named(records):
        for serialized in untuned(dataset).batch(1024):
            batch = tf.io.parse_example(serialized, features)
            ids += [id_str.decode() for id_str in batch["id_str"].numpy()]
            found = [batch[column].numpy() for column in columns]
            votes.append(np.reshape(found, (len(columns), -1)).T)
    return ids, np.concatenate(votes)


def shard_image_size(records: Sequence[str | Path]) -> int:
    """Side of the images in shards, in pixels, as the first record says.

    Raises
    ------
    ValueError
        If there is no shard, or the first record is none of a galaxy.
    """
    if not records:
        raise ValueError("shards: found none, expected at least one TFRecord file")
    check_shards(records[:1])
    with damage_named(records[:1]):
        serialized = next(iter(tf.data.TFRecordDataset(str(records[0])))).numpy()
    example = tf.train.Example.FromString(serialized)
    if "size" in example.features.feature:
        return example.features.feature["size"].int64_list.value[0]
    raise ValueError(
        f"{records[0]}: expected records with image, id_str, encoding and size, "
        "found none"
    )


def _column_features(columns: Sequence[str]) -> dict:
    features = {column: tf.io.FixedLenFeature([], tf.int64) for column in columns}
    return features | {"id_str": tf.io.FixedLenFeature([], tf.string)}


def _parse(
    serialized: tf.Tensor, columns: Sequence[str], size: int
) -> dict[str, tf.Tensor]:
    image_features = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "encoding": tf.io.FixedLenFeature([], tf.string),
        "size": tf.io.FixedLenFeature([], tf.int64),
    }
    batch = tf.io.parse_example(serialized, image_features | _column_features(columns))
    same_size = tf.debugging.assert_equal(
        batch.pop("size"),
        tf.cast(size, tf.int64),
        message="shards hold images of several sizes",
    )
    with tf.control_dependencies([same_size]):  # else a decoder may complain first
        encoded = tf.identity(batch["image"])
    batch["image"] = tf.cond(
        tf.equal(batch.pop("encoding")[0], "jpeg"),
        lambda: _decode_jpegs(encoded, size),
        lambda: tf.reshape(
            tf.io.decode_raw(encoded, tf.uint8), [-1, size, size, _BANDS]
        ),
    )
    return batch


def _decode_jpegs(encoded: tf.Tensor, size: int) -> tf.Tensor:
    def decode(image: tf.Tensor) -> tf.Tensor:
        # The exact inverse transform: the default is faster but off by several levels.
        return tf.io.decode_jpeg(image, channels=_BANDS, dct_method="INTEGER_ACCURATE")

    images = tf.map_fn(
        decode, encoded, fn_output_signature=tf.uint8, parallel_iterations=4
    )
    return tf.ensure_shape(images, [None, size, size, _BANDS])
