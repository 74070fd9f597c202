"""A checksum behind an HDF5 file of all but its values, looked at before HDF5 is.

HDF5 follows what a file says about itself: a byte that a disk spoilt there can send it
round in circles for ever, or end the process. The values, of which there may be many,
do no such harm, and have checksums of their own. HDF5 does not see what lies behind its
end.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

__all__ = ["check_seal", "seal"]

_MARK = b"zoobot-1"
# Mark, length of the file, first byte of the values and first byte behind them, CRC-32.
_SEAL = struct.Struct("<8sQQQI")


def seal(image: bytes, *, start: int, stop: int) -> bytes:
    """Make what belongs behind a file.

    Parameters
    ----------
    image : bytes
        The HDF5 file.
    start, stop : int
        Where its values lie, in bytes; they are left out.
    """
    crc = zlib.crc32(memoryview(image)[stop:], zlib.crc32(memoryview(image)[:start]))
    return _SEAL.pack(_MARK, len(image), start, stop, crc)


def check_seal(path: Path) -> None:
    """Check a file that has a seal; another, made elsewhere, passes.

    Raises
    ------
    OSError
        If the file cannot be read, or is not what was sealed.
    """
    with path.open("rb") as file:
        n_bytes = file.seek(0, 2)
        file.seek(max(0, n_bytes - _SEAL.size))
        found = file.read()
        if found[: len(_MARK)] != _MARK:
            if _MARK in found:
                raise OSError("its end is missing")
            return
        _, length, start, stop, crc = _SEAL.unpack(found)
        if length != n_bytes - _SEAL.size or not start <= stop <= length:
            raise OSError(f"found {n_bytes - _SEAL.size} bytes, expected {length}")
        file.seek(0)
        before = file.read(start)
        file.seek(stop)
        if zlib.crc32(file.read(length - stop), zlib.crc32(before)) != crc:
            raise OSError("what describes its values differs from what was written")
