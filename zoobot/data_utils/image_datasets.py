"""Read image files into batches, without shards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoobot.data_utils.image_files import SUFFIXES
from zoobot.data_utils.images import load_image
from zoobot.data_utils.untuned import untuned
from zoobot.settings.images import RenderFits

__all__ = ["get_image_dataset"]


def get_image_dataset(
    paths: Sequence[str | Path],
    *,
    file_format: str | None = None,
    requested_img_size: int,
    batch_size: int,
    margin_px: int = 0,
    labels: Sequence | np.ndarray | None = None,
    unreadable: dict[str, str] | None = None,
    rendering: RenderFits | None = None,
) -> tf.data.Dataset:
    """Batches of image files, in the order given.

    Parameters
    ----------
    paths : (n_galaxies,) sequence of path
        Image files.
    file_format : {"png", "jpg", "jpeg", "fits"}, optional
        What their names must end in; jpg and jpeg are the same. Not given: anything, as
        the content of a file decides how it is read.
    requested_img_size : int
        Side to which images are resized, pixels.
    batch_size : int
        Galaxies in a batch.
    margin_px : int
        Pixels of that size that are left out along each edge; see
        `zoobot.data_utils.images.load_image`.
    labels : (n_galaxies,) or (n_galaxies, n_labels) array_like, optional
        One number a galaxy, or several.
    unreadable : dict, optional
        Filled, while the batches are read, with the paths of images that cannot be
        read and the reasons; in the batches they are black. Without it, the first is an
        error.
    rendering : RenderFits, optional
        How FITS images become pictures; as config.yaml sets it if not given.

    Returns
    -------
    tf.data.Dataset
        Dicts of ``image`` (batch, side, side, 3) uint8, ``id_str`` (batch,) str, here
        the path, and ``label`` if there are labels;
        ``side = requested_img_size - 2 * margin_px``.

    Raises
    ------
    ValueError
        If there is no path, one of another format, or labels that are not one number
        a path.
    """
    _check_paths(paths, file_format)
    columns: dict[str, list[str] | np.ndarray] = {
        "id_str": [str(path) for path in paths]
    }
    if labels is not None:
        columns["label"] = _checked_labels(labels, n_galaxies=len(paths))

    def add_image(row: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        image = _load(
            row["id_str"],
            size=requested_img_size,
            margin=margin_px,
            unreadable=unreadable,
            rendering=rendering,
        )
        return row | {"image": image}

    dataset = untuned(tf.data.Dataset.from_tensor_slices(columns))
    return dataset.map(add_image, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size)


def _check_paths(paths: Sequence[str | Path], file_format: str | None) -> None:
    if isinstance(paths, str | Path):
        raise ValueError(f"paths: found one path, {paths}, expected a list of them")
    if not len(paths):
        raise ValueError("paths: found none, expected at least one image file")
    if file_format is None:
        return
    if file_format not in SUFFIXES:
        raise ValueError(
            f"file_format: found {file_format!r}, expected one of {list(SUFFIXES)}"
        )
    suffixes = SUFFIXES[file_format]
    others = [p for p in paths if not str(p).lower().endswith(suffixes)]
    if others:
        raise ValueError(
            f"{others[0]}: expected a file of file_format {file_format!r}, whose name "
            f"ends in {' or '.join(suffixes)}; {len(others)} of {len(paths)} paths do "
            "not"
        )


def _checked_labels(labels: Sequence | np.ndarray, *, n_galaxies: int) -> np.ndarray:
    found = np.asarray(labels)
    if len(found) != n_galaxies:
        raise ValueError(
            f"labels: found {len(found)}, expected {n_galaxies}, one a path"
        )
    if found.dtype.kind not in "biuf" or found.ndim > 2:
        raise ValueError(
            f"labels: found type {found.dtype} and shape {found.shape}, expected one "
            "number a path, or several"
        )
    unknown = np.flatnonzero(~np.isfinite(found.reshape(n_galaxies, -1)).all(axis=1))
    if len(unknown):
        raise ValueError(
            f"labels: found {found[unknown[0]]} at position {unknown[0]}, expected "
            "finite numbers"
        )
    return found


def _load(
    path: tf.Tensor,
    *,
    size: int,
    margin: int,
    unreadable: dict[str, str] | None,
    rendering: RenderFits | None,
) -> tf.Tensor:
    side = size - 2 * margin

    # Pillow, not TensorFlow, decodes: shards and files then give the same pixels.
    def load(path: bytes) -> np.ndarray:
        name = path.decode()
        try:
            return load_image(name, size_px=size, margin_px=margin, rendering=rendering)
        except ValueError as error:
            if unreadable is None:
                raise
            unreadable[name] = str(error).removeprefix(f"{name}: ")
            return np.zeros((side, side, 3), np.uint8)

    # Without state, several images are read at once also where operations are
    # deterministic, as in finetuning.
    image = tf.numpy_function(load, [path], tf.uint8, stateful=False)
    return tf.ensure_shape(image, [side, side, 3])
