"""Read image files into batches, without shards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoobot.data_utils.images import load_image
from zoobot.data_utils.untuned import untuned

__all__ = ["get_image_dataset"]


def get_image_dataset(
    paths: Sequence[str | Path],
    *,
    requested_img_size: int,
    batch_size: int,
    margin_px: int = 0,
    labels: Sequence | np.ndarray | None = None,
) -> tf.data.Dataset:
    """Batches of image files, in the order given.

    Parameters
    ----------
    paths : (n_galaxies,) sequence of path
        png and jpg files.
    requested_img_size : int
        Side to which images are resized, pixels.
    batch_size : int
        Galaxies in a batch.
    margin_px : int
        Pixels of that size that are left out along each edge; see
        `zoobot.data_utils.images.load_image`.
    labels : (n_galaxies, ...) array_like, optional
        One entry a galaxy.

    Returns
    -------
    tf.data.Dataset
        Dicts of ``image`` (batch, side, side, 3) uint8, ``id_str`` (batch,) str, here
        the path, and ``label`` if there are labels;
        ``side = requested_img_size - 2 * margin_px``.

    Raises
    ------
    ValueError
        If there is no path, or not as many labels as paths.
    """
    if not len(paths):
        raise ValueError("paths: found none, expected at least one image file")
    if labels is not None and len(labels) != len(paths):
        raise ValueError(
            f"labels: found {len(labels)}, expected {len(paths)}, one a path"
        )
    columns: dict[str, list[str] | np.ndarray] = {
        "id_str": [str(path) for path in paths]
    }
    if labels is not None:
        columns["label"] = np.asarray(labels)

    def add_image(row: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        image = _load(row["id_str"], size=requested_img_size, margin=margin_px)
        return row | {"image": image}

    dataset = untuned(tf.data.Dataset.from_tensor_slices(columns))
    return dataset.map(add_image, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size)


def _load(path: tf.Tensor, *, size: int, margin: int) -> tf.Tensor:
    # Pillow, not TensorFlow, decodes: shards and files then give the same pixels.
    def load(path: bytes) -> np.ndarray:
        return load_image(path.decode(), size_px=size, margin_px=margin)

    # Without state, several images are read at once also where operations are
    # deterministic, as in finetuning.
    image = tf.numpy_function(load, [path], tf.uint8, stateful=False)
    side = size - 2 * margin
    return tf.ensure_shape(image, [side, side, 3])
