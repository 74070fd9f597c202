"""HDF5 datasets that are what they seem: in their file, and no larger than it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py

__all__ = ["check_plain"]


def check_plain(file: h5py.File, *, values: str, texts: Sequence[str]) -> None:
    """Refuse what a stranger's file may hold instead of plain arrays.

    HDF5 knows links to other files, arrays kept or mapped elsewhere, references, and
    arrays of any size of which nothing is stored.

    Parameters
    ----------
    file : h5py.File
        Open to read, with all these datasets.
    values : str
        Name of the array of numbers.
    texts : sequence of str
        Names of the lists of texts.

    Raises
    ------
    ValueError
        If one of them is anything else.
    """
    n_bytes = Path(file.filename).stat().st_size
    for name in (values, *texts):
        _check_here(file, name)
        found = file[name]
        if name in texts:
            is_right = found.ndim == 1 and h5py.check_string_dtype(found.dtype)
        else:
            is_right = found.ndim in (2, 3) and found.dtype.kind == "f"
        if not is_right:
            raise ValueError(
                f"found {name} of type {found.dtype} and shape {found.shape}, expected "
                + ("a list of texts" if name in texts else "an array of floats")
            )
        if found.size * found.dtype.itemsize > n_bytes:
            raise ValueError(
                f"found {name} of shape {found.shape}, more than its {n_bytes} bytes "
                "can hold"
            )


def _check_here(file: h5py.File, name: str) -> None:
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"found {name} to be a link, expected an array")
    found = file[name]
    if not isinstance(found, h5py.Dataset) or found.shape is None:
        raise ValueError(f"found no array in {name}, expected one")
    if found.is_virtual or found.external:
        raise ValueError(f"found {name} stored in another file, expected it in this")
