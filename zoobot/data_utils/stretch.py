"""Fluxes in bands become a picture: the stretch of Lupton et al. (2004).

Each band is divided by its scale, which makes noise about as strong in all, and
``minimum`` is taken off it, giving x_b. With the mean I of red, green and blue,

    f(I) = asinh(Q I / stretch) 0.1 / asinh(0.1 Q),      X_b = x_b f(I) / I

where X_b = 0 is black and 1 full brightness. Where a colour would be brighter than
that, all three are scaled down together, so that bright cores keep their colour.

References
----------
Lupton, Blanton, Fekete, Hogg, O'Mullane, Szalay & Wherry 2004, PASP 116, 133, with the
constant 0.1 of `astropy.visualization.LuptonAsinhStretch`.

Galaxy Zoo DECaLS (Walmsley et al. 2022, MNRAS 509, 3966) drew grz images in nanomaggies
by asinh of each band alone, scales 0.008, 0.014 and 0.019, black at -0.5 and full
brightness at 300 scales. Here ``minimum = -0.5`` and ``stretch = Q = 6.844``, as
0.1 asinh(300) = asinh(0.1 Q), draw grey within 8 of 255 levels of that, and more of the
colours.
"""

from __future__ import annotations

import numpy as np
from astropy.visualization import LuptonAsinhStretch, ManualInterval, make_lupton_rgb

from zoobot.settings.images import RenderFits

__all__ = ["lupton_picture", "noise_scale"]

_PIXELS_AT_A_TIME = 2**20
_LARGEST = 1e15  # squares and sums of it are float32 still
_MAD_IN_SIGMA = 0.6744897501960817  # of a Gaussian: its third quartile


def lupton_picture(
    fluxes: np.ndarray, *, scales: np.ndarray | None, rendering: RenderFits
) -> np.ndarray:
    """Draw a picture of one to three bands.

    Parameters
    ----------
    fluxes : (n_bands, height, width) float32
        From blue to red, in the unit of `scales`. Of two bands green is the mean. A
        pixel that is NaN or infinite in any band is black.
    scales : (n_bands,) float64 or None
        Flux that counts as 1; None measures the noise of each band and takes off its
        background, see `noise_scale`.
    rendering : RenderFits
        Stretch, Q and minimum.

    Returns
    -------
    (height, width, 3) uint8
        Red, green, blue; rows in the order of `fluxes`. Fractions are cut off.
    """
    zeros = np.zeros(len(fluxes))
    if scales is None:
        zeros, scales = np.transpose([noise_scale(band) for band in fluxes])
    # As the fluxes: in float64 all that follows would take four times as long.
    zero, scale = (part[:, None, None].astype(np.float32) for part in (zeros, scales))
    height, width = fluxes.shape[1:]
    picture = np.empty((height, width, 3), np.uint8)
    n_rows = max(1, _PIXELS_AT_A_TIME // max(1, width))
    for start in range(0, height, n_rows):
        rows = slice(start, start + n_rows)
        black = ~np.isfinite(fluxes[:, rows]).all(axis=0)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (fluxes[:, rows] - zero) / scale
        picture[rows] = _stretched(scaled, black, rendering)
    return picture


def _stretched(
    scaled: np.ndarray, black: np.ndarray, rendering: RenderFits
) -> np.ndarray:
    scaled = np.clip(scaled, -_LARGEST, _LARGEST)
    scaled[:, black] = rendering.lupton_minimum
    blue, green, red = scaled[0], scaled[len(scaled) // 2], scaled[-1]
    if len(scaled) == 2:
        green = (blue + red) / 2
    interval = ManualInterval(vmin=rendering.lupton_minimum, vmax=_LARGEST)
    stretch = LuptonAsinhStretch(rendering.lupton_stretch, rendering.lupton_q)
    with np.errstate(invalid="ignore", divide="ignore"):  # f(0) / 0, not used
        return make_lupton_rgb(
            red, green, blue, interval=interval, stretch_object=stretch
        )


def noise_scale(band: np.ndarray) -> tuple[float, float]:
    """Background and noise of an image of which less than half is galaxy.

    Parameters
    ----------
    band : (height, width) float
        Pixels without a value are NaN.

    Returns
    -------
    background : float
        The median.
    noise : float
        Standard deviation of a Gaussian with this median distance of the pixels below
        the background from it. Where that is 0, the standard deviation of all pixels,
        or 1.
    """
    values = band[np.isfinite(band)].astype(np.float64)
    if not len(values):
        return 0.0, 1.0
    background = float(np.median(values))
    below = values[values < background]
    noise = float(np.median(background - below)) / _MAD_IN_SIGMA if len(below) else 0.0
    return background, noise or float(values.std()) or 1.0
