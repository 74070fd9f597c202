"""Units and pixel scales of FITS images."""

from __future__ import annotations

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from zoobot.data_utils.image_files import BadImageError

__all__ = ["celestial_wcs", "check_unit", "flux_factor", "pixel_scale"]

_MOST_SIP_ORDER = 9  # of the convention; tables of the order squared are made
_MOST_AXES = 9
_AB_ZERO = 3631 * units.Jy  # of 1 maggy


def celestial_wcs(header: fits.Header) -> WCS | None:
    """Coordinates on the sky of an image's rows and columns; None if it has none.

    Raises
    ------
    BadImageError
        If they are there, but none that can be used.
    """
    axes = header.get("WCSAXES", header.get("NAXIS", 2))
    orders = [header.get(f"{name}_ORDER", 0) for name in ("A", "B", "AP", "BP")]
    is_sane = isinstance(axes, int) and 0 < axes <= _MOST_AXES
    if not is_sane or any(
        not isinstance(order, int) or order > _MOST_SIP_ORDER for order in orders
    ):
        raise BadImageError(
            f"coordinates in the FITS header are damaged ({axes} axes, distortion of "
            f"orders {orders})"
        )
    if not any(str(header.get(f"CTYPE{i + 1}", "")).strip() for i in range(axes)):
        return None
    try:
        wcs = WCS(header).celestial
    except MemoryError:
        raise
    except Exception as error:
        found = " ".join(str(error).split())[:120]
        raise BadImageError(
            f"coordinates in the FITS header are damaged ({found})"
        ) from error
    return wcs if wcs.naxis == 2 else None


def pixel_scale(header: fits.Header, *, wcs: WCS | None) -> float:
    """Side of a pixel in arcsec, from its area on the sky; NaN if that is not stated.

    Parameters
    ----------
    header : fits.Header
        CDELT, in degrees, counts where there are no coordinates.
    wcs : WCS or None
        Of the image.
    """
    if wcs is not None:
        sides = proj_plane_pixel_scales(wcs) * 3600
    else:
        sides = np.array([_number(header.get(f"CDELT{i}")) for i in (1, 2)]) * 3600
    scale = float(np.sqrt(abs(np.prod(sides))))
    return scale if np.isfinite(scale) and scale > 0 else float("nan")


def check_unit(unit: str) -> None:
    """Refuse a setting that is no unit.

    Raises
    ------
    ValueError
        Naming it.
    """
    try:
        units.Unit(unit, parse_strict="raise")
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"render_fits.unit: found {unit!r}, expected a unit that astropy.units "
            f"knows, as nanomaggy or MJy/sr ({error})"
        ) from None


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def flux_factor(text: str, *, unit: str, arcsec_per_px: float) -> float:
    """Number by which pixels are multiplied to have a unit.

    Parameters
    ----------
    text : str
        The image's BUNIT; empty counts as `unit`.
    unit : str
        Wanted; empty takes pixels as they are. Maggies are AB: 1 is 3631 Jy.
    arcsec_per_px : float
        Side of a pixel: the flux of one is its surface brightness times its area.

    Raises
    ------
    BadImageError
        If one cannot be converted into the other.
    """
    text = text.strip()
    if not unit or not text or text == unit:
        return 1.0
    try:
        found = 1 * units.Unit(text, parse_strict="raise")
    except (ValueError, TypeError):
        factor = None
    else:
        area = arcsec_per_px**2 * units.arcsec**2
        factor = _converted(found, unit) or _converted(found * area, unit)
    if factor is None or not 0 < factor < np.inf:
        raise BadImageError(
            f"unit of the FITS image does not fit (BUNIT {text[:60]!r}, expected one "
            f"of {unit!r})"
        )
    return factor


def _converted(flux: units.Quantity, unit: str) -> float | None:
    try:
        return float(flux.to_value(unit, units.zero_point_flux(_AB_ZERO)))
    except units.UnitsError:
        return None
