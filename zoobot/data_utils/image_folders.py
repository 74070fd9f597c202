"""Folders of images as sources of galaxies, read some files at a time."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoobot.data_utils.image_files import SUFFIXES, without_suffix
from zoobot.data_utils.survey_rows import Rows, good_rows
from zoobot.tables.read_tables import id_reasons

__all__ = ["Folder", "find_images"]

_SUFFIXES = tuple(itertools.chain.from_iterable(SUFFIXES.values()))
_FILES_AT_A_TIME = 2048
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder of images; a file's stem is the galaxy's id."""

    path: Path
    names: pa.Array
    """(n_images,) large_binary: the images, as they are when the folder is found."""

    def ids(self) -> Iterator[Sequence[str]]:
        """Give the ids of all images, some at a time, in the order of `rows`."""
        for rows in self.rows():
            yield rows.table["id_str"]

    def rows(self) -> Iterator[Rows]:
        """Give all images, some at a time, by name."""
        folder = self.path.absolute()
        for start in range(0, len(self.names), _FILES_AT_A_TIME):
            stored = self.names.slice(start, _FILES_AT_A_TIME).to_pylist()
            names = [name.decode(errors="replace") for name in stored]
            # As ids in tables, which spaces around them are not part of.
            ids = pd.Series(
                [_stem(name).strip(" \t") for name in names],
                dtype="str",
            )
            rows = good_rows(ids, [str(folder / name) for name in names], votes={})
            rows.reject_reasons(_name_reasons(stored), kind="file name is not UTF-8")
            rows.reject_reasons(id_reasons(ids), kind="id_str is no id")
            yield rows


def find_images(folder: Path) -> Folder:
    """Find the images in a folder.

    Raises
    ------
    ValueError
        If it is missing or holds no image.
    """
    if not folder.is_dir():
        raise ValueError(
            f"{folder}: expected a folder of png, jpg or FITS images, found none"
        )
    n_entries = 0
    pieces = [pa.array([], pa.large_binary())]
    for names in _listed(folder):
        n_entries += len(names)
        found = [one for one in names if without_suffix(one, _SUFFIXES)]
        pieces.append(pa.array(map(os.fsencode, found), pa.large_binary()))
    images = pa.chunked_array(pieces).combine_chunks()
    if not len(images):
        raise ValueError(
            f"{folder}: expected png, jpg or FITS files in this folder, found none "
            f"among its {n_entries} entries"
        )
    ignored = n_entries - len(images)
    _log.info("found %d images in %s, %d other entries", len(images), folder, ignored)
    return Folder(folder, images.take(pc.sort_indices(images)))


def _stem(name: str) -> str:
    return without_suffix(name, _SUFFIXES) or Path(name).stem


def _listed(folder: Path) -> Iterator[list[str]]:
    """Names of a folder's entries, some at a time: it may have millions."""
    with os.scandir(folder) as entries:
        while some := list(itertools.islice(entries, _FILES_AT_A_TIME)):
            yield [entry.name for entry in some]


def _name_reasons(names: list[bytes]) -> np.ndarray:
    """Say which names of files are not text: no table could hold them."""
    reasons = np.full(len(names), "", dtype=object)
    for row, name in enumerate(names):
        try:
            name.decode()
        except UnicodeDecodeError:
            reasons[row] = f"file_loc: found a file called {name!r}, expected UTF-8"
    return reasons
