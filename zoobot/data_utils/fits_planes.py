"""Where a galaxy's bands are in a FITS file: images, planes of cubes, extensions."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from astropy.io import fits

from zoobot.data_utils.fits_sections import Plane
from zoobot.data_utils.image_files import BadImageError
from zoobot.settings.images import RenderFits

__all__ = ["find_planes"]

_CELESTIAL = ("RA--", "DEC-", "GLON", "GLAT", "ELON", "ELAT")
_BAND_KEYS = ("EXTNAME", "FILTER", "BAND")


def find_planes(
    hdus: fits.HDUList, *, bands: Sequence[str], rendering: RenderFits
) -> dict[str, Plane]:
    """Find the image of each band.

    Parameters
    ----------
    hdus : fits.HDUList
        An open file.
    bands : sequence of str
        Bands to find; one if the file is of one band.
    rendering : RenderFits
        Layers, axis of the bands and mask.

    Returns
    -------
    dict of str to Plane
        In the order of the bands. With the one key ``""`` if several bands were asked
        for, and the file holds a single image of no band known: a grey picture.

    Raises
    ------
    BadImageError
        If the file holds no image, or a band is missing.
    """
    images = [
        _Image(number, hdu)
        for number, hdu in enumerate(hdus)
        if hdu.is_image and _n_axes(hdu) >= 2
    ]
    name = rendering.mask_extension
    masks = [one for one in images if name and one.name.casefold() == name.casefold()]
    images = [one for one in images if one not in masks]
    if not images:
        raise BadImageError(
            f"FITS file holds no image (only {', '.join(_described(hdus))})"
        )
    if rendering.layers and len(bands) == len(rendering.bands):
        planes = _by_layers(images, bands, rendering)
    elif _n_axes(images[0].hdu) == 3:
        planes = _of_cube(images[0], bands, rendering)
    elif _n_axes(images[0].hdu) > 3:
        raise BadImageError(
            "FITS image has too many axes "
            f"({images[0].hdu.shape}, expected two, or three with bands)"
        )
    else:
        flat = [image for image in images if _n_axes(image.hdu) == 2]
        planes = _of_extensions(flat, bands)
    return {band: _masked(one, masks, name) for band, one in planes.items()}


@dataclasses.dataclass(frozen=True)
class _Image:
    """An extension with an image."""

    number: int
    hdu: fits.ImageHDU | fits.CompImageHDU

    @property
    def name(self) -> str:
        return str(self.hdu.header.get("EXTNAME", "")).strip()

    def plane(self) -> Plane:
        """All of it; a cube of one plane counts as flat."""
        axes = _long_axes(self.hdu)
        if len(axes) != 2:
            raise BadImageError(
                "FITS extension holds no flat image "
                f"({self.number}: shape {self.hdu.shape})"
            )
        n_axes = len(self.hdu.shape)
        return Plane(self.hdu, tuple(None if i in axes else 0 for i in range(n_axes)))


def _n_axes(hdu: fits.ImageHDU) -> int:
    """Axes that count; 0 if there is no pixel."""
    return 0 if 0 in hdu.shape else len(_long_axes(hdu))


def _long_axes(hdu: fits.ImageHDU) -> list[int]:
    """Axes of more than one pixel, two at least."""
    axes = list(range(len(hdu.shape)))
    while len(axes) > 2 and any(hdu.shape[axis] == 1 for axis in axes):
        axes.remove(next(axis for axis in axes if hdu.shape[axis] == 1))
    return axes


def _by_layers(
    images: list[_Image], bands: Sequence[str], rendering: RenderFits
) -> dict[str, Plane]:
    planes = {}
    is_cube = _n_axes(images[0].hdu) == 3
    for band, layer in zip(bands, rendering.layers, strict=True):
        if is_cube and layer.isdigit():
            cube, axis = images[0].hdu, _band_axis(images[0].hdu, None, rendering)
            n_planes = cube.shape[axis]
            if int(layer) >= n_planes:
                raise BadImageError(
                    f"FITS cube lacks plane {layer} (of band {band}; it has {n_planes})"
                )
            planes[band] = _slice(cube, axis, int(layer))
            continue
        found = [
            one
            for one in images
            if layer.casefold() in (one.name.casefold(), str(one.number))
        ]
        if not found:
            raise BadImageError(
                f"FITS file lacks layer {layer} (of band {band}; found "
                f"{', '.join(_described([one.hdu for one in images]))})"
            )
        planes[band] = found[0].plane()
    return planes


def _of_cube(
    image: _Image, bands: Sequence[str], rendering: RenderFits
) -> dict[str, Plane]:
    hdu = image.hdu
    names = _names_in_cube(hdu.header)
    n_planes = len(names) if names else len(bands)
    axis = _band_axis(hdu, n_planes, rendering)
    if len(names) == hdu.shape[axis]:
        missing = [band for band in bands if band.casefold() not in names]
        if missing:
            raise BadImageError(
                f"band {missing[0]} is missing (the cube's header names "
                f"{', '.join(names)})"
            )
        return {b: _slice(hdu, axis, names.index(b.casefold())) for b in bands}
    if hdu.shape[axis] != len(bands):
        raise BadImageError(
            f"FITS cube has another number of bands (shape {hdu.shape}, expected "
            f"{len(bands)} planes: {', '.join(bands)})"
        )
    return {band: _slice(hdu, axis, i) for i, band in enumerate(bands)}


def _names_in_cube(header: fits.Header) -> list[str]:
    """Bands of the planes, as cutouts of the Legacy Surveys state them."""
    names: list[str] = []
    while f"BAND{len(names)}" in header:
        names.append(str(header[f"BAND{len(names)}"]).strip().casefold())
    return names or list(str(header.get("BANDS", "")).strip().casefold())


def _band_axis(hdu: fits.ImageHDU, n_planes: int | None, rendering: RenderFits) -> int:
    """Axis of the array along which a cube has its bands."""
    first, *_, last = _long_axes(hdu)
    if rendering.band_axis != "auto":
        return first if rendering.band_axis == "first" else last
    n_axes = len(hdu.shape)
    on_sky = {
        n_axes - i
        for i in range(1, n_axes + 1)
        if str(hdu.header.get(f"CTYPE{i}", "")).upper().startswith(_CELESTIAL)
    }
    if len(on_sky) == 2 and (first in on_sky) != (last in on_sky):
        return last if first in on_sky else first
    if n_planes is None:
        return first if hdu.shape[first] <= hdu.shape[last] else last
    return last if hdu.shape[last] == n_planes != hdu.shape[first] else first


def _slice(hdu: fits.ImageHDU, axis: int, index: int) -> Plane:
    key: list[int | None] = [0] * len(hdu.shape)
    for one in _long_axes(hdu):
        key[one] = index if one == axis else None
    return Plane(hdu, tuple(key))


def _of_extensions(images: list[_Image], bands: Sequence[str]) -> dict[str, Plane]:
    """By the bands that their headers name, else in order."""
    named = {band: _named(images, band) for band in bands}
    found = {band: image for band, image in named.items() if image is not None}
    if len(found) == len(bands):
        return {band: image.plane() for band, image in found.items()}
    if len(bands) == 1:
        return {bands[0]: images[0].plane()}
    if len(images) == 1:
        return {next(iter(found), ""): images[0].plane()}
    if found:
        missing = next(band for band in bands if band not in found)
        raise BadImageError(
            f"band {missing} is missing (found extensions of {', '.join(found)})"
        )
    if len(images) != len(bands):
        raise BadImageError(
            f"FITS file has another number of bands ({len(images)} images: "
            f"{', '.join(_described([one.hdu for one in images]))}; expected "
            f"{', '.join(bands)}, or layers in the settings)"
        )
    return {band: one.plane() for band, one in zip(bands, images, strict=True)}


def _named(images: list[_Image], band: str) -> _Image | None:
    """The image whose header names a band: alone, or as one word among others."""
    exact, among = [], []
    for image in images:
        for key in _BAND_KEYS:
            text = str(image.hdu.header.get(key, "")).strip()
            words = re.findall(r"[a-z0-9+-]+", text.casefold())
            if text.casefold() == band.casefold():
                exact.append(image)
            elif band.casefold() in words:
                among.append(image)
    found = list(dict.fromkeys(image.number for image in exact or among))
    if len(found) > 1:
        raise BadImageError(
            f"band {band} is there more than once (in extensions {found}; layers in "
            "the settings can name one)"
        )
    return next((image for image in images if image.number in found), None)


def _masked(plane: Plane, masks: list[_Image], name: str) -> Plane:
    if not name:
        return plane
    if not masks:
        raise BadImageError(f"FITS file lacks the mask {name}")
    mask = dataclasses.replace(plane, hdu=masks[0].hdu)
    if mask.hdu.shape != plane.hdu.shape:
        mask = masks[0].plane()
    if mask.shape != plane.shape:
        raise BadImageError(
            f"mask is of another shape ({mask.shape}, and the image {plane.shape})"
        )
    return dataclasses.replace(plane, mask=mask)


def _described(hdus: Sequence[fits.ImageHDU]) -> list[str]:
    most = 5
    names = [hdu.header.get("EXTNAME", "") or type(hdu).__name__ for hdu in hdus]
    texts = [
        f"{name} {hdu.shape}" if hdu.is_image else name
        for name, hdu in zip(names, hdus, strict=True)
    ]
    return texts[:most] + ["..."] * (len(texts) > most)
