"""Parts of the image of one band, read from a FITS file."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from astropy.io import fits

__all__ = ["Plane"]

_MOST_AT_ONCE = 2**23  # pixels: 32 MB of float32


@dataclasses.dataclass(frozen=True)
class Plane:
    """One band's image in a file; its pixels are not read yet."""

    hdu: fits.ImageHDU | fits.CompImageHDU
    key: tuple[int | None, ...]
    """Index on each axis of the array; None on those of rows and columns."""
    mask: Plane | None = None
    """Where its pixels are not 0, these have no value."""

    @property
    def header(self) -> fits.Header:
        """Header with unit and coordinates."""
        return self.hdu.header

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        sides = zip(self.hdu.shape, self.key, strict=True)
        height, width = (side for side, index in sides if index is None)
        return height, width

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Read a part, (n_rows, n_columns) float32, NaN where there is no value.

        Rows are those of the file: the first is the bottom of the picture.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            values = self._section(rows, columns).astype(np.float32)
        values[~np.isfinite(values)] = np.nan
        if self.mask is not None:
            masked = self.mask.read(rows, columns)
            values[masked != 0] = np.nan
        return values

    def _section(self, rows: slice, columns: slice) -> np.ndarray:
        spatial = iter((rows, columns))
        key = tuple(next(spatial) if i is None else i for i in self.key)
        split = self.key.index(None) + 1
        n_pixels = (rows.stop - rows.start) * math.prod(self.hdu.shape[split:])
        if isinstance(self.hdu, fits.CompImageHDU) or n_pixels > _MOST_AT_ONCE:
            return np.asarray(self.hdu.section[key])
        # Astropy would read parts of rows one by one, each of which takes as long as
        # some thousand pixels do.
        whole_rows = np.asarray(self.hdu.section[key[:split]])
        return whole_rows[(slice(None), *key[split:])]
