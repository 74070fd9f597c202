"""Pictures of galaxies from FITS images: of files, of files by band, of mosaics.

A picture shows what an astronomer's viewer shows: the first row of a FITS image is at
the bottom.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from astropy.io import fits

from zoobot.data_utils.cutouts import CutoutReader, Field
from zoobot.data_utils.fits_files import open_fits
from zoobot.data_utils.fits_planes import find_planes
from zoobot.data_utils.fits_scales import celestial_wcs, flux_factor, pixel_scale
from zoobot.data_utils.fits_sections import Plane
from zoobot.data_utils.image_files import MIN_SIDE_PX, BadImageError
from zoobot.data_utils.stretch import lupton_picture
from zoobot.settings.images import RenderFits

__all__ = ["DEFAULT_RENDERING", "Picture", "render_cutout", "render_fits"]

DEFAULT_RENDERING = RenderFits(
    bands=["g", "r", "z"],
    layers=[],
    band_axis="auto",
    mask_extension="",
    unit="nanomaggy",
    band_scales=[0.008, 0.014, 0.019],
    lupton_minimum=-0.5,
    lupton_stretch=6.844,
    lupton_q=6.844,
    missing_share_max=0.1,
    cutout_size_px=424,
    cutout_scale="fixed",
    arcsec_per_px=0.262,
)
"""What config.yaml sets: grz images in nanomaggies, by Galaxy Zoo DECaLS' constants."""

_MOST_PIXELS = 2**24  # of a band: 4096 x 4096
_SCALES_AGREE = 0.01  # relative difference that rounded headers may have

Sources = str | Path | Mapping[str, str | Path]
"""One file, or one file a band."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A rendered image."""

    pixels: np.ndarray
    """(height, width, 3) uint8: rows from the top down; red, green, blue."""
    arcsec_per_px: float
    """Side of a pixel; NaN if the file does not say."""
    unit: str
    """BUNIT of the first band; empty if the file does not say."""
    is_grey: bool
    """Whether it is of one band where more were asked for."""
    missing_share: float
    """Share of the pixels without a value, which are black."""


def render_fits(sources: Sources, *, rendering: RenderFits) -> Picture:
    """Draw FITS images as they are, pixel by pixel.

    Parameters
    ----------
    sources : path or mapping of str to path
        One file with all bands, or of one band; or a file for each band.
    rendering : RenderFits
        Bands and stretch.

    Returns
    -------
    Picture
        Of the size of the image.

    Raises
    ------
    ValueError
        With the reason alone, and the band of it if there are several files: no image,
        a band missing, bands of different shapes, scales or units, too many pixels
        without a value, a damaged file.
    """

    def read(plane: Plane) -> np.ndarray:
        height, width = plane.shape
        size = f"{width} x {height} px"
        if min(height, width) < MIN_SIDE_PX:
            raise BadImageError(
                f"image is too small ({size}, expected {MIN_SIDE_PX} px or more)"
            )
        if height * width > _MOST_PIXELS:
            raise BadImageError(
                f"image is too large ({size}, expected {_MOST_PIXELS} px or fewer; "
                "galaxies are cut out of a mosaic by ra and dec)"
            )
        return plane.read(slice(0, height), slice(0, width))

    bands = _read_bands(sources, rendering, read)
    scales = [one.arcsec_per_px for one in bands.values()]
    known = [scale for scale in scales if np.isfinite(scale)]
    if known and max(known) > (1 + _SCALES_AGREE) * min(known):
        found = [f"{scale:.4g} arcsec" for scale in scales]
        raise BadImageError(f"bands differ in pixel scale ({_each(bands, found)})")
    return _picture(bands, known[0] if known else float("nan"), rendering)


def render_cutout(mosaics: Sources, *, field: Field, rendering: RenderFits) -> Picture:
    """Draw a part of the sky out of FITS mosaics.

    Parameters
    ----------
    mosaics : path or mapping of str to path
        As in `render_fits`; each may have its own coordinates.
    field : Field
        Position, size and scale.
    rendering : RenderFits
        Bands and stretch.

    Returns
    -------
    Picture
        North up, east left, with the field's size and scale.

    Raises
    ------
    ValueError
        As `render_fits`, and if the position lies off a mosaic.
    """
    bands = _read_bands(mosaics, rendering, CutoutReader(field).read)
    return _picture(bands, field.arcsec_per_px, rendering)


@dataclasses.dataclass(frozen=True)
class _Band:
    """What was read of one band."""

    values: np.ndarray
    """(height, width) float32, in the unit of the settings; NaN: no value."""
    arcsec_per_px: float
    """Of the file's pixels."""
    unit: str


def _read_bands(
    sources: Sources, rendering: RenderFits, read: Callable[[Plane], np.ndarray]
) -> dict[str, _Band]:
    if not isinstance(sources, Mapping):
        return _read_file(sources, rendering.bands, rendering, read)
    bands: dict[str, _Band] = {}
    for band in rendering.bands:
        if not sources.get(band):
            raise BadImageError(f"band {band} is missing (no file is given)")
        try:
            bands |= _read_file(sources[band], [band], rendering, read)
        except BadImageError as error:
            raise BadImageError(f"band {band}: {error}") from error
    return bands


def _read_file(
    path: str | Path,
    names: list[str],
    rendering: RenderFits,
    read: Callable[[Plane], np.ndarray],
) -> dict[str, _Band]:
    with open_fits(path) as hdus:
        planes = find_planes(hdus, bands=names, rendering=rendering)
        # Of a cube they are the same for all bands, and take as long as reading one.
        calibrations = {
            id(plane.hdu): _calibration(plane.header, rendering)
            for plane in planes.values()
        }
        bands = {}
        for name, plane in planes.items():
            factor, scale, unit = calibrations[id(plane.hdu)]
            with np.errstate(over="ignore"):
                bands[name] = _Band(read(plane) * np.float32(factor), scale, unit)
        return bands


def _calibration(
    header: fits.Header, rendering: RenderFits
) -> tuple[float, float, str]:
    """What pixels are multiplied by, their side in arcsec, and their unit."""
    wcs = None
    with contextlib.suppress(BadImageError):  # cutouts need them, and complain
        wcs = celestial_wcs(header)
    scale = pixel_scale(header, wcs=wcs)
    unit = str(header.get("BUNIT", "")).strip()
    factor = 1.0
    if rendering.band_scales:
        factor = flux_factor(unit, unit=rendering.unit, arcsec_per_px=scale)
    return factor, scale, unit


def _picture(
    bands: dict[str, _Band], arcsec_per_px: float, rendering: RenderFits
) -> Picture:
    shapes = [one.values.shape for one in bands.values()]
    if len(set(shapes)) > 1:
        raise BadImageError(f"bands differ in shape ({_each(bands, shapes)})")
    fluxes = np.stack([one.values for one in bands.values()])
    missing = 1 - float(np.isfinite(fluxes).all(axis=0).mean())
    if missing > rendering.missing_share_max:
        raise BadImageError(
            f"too many pixels have no value ({missing:.1%}, expected at most "
            f"{rendering.missing_share_max:.1%})"
        )
    picture = lupton_picture(
        fluxes, scales=_scales(bands, rendering), rendering=rendering
    )
    return Picture(
        pixels=np.ascontiguousarray(picture[::-1]),
        arcsec_per_px=arcsec_per_px,
        unit=next(iter(bands.values())).unit,
        is_grey=len(bands) < len(rendering.bands),
        missing_share=missing,
    )


def _scales(bands: Mapping[str, _Band], rendering: RenderFits) -> np.ndarray | None:
    """Scale of each band, (n_bands,); an image of no band known has the mean."""
    if not rendering.band_scales:
        return None
    known = dict(zip(rendering.bands, rendering.band_scales, strict=True))
    mean = float(np.mean(rendering.band_scales))
    return np.array([known.get(band, mean) for band in bands])


def _each(bands: Mapping[str, _Band], values: list) -> str:
    return ", ".join(f"{b} {v}" for b, v in zip(bands, values, strict=True))
