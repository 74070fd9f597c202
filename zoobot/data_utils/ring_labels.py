"""Labels of ring catalogues by published cuts, or of a catalogue of a user's own.

References
----------
Walmsley et al. 2022, arXiv 2110.12735, section 4.2: the cuts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.data_utils.tasks import parse_labels
from zoobot.label_metadata import (
    FACE_ON_FRACTION,
    FEATURED_FRACTION,
    NO_SPIRAL_FRACTION,
    RING_FRACTION,
)
from zoobot.settings.rings import PrepareRingCatalog
from zoobot.tables.columns import as_fractions
from zoobot.tables.read_tables import Table, as_ids, as_text, column_names, read_pieces

__all__ = ["check_columns_are_used", "read_labelled"]


@dataclasses.dataclass(frozen=True)
class _Cut:
    """Only galaxies whose fraction in a column is above a limit."""

    column: str
    limit: float


def check_columns_are_used(
    paths: Sequence[str | Path], *, settings: PrepareRingCatalog
) -> None:
    """Refuse columns of the settings that no table has: they are misspelt.

    Parameters
    ----------
    paths : sequence of path
        All tables.
    settings : PrepareRingCatalog
        What they call their columns.

    Raises
    ------
    ValueError
        Naming the first such column.
    """
    unused = dict(settings.columns)
    for path in paths if unused else ():
        found = column_names(path)
        unused = {name: one for name, one in unused.items() if one not in found}
    for name, column in unused.items():
        raise ValueError(
            f"prepare_ring_catalog.columns: {name}: found {column!r}, which is a "
            "column of none of the tables; expected one of at least one of them"
        )


def read_labelled(
    path: str | Path,
    *,
    settings: PrepareRingCatalog,
    own: Mapping[str, str] | None = None,
) -> Iterator[pd.DataFrame]:
    """Read one table, some rows at a time.

    Parameters
    ----------
    path : path
        Table of any kind that `zoobot.tables.read_tables.read_table` reads.
    settings : PrepareRingCatalog
        Which columns are labels, what they are called, and cuts.
    own : mapping of str to str, optional
        What this table calls columns, whatever the settings say, by their names here;
        with file_loc, the images' paths are read, too.

    Yields
    ------
    DataFrame
        id_str, the label columns, and where a row fails a cut or has no label, reason
        and rejected_as.

    Raises
    ------
    ValueError
        If the table lacks a column.
    """
    cuts = _cuts(settings)
    names = _names_in(path, settings) | dict(own or {})
    for table in read_pieces(path, columns=names):
        rows = _judged(table, cuts, settings)
        if "file_loc" in names:
            rows["file_loc"] = as_text(table, "file_loc")
        yield rows
        if table.malformed:
            yield _malformed(table, settings)


def _names_in(path: str | Path, settings: PrepareRingCatalog) -> dict[str, str]:
    """What a table calls each column; tables that have ours need no other name."""
    names = {name: settings.columns.get(name, name) for name in settings.column_names}
    if settings.columns:
        found = column_names(path)
        for name, column in names.items():
            if column not in found and name in found:
                names[name] = name
    return names


def _cuts(settings: PrepareRingCatalog) -> list[_Cut]:
    if settings.kind == "own":
        return []
    cuts = [
        _Cut(FEATURED_FRACTION, settings.featured_fraction_min),
        _Cut(FACE_ON_FRACTION, settings.face_on_fraction_min),
    ]
    if settings.kind == "basic":
        cuts.append(_Cut(NO_SPIRAL_FRACTION, settings.no_spiral_fraction_min))
    return cuts


def _judged(
    table: Table, cuts: list[_Cut], settings: PrepareRingCatalog
) -> pd.DataFrame:
    """Rows with the number of fields of the header."""
    ids, reasons = as_ids(table)
    kinds = np.where(reasons != "", "id_str is no id", "").astype(object)
    for cut in cuts:
        _note(reasons, kinds, _failed_cut(table, cut), kind=f"{cut.column} is too low")
    if settings.kind == "advanced":
        label, problems = _rings_by_fraction(table, settings)
        labels = pd.DataFrame({settings.label: label})
        kind = f"{RING_FRACTION} says neither ring nor none"
    else:
        columns = {name: table[name] for name in settings.label_cols}
        labels, problems = parse_labels(columns, kind=settings.task)
        kind = f"{settings.label} is no label"
    _note(reasons, kinds, problems, kind=kind)
    rows = pd.DataFrame({"id_str": ids, "rejected_as": kinds, "reason": reasons})
    return pd.concat([rows, labels], axis=1)


def _malformed(table: Table, settings: PrepareRingCatalog) -> pd.DataFrame:
    """Rows of a csv file that cannot be read."""
    reasons = [f"{table.path}: {reason}" for _, reason in table.malformed]
    return pd.DataFrame(
        {
            "id_str": pd.Series(
                [known.get("id_str", "") for known, _ in table.malformed], dtype="str"
            ),
            "rejected_as": pd.Series(["malformed row"] * len(reasons), dtype=object),
            "reason": pd.Series(reasons, dtype=object),
        }
        | dict.fromkeys(settings.label_cols, 0)
    )


def _note(
    reasons: np.ndarray, kinds: np.ndarray, problems: np.ndarray, *, kind: str
) -> None:
    """Give rows without a reason theirs: the first one found stays."""
    new = (reasons == "") & (problems != "")
    reasons[new] = problems[new]
    kinds[new] = kind


def _failed_cut(table: Table, cut: _Cut) -> np.ndarray:
    name = table.name_of(cut.column)
    fractions, problems = as_fractions(table[cut.column], name)
    for row in np.flatnonzero(fractions <= cut.limit):
        found = f"{fractions[row]:g}"
        problems[row] = f"{name}: found {found}, expected above {cut.limit:g}"
    return problems


def _rings_by_fraction(
    table: Table, settings: PrepareRingCatalog
) -> tuple[np.ndarray, np.ndarray]:
    name = table.name_of(RING_FRACTION)
    fractions, problems = as_fractions(table[RING_FRACTION], name)
    above, below = settings.ring_fraction_min, settings.ring_fraction_max
    unclear = (fractions <= above) & (fractions >= below)
    for row in np.flatnonzero(unclear):
        problems[row] = (
            f"{name}: found {fractions[row]:g}, expected above {above:g} "
            f"(a ring) or below {below:g} (none)"
        )
    return (fractions > above).astype(np.int64), problems
