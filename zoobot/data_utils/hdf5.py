"""HDF5 files of one row a galaxy: representations and predictions.

Each file holds one dataset of values whose first axis is the galaxy, ``id_str``, and
``label_cols``, the names along the second axis. Attributes say what made them.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from zoobot.files import written_whole

__all__ = [
    "GalaxyRows",
    "Header",
    "create",
    "n_galaxies",
    "read",
    "read_header",
    "read_ids",
    "read_rows",
]


@dataclasses.dataclass(frozen=True)
class GalaxyRows:
    """What one file holds."""

    values: np.ndarray
    """(n_galaxies, n_columns[, n_passes]) float32."""
    id_str: list[str]
    """(n_galaxies,)"""
    label_cols: list[str]
    """(n_columns,), names along the second axis."""
    attributes: dict[str, object]
    """What made the file: schema, seeds, versions."""


@dataclasses.dataclass(frozen=True)
class Header:
    """What one file holds, but for the values."""

    shape: tuple[int, ...]
    """(n_galaxies, n_columns[, n_passes]), of the values."""
    id_str: list[str]
    label_cols: list[str]
    attributes: dict[str, object]


@contextlib.contextmanager
def create(
    path: str | Path,
    *,
    dataset: str,
    id_str: Sequence[str],
    label_cols: Sequence[str],
    n_passes: int | None = None,
    attributes: dict[str, object],
) -> Iterator[h5py.Dataset]:
    """Create a file to fill; it gets its final name when the block ends well.

    Parameters
    ----------
    path : str or Path
        File to write.
    dataset : str
        ``representations`` or ``predictions``.
    id_str : (n_galaxies,) sequence of str
        Ids of the galaxies, in the order of the rows.
    label_cols : (n_columns,) sequence of str
        Names along the second axis.
    n_passes : int, optional
        Length of a third axis, if there is one.
    attributes : dict
        Text and numbers stored with the file.

    Yields
    ------
    h5py.Dataset
        (n_galaxies, n_columns[, n_passes]) float32, to be filled.
    """
    text = h5py.string_dtype()
    shape = (len(id_str), len(label_cols)) + (() if n_passes is None else (n_passes,))
    with written_whole(path) as beside, h5py.File(beside, "w") as file:
        file.create_dataset("id_str", data=np.array(id_str, dtype=object), dtype=text)
        file.create_dataset(
            "label_cols", data=np.array(label_cols, dtype=object), dtype=text
        )
        file.attrs.update(attributes)
        yield file.create_dataset(dataset, shape=shape, dtype="float32")


def read(path: str | Path, *, dataset: str) -> GalaxyRows:
    """Read a whole file that `create` wrote.

    Raises
    ------
    ValueError
        If the file is no HDF5 file or lacks the dataset; the message names the file.
    """
    with _opened(path, dataset) as file:
        header = _header(file, dataset)
        return GalaxyRows(
            values=file[dataset][()],
            id_str=header.id_str,
            label_cols=header.label_cols,
            attributes=header.attributes,
        )


def read_header(path: str | Path, *, dataset: str) -> Header:
    """Read all of a file but the values; errors are those of `read`."""
    with _opened(path, dataset) as file:
        return _header(file, dataset)


def read_rows(path: str | Path, *, dataset: str, rows: np.ndarray) -> np.ndarray:
    """Read the values of some galaxies.

    Parameters
    ----------
    path : str or Path
        File that `create` wrote.
    dataset : str
        ``representations`` or ``predictions``.
    rows : (n_rows,) int
        Which galaxies, each at most once, in any order.

    Returns
    -------
    (n_rows, n_columns[, n_passes]) float32
        In the order of `rows`.
    """
    order = np.argsort(rows)  # HDF5 reads forwards only.
    with _opened(path, dataset) as file:
        forwards = file[dataset][rows[order]]
    return forwards[np.argsort(order)]


def read_ids(path: str | Path, *, dataset: str) -> list[str]:
    """Ids of the galaxies in a file, (n_galaxies,), without reading the values."""
    with _opened(path, dataset) as file:
        return list(file["id_str"].asstr()[()])


def n_galaxies(path: str | Path, *, dataset: str) -> int:
    """Count the galaxies in a file, without reading ids or values."""
    with _opened(path, dataset) as file:
        return len(file["id_str"])


def _header(file: h5py.File, dataset: str) -> Header:
    return Header(
        shape=file[dataset].shape,
        id_str=list(file["id_str"].asstr()[()]),
        label_cols=list(file["label_cols"].asstr()[()]),
        attributes=dict(file.attrs),
    )


@contextlib.contextmanager
def _opened(path: str | Path, dataset: str) -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path}: expected a complete HDF5 file; {error}") from error
    with file:
        missing = {dataset, "id_str", "label_cols"} - set(file)
        if missing:
            raise ValueError(
                f"{path}: expected datasets {dataset}, id_str and label_cols; "
                f"{', '.join(sorted(missing))} not found"
            )
        yield file
