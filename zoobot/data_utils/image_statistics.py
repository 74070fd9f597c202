"""Simple, standard numbers of galaxy morphology, measured on images.

The features of a baseline: what can be said of a galaxy's votes without a network.
Light is in grey levels above the background, the median of the image's border in each
band; radii are from the image's centre, where surveys put the galaxy. None of the
numbers changes if the image is flipped or turned by 90 degrees.
"""

from __future__ import annotations

import numpy as np

from zoobot.data_utils.image_light import Grid, Light, grid_of, light_of

__all__ = ["STATISTICS", "image_statistics"]

STATISTICS = (
    "mean_brightness",
    "contrast",
    "log_flux",
    "surface_brightness",
    "colour_red_green",
    "colour_green_blue",
    "colour_gradient",
    "half_light_radius",
    "concentration",
    "asymmetry",
    "clumpiness",
    "gini",
    "m20",
    "axis_ratio",
)
"""Names of the statistics, (n_statistics,), in the order of the tables' columns."""

_MIN_SIDE_PX = 16
_WHITE = 255.0
_SIGMA_PER_MAD = 1.4826  # of a normal distribution
_COLOUR_FLOOR = 1.0  # grey levels a pixel, in both bands: noise has no colour
_M20_FLOOR = -4.0
_NO_LIGHT = dict.fromkeys(STATISTICS, 0.0) | {"axis_ratio": 1.0}


def image_statistics(image: np.ndarray) -> dict[str, float]:
    """Measure one image.

    Parameters
    ----------
    image : (size, size, 3) uint8
        Rows, columns, and red, green, blue; a side of 16 pixels or more.

    Returns
    -------
    dict
        A finite number for each name in `STATISTICS`:

        - mean_brightness, contrast : mean and standard deviation of the grey image, as
          shares of white
        - log_flux : log10(1 + F), F the light in the circle that holds most of it
        - surface_brightness : mean light inside the half-light radius, share of white
        - colour_red_green, colour_green_blue : log10 of the ratio of two bands' light
        - colour_gradient : log10(red / blue) inside the half-light radius less outside
        - half_light_radius : as a share of half the image's side
        - concentration : C = 5 log10(r80 / r20) [1]_
        - asymmetry : ``A = sum |I - I_180| / sum |I|``, less that of the border [1]_,
          about the image's centre, which is not moved to make A least
        - clumpiness : ``S = 10 sum max(I - I_smooth, 0) / sum |I|``, less that of the
          border, the core left out; I_smooth is the mean over a box of 1/13 side [1]_
        - gini : ``sum (2 i - n - 1) |X_i| / (sum |X_i| (n - 1))``, i the rank of the n
          pixels by brightness [2]_
        - m20 : log10(M_20 / M), M = sum I r^2 about the centroid, M_20 of the pixels as
          bright as those that hold a fifth of the light [2]_, not below -4
        - axis_ratio : minor to major axis, from second moments of what is brighter
          than twice the noise and than nine tenths of the aperture's edge

        The aperture, of the colours and of all from A on, is 1.5 r80. Where there is no
        light above the background, brightness and contrast are as they are, the axis
        ratio is 1, and all else 0.

    Raises
    ------
    ValueError
        If the array is no such image.

    References
    ----------
    .. [1] Conselice 2003, ApJS 147, 1.
    .. [2] Lotz, Primack & Madau 2004, AJ 128, 163.
    """
    _check(image)
    grid = grid_of(len(image))
    red, green, blue = np.moveaxis(image.astype(np.int64), 2, 0)
    grey = red + green + blue  # many times faster than a sum over a short axis
    whole = {
        "mean_brightness": grey.mean() / (3 * _WHITE),
        "contrast": grey.std() / (3 * _WHITE),
    }
    light = light_of(image, grey=grey, grid=grid)
    if light is None:
        return _NO_LIGHT | whole
    inside = light.outwards[: light.n_aperture]
    found = {
        **whole,
        "log_flux": np.log10(1 + light.total / 3),
        "surface_brightness": light.total / (2 * np.pi * light.r50**2) / (3 * _WHITE),
        **_colours(light, grid),
        "half_light_radius": light.r50 / (len(image) / 2),
        "concentration": 5 * np.log10(light.r80 / light.r20),
        "asymmetry": _asymmetry(light, grid),
        "clumpiness": _clumpiness(light, grid),
        "gini": _gini(inside),
        "m20": _m20(inside, grid),
        "axis_ratio": _axis_ratio(light, grid),
    }
    return {name: float(found[name]) for name in STATISTICS}


def _check(image: np.ndarray) -> None:
    side = image.shape[0] if image.ndim == 3 else 0
    if image.shape != (side, side, 3) or side < _MIN_SIDE_PX or image.dtype != np.uint8:
        raise ValueError(
            f"image: found shape {image.shape} and type {image.dtype}, expected "
            f"(size, size, 3) uint8 with a size of at least {_MIN_SIDE_PX}"
        )


def _colours(light: Light, grid: Grid) -> dict[str, float]:
    n_core = int(np.searchsorted(grid.radius, light.r50, side="right"))
    core = _log_flux(light.bands[:n_core])
    outside = _log_flux(light.bands[n_core : light.n_aperture])
    red, green, blue = _log_flux(light.bands[: light.n_aperture])
    return {
        "colour_red_green": red - green,
        "colour_green_blue": green - blue,
        "colour_gradient": (core[0] - core[2]) - (outside[0] - outside[2]),
    }


def _log_flux(bands: np.ndarray) -> np.ndarray:
    """Log10 of the light of each band, (3,), with a floor for faint light and none."""
    floor = _COLOUR_FLOOR * max(len(bands), 1)
    return np.log10(np.maximum(bands.sum(axis=0), 0) + floor)


def _asymmetry(light: Light, grid: Grid) -> float:
    turned = np.abs(light.image - light.image[::-1, ::-1]).ravel()
    excess = turned[grid.order[: light.n_aperture]].sum()
    excess -= light.n_aperture * turned[grid.border].mean()
    return excess / np.abs(light.outwards[: light.n_aperture]).sum()


def _clumpiness(light: Light, grid: Grid) -> float:
    sharp = light.image - _box_mean(light.image, half_box=grid.half_box)
    clumps = np.maximum(sharp, 0).ravel()
    n_core = int(np.searchsorted(grid.radius, 2 * grid.half_box + 1, side="right"))
    around = clumps[grid.order[n_core : light.n_aperture]]
    excess = around.sum() - len(around) * clumps[grid.border].mean()
    return 10 * excess / np.abs(light.outwards[: light.n_aperture]).sum()


def _box_mean(image: np.ndarray, *, half_box: int) -> np.ndarray:
    """Mean over the box around each pixel; the image's edge pixels go on outside."""
    width = 2 * half_box + 1
    sums = np.pad(image, half_box, mode="edge")
    for axis in (0, 1):
        sums = np.cumsum(sums, axis=axis)
        sums = np.concatenate([np.zeros_like(sums.take([0], axis)), sums], axis)
        n = sums.shape[axis]
        upper = sums.take(range(width, n), axis)
        sums = upper - sums.take(range(n - width), axis)
    return sums / width**2


def _gini(inside: np.ndarray) -> float:
    ranked = np.sort(np.abs(inside))
    n = len(ranked)
    weights = 2.0 * np.arange(1, n + 1) - n - 1
    return weights @ ranked / (ranked.sum() * (n - 1))


def _m20(inside: np.ndarray, grid: Grid) -> float:
    powers = grid.powers[: len(inside)]
    flux = np.maximum(inside, 0)
    descending = np.sort(flux)[::-1]
    growth = np.cumsum(descending)
    # All pixels as bright as the last one needed: which of equals would be chance.
    is_bright = flux >= descending[np.argmax(growth >= 0.2 * growth[-1])]
    total, x, y, xx, yy, _ = flux @ powers
    of_all = xx + yy - (x**2 + y**2) / total
    bright, x_bright, y_bright, xx, yy, _ = (flux * is_bright) @ powers
    x, y = x / total, y / total
    of_bright = xx + yy - 2 * (x * x_bright + y * y_bright) + (x**2 + y**2) * bright
    if of_all <= 0 or of_bright <= 10**_M20_FLOOR * of_all:
        return _M20_FLOOR
    return np.log10(of_bright / of_all)


def _axis_ratio(light: Light, grid: Grid) -> float:
    inside = light.outwards[: light.n_aperture]
    radius = grid.radius[: light.n_aperture]
    # Where an isophote is cut by the round aperture, the galaxy would look rounder.
    edge = np.percentile(inside[radius > radius[-1] - 1], 90)
    noise = _SIGMA_PER_MAD * np.median(np.abs(light.image.ravel()[grid.border]))
    shown = np.where(inside > max(edge, 2 * noise), inside, 0)
    total, x, y, xx, yy, xy = shown @ grid.powers[: light.n_aperture]
    if total == 0:
        return 1.0
    xx, yy, xy = xx - x**2 / total, yy - y**2 / total, xy - x * y / total
    middle, half = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    if middle + half <= 0:
        return 1.0
    return np.sqrt(max(middle - half, 0) / (middle + half))
