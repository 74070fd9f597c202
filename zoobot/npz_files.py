"""Stored arrays, of which a damaged file is told as such."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from zoobot.files import MAKE_ANEW

__all__ = ["stored_arrays"]


@contextlib.contextmanager
def stored_arrays(path: str | Path, *, what: str) -> Iterator[Mapping[str, np.ndarray]]:
    """Open an npz file; no code in it is run.

    Parameters
    ----------
    path : path
        File to read.
    what : str
        What is stored in it, for the error.

    Yields
    ------
    mapping
        The arrays by name, to be read in the block.

    Raises
    ------
    ValueError
        If the file is missing or damaged, or what the block makes of its arrays cannot
        be made.
    """
    try:
        # Opened here, as NumPy leaves a damaged file open.
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            yield arrays
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        MemoryError,  # of arrays that are larger than their file can hold
        zipfile.BadZipFile,
    ) as error:
        raise ValueError(
            f"{path}: expected a stored {what} (npz); {error}; {MAKE_ANEW}"
        ) from error
