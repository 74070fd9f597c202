"""Which row of another table is the same galaxy, by id or by position on the sky."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import astropy.units as u
import numpy as np
import pandas as pd
from astropy.coordinates import SkyCoord, search_around_sky

__all__ = ["Matches", "match_by_id", "match_by_position"]

_ROWS = 2**17  # matched at once
_LARGEST_RADIUS = 3600.0  # arcsec; all pairs within it are in memory


@dataclasses.dataclass(frozen=True)
class Matches:
    """The row of the other table that was chosen for each galaxy."""

    row: np.ndarray
    """(n_galaxies,) int64; -1 where there is none."""
    n_matches: np.ndarray
    """(n_galaxies,) int64, how many rows there were to choose from."""
    separation: np.ndarray | None = None
    """(n_galaxies,) float64, arcsec; NaN where there is no row; None if by id."""

    @property
    def n_sharing(self) -> np.ndarray:
        """How many galaxies have the same row, (n_galaxies,) int64; 0 without a row."""
        counts = np.bincount(self.row[self.row >= 0], minlength=1)
        return np.where(self.row >= 0, counts[self.row], 0)


def match_by_id(ids: Sequence[str], *, others: Sequence[str]) -> Matches:
    """Find the first row with the same id.

    Parameters
    ----------
    ids : (n_galaxies,) sequence of str
        Ids of the galaxies; an empty one matches none.
    others : (n_others,) sequence of str
        Ids of the rows to choose from; may repeat.
    """
    wanted, known = (pd.Series(list(one), dtype="str") for one in (ids, others))
    known = known[known != ""]
    first = known[~known.duplicated()]
    row = pd.Series(first.index, index=first.array).reindex(wanted)
    counts = known.value_counts().reindex(wanted)
    return Matches(
        row=row.fillna(-1).to_numpy(dtype=np.int64),
        n_matches=counts.fillna(0).to_numpy(dtype=np.int64),
    )


def match_by_position(
    positions: np.ndarray, *, others: np.ndarray, radius_arcsec: float
) -> Matches:
    """Find the nearest row within a radius.

    Parameters
    ----------
    positions : (n_galaxies, 2) float64
        Right ascension and declination in degrees, of one frame and epoch in both
        tables; a row with NaN matches none.
    others : (n_others, 2) float64
        The same of the rows to choose from. Of equally near ones the first is chosen.
    radius_arcsec : float
        Largest separation, up to a degree.

    Raises
    ------
    ValueError
        If the radius is not between 0 and 3600 arcsec.
    """
    if not 0 < radius_arcsec <= _LARGEST_RADIUS:
        raise ValueError(
            f"radius_arcsec: found {radius_arcsec:g}, expected more than 0 and at most "
            f"{_LARGEST_RADIUS:g}"
        )
    has_other = np.flatnonzero(np.isfinite(others).all(axis=1))
    known = _on_sky(others[has_other])
    row = np.full(len(positions), -1, np.int64)
    n_matches = np.zeros(len(positions), np.int64)
    separation = np.full(len(positions), np.nan)
    has_position = np.flatnonzero(np.isfinite(positions).all(axis=1))
    for start in range(0, len(has_position), _ROWS):
        some = has_position[start : start + _ROWS]
        one, other, apart, _ = search_around_sky(
            _on_sky(positions[some]), known, seplimit=radius_arcsec * u.arcsec
        )
        order = np.lexsort((other, apart, one))
        found, first, counts = np.unique(
            one[order], return_index=True, return_counts=True
        )
        row[some[found]] = has_other[other[order][first]]
        n_matches[some[found]] = counts
        separation[some[found]] = apart[order][first].to_value(u.arcsec)
    return Matches(row, n_matches, separation)


def _on_sky(positions: np.ndarray) -> SkyCoord:
    return SkyCoord(positions[:, 0], positions[:, 1], unit="deg")
