"""Columns of a table that say where a galaxy's image is, if it is not one file.

A galaxy may have one file for each band, or be somewhere on a mosaic of the sky.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa

from zoobot.tables.columns import as_numbers

__all__ = ["FILE_LOC", "ImageColumns", "as_sky", "find_image_columns"]

FILE_LOC = "file_loc"
_MOSAIC = "mosaic"
_SIZES = ("petro_th50", "petro_th90")
_DEGREES = {"ra": (-180.0, 360.0), "dec": (-90.0, 90.0)}
_MOST_ARCSEC = 3600.0


@dataclasses.dataclass(frozen=True)
class ImageColumns:
    """What is to be read of a table to find the images."""

    paths: tuple[str, ...]
    """Columns of paths."""
    numbers: tuple[str, ...] = ()
    """Columns of positions and sizes on the sky."""

    @property
    def names(self) -> tuple[str, ...]:
        """All of these columns."""
        return *self.paths, *self.numbers


def find_image_columns(
    names: Collection[str], *, bands: Sequence[str] = ()
) -> ImageColumns:
    """Find out which of its columns say where a table's images are.

    Parameters
    ----------
    names : collection of str
        The table's columns.
    bands : sequence of str
        The bands that images are made of; without, there is a file for each galaxy.

    Returns
    -------
    ImageColumns
        ``file_loc`` if the table has it; else ``file_loc_<band>`` of all bands if it
        has one of them; else ``ra, dec`` and either ``mosaic`` or ``mosaic_<band>`` of
        all bands, with ``petro_th50, petro_th90`` if they are there. Columns may be
        among these that the table lacks, if its form is clear: they are missing.
    """
    one = ImageColumns((FILE_LOC,))
    if FILE_LOC in names or not bands:
        return one
    files = tuple(f"{FILE_LOC}_{band}" for band in bands)
    if set(files) & set(names):
        return ImageColumns(files)
    mosaics = tuple(f"{_MOSAIC}_{band}" for band in bands)
    numbers = *_DEGREES, *(size for size in _SIZES if size in names)
    if set(mosaics) & set(names):
        return ImageColumns(mosaics, numbers)
    return ImageColumns((_MOSAIC,), numbers) if _MOSAIC in names else one


def as_sky(
    values: pa.ChunkedArray, column: str, *, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Give a position or size on the sky as numbers.

    Parameters
    ----------
    values : pa.ChunkedArray
        The column, (n_rows,).
    column : str
        ra, dec, petro_th50 or petro_th90.
    name : str
        What the file calls it.

    Returns
    -------
    numbers : (n_rows,) float64
        Degrees or arcsec; NaN where a value is none.
    reasons : (n_rows,) object
        What is wrong with each value, naming it, or an empty text. A size may lack.
    """
    may_lack = column in _SIZES
    if may_lack:
        least, most, unit = 0.0, _MOST_ARCSEC, "arcsec"
    else:
        least, most, unit = *_DEGREES[column], "degrees"
    expected = f"{unit} from {least:g} to {most:g}"
    return as_numbers(
        values, name, least=least, most=most, expected=expected, may_lack=may_lack
    )
