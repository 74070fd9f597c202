"""FITS files opened so that none can take the memory, or the process, down.

A FITS header may say anything. Before Astropy reads a file, its structure is followed
from header to header: each must end, and the data that it announces must be there. So
a few bytes that announce terabytes are refused unread.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import re
import threading
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from astropy.io import fits

from zoobot.data_utils.fits_tiles import check_tiles
from zoobot.data_utils.image_files import (
    FITS_START_BYTES,
    GZIP_START,
    BadImageError,
    check_file,
    starts_fits,
)

__all__ = ["MAX_UNPACKED_BYTES", "open_fits"]

MAX_UNPACKED_BYTES = 2**28
"""Most bytes of an unpacked .fits.gz file, which has to be held in memory."""

_BLOCK = 2880
_CARD = 80
_MOST_HEADER_BLOCKS = 1000  # 36,000 cards
_MOST_HDUS = 1000
_MOST_AXES = 999
_SIZE = re.compile(rb"(NAXIS[0-9]{0,3}|BITPIX|PCOUNT|GCOUNT) *=(.*)", re.S)
_NUMBER = re.compile(rb" +([+-]?[0-9]{1,18}) *(?:/.*)?", re.S)
# Python's filters of warnings are the process's, not the thread's.
_quiet = threading.RLock()


@contextlib.contextmanager
def open_fits(path: str | Path) -> Iterator[fits.HDUList]:
    """Open a FITS file, also a gzipped one, after its structure was checked.

    Nothing is read but headers. Astropy's warnings about what the standard forbids and
    files do are left out, for which only one thread at a time is inside.

    Parameters
    ----------
    path : str or Path
        The content decides, not the suffix.

    Yields
    ------
    fits.HDUList
        Images compressed by tiles (fpack) look like any other.

    Raises
    ------
    BadImageError
        Also for whatever Astropy finds wrong inside the block.
    """
    check_file(path)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet)
        stack.enter_context(_reasons())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        file: BinaryIO = stack.enter_context(open(path, "rb"))  # noqa: PTH123, also for paths that Path cannot hold
        start = file.read(FITS_START_BYTES)
        if not starts_fits(start):
            raise BadImageError("file is no FITS image")
        if start.startswith(GZIP_START):
            file = _unpacked(file)
        _check_structure(file)
        file.seek(0)
        yield stack.enter_context(fits.open(file, memmap=False))


@contextlib.contextmanager
def _reasons() -> Iterator[None]:
    """Whatever Astropy raises for a damaged file becomes a reason."""
    try:
        yield
    except (BadImageError, MemoryError):
        raise
    except Exception as error:
        found = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise BadImageError(f"FITS file is damaged ({found})") from error


def _unpacked(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    try:
        with gzip.open(file) as packed:
            content = packed.read(MAX_UNPACKED_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadImageError(f"file does not unpack ({error})") from error
    if len(content) > MAX_UNPACKED_BYTES:
        raise BadImageError(
            f"file is too large unpacked (more than {MAX_UNPACKED_BYTES} bytes, which "
            "all have to be read; fpack compresses so that parts can be)"
        )
    if not content.startswith(b"SIMPLE  ="):
        raise BadImageError("file is no FITS image")
    return io.BytesIO(content)


def _check_structure(file: BinaryIO) -> None:
    n_bytes = file.seek(0, io.SEEK_END)
    position = 0
    for number in range(_MOST_HDUS + 1):
        file.seek(position)
        cards = _read_header(file)
        if cards is None:  # anything may stand behind the last extension
            break
        if number == _MOST_HDUS:
            raise BadImageError(f"FITS file has more than {_MOST_HDUS} extensions")
        start = file.tell()
        length = _data_bytes(_numbers(cards))
        if start + length > n_bytes:
            raise BadImageError(
                f"FITS file is cut short ({n_bytes} bytes, and extension {number} "
                f"would end at {start + length})"
            )
        if any(card.startswith(b"ZIMAGE  =") for card in cards):
            file.seek(start)
            check_tiles(file, fits.Header.fromstring(b"".join(cards)))
        position = start + math.ceil(length / _BLOCK) * _BLOCK


def _read_header(file: BinaryIO) -> list[bytes] | None:
    """Cards of the header that begins here; None if none does."""
    cards: list[bytes] = []
    is_first = file.tell() == 0
    for _ in range(_MOST_HEADER_BLOCKS):
        block = file.read(_BLOCK)
        if not cards and not is_first and not block.startswith(b"XTENSION"):
            return None
        if len(block) < _BLOCK:
            raise BadImageError("FITS file is cut short (in a header)")
        found = [block[i : i + _CARD] for i in range(0, _BLOCK, _CARD)]
        for i, card in enumerate(found):
            if card.rstrip() == b"END":
                return cards + found[:i]
        cards += found
    raise BadImageError(f"FITS header does not end ({len(cards)} cards and no END)")


def _numbers(cards: list[bytes]) -> dict[str, int]:
    """What a header says of the size of its data; the first of repeated cards."""
    numbers: dict[str, int] = {}
    for card in cards:
        size = _SIZE.fullmatch(card)
        if size is None:
            continue
        number = _NUMBER.fullmatch(size[2])
        if number is None:
            found = card.decode(errors="replace").strip()
            raise BadImageError(f"FITS header is damaged (found {found!r})")
        numbers.setdefault(size[1].decode(), int(number[1]))
    return numbers


def _data_bytes(numbers: dict[str, int]) -> int:
    n_axes = numbers.get("NAXIS", 0)
    axes = [numbers.get(f"NAXIS{i + 1}", 0) for i in range(min(n_axes, _MOST_AXES))]
    extra, groups = numbers.get("PCOUNT", 0), numbers.get("GCOUNT", 1)
    if n_axes > _MOST_AXES or min([n_axes, extra, groups, *axes]) < 0:
        raise BadImageError("FITS header announces data of a negative or absurd size")
    if len(axes) > 1 and axes[0] == 0 and "GCOUNT" in numbers:
        axes = axes[1:]  # random groups, as of radio interferometers
    n_values = math.prod(axes) if axes else 0
    return abs(numbers.get("BITPIX", 8)) // 8 * groups * (extra + n_values)
