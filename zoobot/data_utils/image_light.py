"""Light of a galaxy above the background, in circles around an image's centre."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

__all__ = ["Grid", "Light", "grid_of", "light_of"]

_APERTURE_IN_R80 = 1.5  # 4.5 scale lengths of an exponential disk
_APERTURE_MIN_PX = 2.0


@dataclasses.dataclass(frozen=True)
class Grid:
    """Pixels of the inscribed circle from the centre outwards, n_pixels of them."""

    order: np.ndarray
    """(n_pixels,) int64, place in the flattened image."""
    radius: np.ndarray
    """(n_pixels,) float64, in pixels, rising."""
    ring_starts: np.ndarray
    """(n_rings,) int64, where pixels of the next, larger radius begin."""
    ring_ends: np.ndarray
    """(n_rings,) int64, number of pixels up to and including each ring."""
    powers: np.ndarray
    """(n_pixels, 6) float64: 1, x, y, x^2, y^2, x y."""
    border: np.ndarray
    """(n_border,) int64, the frame, place in the flattened image."""
    half_box: int
    """Pixels on each side of the one in the middle over which light is smoothed."""


@dataclasses.dataclass(frozen=True)
class Light:
    """What one image shows above its background, in grey levels, bands added up."""

    image: np.ndarray
    """(size, size) float64."""
    bands: np.ndarray
    """(n_pixels, 3) float64, each band, from the centre outwards."""
    outwards: np.ndarray
    """(n_pixels,) float64, the image from the centre outwards."""
    r20: float
    r50: float
    r80: float
    """Radii of circles with a share of the light, in pixels."""
    total: float
    """Most light inside any circle."""
    n_aperture: int
    """Pixels in the aperture, the first of those from the centre outwards."""


@functools.lru_cache(maxsize=4)
def grid_of(size: int) -> Grid:
    """Pixels of an image with a side of `size` pixels."""
    y, x = np.indices((size, size)).reshape(2, -1) - (size - 1) / 2
    squared = x**2 + y**2
    order = np.argsort(squared, kind="stable")
    order = order[: np.count_nonzero(squared <= (size / 2) ** 2)]
    _, starts = np.unique(squared[order], return_index=True)
    x_out, y_out = x[order], y[order]
    width = max(1, size // 16)
    return Grid(
        order=order,
        radius=np.sqrt(squared[order]),
        ring_starts=starts,
        ring_ends=np.append(starts[1:], len(order)),
        powers=np.stack(
            [np.ones(len(order)), x_out, y_out, x_out**2, y_out**2, x_out * y_out],
            axis=1,
        ),
        border=np.flatnonzero(np.maximum(abs(x), abs(y)) > size / 2 - width),
        half_box=max(1, size // 26),
    )


def light_of(image: np.ndarray, *, grey: np.ndarray, grid: Grid) -> Light | None:
    """Light above the background, the median of the border in each band.

    Parameters
    ----------
    image : (size, size, 3) uint8
        Rows, columns, bands.
    grey : (size, size) int64
        The sum of its bands.
    grid : Grid
        Of this size.

    Returns
    -------
    Light or None
        None if no circle holds any.

    Notes
    -----
    Grey levels are whole and medians whole or half, so that all sums are exact: they
    do not depend on the order of pixels.
    """
    pixels = image.reshape(-1, 3)
    background = np.median(pixels[grid.border], axis=0)
    above = grey - background.sum()
    outwards = above.ravel()[grid.order]
    growth = np.cumsum(np.add.reduceat(outwards, grid.ring_starts))
    total = growth.max()
    if total <= 0:
        return None
    r20, r50, r80 = (_radius(share * total, growth, grid) for share in (0.2, 0.5, 0.8))
    edge = max(_APERTURE_IN_R80 * r80, _APERTURE_MIN_PX)
    return Light(
        image=above,
        bands=pixels[grid.order] - background,
        outwards=outwards,
        r20=r20,
        r50=r50,
        r80=r80,
        total=float(total),
        n_aperture=int(np.searchsorted(grid.radius, edge, side="right")),
    )


def _radius(flux: float, growth: np.ndarray, grid: Grid) -> float:
    """Radius of the circle that first holds a flux, in pixels.

    Light is taken as even in each ring, and a circle's area as its number of pixels.
    """
    ring = int(np.argmax(growth >= flux))
    flux_before, area_before = (
        (growth[ring - 1], grid.ring_ends[ring - 1]) if ring else (0.0, 0)
    )
    share = (flux - flux_before) / (growth[ring] - flux_before)
    area = area_before + share * (grid.ring_ends[ring] - area_before)
    return float(np.sqrt(area / np.pi))
