"""Ring catalogues: galaxies that are rings, and galaxies that surely are not.

References
----------
Walmsley et al. 2022, arXiv 2110.12735, section 4.2: the cuts.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.data_utils.columns import as_flags, as_fractions
from zoobot.data_utils.splits import part_of
from zoobot.data_utils.tables import Table, as_ids, first_rows, most_common, read_table
from zoobot.files import written_whole
from zoobot.settings.rings import PrepareRingCatalog

__all__ = ["prepare_ring_catalog"]

# The names of the published catalogues.
_FEATURED = "smooth-or-featured_featured-or-disk_fraction"
_FACE_ON = "disk-edge-on_no_fraction"
_NO_SPIRAL = "has-spiral-arms_no_fraction"
_RING_FRACTION = "rare-features_ring_fraction"
_RING = "ring"
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Cut:
    """Only galaxies whose fraction in a column is above a limit."""

    column: str
    limit: float


def prepare_ring_catalog(
    settings: PrepareRingCatalog,
    *,
    survey: Sequence[str | Path],
    data_folder: str | Path,
    catalog: str | Path,
    rejected: str | Path,
    train: float,
    val: float,
    seed: int,
) -> None:
    """Choose rings and galaxies without, and say of all others why they are neither.

    A galaxy keeps the part that `splits.part_of` gave it, so that no ring of the test
    part trained the encoder. Every row comes out in one of the two files.

    Parameters
    ----------
    settings : PrepareRingCatalog
        Tables and cuts.
    survey : sequence of path
        Parquet tables of the survey's galaxies, with id_str and file_loc.
    data_folder : path
        Where relative paths of tables start.
    catalog : path
        csv to write: id_str, file_loc, ring (1 or 0), part.
    rejected : path
        csv to write: id_str, reason.
    train, val, seed : float, float, int
        As in split_catalog.

    Raises
    ------
    ValueError
        If a table lacks a column, or a part lacks rings or galaxies without.
    """
    rows = pd.concat(
        [_read(Path(data_folder) / path, settings) for path in settings.catalogs],
        ignore_index=True,
    )
    locations = _survey_locations(survey)
    _reject_duplicates(rows)
    _reject_unknown(rows, locations)
    good = rows[rows["reason"] == ""]
    bad = rows[rows["reason"] != ""]
    parts = [part_of(one, train=train, val=val, seed=seed) for one in good["id_str"]]
    chosen = pd.DataFrame(
        {
            "id_str": good["id_str"],
            "file_loc": good["id_str"].map(locations),
            "ring": good["ring"],
            "part": pd.Series(parts, index=good.index, dtype="str"),
        }
    )
    _check_totals(len(rows), chosen, bad)
    _check_classes(chosen, bad)
    _write_csv(chosen, catalog)
    _write_csv(bad[["id_str", "reason"]], rejected)


def _read(path: Path, settings: PrepareRingCatalog) -> pd.DataFrame:
    """Read one table: id_str, ring, and reason and kind where a row fails a cut."""
    cuts = [
        _Cut(_FEATURED, settings.featured_fraction_min),
        _Cut(_FACE_ON, settings.face_on_fraction_min),
    ]
    if settings.kind == "basic":
        cuts.append(_Cut(_NO_SPIRAL, settings.no_spiral_fraction_min))
    label = _RING if settings.kind == "basic" else _RING_FRACTION
    columns = ["id_str", *(cut.column for cut in cuts), label]
    table = read_table(path, columns=columns)
    ids, reasons = as_ids(table)
    kinds = np.where(reasons != "", "id_str is no id", "").astype(object)
    for cut in cuts:
        _note(reasons, kinds, _failed_cut(table, cut), kind=f"{cut.column} is too low")
    if settings.kind == "basic":
        ring, problems = as_flags(table[_RING], _RING)
    else:
        ring, problems = _rings_by_fraction(table, settings)
    _note(reasons, kinds, problems, kind=f"{label} says neither ring nor none")
    rows = {"id_str": ids, "ring": ring, "kind": kinds, "reason": reasons}
    return pd.concat([pd.DataFrame(rows), _malformed(table)], ignore_index=True)


def _malformed(table: Table) -> pd.DataFrame:
    """Rows of a csv file with too many or too few fields."""
    reasons = [f"{table.path}: {reason}" for _, reason in table.malformed]
    return pd.DataFrame(
        {
            "id_str": pd.Series(
                [known.get("id_str", "") for known, _ in table.malformed], dtype="str"
            ),
            "ring": np.zeros(len(reasons), dtype=np.int64),
            "kind": pd.Series(["wrong number of fields"] * len(reasons), dtype=object),
            "reason": pd.Series(reasons, dtype=object),
        }
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


def _survey_locations(survey: Sequence[str | Path]) -> pd.Series:
    """Image of each of the survey's galaxies, file_loc by id_str."""
    columns = ["id_str", "file_loc"]
    galaxies = pd.concat([pd.read_parquet(path, columns=columns) for path in survey])
    _log.info("read %d galaxies of the survey", len(galaxies))
    return galaxies.set_index("id_str")["file_loc"]


def _reject_duplicates(rows: pd.DataFrame) -> None:
    again = (first_rows(rows["id_str"]) < np.arange(len(rows))) & (rows["reason"] == "")
    rows.loc[again, "kind"] = "id_str repeats"
    rows.loc[again, "reason"] = [
        f"id_str: {galaxy!r} stands already in an earlier row, expected each id once"
        for galaxy in rows.loc[again, "id_str"]
    ]


def _reject_unknown(rows: pd.DataFrame, locations: pd.Series) -> None:
    unknown = ~rows["id_str"].isin(locations.index) & (rows["reason"] == "")
    rows.loc[unknown, "kind"] = "not in the survey"
    rows.loc[unknown, "reason"] = [
        f"id_str: {galaxy!r} is not in the survey, expected one of its galaxies"
        for galaxy in rows.loc[unknown, "id_str"]
    ]


def _check_totals(n_rows: int, chosen: pd.DataFrame, bad: pd.DataFrame) -> None:
    n_rings = int(chosen["ring"].sum())
    _log.info(
        "%d rows in = %d rings + %d without + %d rejected",
        *(n_rows, n_rings, len(chosen) - n_rings, len(bad)),
    )
    if len(bad):
        _log.info("rejected: %s", most_common(bad["kind"], n=10))
    if len(chosen) + len(bad) != n_rows:
        raise ValueError(
            f"rows: found {n_rows} in the tables, but {len(chosen)} chosen + "
            f"{len(bad)} rejected; expected them to agree"
        )


def _check_classes(chosen: pd.DataFrame, bad: pd.DataFrame) -> None:
    counts = {
        (part, ring): int(((chosen["part"] == part) & (chosen["ring"] == ring)).sum())
        for part in ("train", "val", "test")
        for ring in (1, 0)
    }
    if min(counts.values()) == 0:
        found = "; ".join(
            f"{part}: {counts[part, 1]} rings, {counts[part, 0]} without"
            for part in ("train", "val", "test")
        )
        raise ValueError(
            f"prepare_ring_catalog: found {found}; expected both kinds in every part. "
            f"{len(bad)} rows were rejected ({most_common(bad['kind'])}): loosen the "
            "cuts, or add galaxies"
        )


def _write_csv(table: pd.DataFrame, path: str | Path) -> None:
    with written_whole(path) as beside:
        table.to_csv(beside, index=False)
    _log.info("wrote %d rows to %s", len(table), path)
