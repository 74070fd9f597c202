"""Image files as pixels: what a viewer of the file shows, square, RGB, 8 bit.

Every path into the network decodes with `load_image`, so that a galaxy has the same
pixels whether it comes from a training shard or from its own file.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from zoobot.data_utils.image_files import (
    FITS_START_BYTES,
    MIN_SIDE_PX,
    BadImageError,
    IsFitsError,
    check_file,
    starts_fits,
)
from zoobot.settings.images import RenderFits

__all__ = ["MIN_SIDE_PX", "check_and_digest", "digest_of_bytes", "load_image"]

_FORMATS = ("PNG", "JPEG")
_DIGEST_BYTES = 16


def load_image(
    path: str | Path,
    *,
    size_px: int,
    margin_px: int = 0,
    rendering: RenderFits | None = None,
) -> np.ndarray:
    """Read a galaxy's image, as a viewer of the file shows it.

    EXIF orientation is applied. Greyscale, palette, CMYK and 16-bit images become 8-bit
    RGB; transparency lies over black, which is empty sky. Of an image that is not
    square the central square is used. It is resized, bilinear with antialiasing, only
    if its side differs from `size_px`.

    Parameters
    ----------
    path : str or Path
        PNG, JPEG or FITS file; the content decides, not the suffix.
    size_px : int
        Side to which it is resized, in pixels.
    margin_px : int
        Pixels of that size that are left out along each edge. They are not computed, so
        that the others may differ by the rounding of one or two levels.
    rendering : RenderFits, optional
        How a FITS image becomes a picture; as config.yaml sets it if not given, see
        `zoobot.data_utils.fits_images.DEFAULT_RENDERING`.

    Returns
    -------
    (side, side, 3) uint8
        Rows from the top down, then columns, then red, green, blue;
        ``side = size_px - 2 * margin_px``.

    Raises
    ------
    ValueError
        If the file is missing, damaged or none of these; the message names it and the
        reason.
    """
    try:
        image = _as_rgb(_picture_in(path, rendering))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return np.array(_resized(_central_square(image), size_px, margin_px))


def check_and_digest(path: str | Path) -> str:
    """Decode a png or jpg image completely, and digest its file, which is opened once.

    Parameters
    ----------
    path : str or Path
        Image file.

    Returns
    -------
    str
        32 hexadecimal digits, of the bytes of the file: another file at the same path
        has others, one that was only touched or copied has not.

    Raises
    ------
    BadImageError
        With the reason alone, particulars in brackets at its end.
    IsFitsError
        If it may be a FITS image, which was not looked into.
    """
    with _decoded(path) as (file, _):
        return _digest_of(file)


def _picture_in(path: str | Path, rendering: RenderFits | None) -> Image.Image:
    """A whole image, upright; of a bad one raise the reason alone."""
    with contextlib.suppress(IsFitsError), _decoded(path) as (_, image):
        return _upright(image)
    # Its imports take a second, for which jobs that read png files need not wait.
    from zoobot.data_utils.fits_images import DEFAULT_RENDERING, render_fits

    picture = render_fits(path, rendering=rendering or DEFAULT_RENDERING)
    return Image.fromarray(picture.pixels)


@contextlib.contextmanager
def _decoded(path: str | Path) -> Iterator[tuple[BufferedReader, Image.Image]]:
    """The open file of a png or jpg image, and all of its pixels."""
    check_file(path)
    try:
        with open(path, "rb") as file, _opened(file) as image:  # noqa: PTH123, also for paths that Path cannot hold
            _check_size(image)
            image.load()
            yield file, image
    except BadImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImageError(f"image is too large ({error})") from error
    except MemoryError:
        raise
    # Pillow's decoders let many types through for a damaged file: OSError, SyntaxError,
    # struct.error, zlib.error, ValueError, ...
    except Exception as error:
        raise BadImageError(f"image does not decode completely ({error})") from error


def _opened(file: BufferedReader) -> Image.Image:
    try:
        return Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError:
        file.seek(0)
        if starts_fits(file.read(FITS_START_BYTES)):
            raise IsFitsError("file is a FITS image") from None
        raise BadImageError("file is no PNG, JPEG or FITS image") from None


def digest_of_bytes(content: bytes) -> str:
    """Digest a file's content, as `check_and_digest` digests a file."""
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()


def _digest_of(file: BufferedReader) -> str:
    file.seek(0)
    algorithm = functools.partial(hashlib.blake2b, digest_size=_DIGEST_BYTES)
    return hashlib.file_digest(file, algorithm).hexdigest()


def _upright(image: Image.Image) -> Image.Image:
    try:
        if image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
            return image  # exif_transpose would copy it
        return ImageOps.exif_transpose(image)
    except Exception:
        # Damaged EXIF beside good pixels: shown as stored, as viewers do.
        return image


def _check_size(image: Image.Image) -> None:
    size = f"{image.width} x {image.height} px"
    fewest = MIN_SIDE_PX
    if min(image.size) < fewest:
        raise BadImageError(
            f"image is too small ({size}, expected {fewest} px or more)"
        )
    most = Image.MAX_IMAGE_PIXELS
    if most is not None and image.width * image.height > most:
        raise BadImageError(f"image is too large ({size}, expected {most} px or fewer)")


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # The high byte, as Pillow does itself for 16-bit RGB; convert() would clip.
        high_byte = np.clip(np.asarray(image), 0, 65535).astype(np.uint16) >> 8
        return Image.fromarray(high_byte.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _central_square(image: Image.Image) -> Image.Image:
    side = min(image.size)
    if image.width == image.height:
        return image
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _resized(image: Image.Image, size: int, margin: int) -> Image.Image:
    """A square image resized, without the margin."""
    side = size - 2 * margin
    if image.width == size:
        kept = (margin, margin, size - margin, size - margin)
        return image.crop(kept) if margin else image
    first = margin * image.width / size
    last = image.width - first
    box = (first, first, last, last)
    return image.resize((side, side), Image.Resampling.BILINEAR, box=box)
