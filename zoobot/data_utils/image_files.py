"""Image files as files: there, readable, and of which kind."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "FITS_START_BYTES",
    "GZIP_START",
    "MIN_SIDE_PX",
    "SUFFIXES",
    "BadImageError",
    "IsFitsError",
    "check_file",
    "starts_fits",
    "without_suffix",
]

MIN_SIDE_PX = 8
"""Images with a shorter side show no galaxy: thumbnails of a failed download."""

SUFFIXES: dict[str, tuple[str, ...]] = {
    "png": (".png",),
    "jpg": (".jpg", ".jpeg"),
    "jpeg": (".jpg", ".jpeg"),
    "fits": tuple(
        f"{one}{packed}"
        for one in (".fits", ".fit", ".fts")
        for packed in ("", ".gz", ".fz")
    ),
}
"""What names of image files of each format end with, in small letters."""

_FITS = b"SIMPLE  ="
GZIP_START = b"\x1f\x8b"
"""What every gzipped file starts with."""

FITS_START_BYTES = len(_FITS)
"""Bytes from a file's start that tell whether it is FITS."""


class BadImageError(ValueError):
    """An image cannot be used; the message is the reason alone."""


class IsFitsError(BadImageError):
    """An image is no picture, but seems to be FITS, of which one can be drawn."""


def without_suffix(name: str, suffixes: Iterable[str]) -> str | None:
    """Give a file's name without its suffix; None if that is none of these, or all."""
    found = [one for one in suffixes if name.lower().endswith(one)]
    return name[: -len(max(found, key=len))] or None if found else None


def check_file(path: str | Path) -> None:
    """Say why a path is none of a file that can be read.

    Raises
    ------
    BadImageError
        With particulars in brackets at its end.
    """
    try:
        status = os.stat(path)  # noqa: PTH116, also for paths that Path cannot hold
    except (FileNotFoundError, NotADirectoryError):
        raise BadImageError("file does not exist") from None
    except OSError as error:
        raise BadImageError(f"file cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise BadImageError(f"path is none that a file can have ({error})") from error
    if stat.S_ISDIR(status.st_mode):
        raise BadImageError("path is a folder, not an image file")
    if not stat.S_ISREG(status.st_mode):
        raise BadImageError("path is a device or pipe, not an image file")
    if status.st_size == 0:
        raise BadImageError("file is empty (0 bytes)")
    if not os.access(path, os.R_OK):
        raise BadImageError("file cannot be read (Permission denied)")


def starts_fits(start: bytes) -> bool:
    """Tell by its first bytes whether a file is FITS, or gzipped, as only FITS may be.

    Parameters
    ----------
    start : bytes
        The first `FITS_START_BYTES`, or what there is of them.
    """
    return start == _FITS or start.startswith(GZIP_START)
