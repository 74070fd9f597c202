"""One table beside another: the same galaxies by id, or by position on the sky."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import astropy.units as u
import numpy as np
import pandas as pd
import pyarrow as pa

from zoobot.tables.columns import as_numbers
from zoobot.tables.matches import Matches, match_by_id, match_by_position
from zoobot.tables.read_tables import as_text, read_table
from zoobot.tables.table_joins import Join, table_writer
from zoobot.tables.table_notes import notes_of
from zoobot.tables.typed_tables import TypedTable, open_table

__all__ = ["Source", "cross_match"]

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Source:
    """A table of galaxies, and which of its columns say which galaxy it is."""

    path: str | Path
    id_column: str = "id_str"
    ra_column: str = "ra"
    """Right ascension, in degrees unless the table has another unit."""
    dec_column: str = "dec"
    """Declination, of the same frame and epoch as in the other table."""
    columns: Sequence[str] | None = None
    """Columns to take; None for all."""


def cross_match(
    table: Source,
    *,
    catalog: Source,
    matched: str | Path,
    by: Literal["id", "position"] = "position",
    radius_arcsec: float = 2.0,
    keep: Literal["matched", "all"] = "matched",
    positions: Source | None = None,
) -> None:
    """Put a catalogue's rows beside the rows of a table that are the same galaxies.

    Parameters
    ----------
    table : Source
        The table, read a few rows at a time.
    catalog : Source
        The catalogue, which is read into memory.
    matched : path
        Table to write, as parquet, csv or FITS by its suffix: the columns of the table,
        those of the catalogue (with ``_2`` behind a name that the table has, too), then

        - ``n_matches``: how many rows of the catalogue have this id, or lie within the
          radius. The nearest is taken, the first of equal ones.
        - ``n_sharing``: how many rows of the table were given the same row of the
          catalogue; more than 1 says that a galaxy is in the table twice, or that one
          of them is another galaxy.
        - ``separation``, in arcsec, if matched by position.
    by : "id" or "position"
        Ids are the same if their texts are, without spaces around them.
    radius_arcsec : float
        Largest separation, in arcsec.
    keep : "matched" or "all"
        The rows of the table to write: those with a match, or all of them; then the
        columns of the catalogue are empty where there is none.
    positions : Source, optional
        Where the positions of the table's galaxies are, by id, if not in the table.

    Raises
    ------
    ValueError
        If a file or column is missing, or a position is none; the message names it.
    """
    ours, theirs = (
        open_table(one.path, columns=one.columns, texts=[one.id_column])
        for one in (table, catalog)
    )
    about: dict[str, str] = {"by": by, "keep": keep}
    if by == "id":
        matches = match_by_id(_ids(table), others=_ids(catalog))
    else:
        about["radius"] = f"{radius_arcsec:g} arcsec"
        matches = match_by_position(
            _positions(table) if positions is None else _looked_up(table, positions),
            others=_positions(catalog),
            radius_arcsec=radius_arcsec,
        )
    _tell(matches, ours, theirs)
    join = Join(ours, theirs, matches=matches, keep=keep, about=about)
    with table_writer(matched, schema=join.schema) as write:
        for rows in join.pieces():
            write(rows)
    _log.info("wrote %s", matched)


def _tell(matches: Matches, table: TypedTable, catalog: TypedTable) -> None:
    has_match = matches.row >= 0
    _log.info(
        "%d of %d rows of %s have a match in %s; %d have several, of which the best is "
        "taken; %d share theirs with another",
        *(has_match.sum(), len(has_match), table.path, catalog.path),
        *((matches.n_matches > 1).sum(), (matches.n_sharing > 1).sum()),
    )


def _ids(source: Source) -> pd.Series:
    table = read_table(source.path, columns=[source.id_column])
    return as_text(table, source.id_column)


def _looked_up(table: Source, positions: Source) -> np.ndarray:
    """Positions of the table's galaxies in another table, by id; NaN if not there."""
    ids = _ids(positions)
    twice = ids[ids.duplicated() & (ids != "")]
    if len(twice):
        raise ValueError(
            f"{positions.path}: column {positions.id_column}: found {twice.iloc[0]!r} "
            "twice, expected each id once"
        )
    row = match_by_id(_ids(table), others=ids).row
    found = np.full((len(row), 2), np.nan)
    found[row >= 0] = _positions(positions)[row[row >= 0]]
    _log.info(
        "%d of %d rows of %s have a position in %s",
        *((row >= 0).sum(), len(row), table.path, positions.path),
    )
    return found


def _positions(source: Source) -> np.ndarray:
    """Right ascension and declination in degrees, (n_rows, 2); NaN where missing."""
    limits = {source.ra_column: (-180.0, 360.0), source.dec_column: (-90.0, 90.0)}
    table = open_table(source.path, columns=list(limits))
    notes = notes_of(table.schema).columns
    found = pa.concat_tables(table.pieces())
    degrees = []
    for name, (least, most) in limits.items():
        where = f"{source.path}: column {name}"
        unit = _degrees(notes[name].unit, where=where)
        numbers, reasons = as_numbers(
            found[name],
            name,
            least=least / unit,
            most=most / unit,
            expected=f"{least:g} to {most:g} degrees",
            may_lack=True,
        )
        bad = np.flatnonzero(reasons != "")
        if len(bad):
            raise ValueError(f"{source.path}, row {bad[0] + 1}: {reasons[bad[0]]}")
        degrees.append(numbers * unit)
    positions = np.stack(degrees, axis=1)
    n_missing = int(np.isnan(positions).any(axis=1).sum())
    if n_missing:
        _log.warning("%s: %d rows have no position", source.path, n_missing)
    return positions


def _degrees(unit: str, *, where: str) -> float:
    """How many degrees the unit of a column is."""
    if unit.strip().lower() in ("", "deg", "degree", "degrees"):  # however spelt
        return 1.0
    try:
        return float(u.Unit(unit).to(u.deg))
    except (ValueError, u.UnitConversionError) as error:
        raise ValueError(
            f"{where}: found unit {unit!r}, expected degrees or another unit of angles"
        ) from error
