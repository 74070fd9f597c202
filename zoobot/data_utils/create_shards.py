"""Write galaxies to TFRecord shards: id, image and one feature for each vote column."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from PIL import Image

from zoobot.data_utils.images import load_image
from zoobot.files import written_whole
from zoobot.logs import track
from zoobot.settings.catalog import WriteShards

__all__ = ["encode_image", "write_shard"]

log = logging.getLogger(__name__)

_BLOCK = 128  # images that wait in memory to be written


def write_shard(
    catalog: str | Path, *, shard: str | Path, settings: WriteShards, threads: int
) -> None:
    """Write one shard.

    Parameters
    ----------
    catalog : str or Path
        Parquet table with id_str, file_loc and columns of whole numbers (votes).
    shard : str or Path
        TFRecord to write. Each record is a tf.train.Example with ``id_str``, ``image``
        (bytes), ``encoding`` (raw or jpeg), ``size`` and every other column.
    settings : WriteShards
        Size and encoding.
    threads : int
        Images decoded at once.
    """
    galaxies = pd.read_parquet(catalog)
    columns = [col for col in galaxies.columns if col not in ("id_str", "file_loc")]
    images = _encoded_images(galaxies["file_loc"], settings, threads)
    with written_whole(shard) as beside, tf.io.TFRecordWriter(str(beside)) as writer:
        rows = zip(
            galaxies["id_str"], galaxies[columns].to_numpy(), images, strict=True
        )
        for id_str, votes, image in track(rows, total=len(galaxies), what="galaxies"):
            example = _example(
                id_str, image, dict(zip(columns, votes, strict=True)), settings
            )
            writer.write(example.SerializeToString())
    log.info(
        "wrote %d galaxies with %d columns to %s", len(galaxies), len(columns), shard
    )


def encode_image(image: np.ndarray, settings: WriteShards) -> bytes:
    """Bytes of one image as a shard stores them.

    Parameters
    ----------
    image : (size, size, 3) uint8
    settings : WriteShards
        ``encoding`` and ``jpeg_quality``.
    """
    if settings.encoding == "raw":
        return image.tobytes()
    buffer = io.BytesIO()
    Image.fromarray(image).save(
        buffer, "JPEG", quality=settings.jpeg_quality, subsampling=0
    )
    return buffer.getvalue()


def _encoded_images(
    paths: pd.Series, settings: WriteShards, threads: int
) -> Iterator[bytes]:
    def encode(path: str) -> bytes:
        return encode_image(load_image(path, size_px=settings.image_size_px), settings)

    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(paths), _BLOCK):
            yield from pool.map(encode, paths[start : start + _BLOCK])


def _example(
    id_str: str, image: bytes, votes: dict, settings: WriteShards
) -> tf.train.Example:
    def bytes_feature(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def int_feature(value: int) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value)]))

    features = {
        "id_str": bytes_feature(id_str.encode()),
        "image": bytes_feature(image),
        "encoding": bytes_feature(settings.encoding.encode()),
        "size": int_feature(settings.image_size_px),
    } | {column: int_feature(count) for column, count in votes.items()}
    return tf.train.Example(features=tf.train.Features(feature=features))
