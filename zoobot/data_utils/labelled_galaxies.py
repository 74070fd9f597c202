"""Galaxies to train on: from TFRecord shards, or from tables and their image files.

Both give the same batches: the same galaxies in the same order, with the same pixels if
the shards store them exactly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import pandas as pd
import tensorflow as tf

from zoobot.data_utils import tfrecord_datasets
from zoobot.data_utils.image_cache import Images
from zoobot.data_utils.shard_digests import content_digest
from zoobot.data_utils.shuffling import shuffled
from zoobot.data_utils.untuned import untuned

__all__ = ["FileGalaxies", "LabelledGalaxies", "ShardGalaxies"]

_BANDS = 3


class LabelledGalaxies(Protocol):
    """What training needs of its galaxies."""

    @property
    def image_size(self) -> int:
        """Side of the images, pixels."""

    def labels(self, columns: Sequence[str]) -> np.ndarray:
        """Labels of all, (n_galaxies, n_columns), in order."""

    def batches(
        self,
        columns: Sequence[str],
        *,
        batch_size: int,
        shuffle: bool = False,
        seed: int | tf.Tensor = 0,
    ) -> tf.data.Dataset:
        """Batches as `zoobot.data_utils.tfrecord_datasets.get_dataset` gives them.

        Each pass has the same order.
        """

    def digest(self) -> str:
        """Text that is another if galaxies, images or labels are."""


class ShardGalaxies:
    """Galaxies in TFRecord shards, this library's or those of Zoobot 0.0.3.

    Parameters
    ----------
    records : sequence of path
        Shards, as `zoobot.data_utils.tfrecord_datasets.get_dataset` reads them.
    image_size : int, optional
        Side that their images must have, pixels; any if not given.

    Raises
    ------
    ValueError
        If there is no shard, one is not whole, or they are of another size.
    """

    def __init__(
        self, records: Sequence[str | Path], *, image_size: int | None = None
    ) -> None:
        self._records = list(records)
        self.image_size = tfrecord_datasets.shard_image_size(self._records)
        if image_size not in (None, self.image_size):
            raise ValueError(
                f"{self._records[0]}: found images of {self.image_size} px, expected "
                f"{image_size}"
            )

    def labels(self, columns: Sequence[str]) -> np.ndarray:
        """Labels of all, (n_galaxies, n_columns), in the order of the shards."""
        return tfrecord_datasets.read_columns(self._records, columns)[1]

    def batches(
        self,
        columns: Sequence[str],
        *,
        batch_size: int,
        shuffle: bool = False,
        seed: int | tf.Tensor = 0,
    ) -> tf.data.Dataset:
        """Batches as `zoobot.data_utils.tfrecord_datasets.get_dataset` gives them."""
        return tfrecord_datasets.get_dataset(
            self._records,
            columns,
            batch_size,
            shuffle=shuffle,
            seed=seed,
            reshuffle_each_iteration=False,
            record_format=None,
        )

    def digest(self) -> str:
        """Digest of all records."""
        return content_digest(self._records)


class FileGalaxies:
    """Galaxies in tables, whose image files are read without shards.

    Parameters
    ----------
    tables : sequence of path
        Parquet: id_str, file_loc, perhaps image_digest, and labels; one for what would
        be a shard.
    image_size : int
        Side to which images are resized, pixels.
    cache : {"none", "memory", "file"}
        Where decoded images are kept; see `zoobot.data_utils.image_cache.Images`.

    Raises
    ------
    ValueError
        If there is no galaxy, or no room to keep the images.
    """

    def __init__(
        self,
        tables: Sequence[str | Path],
        *,
        image_size: int,
        cache: Literal["none", "memory", "file"] = "none",
    ) -> None:
        found = [pd.read_parquet(path) for path in tables]
        ends = np.cumsum([len(table) for table in found], dtype=np.int64)
        if not len(ends) or ends[-1] == 0:
            raise ValueError(f"{list(tables)}: found no galaxy, expected some")
        self.image_size = image_size
        self._first_table = tables[0]
        self._rows_of_tables = np.stack([np.append(0, ends[:-1]), ends], axis=1)
        self._galaxies = pd.concat(found, ignore_index=True)
        self._images = Images(
            self._galaxies["file_loc"], size_px=image_size, cache=cache
        )

    def labels(self, columns: Sequence[str]) -> np.ndarray:
        """Labels of all, (n_galaxies, n_columns), in the order of the tables."""
        self._check_columns(columns)
        return self._galaxies[list(columns)].to_numpy()

    def batches(
        self,
        columns: Sequence[str],
        *,
        batch_size: int,
        shuffle: bool = False,
        seed: int | tf.Tensor = 0,
    ) -> tf.data.Dataset:
        """Batches as `zoobot.data_utils.tfrecord_datasets.get_dataset` gives them."""
        self._check_columns(columns)
        with tf.init_scope():  # once, not in every epoch's graph
            stored = {name: _as_in_shards(self._galaxies[name]) for name in columns}
            stored["id_str"] = tf.constant(self._galaxies["id_str"].to_list())
        if shuffle:
            numbers = shuffled(
                tf.data.Dataset.from_tensor_slices(self._rows_of_tables),
                n_shards=len(self._rows_of_tables),
                galaxies_of=lambda rows: tf.data.Dataset.range(rows[0], rows[1]),
                seed=seed,
                image_size=self.image_size,
            )
        else:
            numbers = tf.data.Dataset.range(len(self._images))

        def with_labels(images: tf.Tensor, numbers: tf.Tensor) -> dict[str, tf.Tensor]:
            found = {name: tf.gather(all_, numbers) for name, all_ in stored.items()}
            return found | {"image": images}

        return (
            untuned(numbers)
            .map(self._with_image, num_parallel_calls=tf.data.AUTOTUNE)
            .batch(batch_size)
            .map(with_labels, num_parallel_calls=tf.data.AUTOTUNE)
        )

    def digest(self) -> str:
        """Digest of ids, labels and of what the images are."""
        galaxies = self._galaxies
        if "image_digest" in galaxies:  # wherever the files are
            galaxies = galaxies.drop(columns="file_loc")
        hashes = pd.util.hash_pandas_object(galaxies, index=False).to_numpy()
        return hashlib.sha256(hashes.tobytes()).hexdigest()

    @tf.autograph.experimental.do_not_convert
    def _check_columns(self, columns: Sequence[str]) -> None:
        missing = [column for column in columns if column not in self._galaxies]
        if missing:
            raise ValueError(
                f"{self._first_table}: columns missing: {', '.join(missing)}; found "
                f"{', '.join(self._galaxies.columns)}"
            )

    def _with_image(self, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # Without state, several images are read at once also where operations are
        # deterministic, as in training.
        image = tf.numpy_function(
            self._images.__getitem__, [number], tf.uint8, stateful=False
        )
        return tf.ensure_shape(
            image, [self.image_size, self.image_size, _BANDS]
        ), number


def _as_in_shards(labels: pd.Series) -> tf.Tensor:
    is_float = pd.api.types.is_float_dtype(labels.dtype)
    return tf.constant(labels.to_numpy(np.float32 if is_float else np.int64))
