"""FITS images of one simulated galaxy, in every layout that a survey may use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

__all__ = ["BANDS", "LAYOUTS", "fluxes", "gaussian_sky", "sky_wcs", "write_bands"]

BANDS = ("g", "r", "z")
_COLOURS = (0.5, 1.0, 1.4)  # flux in each band


def fluxes(side: int = 40, *, seed: int = 0) -> np.ndarray:
    """A galaxy off the middle, (3, side, side) float32 in nanomaggies, with noise."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((side, side))
    profile = np.exp(-np.hypot(x - 0.6 * side, 2 * (y - 0.3 * side)) / (side / 10))
    noise = rng.normal(0, 0.005, (3, side, side))
    return (np.multiply.outer(_COLOURS, profile) + noise).astype(np.float32)


def header_of(band: str = "", **cards: object) -> fits.Header:
    header = fits.Header()
    header["BUNIT"] = "nanomaggy"
    if band:
        header["FILTER"] = f"{band} DECam"
    header.update(cards)
    return header


def cube(path: Path, planes: np.ndarray) -> None:
    fits.PrimaryHDU(planes, header_of()).writeto(path)


def cube_bands_last(path: Path, planes: np.ndarray) -> None:
    fits.PrimaryHDU(np.moveaxis(planes, 0, -1), header_of()).writeto(path)


def cube_named_in_header(path: Path, planes: np.ndarray) -> None:
    """Four bands in another order, as a cutout of the Legacy Surveys names them."""
    order = [2, 0, 0, 1]
    names = {f"BAND{i}": name for i, name in enumerate("zgir")}
    stored = planes[order].copy()
    stored[2] *= 7  # the i band, which is not asked for
    fits.PrimaryHDU(stored, header_of(BANDS="zgir", **names)).writeto(path)


def cube_with_an_axis_of_one(path: Path, planes: np.ndarray) -> None:
    fits.PrimaryHDU(planes[None, :, None], header_of()).writeto(path)


def extensions_in_order(path: Path, planes: np.ndarray) -> None:
    hdus = [fits.ImageHDU(plane, header_of()) for plane in planes]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)


def extensions_by_name(path: Path, planes: np.ndarray) -> None:
    hdus = [
        fits.ImageHDU(planes[i], header_of(), name=f"SCI_{BANDS[i]}") for i in (2, 0, 1)
    ]
    other = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=[1.0])])
    fits.HDUList([fits.PrimaryHDU(), other, *hdus]).writeto(path)


def extensions_by_filter(path: Path, planes: np.ndarray) -> None:
    hdus = [fits.ImageHDU(planes[i], header_of(BANDS[i])) for i in (1, 2, 0)]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)


def packed(path: Path, planes: np.ndarray) -> None:
    """As fpack does, without loss."""
    hdus = [
        fits.CompImageHDU(
            plane, header_of(), compression_type="GZIP_2", quantize_level=0
        )
        for plane in planes
    ]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)


def doubles(path: Path, planes: np.ndarray) -> None:
    fits.PrimaryHDU(planes.astype(np.float64), header_of()).writeto(path)


def in_microjansky(path: Path, planes: np.ndarray) -> None:
    """AB: a nanomaggy is 3.631 microjansky."""
    fits.PrimaryHDU(planes * 3.631, header_of(BUNIT="uJy")).writeto(path)


LAYOUTS: dict[str, Callable[[Path, np.ndarray], None]] = {
    "cube, bands first": cube,
    "cube, bands last": cube_bands_last,
    "cube, named in the header": cube_named_in_header,
    "cube, another axis of one": cube_with_an_axis_of_one,
    "extensions in order": extensions_in_order,
    "extensions by name": extensions_by_name,
    "extensions by filter": extensions_by_filter,
    "packed": packed,
    "doubles": doubles,
    "in another unit": in_microjansky,
}


def write_bands(
    folder: Path, planes: np.ndarray, *, suffix: str = ".fits"
) -> dict[str, Path]:
    """A file for each band."""
    paths = {band: folder / f"galaxy_{band}{suffix}" for band in BANDS}
    for (band, path), plane in zip(paths.items(), planes, strict=True):
        fits.PrimaryHDU(plane, header_of(band)).writeto(path)
    return paths


def sky_wcs(
    shape: tuple[int, int],
    *,
    arcsec_per_px: float,
    angle: float = 0,
    ra: float = 150.0,
    dec: float = 2.2,
) -> WCS:
    """Coordinates of a mosaic that is centred there and rotated by degrees."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    rotation = np.array([[cos, -sin], [sin, cos]])
    wcs.wcs.cd = rotation @ np.diag([-1, 1]) * arcsec_per_px / 3600
    return wcs


def gaussian_sky(
    wcs: WCS,
    shape: tuple[int, int],
    *,
    ra: float,
    dec: float,
    sigma: float,
    e_sigma=None,
) -> np.ndarray:
    """Light of a round Gaussian, or one wider to the east; sigmas in arcsec."""
    y, x = np.indices(shape)
    sky_ra, sky_dec = wcs.wcs_pix2world(x, y, 0)
    east = (sky_ra - ra) * np.cos(np.radians(dec)) * 3600
    north = (sky_dec - dec) * 3600
    e_sigma = e_sigma or sigma
    return np.exp(-0.5 * ((east / e_sigma) ** 2 + (north / sigma) ** 2)).astype("f4")
