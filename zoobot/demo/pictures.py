"""Pictures of galaxies: the sky around them, artifacts, noise, and the stretch."""

from __future__ import annotations

import numpy as np
from astropy.visualization import make_lupton_rgb

from zoobot.demo.galaxies import (
    COLOURS,
    SIGMA_PER_FWHM,
    grid,
    rotated,
    surface_brightness,
)
from zoobot.demo.population import Galaxy

__all__ = ["picture"]

_STRETCH, _SOFTENING = 14.0, 6.0  # of the arcsinh stretch, in sigma of the sky's noise
_BLACK = -2.0
_GAIN = 40.0  # signal, in sigma of the sky, whose own noise equals the sky's


def picture(galaxy: Galaxy, *, size_px: int, rng: np.random.Generator) -> np.ndarray:
    """The galaxy with noise and an arcsinh stretch, as volunteers see it.

    Parameters
    ----------
    galaxy : Galaxy
        What to draw.
    size_px : int
        Side of the picture.
    rng : numpy.random.Generator
        For the noise and what is not the galaxy's: clumps, neighbours, artifacts.

    Returns
    -------
    (size_px, size_px, 3) uint8
        Red, green, blue.

    References
    ----------
    Lupton et al. 2004, PASP 116, 133, for the stretch.
    """
    bands = surface_brightness(galaxy, size_px=size_px, rng=rng)
    bands += _neighbours(size_px, galaxy, rng)
    if galaxy.artifact != "none":
        bands += _ARTIFACTS[galaxy.artifact](size_px, rng)
    noise = rng.standard_normal(bands.shape, dtype=np.float32)
    bands += noise * np.sqrt(1 + np.maximum(bands, 0) / _GAIN)
    red, green, blue = np.moveaxis(bands, -1, 0)
    return make_lupton_rgb(
        red, green, blue, minimum=_BLACK, stretch=_STRETCH, Q=_SOFTENING
    )


def _neighbours(size_px: int, galaxy: Galaxy, rng: np.random.Generator) -> np.ndarray:
    """Up to three faint stars and distant galaxies, away from the centre."""
    bands = np.zeros((size_px, size_px, 3), dtype=np.float32)
    x, y = grid(size_px)
    for _ in range(rng.integers(4)):
        distance, direction = rng.uniform(0.33, 0.65), rng.uniform(0, 2 * np.pi)
        sigma = galaxy.psf_fwhm * SIGMA_PER_FWHM * rng.choice([1.0, 1.0, 1.8])
        offset_x = x - distance * np.cos(direction)
        offset_y = y - distance * np.sin(direction)
        light = np.exp(-(offset_x**2 + offset_y**2) / (2 * sigma**2))
        colour = COLOURS[rng.integers(3)]
        bands += rng.lognormal(np.log(15.0), 0.8) * light[..., None] * colour
    return bands


def _satellite_trail(size_px: int, rng: np.random.Generator) -> np.ndarray:
    x, y = grid(size_px)
    _, across = rotated(x, y, angle_deg=rng.uniform(0, 180))
    trail = np.exp(-0.5 * ((across - rng.uniform(-0.12, 0.12)) / 0.011) ** 2)
    # A moving object is caught in the exposure of one band only.
    colour = np.eye(3, dtype=np.float32)[rng.integers(3)] + 0.1
    return 80 * trail[..., None] * colour


def _saturated_star(size_px: int, rng: np.random.Generator) -> np.ndarray:
    x, y = grid(size_px)
    centre_x, centre_y = rng.uniform(-0.15, 0.15, 2)
    x, y = x - centre_x, y - centre_y
    radius = np.hypot(x, y)
    halo = 4000 * np.exp(-0.5 * (radius / 0.025) ** 2) + 0.6 / (0.003 + radius**2)
    bleeding = 900 * np.exp(-0.5 * (x / 0.008) ** 2)
    spikes = 500 * np.exp(
        -radius / 0.15 - 0.5 * (np.minimum(abs(x), abs(y)) / 0.008) ** 2
    )
    return np.repeat((halo + bleeding + spikes)[..., None], 3, axis=-1)


_ARTIFACTS = {"satellite-trail": _satellite_trail, "saturated-star": _saturated_star}
