"""Settings of the pictures that are made of FITS images."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from zoobot.settings.catalog import PrepareCatalog
from zoobot.settings.section import Fraction, Positive, Section

__all__ = ["PrepareAndRender", "RenderFits"]

_MOST_BANDS = 3


class RenderFits(Section):
    """How FITS images become pictures; png and jpg files stay as they are."""

    bands: list[str]
    """Bands from blue to red, of which three make colours; one makes a grey picture."""
    layers: list[str]
    """Where each band is in a file of several: number of the plane of a cube, from 0,
    or name or number of the extension; empty: found by names, else in order."""
    band_axis: Literal["auto", "first", "last"]
    """Axis of the bands in a cube, as in Python; auto: by header and shape."""
    mask_extension: str
    """Extension in which pixels that are not 0 have no value; empty: none."""
    unit: str
    """Unit of band_scales; images that state another are converted; empty: any."""
    band_scales: list[float]
    """Flux per pixel of each band, in that unit, that counts as 1; empty: the noise of
    each image above its own background, in any unit."""
    lupton_minimum: float
    """Value that becomes black, in band_scales."""
    lupton_stretch: float = Positive
    """Value, in band_scales, at which the stretch bends from linear to logarithmic,
    times lupton_q."""
    lupton_q: float = Positive
    """Softening of Lupton et al. (2004): larger shows more of bright cores."""
    missing_share_max: float = Fraction
    """Largest share of pixels without a value; above, the image is rejected."""
    cutout_size_px: int = Field(ge=16, le=4096)
    """Side of the cutouts from mosaics, in pixels."""
    cutout_scale: Literal["fixed", "petrosian"]
    """fixed: arcsec_per_px; petrosian: by the columns petro_th50 and petro_th90."""
    arcsec_per_px: float = Positive
    """Size of the pixels of fixed cutouts, in arcsec."""

    @model_validator(mode="after")
    def _check_bands(self) -> Self:
        n_bands = len(self.bands)
        if not 1 <= n_bands <= _MOST_BANDS or len(set(self.bands)) < n_bands:
            raise ValueError(
                f"bands: found {self.bands}, expected one to {_MOST_BANDS} names, each "
                "once"
            )
        for band in self.bands:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]*", band):
                raise ValueError(
                    f"bands: found {band!r}, expected letters, digits and _ . + -"
                )
        for name in ("layers", "band_scales"):
            found = getattr(self, name)
            if len(found) not in (0, n_bands):
                raise ValueError(
                    f"{name}: found {found}, expected {n_bands}, one a band, or none"
                )
        if any(scale <= 0 for scale in self.band_scales):
            raise ValueError(
                f"band_scales: found {self.band_scales}, expected numbers above 0"
            )
        return self


class PrepareAndRender(PrepareCatalog, RenderFits):
    """The tables that go in, and how FITS images become pictures."""
