"""Which galaxies there are: the physical parameters of each, drawn from a seed."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

__all__ = ["EDGE_ON_BULGES", "MERGING", "WINDINGS_DEG", "Galaxy", "random", "stream"]

T = TypeVar("T")

WINDINGS_DEG = {"tight": (9.0, 13.0), "medium": (17.0, 23.0), "loose": (29.0, 40.0)}
"""Pitch angle of each class of spiral winding, lowest and highest."""
EDGE_ON_BULGES = ("boxy", "none", "rounded")
MERGING = ("none", "minor-disturbance", "major-disturbance", "merger")

_KINDS = {"smooth": 0.25, "disk": 0.55, "edge-on": 0.16, "artifact": 0.04}
_MERGING_SHARES = (0.87, 0.045, 0.035, 0.05)
_ARM_COUNTS = {1: 0.09, 2: 0.45, 3: 0.18, 4: 0.13, 5: 0.08, 6: 0.07}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Galaxy:
    """What a galaxy is, seen or not; lengths in sides of the image."""

    kind: str
    """smooth, disk (face-on to inclined), edge-on or artifact."""
    snr: float
    """Mean signal to noise of a pixel within the half-light ellipse."""
    half_light_radius: float
    """Semi-major axis that holds half of the light of the spheroid or of the disk."""
    psf_fwhm: float
    """Full width at half maximum of the point spread function."""
    position_angle_deg: float
    """Of the major axis, from the x axis (columns) towards the y axis (rows)."""
    inclination_deg: float = 0.0
    """Of the disk; 0 is face-on."""
    axis_ratio: float = 1.0
    """Minor over major axis as seen on the sky."""
    sersic_index: float = 4.0
    """Of the spheroid, or of the bulge."""
    bulge_fraction: float = 1.0
    """Bulge over total light."""
    n_arms: int = 0
    """Spiral arms; 0 for none."""
    pitch_deg: float = 0.0
    """Angle between an arm and the circle; small is tightly wound."""
    handedness: int = 1
    """1 or -1: sense of the winding."""
    arm_contrast: float = 0.0
    """Share of the disk's light that follows the arms, 0 to 1."""
    bar: str = "no"
    """strong, weak or no."""
    bar_length: float = 0.0
    """Half-length of the bar in scale lengths of the disk."""
    has_ring: bool = False
    ring_radius: float = 0.0
    """Radius of the ring in scale lengths of the disk."""
    ring_fraction: float = 0.0
    """Ring over disk light."""
    edge_on_bulge: str = "none"
    """boxy, none or rounded; of edge-on disks."""
    has_dust_lane: bool = False
    merging: str = "none"
    """none, minor-disturbance, major-disturbance or merger."""
    disturbance_deg: float = 0.0
    """Direction of the disturbance, and of the companion."""
    companion_distance: float = 0.0
    """Of a merger's companion, in half-light radii."""
    artifact: str = "none"
    """none, satellite-trail or saturated-star."""

    @property
    def scale_length(self) -> float:
        """Of the exponential disk: the half-light radius over 1.678."""
        return self.half_light_radius / 1.678


def stream(seed: int, *, purpose: str, index: int) -> np.random.Generator:
    """Random numbers for one purpose and one galaxy, whatever else is drawn.

    Parameters
    ----------
    seed : int
        Of the survey.
    purpose : str
        Each purpose has its own numbers.
    index : int
        Number of the galaxy.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}/{index}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def random(rng: np.random.Generator, *, ring_fraction: float) -> Galaxy:
    """Draw one galaxy of the survey.

    Parameters
    ----------
    rng : numpy.random.Generator
        Used up by this galaxy; see `stream`.
    ring_fraction : float
        Share of the disks that are not edge-on and have a ring, 0 to 1.
    """
    kind = _choice(rng, list(_KINDS), list(_KINDS.values()))
    common: dict[str, Any] = {
        "kind": kind,
        "snr": float(np.exp(rng.normal(np.log(16.0), 0.6)).clip(3.0, 60.0)),
        "half_light_radius": float(np.exp(rng.normal(np.log(0.125), 0.25))),
        "psf_fwhm": float(rng.uniform(0.018, 0.026)),
        "position_angle_deg": float(rng.uniform(0, 180)),
        **_random_merging(rng, kind),
    }
    common["half_light_radius"] = min(max(common["half_light_radius"], 0.06), 0.165)
    if kind == "disk":
        return Galaxy(**common, **_random_disk(rng, ring_fraction))
    if kind == "edge-on":
        common["half_light_radius"] *= 1.2  # it needs room in one direction only
        return Galaxy(**common, **_random_edge_on(rng))
    return Galaxy(**common, **_random_spheroid(rng, kind))


def _random_merging(rng: np.random.Generator, kind: str) -> dict[str, Any]:
    merging = _choice(rng, MERGING, _MERGING_SHARES)
    return {
        "merging": "none" if kind == "artifact" else merging,
        "disturbance_deg": float(rng.uniform(0, 360)),
        "companion_distance": float(rng.uniform(1.4, 2.2)),
    }


def _random_spheroid(rng: np.random.Generator, kind: str) -> dict[str, Any]:
    artifact = _choice(rng, ("satellite-trail", "saturated-star"), (0.5, 0.5))
    return {
        "axis_ratio": float(rng.uniform(0.22, 1.0)),
        "sersic_index": float(rng.uniform(2.0, 5.0)),
        "artifact": artifact if kind == "artifact" else "none",
    }


def _random_edge_on(rng: np.random.Generator) -> dict[str, Any]:
    bulge = _choice(rng, EDGE_ON_BULGES, (0.25, 0.3, 0.45))
    inclination = float(rng.uniform(82, 90))
    return {
        "inclination_deg": inclination,
        # A disk of finite thickness: sqrt(cos^2 i + q0^2 sin^2 i), q0 near 0.15.
        "axis_ratio": float(np.hypot(np.cos(np.radians(inclination)), 0.15)),
        "edge_on_bulge": bulge,
        "bulge_fraction": 0.0 if bulge == "none" else float(rng.uniform(0.3, 0.5)),
        # A box has a sharp edge, a spheroid none.
        "sersic_index": float(rng.uniform(0.35, 0.5) if bulge == "boxy" else 1.2),
        "has_dust_lane": bool(rng.random() < 0.3),
    }


def _random_disk(rng: np.random.Generator, ring_fraction: float) -> dict[str, Any]:
    axis_ratio = float(rng.uniform(0.33, 1.0))  # of a thin disk seen from anywhere
    has_ring = bool(rng.random() < ring_fraction)
    bar = _choice(rng, ("strong", "weak", "no"), (0.22, 0.2, 0.58))
    bar_length = rng.uniform(1.2, 1.6) if bar == "strong" else rng.uniform(0.75, 1.0)
    return {
        "inclination_deg": float(np.degrees(np.arccos(axis_ratio))),
        "axis_ratio": axis_ratio,
        "sersic_index": float(rng.uniform(1.2, 3.0)),
        "bulge_fraction": float(rng.beta(1.1, 4.5) * 0.8),
        "bar": bar,
        "bar_length": 0.0 if bar == "no" else float(bar_length),
        "has_ring": has_ring,
        "ring_radius": float(rng.uniform(1.7, 2.5)) if has_ring else 0.0,
        "ring_fraction": float(rng.uniform(0.3, 0.5)) if has_ring else 0.0,
        **_random_arms(rng, share=0.35 if has_ring else 0.75),
    }


def _random_arms(rng: np.random.Generator, *, share: float) -> dict[str, Any]:
    if rng.random() > share:
        return {}
    n_arms = _choice(rng, list(_ARM_COUNTS), list(_ARM_COUNTS.values()))
    # Many tight arms lie closer together than any image of this size can show.
    winding_shares = (0.3, 0.4, 0.3) if n_arms < 3 else (0.05, 0.5, 0.45)
    lowest, highest = WINDINGS_DEG[_choice(rng, list(WINDINGS_DEG), winding_shares)]
    return {
        "n_arms": n_arms,
        "pitch_deg": float(rng.uniform(lowest, highest)),
        "handedness": int(rng.choice([-1, 1])),
        "arm_contrast": float(rng.uniform(0.65, 0.95)),
    }


def _choice(
    rng: np.random.Generator, values: Sequence[T], shares: Sequence[float]
) -> T:
    return values[int(rng.choice(len(values), p=shares))]
