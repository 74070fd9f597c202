"""Labels of ring catalogues by published cuts, or of a catalogue of a user's own.

References
----------
Walmsley et al. 2022, arXiv 2110.12735, section 4.2: the cuts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.data_utils.tasks import label_columns, parse_labels
from zoobot.settings.rings import PrepareRingCatalog
from zoobot.tables.columns import as_fractions
from zoobot.tables.read_tables import Table, as_ids, as_text, read_pieces

__all__ = ["columns_of", "read_labelled"]

# The names of the published catalogues.
_FEATURED = "smooth-or-featured_featured-or-disk_fraction"
_FACE_ON = "disk-edge-on_no_fraction"
_NO_SPIRAL = "has-spiral-arms_no_fraction"
_RING_FRACTION = "rare-features_ring_fraction"


@dataclasses.dataclass(frozen=True)
class _Cut:
    """Only galaxies whose fraction in a column is above a limit."""

    column: str
    limit: float


def columns_of(settings: PrepareRingCatalog) -> list[str]:
    """Label columns of the prepared catalogue."""
    return label_columns(settings.task, label=settings.label)


def read_labelled(
    path: str | Path,
    *,
    settings: PrepareRingCatalog,
    id_column: str = "id_str",
    file_column: str | None = None,
) -> Iterator[pd.DataFrame]:
    """Read one table, some rows at a time.

    Parameters
    ----------
    path : path
        csv or parquet.
    settings : PrepareRingCatalog
        Which columns are labels, and cuts.
    id_column, file_column : str
        Columns of the ids and, if they are wanted as ``file_loc``, the images' paths.

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
    read = columns_of(settings)
    if settings.kind == "advanced":
        read = [_RING_FRACTION]
    own = [id_column] if file_column is None else [id_column, file_column]
    columns = list(dict.fromkeys([*own, *(cut.column for cut in cuts), *read]))
    for table in read_pieces(path, columns=columns):
        rows = _judged(table, cuts, settings, id_column)
        if file_column is not None:
            rows["file_loc"] = as_text(table, file_column)
        yield rows
        if table.malformed:
            yield _malformed(table, settings)


def _cuts(settings: PrepareRingCatalog) -> list[_Cut]:
    if settings.kind == "own":
        return []
    cuts = [
        _Cut(_FEATURED, settings.featured_fraction_min),
        _Cut(_FACE_ON, settings.face_on_fraction_min),
    ]
    if settings.kind == "basic":
        cuts.append(_Cut(_NO_SPIRAL, settings.no_spiral_fraction_min))
    return cuts


def _judged(
    table: Table, cuts: list[_Cut], settings: PrepareRingCatalog, id_column: str
) -> pd.DataFrame:
    """Rows with the number of fields of the header."""
    ids, reasons = as_ids(table, id_column)
    kinds = np.where(reasons != "", "id_str is no id", "").astype(object)
    for cut in cuts:
        _note(reasons, kinds, _failed_cut(table, cut), kind=f"{cut.column} is too low")
    if settings.kind == "advanced":
        label, problems = _rings_by_fraction(table, settings)
        labels = pd.DataFrame({settings.label: label})
        kind = f"{_RING_FRACTION} says neither ring nor none"
    else:
        columns = {name: table[name] for name in columns_of(settings)}
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
        | dict.fromkeys(columns_of(settings), 0)
    )


def _note(
    reasons: np.ndarray, kinds: np.ndarray, problems: np.ndarray, *, kind: str
) -> None:
    """Give rows without a reason theirs: the first one found stays."""
    new = (reasons == "") & (problems != "")
    reasons[new] = problems[new]
    kinds[new] = kind


def _failed_cut(table: Table, cut: _Cut) -> np.ndarray:
    fractions, problems = as_fractions(table[cut.column], cut.column)
    for row in np.flatnonzero(fractions <= cut.limit):
        problems[row] = (
            f"{cut.column}: found {fractions[row]:g}, expected above {cut.limit:g}"
        )
    return problems


def _rings_by_fraction(
    table: Table, settings: PrepareRingCatalog
) -> tuple[np.ndarray, np.ndarray]:
    fractions, problems = as_fractions(table[_RING_FRACTION], _RING_FRACTION)
    above, below = settings.ring_fraction_min, settings.ring_fraction_max
    unclear = (fractions <= above) & (fractions >= below)
    for row in np.flatnonzero(unclear):
        problems[row] = (
            f"{_RING_FRACTION}: found {fractions[row]:g}, expected above {above:g} "
            f"(a ring) or below {below:g} (none)"
        )
    return (fractions > above).astype(np.int64), problems
