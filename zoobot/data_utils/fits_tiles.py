"""Images compressed by tiles (fpack): tiles that can be given to their decoder."""

from __future__ import annotations

import math
import re
from typing import BinaryIO

import numpy as np
from astropy.io import fits

from zoobot.data_utils.image_files import BadImageError

__all__ = ["check_tiles"]

# HCOMPRESS streams state their size themselves, and a decoder that believes them writes
# beyond its buffer.
_COMPRESSIONS = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "PLIO_1", "NOCOMPRESS")
_MOST_TILE_PX = 2**24
_MOST_GZIP_TILE_PX = 2**17  # gzip unpacks to a thousand times the size
_SLACK_BYTES = 2**14  # that a tile of noise may have more than its pixels
_FORMAT = re.compile(r"([0-9]*)([A-Z])([A-Z]?)")
_WIDTHS = {"L": 1, "B": 1, "A": 1, "I": 2, "J": 4, "E": 4, "K": 8, "D": 8, "P": 8}
_WIDTHS |= {"Q": 16, "C": 8, "M": 16}


def check_tiles(file: BinaryIO, header: fits.Header) -> None:
    """Refuse a compressed image that would not unpack to the size of its tiles.

    Parameters
    ----------
    file : binary file
        At the table of tiles, all of which is there.
    header : fits.Header
        Of the table.

    Raises
    ------
    BadImageError
        If the compression, or a tile, is none that can safely be unpacked.
    """
    if header.get("ZIMAGE") is not True:
        return
    kind = header.get("ZCMPTYPE")
    if kind not in _COMPRESSIONS:
        raise BadImageError(
            f"FITS compression is none that is read safely (found {kind!r}, expected "
            f"{', '.join(_COMPRESSIONS)})"
        )
    tile_px = _tile_px(header)
    most_bytes = 2 * tile_px * abs(header["ZBITPIX"]) // 8 + _SLACK_BYTES
    rows, n_rows = header["NAXIS1"], header["NAXIS2"]
    table = np.frombuffer(file.read(rows * n_rows), np.uint8).reshape(n_rows, rows)
    for name, lengths in _lengths(table, header).items():
        longest = int(lengths.max(initial=0))
        if not 0 <= longest <= most_bytes or lengths.min(initial=0) < 0:
            raise BadImageError(
                f"FITS tile is larger than its pixels ({longest} bytes, {tile_px} px)"
            )
        is_gzip = kind.startswith("GZIP") or name.startswith("GZIP")
        if is_gzip and longest and tile_px > _MOST_GZIP_TILE_PX:
            raise BadImageError(
                f"FITS tile is too large for gzip ({tile_px} px, expected "
                f"{_MOST_GZIP_TILE_PX} or fewer)"
            )


def _tile_px(header: fits.Header) -> int:
    sides = [
        header.get(f"ZTILE{axis}", header[f"ZNAXIS{axis}"] if axis == 1 else 1)
        for axis in range(1, header["ZNAXIS"] + 1)
    ]
    pixels = math.prod(sides)
    if min(sides, default=0) < 1 or pixels > _MOST_TILE_PX:
        raise BadImageError(
            f"FITS tile is too large or none (sides of {sides} px, expected "
            f"{_MOST_TILE_PX} px or fewer)"
        )
    return pixels


def _lengths(table: np.ndarray, header: fits.Header) -> dict[str, np.ndarray]:
    """Bytes of each tile, (n_tiles,), of each column that holds tiles."""
    lengths = {}
    start = 0
    for column in range(1, header["TFIELDS"] + 1):
        match = _FORMAT.match(header[f"TFORM{column}"])
        if match is None or match[2] not in _WIDTHS:
            raise BadImageError("FITS table of tiles is damaged (unknown format)")
        repeat = int(match[1] or 1)
        width = _WIDTHS[match[2]]
        name = str(header.get(f"TTYPE{column}", "")).upper()
        if match[2] in "PQ" and repeat:
            fields = np.ascontiguousarray(table[:, start : start + width])
            counts = fields.view(f">i{width // 2}")[:, 0].astype(np.int64)
            lengths[name] = counts * _WIDTHS.get(match[3], 1)
        start += repeat * width
    return lengths
