"""Cutouts of galaxies from large images of the sky, by position and angular size.

North is up and east is left, whichever way the mosaic lies. Only the part of a mosaic
that a cutout shows is read.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS, WCSCOMPARE_ANCILLARY
from scipy.ndimage import map_coordinates

from zoobot.data_utils.fits_scales import celestial_wcs, pixel_scale
from zoobot.data_utils.fits_sections import Plane
from zoobot.data_utils.image_files import BadImageError

__all__ = ["CutoutReader", "Field", "petrosian_scale"]

_MOST_SECTION_PX = 2**24
_STEP_PX = 8
_MOST_BEND_PX = 0.01  # over two steps: a quarter of it over one
_LEAST_WEIGHT = 0.5  # of the pixels with a value among those that one is made of


@dataclasses.dataclass(frozen=True)
class Field:
    """A square part of the sky."""

    ra: float
    """Right ascension of the centre, ICRS, in degrees."""
    dec: float
    """Declination of the centre, ICRS, in degrees."""
    arcsec_per_px: float
    size_px: int

    def __post_init__(self) -> None:
        """Refuse what is no position, or no scale."""
        if not (np.isfinite(self.ra) and -360 <= self.ra <= 360):
            raise BadImageError(
                f"right ascension is none (ra {self.ra}, expected degrees from 0 to "
                "360)"
            )
        if not -90 <= self.dec <= 90:
            raise BadImageError(
                f"declination is none (dec {self.dec}, expected degrees from -90 to 90)"
            )
        if not 0 < self.arcsec_per_px < np.inf:
            raise BadImageError(
                f"pixel scale is none (found {self.arcsec_per_px} arcsec per pixel)"
            )

    def wcs(self) -> WCS:
        """Coordinates of the cutout: gnomonic, rows from the south up."""
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crval = [self.ra, self.dec]
        wcs.wcs.crpix = [(self.size_px + 1) / 2] * 2
        degrees = self.arcsec_per_px / 3600
        wcs.wcs.cdelt = [-degrees, degrees]
        return wcs


def petrosian_scale(p50: float, p90: float) -> float:
    """Pixel scale by which Galaxy Zoo DECaLS cut out galaxies of 424 pixels.

    Parameters
    ----------
    p50, p90 : float
        Radii with 50% and 90% of the Petrosian flux, in arcsec.

    Returns
    -------
    float
        max(min(0.04 p50, 0.02 p90), 0.1), in arcsec per pixel.

    Raises
    ------
    BadImageError
        If a radius is none.

    References
    ----------
    Walmsley et al. 2022, MNRAS 509, 3966, section 2.
    """
    for name, radius in (("petro_th50", p50), ("petro_th90", p90)):
        if not 0 < radius < np.inf:
            raise BadImageError(
                f"Petrosian radius is none ({name} {radius}, expected arcsec above 0)"
            )
    return max(min(0.04 * p50, 0.02 * p90), 0.1)


class CutoutReader:
    """Reads one field of the sky from mosaics, band by band.

    Bands mostly have the same coordinates; then positions are computed once.
    """

    def __init__(self, field: Field) -> None:
        """Take what is to be cut out."""
        self.field = field
        self._last: tuple[WCS, np.ndarray] | None = None

    def read(self, plane: Plane) -> np.ndarray:
        """Resample a part of a mosaic.

        Parameters
        ----------
        plane : Plane
            The mosaic, with coordinates on the sky.

        Returns
        -------
        (size_px, size_px) float32
            Rows from the south up, columns from the east on; in the flux of the
            mosaic's own pixels, so that the brightness of a galaxy does not depend on
            the scale. NaN off the mosaic, and where most of the pixels have no value.

        Raises
        ------
        BadImageError
            If the mosaic has no coordinates, the position lies off it, or the cutout
            would need too many of its pixels.

        Notes
        -----
        Bilinear between the pixels that are nearest; if a pixel of the cutout is n
        times as wide as one of the mosaic, means of n by n of these take their place
        first.
        """
        wcs = celestial_wcs(plane.header)
        if wcs is None:
            raise BadImageError(
                "mosaic has no coordinates (no CTYPE in its FITS header)"
            )
        _check_centre(plane, wcs, self.field)
        if self._last is None or not _are_same(self._last[0], wcs):
            self._last = wcs, _positions(wcs, self.field)
        return _resampled(plane, self._last[1], wcs, self.field)


def _resampled(
    plane: Plane, positions: np.ndarray, wcs: WCS, field: Field
) -> np.ndarray:
    scale = pixel_scale(plane.header, wcs=wcs)
    n_binned = max(1, int(field.arcsec_per_px / scale + 1e-6))
    rows, columns = (
        _range(along, side, n_binned)
        for along, side in zip(positions, plane.shape, strict=True)
    )
    n_pixels = (rows.stop - rows.start) * (columns.stop - columns.start)
    if n_pixels > _MOST_SECTION_PX:
        raise BadImageError(
            f"cutout would need too many pixels of the mosaic ({n_pixels}, expected "
            f"{_MOST_SECTION_PX} or fewer: {field.size_px} px of "
            f"{field.arcsec_per_px:g} arcsec over {scale:g} arcsec)"
        )
    section = plane.read(rows, columns)
    # From the centres of single pixels to those of n by n.
    shift = (n_binned - 1) / 2
    starts = np.array([rows.start, columns.start])[:, None, None]
    nearest = (positions - starts - shift) / n_binned
    nearest[~np.isfinite(nearest)] = -2 * n_binned  # outside
    valid = np.isfinite(section)
    most = np.array(section.shape)[:, None, None] - 1
    is_inside = (nearest >= 0).all() and (nearest <= most).all()
    if n_binned == 1 and is_inside and valid.all():
        return _between(section, nearest)  # all weights would be 1
    section[~valid] = 0
    found, weight = (
        _between(_binned(part, n_binned), nearest)
        for part in (section, valid.astype(np.float32))
    )
    is_seen = weight >= _LEAST_WEIGHT
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(is_seen, found / weight, np.nan).astype(np.float32)


def _between(image: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Bilinear values at positions, float32; the image ends in zeros."""
    return map_coordinates(image, positions, np.float32, order=1, mode="grid-constant")


def _check_centre(plane: Plane, wcs: WCS, field: Field) -> None:
    x, y = np.atleast_1d(*wcs.world_to_pixel(SkyCoord(field.ra, field.dec, unit="deg")))
    height, width = plane.shape
    if not (-0.5 <= x[0] <= width - 0.5 and -0.5 <= y[0] <= height - 0.5):
        raise BadImageError(
            f"position lies off the mosaic (ra {field.ra:.6f}, dec {field.dec:.6f}: "
            f"column {x[0]:.0f}, row {y[0]:.0f} of {width} x {height} px)"
        )


def _are_same(one: WCS, other: WCS) -> bool:
    """Whether the same pixels lie at the same sky; false if that is hard to tell."""
    if one.has_distortion or other.has_distortion:
        return False
    frames = [(w.wcs.radesys, repr(w.wcs.equinox)) for w in (one, other)]
    return frames[0] == frames[1] and one.wcs.compare(other.wcs, WCSCOMPARE_ANCILLARY)


def _positions(wcs: WCS, field: Field) -> np.ndarray:
    """Rows and columns of the mosaic, from 0, where the cutout's pixels lie.

    They are computed for every eighth pixel along each axis, and are linear between
    these, unless the mosaic's coordinates bend too much.

    Returns
    -------
    (2, size_px, size_px) float64
        NaN where a pixel of the cutout is nowhere on the mosaic's projection.
    """
    n_steps = 2 * -(-field.size_px // (2 * _STEP_PX))
    nodes = _STEP_PX * np.arange(n_steps + 1)
    known = _exact_positions(wcs, field, nodes)
    bends = [
        np.abs(k[:, 1::2] - (k[:, :-2:2] + k[:, 2::2]) / 2).max()
        for k in (known, known.swapaxes(1, 2))
    ]
    pixels = np.arange(field.size_px)
    if not max(bends) <= _MOST_BEND_PX:  # also if one is NaN
        return _exact_positions(wcs, field, pixels)
    share = np.maximum(0, 1 - np.abs(pixels[:, None] - nodes) / _STEP_PX)
    return share @ known @ share.T


def _exact_positions(wcs: WCS, field: Field, pixels: np.ndarray) -> np.ndarray:
    x, y = np.meshgrid(pixels, pixels)
    columns, rows = wcs.world_to_pixel(field.wcs().pixel_to_world(x, y))
    return np.stack([rows, columns])


def _range(positions: np.ndarray, side: int, n_binned: int) -> slice:
    """Pixels along one axis that are needed, and one more on each side."""
    known = positions[np.isfinite(positions)]
    first = max(0, int(np.floor(known.min())) - n_binned)
    last = min(side - 1, int(np.ceil(known.max())) + n_binned)
    return slice(min(first, side - 1), max(last, first) + 1)


def _binned(image: np.ndarray, n: int) -> np.ndarray:
    """Means of n by n pixels; at the upper edges of fewer, others counting as 0."""
    if n == 1:
        return image
    height, width = (-(-side // n) * n for side in image.shape)
    whole = np.zeros((height, width), image.dtype)
    whole[: image.shape[0], : image.shape[1]] = image
    return whole.reshape(height // n, n, width // n, n).mean(axis=(1, 3))
