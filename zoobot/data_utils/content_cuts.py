"""Tables of galaxies cut into pieces that stay the same while the table changes.

Cut at every n-th row, a galaxy that comes or goes would shift all rows behind it, and
each of their pieces would be another. Here galaxies themselves say where a piece ends:
once it holds half of what it may, it ends behind the first galaxy whose hash is small
enough, of which there are 8 in n on average; without one, it ends when it is full. So
a piece depends on its own galaxies alone, and where a piece was lost or gained, the
next galaxy that ends a piece in both tables brings the cuts together again. A piece is
named after its first galaxy, not numbered: a number, too, would shift.

References
----------
Muthitacharoen, Chen & Mazieres 2001, "A low-bandwidth network file system", SOSP 18:
cuts chosen by content, with a least and a greatest size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import pyarrow as pa

from zoobot.tables.parquet_pieces import joined

__all__ = ["cut_by_content", "piece_name"]

_ENDS_IN_FULL_PIECE = 8  # rows of `size` at which a piece may end, on average
_MOST_ENDS = 0.5  # of all rows, if pieces are tiny
_NAME_DIGITS = 12


def cut_by_content(tables: Iterable[pa.Table], *, size: int) -> Iterator[pa.Table]:
    """Join tables and cut them anew, where the galaxies' ids say.

    Parameters
    ----------
    tables : iterable of pa.Table
        With the same columns, id_str among them; they may be empty. How rows are
        spread over the tables does not matter.
    size : int
        Most rows of a piece. All but the last have half of it at least.

    Yields
    ------
    pa.Table
        Every row once, in order. No piece is empty.
    """
    share = min(_ENDS_IN_FULL_PIECE / size, _MOST_ENDS)
    waiting: list[pa.Table] = []
    n_waiting = 0
    for table in tables:
        start = 0
        for row, galaxy in enumerate(table["id_str"].to_pylist(), start=1):
            n_waiting += 1
            may_end = 2 * n_waiting >= size and _uniform(galaxy) < share
            if n_waiting == size or may_end:
                yield joined([*waiting, table.slice(start, row - start)])
                waiting, n_waiting, start = [], 0, row
        waiting.append(table.slice(start))
    if n_waiting:
        yield joined(waiting)


def piece_name(piece: pa.Table) -> str:
    """Name a piece after its first galaxy: 12 hexadecimal digits."""
    return _digest(piece["id_str"][0].as_py()).hex()[-_NAME_DIGITS:]


def _uniform(galaxy: str) -> float:
    """Hash of a galaxy, uniform between 0 and 1."""
    return int.from_bytes(_digest(galaxy)[:8], "big") / 2**64


def _digest(galaxy: str) -> bytes:
    return hashlib.sha256(f"piece/{galaxy}".encode()).digest()
