"""Write galaxies to TFRecord shards: id, image and a feature for each label."""

from __future__ import annotations

import collections
import functools
import io
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from PIL import Image

from zoobot.data_utils.images import load_image
from zoobot.data_utils.shard_layouts import N_GALAXIES
from zoobot.files import written_whole
from zoobot.logs import Progress
from zoobot.settings.catalog import WriteShards

__all__ = ["NO_LABELS", "encode_image", "write_galaxies", "write_shard"]

log = logging.getLogger(__name__)

NO_LABELS = ("id_str", "file_loc", "image_digest")
"""Columns of a catalogue that are no labels."""

_AHEAD = 4  # images that wait in memory to be written, for each thread


def write_shard(
    catalog: str | Path, *, shard: str | Path, settings: WriteShards, threads: int
) -> None:
    """Write one shard from a table of galaxies.

    Parameters
    ----------
    catalog : str or Path
        Parquet table with id_str, file_loc, perhaps image_digest, and columns of labels
        (votes).
    shard, settings, threads
        As in `write_galaxies`.

    Raises
    ------
    ValueError
        If there is no galaxy, or an image cannot be read.
    """
    galaxies = pd.read_parquet(catalog)
    if galaxies.empty:
        raise ValueError(f"{catalog}: found no galaxy, expected at least one a shard")
    progress = Progress(len(galaxies), "galaxies")
    write_galaxies(
        galaxies, shard=shard, settings=settings, threads=threads, progress=progress
    )
    progress.close()
    n_columns = len(galaxies.columns.difference(NO_LABELS))
    log.info("wrote %d galaxies with %d columns to %s", len(galaxies), n_columns, shard)


def write_galaxies(
    galaxies: pd.DataFrame,
    *,
    shard: str | Path,
    settings: WriteShards,
    threads: int,
    progress: Progress,
) -> None:
    """Write one shard.

    Parameters
    ----------
    galaxies : (n_galaxies, n_columns) pandas.DataFrame
        id_str, file_loc, perhaps image_digest, and labels: columns of whole numbers are
        stored as int64, of floats as float32.
    shard : str or Path
        TFRecord to write. Each record is a tf.train.Example with ``id_str``, ``image``
        (bytes), ``encoding`` (raw or jpeg), ``size``, ``galaxies_in_shard`` (how many
        records there are) and every label.
    settings : WriteShards
        Size and encoding.
    threads : int
        Images decoded at once.
    progress : Progress
        Counts the galaxies written.

    Raises
    ------
    ValueError
        If an image cannot be read; nothing is written then.
    """
    columns = [col for col in galaxies.columns if col not in NO_LABELS]

    def encoded(path: str) -> bytes:
        return encode_image(load_image(path, size_px=settings.image_size_px), settings)

    images = _in_order(encoded, galaxies["file_loc"], threads=threads)
    with written_whole(shard) as beside, tf.io.TFRecordWriter(str(beside)) as writer:
        # Column by column, as rows of a table would turn whole numbers into floats.
        labels = zip(*(galaxies[col].tolist() for col in columns), strict=True)
        rows = labels if columns else itertools.repeat(())
        for id_str, values, image in zip(
            galaxies["id_str"], rows, images, strict=False
        ):
            named = dict(zip(columns, values, strict=True))
            named[N_GALAXIES] = len(galaxies)
            writer.write(_record(id_str, image, named, settings))
            progress.add(1)


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


def _in_order(
    function: Callable[[str], bytes], paths: Iterable[str], *, threads: int
) -> Iterator[bytes]:
    """Results in the order of the paths, of which a few are worked on ahead."""
    with ThreadPoolExecutor(threads) as pool:
        ahead: collections.deque[Future[bytes]] = collections.deque()
        for path in paths:
            ahead.append(pool.submit(function, path))
            if len(ahead) > _AHEAD * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _record(id_str: str, image: bytes, labels: dict, settings: WriteShards) -> bytes:
    """A serialized tf.train.Example."""
    example = tf.train.Example()
    features = example.features.feature
    features["id_str"].bytes_list.value.append(id_str.encode())
    features["encoding"].bytes_list.value.append(settings.encoding.encode())
    features["size"].int64_list.value.append(settings.image_size_px)
    for column, value in labels.items():
        if isinstance(value, float):
            features[column].float_list.value.append(value)
        else:
            features[column].int64_list.value.append(int(value))
    # Serialized messages one after another are the message of all their fields. Added
    # here, the image is copied once; inside the message it would be several times.
    before = example.SerializeToString(deterministic=True)
    return b"".join([before, _before_image(len(image)), image])


@functools.lru_cache(maxsize=1)
def _before_image(n_bytes: int) -> bytes:
    """What stands before the image in an Example that holds nothing else."""
    example = tf.train.Example()
    example.features.feature["image"].bytes_list.value.append(bytes(n_bytes))
    return example.SerializeToString()[:-n_bytes]
