"""Rows that repeat an id, found in little memory among any number of rows."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable

import numpy as np

__all__ = ["IdHashes", "Repeats"]

# 16 bytes a row whatever its id. Among 10^8 ids the chance that any two share a hash is
# 1e-23; it were 3e-4 with half the bytes, and a galaxy lost to it would not be noticed.
_BYTES = 16
# Sorting needs more memory than the hashes: they are sorted a part at a time.
_PARTS = 16


@dataclasses.dataclass(frozen=True)
class Repeats:
    """Rows whose id stands in an earlier row."""

    rows: np.ndarray
    """(n_repeats,) int64, ascending: their numbers, from 0."""
    first: np.ndarray
    """(n_repeats,) int64: the row at which the id of each stands first."""

    def within(self, start: int, *, n_rows: int) -> Repeats:
        """Give the repeats among some rows: numbers from `start`, first ones as is."""
        low, high = np.searchsorted(self.rows, [start, start + n_rows])
        return Repeats(self.rows[low:high] - start, self.first[low:high])


class IdHashes:
    """Hashes of the ids of all rows added so far."""

    def __init__(self) -> None:
        self._digests = bytearray()

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._digests) // _BYTES

    def add(self, ids: Iterable[str]) -> None:
        """Append rows by their ids."""
        for galaxy in ids:
            digest = hashlib.blake2b(galaxy.encode(), digest_size=_BYTES)
            self._digests += digest.digest()

    def repeats(self) -> Repeats:
        """Find the rows whose id an earlier row has."""
        digests = np.frombuffer(self._digests, np.uint8).reshape(-1, _BYTES)
        numbers = digests.view(np.uint64)
        part = digests[:, 0] % _PARTS
        found = [_repeats(numbers, np.flatnonzero(part == i)) for i in range(_PARTS)]
        rows = np.concatenate([one.rows for one in found])
        first = np.concatenate([one.first for one in found])
        order = np.argsort(rows)
        return Repeats(rows[order], first[order])


def _repeats(numbers: np.ndarray, rows: np.ndarray) -> Repeats:
    """Find repeats among some rows; `numbers` (n_rows, 2) uint64 are all hashes."""
    mine = numbers[rows]
    order = np.lexsort(mine.T)  # Equal ones stay in the order of their rows.
    mine, rows = mine[order], rows[order]
    is_first = np.ones(len(rows), dtype=bool)
    is_first[1:] = (mine[1:] != mine[:-1]).any(axis=1)
    start = np.maximum.accumulate(np.where(is_first, np.arange(len(rows)), 0))
    return Repeats(rows[~is_first], rows[start][~is_first])
