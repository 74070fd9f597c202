"""Decoded images that are kept: in memory, or in a file that goes with the process."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Sequence
from typing import Literal

import numpy as np

from zoobot.data_utils.images import load_image

__all__ = ["Images"]

_BANDS = 3
_log = logging.getLogger(__name__)


class Images:
    """Image files by number, decoded at the first time, and kept if asked.

    Parameters
    ----------
    paths : (n_images,) sequence of path
        Files, as `zoobot.data_utils.images.load_image` reads them.
    size_px : int
        Side to which they are resized, pixels.
    cache : {"none", "memory", "file"}
        Where pixels are kept, ``3 * size_px**2`` bytes an image: nowhere, in memory,
        or in a file without a name in the folder for temporary files (``TMPDIR``),
        which is gone when the process is, however that ends.

    Raises
    ------
    ValueError
        If memory or disk cannot hold all of them.

    Notes
    -----
    Several threads may ask at once. Two that ask for the same image first both decode
    it, to the same pixels.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        size_px: int,
        cache: Literal["none", "memory", "file"] = "none",
    ) -> None:
        self._paths = list(paths)
        self._size_px = size_px
        self._kept: np.ndarray | None = None
        if cache != "none":
            shape = (len(self._paths), size_px, size_px, _BANDS)
            self._kept = _in_memory(shape) if cache == "memory" else _in_file(shape)
            self._is_kept = np.zeros(len(self._paths), dtype=bool)

    def __len__(self) -> int:
        """Count the images."""
        return len(self._paths)

    def __getitem__(self, number: int) -> np.ndarray:
        """Give the pixels of an image, (size_px, size_px, 3) uint8."""
        if self._kept is None:
            return load_image(self._paths[number], size_px=self._size_px)
        if not self._is_kept[number]:
            image = load_image(self._paths[number], size_px=self._size_px)
            self._kept[number] = image
            self._is_kept[number] = True
        # A copy: TensorFlow may write into an array that Python gives it.
        return np.array(self._kept[number])


def _in_memory(shape: tuple[int, ...]) -> np.ndarray:
    n_bytes = int(np.prod(shape))
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if n_bytes > there:
        raise ValueError(
            f"cache: found memory, which {shape[0]} images would take {_gib(n_bytes)} "
            f"of; expected at most the {_gib(there)} there are. Let it be file or none"
        )
    _log.info("images are kept in memory, %s when all are", _gib(n_bytes))
    return np.empty(shape, np.uint8)  # pages are taken as they are written to


def _in_file(shape: tuple[int, ...]) -> np.ndarray:
    n_bytes = int(np.prod(shape))
    folder = tempfile.gettempdir()
    with tempfile.TemporaryFile(prefix="zoobot_images_", dir=folder) as file:
        try:
            # Now: a disk that is full once pages are written ends the process.
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        except OSError as error:
            raise ValueError(
                f"cache: found file, for which {folder} lacks {_gib(n_bytes)} "
                f"({error.strerror}); set TMPDIR to a folder with more, or let it be "
                "none"
            ) from error
        _log.info("images are kept in a file in %s, %s", folder, _gib(n_bytes))
        # The map stays when the file is closed; the file goes with it.
        return np.memmap(file, np.uint8, "r+", shape=shape)


def _gib(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.3g} GiB"
