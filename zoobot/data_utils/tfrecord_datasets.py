"""Read TFRecord shards: this library's own, and those of Zoobot 0.0.3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoobot.data_utils.shard_layouts import RECORD_FORMATS, Layout, RecordFormat
from zoobot.data_utils.shuffling import shuffled
from zoobot.data_utils.untuned import untuned
from zoobot.data_utils.whole_shards import (
    check_shards,
    check_undamaged,
    damage_named,
)

__all__ = ["get_dataset", "read_columns", "shard_image_size"]

_BANDS = 3
_NUMBERS = ("int64", "float32")
_MOST_NAMES = 12


def get_dataset(
    records: Sequence[str | Path],
    columns_to_save: Sequence[str],
    batch_size: int,
    *,
    shuffle: bool = False,
    seed: int | tf.Tensor = 0,
    reshuffle_each_iteration: bool = True,
    image_size: int | None = None,
    record_format: RecordFormat | None = "zoobot",
) -> tf.data.Dataset:
    """Batches of galaxies from shards.

    Parameters
    ----------
    records : sequence of path
        Shards, all with images of one size and labels of the same types.
    columns_to_save : sequence of str
        Labels to read, those that were saved or some of them.
    batch_size : int
        Galaxies in a batch.
    shuffle : bool
        Shuffle galaxies, not only shards.
    seed : int or () int64 tensor
        Seed of the order: the same gives the same orders, pass by pass.
    reshuffle_each_iteration : bool
        Whether each pass over the dataset has another order, as epochs should.
    image_size : int, optional
        Side that the stored images must have, in pixels; any if not given.
    record_format : {"zoobot", "zoobot_0.0.3"}, optional
        Who wrote the shards. Zoobot 0.0.3 stored images upside down; they are turned,
        so that pixels are those of the image file. None: what the records look like.

    Returns
    -------
    tf.data.Dataset
        Dicts of ``image`` (batch, size, size, 3) uint8, ``id_str`` (batch,) str, and
        for each label (batch,) int64, or float32 if it was saved so.

    Raises
    ------
    ValueError
        If there is no shard, a file is no whole shard, or shards are of another format,
        of several sizes, or without one of the labels.
    """
    layout = _common_layout(records, columns_to_save, record_format)
    if image_size not in (None, layout.size):
        raise ValueError(
            f"{records[0]}: found images of {layout.size} px, expected {image_size}"
        )
    paths = [str(path) for path in records]
    if shuffle:
        dataset = shuffled(
            tf.data.Dataset.from_tensor_slices(paths),
            n_shards=len(paths),
            galaxies_of=tf.data.TFRecordDataset,
            seed=seed,
            image_size=layout.size,
            reshuffle_each_iteration=reshuffle_each_iteration,
        )
    else:
        dataset = tf.data.TFRecordDataset(paths)
    return (
        untuned(dataset)
        .batch(batch_size)
        .map(
            lambda serialized: _parse(serialized, columns_to_save, layout),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
    )


def read_columns(
    records: Sequence[str | Path], columns: Sequence[str]
) -> tuple[list[str], np.ndarray]:
    """Ids and labels in shards of either format, without decoding images.

    Returns
    -------
    id_str : (n_galaxies,) list of str
    labels : (n_galaxies, n_columns) int64, or float64 if one of them was saved as float

    Raises
    ------
    ValueError
        If a shard is not whole or lacks a column, or a record is damaged: all of them
        are read.
    """
    layout = _common_layout(records, columns)
    features = _column_features(columns, layout)
    is_whole = all(layout.types[column] == "int64" for column in columns)
    dataset = tf.data.TFRecordDataset([str(path) for path in records])
    ids: list[str] = []
    labels = [np.empty((0, len(columns)), np.int64 if is_whole else np.float64)]
    with damage_named(records):
        for serialized in untuned(dataset).batch(1024):
            batch = tf.io.parse_example(serialized, features)
            ids += [id_str.decode() for id_str in batch["id_str"].numpy()]
            found = [batch[column].numpy() for column in columns]
            labels.append(np.array(found).reshape(len(columns), len(batch["id_str"])).T)
    return ids, np.concatenate(labels)


def shard_image_size(records: Sequence[str | Path]) -> int:
    """Side of the images in shards of either format, in pixels.

    Raises
    ------
    ValueError
        If there is no shard, one holds no galaxies, or there are several sizes.
    """
    return _common_layout(records, []).size


@tf.autograph.experimental.do_not_convert  # where a dataset's function calls it
def _common_layout(
    records: Sequence[str | Path],
    columns: Sequence[str],
    record_format: RecordFormat | None = None,
) -> Layout:
    """What the first record of every shard holds; an error if they differ."""
    if record_format not in (None, *RECORD_FORMATS):
        raise ValueError(
            f"record_format: found {record_format!r}, expected one of "
            f"{list(RECORD_FORMATS)}"
        )
    if isinstance(records, str | Path):
        raise ValueError(f"records: found one path, {records}, expected a list of them")
    if isinstance(columns, str):
        raise ValueError(
            f"columns_to_save: found one text, {columns!r}, expected a list of them"
        )
    if not len(records):
        raise ValueError("shards: found none, expected at least one TFRecord file")
    layouts = check_shards(records)
    for path, layout in zip(records, layouts, strict=True):
        problem = (
            _format_problem(layout, record_format)
            or _column_problem(layout, columns)
            or _difference(layout, layouts[0], columns, first=records[0])
        )
        if problem:
            for suspect in (records[0], path):
                check_undamaged(suspect)
            raise ValueError(f"{path}: {problem}")
    return layouts[0]


def _format_problem(layout: Layout, expected: RecordFormat | None) -> str:
    if layout.record_format is None:
        return (
            "expected records with image, id_str, encoding and size, found "
            f"{_names(layout.types)}"
        )
    if expected not in (None, layout.record_format):
        return (
            f"found records of format {layout.record_format}, expected {expected}; "
            f"read them with record_format={layout.record_format!r}"
        )
    if layout.size <= 0:
        return "found images that are not square or not of 3 bands, expected such"
    return ""


def _column_problem(layout: Layout, columns: Sequence[str]) -> str:
    known = RECORD_FORMATS[layout.record_format] if layout.record_format else ()
    numbers = [
        name
        for name, kind in layout.types.items()
        if kind in _NUMBERS and name not in known
    ]
    missing = [column for column in columns if column not in numbers]
    if not missing:
        return ""
    return (
        f"columns_to_save: found no numbers {_names(missing)} in it, expected some of "
        f"{_names(sorted(numbers))}"
    )


def _difference(
    layout: Layout, expected: Layout, columns: Sequence[str], *, first: str | Path
) -> str:
    if layout.record_format != expected.record_format:
        return (
            f"found records of format {layout.record_format}, expected "
            f"{expected.record_format} as in {first}"
        )
    if layout.size != expected.size:
        return (
            f"shards hold images of several sizes: found {layout.size} px, expected "
            f"{expected.size} as in {first}"
        )
    for column in columns:
        found, kind = layout.types[column], expected.types[column]
        if found != kind:
            return f"{column}: found {found}, expected {kind} as in {first}"
    return ""


def _names(names: Iterable[str]) -> str:
    names = list(names)
    shown = ", ".join(names[:_MOST_NAMES]) or "none"
    left = len(names) - _MOST_NAMES
    return shown + (f" and {left} more" if left > 0 else "")


def _column_features(columns: Sequence[str], layout: Layout) -> dict:
    return {
        name: tf.io.FixedLenFeature([], layout.types[name])
        for name in ["id_str", *columns]
    }


def _parse(
    serialized: tf.Tensor, columns: Sequence[str], layout: Layout
) -> dict[str, tf.Tensor]:
    is_old = layout.record_format == "zoobot_0.0.3"
    sides = ("height", "width") if is_old else ("size",)
    names = ("matrix",) if is_old else ("image", "encoding")
    features = {side: tf.io.FixedLenFeature([], tf.int64) for side in sides}
    features |= {name: tf.io.FixedLenFeature([], tf.string) for name in names}
    batch = tf.io.parse_example(
        serialized, features | _column_features(columns, layout)
    )
    same_size = [
        tf.debugging.assert_equal(
            batch.pop(side),
            tf.cast(layout.size, tf.int64),
            message="shards hold images of several sizes",
        )
        for side in sides
    ]
    with tf.control_dependencies(same_size):  # else a decoder may complain first
        encoded = tf.identity(batch.pop(names[0]))
    if is_old:
        batch["image"] = tf.reverse(_decode_raw(encoded, layout.size), axis=[1])
    else:
        batch["image"] = tf.cond(
            tf.equal(batch.pop("encoding")[0], "jpeg"),
            lambda: _decode_jpegs(encoded, layout.size),
            lambda: _decode_raw(encoded, layout.size),
        )
    return batch


def _decode_raw(encoded: tf.Tensor, size: int) -> tf.Tensor:
    return tf.reshape(tf.io.decode_raw(encoded, tf.uint8), [-1, size, size, _BANDS])


def _decode_jpegs(encoded: tf.Tensor, size: int) -> tf.Tensor:
    def decode(image: tf.Tensor) -> tf.Tensor:
        # The exact inverse transform: the default is faster but off by several levels.
        return tf.io.decode_jpeg(image, channels=_BANDS, dct_method="INTEGER_ACCURATE")

    images = tf.map_fn(
        decode, encoded, fn_output_signature=tf.uint8, parallel_iterations=4
    )
    return tf.ensure_shape(images, [None, size, size, _BANDS])
