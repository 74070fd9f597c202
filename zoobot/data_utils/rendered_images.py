"""Pictures of the galaxies of a catalogue whose images are FITS, as png files."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.data_utils.cutouts import Field, petrosian_scale
from zoobot.data_utils.fits_images import Picture, render_cutout, render_fits
from zoobot.data_utils.fits_scales import check_unit
from zoobot.data_utils.image_columns import FILE_LOC
from zoobot.data_utils.image_files import BadImageError, IsFitsError
from zoobot.data_utils.images import check_and_digest, digest_of_bytes
from zoobot.data_utils.kept_pictures import KeptPictures
from zoobot.data_utils.picture_files import as_png, picture_of
from zoobot.files import written_whole
from zoobot.settings.images import RenderFits

__all__ = ["CheckedImage", "GalaxyImage", "PictureFolder", "galaxy_images"]

_MOST_UNITS = 5
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class GalaxyImage:
    """Where the image of a galaxy is: one row of a catalogue."""

    id_str: str
    sources: str | Mapping[str, str]
    """One file, or one for each band."""
    column: str
    """Name of the column of files, without its band."""
    field: Mapping[str, float] | None = None
    """ra, dec and, if known, petro_th50 and petro_th90, if the file is a mosaic."""


@dataclasses.dataclass(frozen=True)
class CheckedImage:
    """What was found."""

    file_loc: str
    """The image to use; of a bad one the file that is to blame."""
    digest: str
    """Of the bytes of that file; empty for a bad image."""
    reason: str = ""
    """Why the image cannot be used, with the column in front; empty if it can."""
    kind: str = ""
    """The reason without its particulars."""
    picture: Picture | None = None
    """What was drawn, without pixels; None of png and jpg files."""
    is_kept: bool = False
    """Whether an earlier run drew it."""


@dataclasses.dataclass
class PictureFolder:
    """A folder of pictures, each called after its galaxy and its content.

    So a picture that would be drawn otherwise is another file, and no row can
    overwrite the picture of another.
    """

    folder: Path
    rendering: RenderFits
    kept: KeptPictures | None = None
    """Those of an earlier run, which need not be drawn again."""
    totals: Counter[str] = dataclasses.field(default_factory=Counter)
    units: Counter[str] = dataclasses.field(default_factory=Counter)
    scales: list[float] = dataclasses.field(default_factory=list)
    """Least and largest, in arcsec per pixel."""

    def __post_init__(self) -> None:
        """Refuse a unit that is none."""
        if self.rendering.unit:
            check_unit(self.rendering.unit)
        self.folder = self.folder.absolute()

    def check(self, image: GalaxyImage) -> CheckedImage:
        """Decode an image completely; draw it, if it is FITS."""
        path = image.sources
        try:
            if isinstance(path, str) and image.column == FILE_LOC:
                with contextlib.suppress(IsFitsError):
                    return CheckedImage(path, check_and_digest(path))
            return self._drawn(image)
        except BadImageError as error:
            return _bad(image, str(error))

    def count(self, found: CheckedImage) -> None:
        """Add an image to the totals."""
        if found.picture is None:
            return
        picture = found.picture
        self.totals["all"] += 1
        self.totals["kept"] += found.is_kept
        self.totals["grey"] += picture.is_grey
        self.units[picture.unit or "not stated"] += 1
        if np.isfinite(picture.arcsec_per_px):
            known = [*self.scales, picture.arcsec_per_px]
            self.scales = [min(known), max(known)]
        else:
            self.totals["without a scale"] += 1

    def finish(self) -> None:
        """Make the folder even if it stays empty, and say what was drawn."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.kept is not None:
            self.kept.finish()
        if not self.totals["all"]:
            return
        n_kept, n_without = self.totals["kept"], self.totals["without a scale"]
        n_drawn = self.totals["all"] - n_kept
        units = ", ".join(f"{u}: {n}" for u, n in self.units.most_common(_MOST_UNITS))
        _log.info("drew %d pictures of FITS images in %s", n_drawn, self.folder)
        if n_kept:
            _log.info("kept %d more that an earlier run drew", n_kept)
        _log.info("their units (BUNIT): %s", units)
        if self.scales:
            _log.info("their pixels: %.4g to %.4g arcsec", *self.scales)
        if n_without:
            _log.info("%d of them do not say the size of a pixel", n_without)
        if self.totals["grey"]:
            bands = ", ".join(self.rendering.bands)
            _log.warning(
                "%d of them are grey: of one band, and %s were expected",
                *(self.totals["grey"], bands),
            )

    def _drawn(self, image: GalaxyImage) -> CheckedImage:
        field = None if image.field is None else self._field(image.field)
        key = kept = None
        if self.kept is not None:
            key = self.kept.key(image.id_str, image.sources, field=field)
        if self.kept is not None and key is not None:
            kept = self.kept.find(key)
        content = kept or self._draw(image, field)
        path = self.folder / _file_name(image.id_str, content)
        if self.kept is None or key is None:
            with written_whole(path) as beside:
                beside.write_bytes(content)
        else:
            if kept is None:
                self.kept.keep(key, content)
            self.kept.give(key, path)
        return CheckedImage(
            file_loc=str(path),
            digest=digest_of_bytes(content),
            picture=picture_of(content),
            is_kept=kept is not None,
        )

    def _draw(self, image: GalaxyImage, field: Field | None) -> bytes:
        if field is None:
            return as_png(render_fits(image.sources, rendering=self.rendering))
        return as_png(
            render_cutout(image.sources, field=field, rendering=self.rendering)
        )

    def _field(self, values: Mapping[str, float]) -> Field:
        scale = self.rendering.arcsec_per_px
        if self.rendering.cutout_scale == "petrosian":
            p50, p90 = (
                values.get(name, np.nan) for name in ("petro_th50", "petro_th90")
            )
            scale = petrosian_scale(p50, p90)
        return Field(
            ra=values["ra"],
            dec=values["dec"],
            arcsec_per_px=scale,
            size_px=self.rendering.cutout_size_px,
        )


def galaxy_images(table: pd.DataFrame, *, bands: list[str]) -> list[GalaxyImage]:
    """Say where the images of good rows are.

    Parameters
    ----------
    table : pd.DataFrame
        Rows as `zoobot.data_utils.survey_rows.Rows` describes them.
    bands : list of str
        Those of the settings.
    """
    names = list(table.columns)
    column = "mosaic" if "ra" in names else FILE_LOC
    by_band = {band: f"{column}_{band}" for band in bands}
    if set(by_band.values()) <= set(names):
        files = table[list(by_band.values())].to_numpy(dtype=object)
        sources = [dict(zip(bands, row, strict=True)) for row in files]
    else:
        sources = list(table[column])
    numbers = [n for n in ("ra", "dec", "petro_th50", "petro_th90") if n in names]
    fields = [None] * len(table)
    if numbers:
        fields = table[numbers].to_dict("records")
    return [
        GalaxyImage(galaxy, files, column, field)
        for galaxy, files, field in zip(table["id_str"], sources, fields, strict=True)
    ]


def _file_name(id_str: str, picture: bytes) -> str:
    content = hashlib.blake2b(digest_size=16)
    for part in (id_str.encode(errors="surrogatepass"), picture):
        content.update(len(part).to_bytes(8, "big") + part)
    name = content.hexdigest()
    return f"{name[:2]}/{name}.png"  # a folder of millions would be slow


def _bad(image: GalaxyImage, reason: str) -> CheckedImage:
    """A reason, with the column and the file that it is about."""
    column, path = image.column, image.sources
    if isinstance(path, Mapping):
        match = re.match(r"band (\S+): ", reason)
        band = match[1] if match else next(iter(path))
        if match:
            column, reason = f"{column}_{band}", reason.removeprefix(match[0])
        path = path[band]
    return CheckedImage(
        file_loc=path,
        digest="",
        reason=f"{column}: {reason}",
        kind=reason.partition(" (")[0],
    )
