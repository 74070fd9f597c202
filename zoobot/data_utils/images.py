"""Image files as pixels: what the file shows, square, RGB, 8 bit, not flipped.

Every path into the network decodes with `load_image`, so that a galaxy has the same
pixels whether it comes from a training shard or from its own file.
"""

from __future__ import annotations

import functools
import hashlib
import os
import stat
from io import BufferedReader
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

__all__ = ["MIN_SIDE_PX", "check_and_digest", "check_image", "load_image"]

MIN_SIDE_PX = 8
"""Images with a shorter side show no galaxy: thumbnails of a failed download."""

_FORMATS = ("PNG", "JPEG")
_DIGEST_BYTES = 16


def load_image(path: str | Path, *, size_px: int, margin_px: int = 0) -> np.ndarray:
    """Read a galaxy's image, as the file shows it, not flipped.

    EXIF orientation is applied. Greyscale, palette, CMYK and 16-bit images become 8-bit
    RGB; transparency lies over black, which is empty sky. Of an image that is not
    square the central square is used. It is resized, bilinear with antialiasing, only
    if its side differs from `size_px`.

    Parameters
    ----------
    path : str or Path
        PNG or JPEG file; the content decides, not the suffix.
    size_px : int
        Side to which it is resized, in pixels.
    margin_px : int
        Pixels of that size that are left out along each edge. They are not computed, so
        that the others may differ by the rounding of one or two levels.

    Returns
    -------
    (side, side, 3) uint8
        Rows from the top down, then columns, then red, green, blue;
        ``side = size_px - 2 * margin_px``.

    Raises
    ------
    ValueError
        If `check_image` finds something; the message names the file and the reason.
    """
    try:
        image = _as_rgb(_decode(path)[0])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return np.array(_resized(_central_square(image), size_px, margin_px))


def check_image(path: str | Path) -> str | None:
    """Decode an image completely and say why it cannot be used.

    Parameters
    ----------
    path : str or Path
        Image file.

    Returns
    -------
    str or None
        The reason, with particulars in brackets at its end; None if the image is fine.
    """
    return check_and_digest(path)[0]


def check_and_digest(path: str | Path) -> tuple[str | None, str]:
    """Decode an image completely, and digest its file, which is opened once.

    Parameters
    ----------
    path : str or Path
        Image file.

    Returns
    -------
    reason : str or None
        As `check_image` gives it.
    digest : str
        32 hexadecimal digits, of the bytes of the file: another file at the same path
        has others, one that was only touched or copied has not. Empty for a bad image.
    """
    try:
        return None, _decode(path, digest=True)[1]
    except ValueError as error:
        return str(error), ""


def _decode(path: str | Path, *, digest: bool = False) -> tuple[Image.Image, str]:
    """Decode a whole image, upright, and digest its file if asked.

    Of a bad one, raise the reason alone.
    """
    _check_file(path)
    try:
        with open(path, "rb") as file, Image.open(file, formats=_FORMATS) as image:  # noqa: PTH123, also for paths that Path cannot hold
            _check_size(image)
            image.load()
            return _upright(image), _digest_of(file) if digest else ""
    except UnidentifiedImageError:
        raise ValueError("file is no PNG or JPEG image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"image is too large ({error})") from error
    except _BadSizeError as error:
        raise ValueError(str(error)) from error
    except MemoryError:
        raise
    # Pillow's decoders let many types through for a damaged file: OSError, SyntaxError,
    # struct.error, zlib.error, ValueError, ...
    except Exception as error:
        raise ValueError(f"image does not decode completely ({error})") from error


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


def _check_file(path: str | Path) -> None:
    try:
        status = os.stat(path)  # noqa: PTH116, also for paths that Path cannot hold
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError("file does not exist") from None
    except OSError as error:
        raise ValueError(f"file cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ValueError(f"path is none that a file can have ({error})") from error
    if stat.S_ISDIR(status.st_mode):
        raise ValueError("path is a folder, not an image file")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("path is a device or pipe, not an image file")
    if status.st_size == 0:
        raise ValueError("file is empty (0 bytes)")
    if not os.access(path, os.R_OK):
        raise ValueError("file cannot be read (Permission denied)")


class _BadSizeError(Exception):
    """The image decodes, but is too small or too large to use."""


def _check_size(image: Image.Image) -> None:
    size = f"{image.width} x {image.height} px"
    fewest = MIN_SIDE_PX
    if min(image.size) < fewest:
        raise _BadSizeError(
            f"image is too small ({size}, expected {fewest} px or more)"
        )
    most = Image.MAX_IMAGE_PIXELS
    if most is not None and image.width * image.height > most:
        raise _BadSizeError(f"image is too large ({size}, expected {most} px or fewer)")


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
