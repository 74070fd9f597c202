"""The light of a galaxy in three bands.

Positions are in sides of the image, from its centre: x along columns, y along rows.
The bands are those of the released DECaLS pictures: z, r and g are shown as red, green
and blue.
"""

from __future__ import annotations

import numpy as np
from astropy.modeling.models import GeneralSersic2D, Sersic2D
from scipy.ndimage import gaussian_filter
from scipy.special import k1

from zoobot.demo.population import Galaxy

__all__ = ["COLOURS", "SIGMA_PER_FWHM", "grid", "rotated", "surface_brightness"]

_OVERSAMPLING = 2  # 6 would change pictures by an rms below half the sky noise
COLOURS = np.array(  # share of light in z, r, g; mean 1, so that grey shows the light
    [[1.40, 1.00, 0.60], [1.12, 1.00, 0.88], [0.70, 0.98, 1.32]], dtype=np.float32
)
_OLD, _DISK, _YOUNG = 0, 1, 2  # rows of COLOURS: bulges and bars; disks; arms, rings
SIGMA_PER_FWHM = 1 / 2.3548


def surface_brightness(
    galaxy: Galaxy, *, size_px: int, rng: np.random.Generator
) -> np.ndarray:
    """The galaxy's light behind the point spread function, without noise.

    Parameters
    ----------
    galaxy : Galaxy
        What to draw.
    size_px : int
        Side of the image.
    rng : numpy.random.Generator
        For the clumps of star formation.

    Returns
    -------
    (size_px, size_px, 3) float32
        z, r and g, in sigma of the sky's noise a pixel.
    """
    x, y = grid(size_px * _OVERSAMPLING)
    layers = np.zeros((3, *x.shape), dtype=np.float32)
    major, minor = rotated(x, y, angle_deg=galaxy.position_angle_deg)
    major, minor = _disturbed(major, minor, galaxy)
    if galaxy.kind == "disk":
        _add_disk(layers, major, minor, galaxy, rng)
    elif galaxy.kind == "edge-on":
        _add_edge_on(layers, major, minor, galaxy)
    else:
        layers[_OLD] = _spheroid(major, minor, galaxy, galaxy.half_light_radius)
    layers /= layers.sum()
    _add_tails(layers, galaxy)
    _add_companion(layers, x, y, galaxy)
    area = np.pi * galaxy.axis_ratio * (galaxy.half_light_radius * size_px) ** 2
    bands = np.tensordot(2 * galaxy.snr * area * layers, COLOURS, axes=(0, 0))
    return _observed(bands, galaxy)


def grid(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions x and y of the centres of n by n pixels, each (n, n) float32."""
    axis = (np.arange(n, dtype=np.float32) + 0.5) / n - 0.5
    return np.meshgrid(axis, axis)


def rotated(
    x: np.ndarray, y: np.ndarray, *, angle_deg: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across a direction.

    Parameters
    ----------
    x, y : (...) float32
        Positions.
    angle_deg : float
        Of the direction, from the x axis towards the y axis.

    Returns
    -------
    along, across : (...) float32
    """
    angle = np.radians(angle_deg)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * x + sin * y, cos * y - sin * x


def _disturbed(major: np.ndarray, minor: np.ndarray, galaxy: Galaxy):
    # Outskirts are dragged to one side, the more the farther out.
    pull = {"none": 0.0, "minor-disturbance": 0.35, "major-disturbance": 0.7}
    strength = pull.get(galaxy.merging, 0.4) * galaxy.half_light_radius
    if strength == 0:
        return major, minor
    angle = np.radians(galaxy.disturbance_deg - galaxy.position_angle_deg)
    drag = (
        strength * np.tanh(np.hypot(major, minor) / galaxy.half_light_radius / 2) ** 2
    )
    return major - drag * np.cos(angle), minor - drag * np.sin(angle)


def _spheroid(major, minor, galaxy: Galaxy, half_light_radius: float) -> np.ndarray:
    ellipticity = 1 - galaxy.axis_ratio
    return Sersic2D(1, half_light_radius, galaxy.sersic_index, 0, 0, ellipticity, 0)(
        major, minor
    )


def _share(light: np.ndarray, share: float) -> np.ndarray:
    return light * (share / light.sum())


def _add_disk(layers, major, minor, galaxy: Galaxy, rng: np.random.Generator) -> None:
    minor = minor / galaxy.axis_ratio  # in the plane of the disk from here on
    radius = np.hypot(major, minor) / galaxy.scale_length
    angle = np.arctan2(minor, major)
    disk_share = 1 - galaxy.bulge_fraction
    bar_share = {"strong": 0.24, "weak": 0.1, "no": 0.0}[galaxy.bar] * disk_share
    ring_share = galaxy.ring_fraction * disk_share
    disk = np.exp(-radius)
    if galaxy.has_ring:
        gap = 0.85 * np.exp(-0.5 * ((radius / galaxy.ring_radius - 0.62) / 0.22) ** 2)
        disk *= 1 - gap
        ring = np.exp(-0.5 * ((radius / galaxy.ring_radius - 1) / 0.11) ** 2)
        layers[_YOUNG] += _share(ring, ring_share)
    disk_share -= bar_share + ring_share
    disk = _share(disk, disk_share)
    if galaxy.n_arms:
        in_arms = galaxy.arm_contrast * _arm_window(radius, galaxy)
        layers[_YOUNG] += disk * in_arms * _arm_density(radius, angle, galaxy)
        disk *= 1 - in_arms
    layers[_DISK] += disk
    if bar_share:
        layers[_OLD] += _share(_bar(major, minor, galaxy), bar_share)
    if galaxy.bulge_fraction:
        layers[_OLD] += _share(_bulge(major, minor, galaxy), galaxy.bulge_fraction)
    if galaxy.n_arms or galaxy.has_ring:
        _add_clumps(layers, galaxy, rng)


def _arm_start(galaxy: Galaxy) -> float:
    """Radius where arms begin, in scale lengths: at the ring, or at the bar's ends."""
    return max(galaxy.ring_radius, galaxy.bar_length, 0.6)


def _arm_window(radius: np.ndarray, galaxy: Galaxy) -> np.ndarray:
    # From 0 inside to 1 outside, over a fraction of a scale length.
    return 1 / (1 + np.exp(-(radius - _arm_start(galaxy)) / 0.12))


def _arm_density(radius, angle, galaxy: Galaxy) -> np.ndarray:
    """Logarithmic spirals, mean 1 around a circle but for the disk's own gradient.

    ``phase = m (angle - ln(r / r_start) / tan(pitch))``, von Mises across the arms.
    """
    width = 2.2
    turn = np.log(np.maximum(radius, 0.05) / _arm_start(galaxy))
    turn *= galaxy.handedness / np.tan(np.radians(galaxy.pitch_deg))
    phase = galaxy.n_arms * (angle - turn)
    return np.exp(width * np.cos(phase)) / np.i0(width)


def _bar(major, minor, galaxy: Galaxy) -> np.ndarray:
    length = galaxy.bar_length * galaxy.scale_length
    ellipticity = 0.78 if galaxy.bar == "strong" else 0.68
    return GeneralSersic2D(1, 0.6 * length, 0.45, 0, 0, ellipticity, 0, 0.8)(
        major, minor
    )


def _bulge(major, minor, galaxy: Galaxy) -> np.ndarray:
    # A bulge is rounder than its disk: half way between the disk's shape and a circle.
    half_light_radius = galaxy.scale_length * (0.2 + 0.6 * galaxy.bulge_fraction)
    on_sky = minor * galaxy.axis_ratio
    ellipticity = 0.5 * (1 - galaxy.axis_ratio)
    return Sersic2D(1, half_light_radius, galaxy.sersic_index, 0, 0, ellipticity, 0)(
        major, on_sky
    )


def _add_edge_on(layers, major, minor, galaxy: Galaxy) -> None:
    """Disk ``(R/h) K1(R/h) sech^2(z/z0)`` (van der Kruit & Searle 1981) and bulge."""
    thickness = galaxy.scale_length * (
        0.22 + 0.5 * np.cos(np.radians(galaxy.inclination_deg))
    )
    along = np.maximum(np.abs(major) / galaxy.scale_length, 1e-3)
    disk = along * k1(along) / np.cosh(np.clip(minor / thickness, -40, 40)) ** 2
    layers[_DISK] += _share(disk, 1 - galaxy.bulge_fraction)
    if galaxy.bulge_fraction:
        is_boxy = galaxy.edge_on_bulge == "boxy"
        flattening, boxiness = (0.35, 2.5) if is_boxy else (0.05, 0.0)
        half_light_radius = 0.75 * galaxy.scale_length
        bulge = GeneralSersic2D(
            1, half_light_radius, galaxy.sersic_index, 0, 0, flattening, 0, boxiness
        )(major, minor)
        layers[_OLD] += _share(bulge, galaxy.bulge_fraction)
    if galaxy.has_dust_lane:
        lane = np.exp(-0.5 * (minor / (0.35 * thickness)) ** 2 - along / 3)
        layers *= 1 - 0.65 * lane


def _add_clumps(layers, galaxy: Galaxy, rng: np.random.Generator) -> None:
    """Star-forming clumps, points of light, on the arms' crests and on the ring."""
    n = 30
    radius = _arm_start(galaxy) + rng.exponential(1.0, n).clip(0, 2.5)
    arm = (
        rng.integers(max(galaxy.n_arms, 1), size=n) * 2 * np.pi / max(galaxy.n_arms, 1)
    )
    on_ring = np.full(n, galaxy.n_arms == 0) | (galaxy.has_ring & (rng.random(n) < 0.7))
    turn = np.zeros(n)
    if galaxy.n_arms:
        turn = np.log(radius / _arm_start(galaxy)) * galaxy.handedness
        turn /= np.tan(np.radians(galaxy.pitch_deg))
    radius = np.where(on_ring, galaxy.ring_radius, radius)
    angle = np.where(on_ring, rng.uniform(0, 2 * np.pi, n), arm + turn)
    radius = radius * galaxy.scale_length * rng.normal(1, 0.03, n)
    major, minor = radius * np.cos(angle), radius * np.sin(angle) * galaxy.axis_ratio
    x, y = rotated(major, minor, angle_deg=-galaxy.position_angle_deg)
    flux = rng.lognormal(0, 0.7, n)
    _add_points(layers[_YOUNG], x, y, 0.06 * flux / flux.sum())


def _add_points(layer: np.ndarray, x, y, flux) -> None:
    n = layer.shape[0]
    column, row = (np.floor((np.asarray(v) + 0.5) * n).astype(int) for v in (x, y))
    inside = (column >= 0) & (column < n) & (row >= 0) & (row < n)
    np.add.at(layer, (row[inside], column[inside]), flux[inside])


def _add_tails(layers, galaxy: Galaxy) -> None:
    """Tidal tails: open arcs of stars that leave the galaxy, one or two."""
    share = {"none": 0.0, "minor-disturbance": 0.05, "major-disturbance": 0.16}.get(
        galaxy.merging, 0.1
    )
    if share == 0:
        return
    tail = np.zeros_like(layers[_DISK])
    steps = np.linspace(0, 1, 150)
    n_tails = 2 if galaxy.merging == "major-disturbance" else 1
    for i in range(n_tails):
        angle = np.radians(galaxy.disturbance_deg) + np.pi * i + 2.0 * steps
        radius = galaxy.half_light_radius * (1.2 + 1.7 * steps)
        flux = share / n_tails / steps.size * (1.5 - steps)
        _add_points(tail, radius * np.cos(angle), radius * np.sin(angle), flux)
    width = 0.2 * galaxy.half_light_radius * tail.shape[0]
    layers[_DISK] += gaussian_filter(tail, width, mode="constant")


def _add_companion(layers, x, y, galaxy: Galaxy) -> None:
    if galaxy.merging != "merger":
        return
    direction = np.radians(galaxy.disturbance_deg)
    distance = galaxy.companion_distance * galaxy.half_light_radius
    companion = Sersic2D(
        1,
        0.5 * galaxy.half_light_radius,
        1.5,
        distance * np.cos(direction),
        distance * np.sin(direction),
        0.35,
        direction + 1,
    )(x, y)
    layers[_DISK] += _share(companion, 0.5)


def _observed(bands: np.ndarray, galaxy: Galaxy) -> np.ndarray:
    """Blur by the point spread function, then sum the drawn pixels of each pixel."""
    sigma = galaxy.psf_fwhm * SIGMA_PER_FWHM * bands.shape[0]
    bands = gaussian_filter(bands, (sigma, sigma, 0), mode="constant")
    steps = range(_OVERSAMPLING)
    parts = [bands[i::_OVERSAMPLING, j::_OVERSAMPLING] for i in steps for j in steps]
    return np.sum(parts, axis=0)
