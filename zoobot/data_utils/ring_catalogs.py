"""Ring catalogues: galaxies that are rings, and galaxies that surely are not.

References
----------
Walmsley et al. 2022, arXiv 2110.12735, section 4.2: the cuts.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.data_utils.columns import as_flags, as_fractions
from zoobot.data_utils.parquet_pieces import read_batches
from zoobot.data_utils.repeated_ids import IdHashes, Repeats
from zoobot.data_utils.splits import part_of
from zoobot.data_utils.table_writers import csv_writer
from zoobot.data_utils.tables import Table, as_ids, most_common, read_pieces
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
    paths = [Path(data_folder) / path for path in settings.catalogs]
    hashes, passed = _read_ids(paths, settings)
    locations = _survey_locations(survey, of=passed)
    with csv_writer(rejected, columns=["id_str", "reason"]) as write_rejected:
        tables = (rows for path in paths for rows in _read(path, settings))
        judged = _reject(tables, hashes.repeats(), locations)
        good, kinds = _sort_out(judged, write_rejected)
        parts = [
            part_of(one, train=train, val=val, seed=seed) for one in good["id_str"]
        ]
        chosen = pd.DataFrame(
            {
                "id_str": good["id_str"],
                "file_loc": good["id_str"].map(locations),
                "ring": good["ring"],
                "part": pd.Series(parts, dtype="str"),
            }
        )
        _check_totals(len(hashes), chosen, kinds)
        _check_classes(chosen, kinds)
    with csv_writer(catalog, columns=list(chosen)) as write_chosen:
        write_chosen(chosen)
    _log.info("wrote %d rows to %s", len(chosen), catalog)
    _log.info("wrote %d rows to %s", kinds.total(), rejected)


def _read_ids(
    paths: list[Path], settings: PrepareRingCatalog
) -> tuple[IdHashes, set[str]]:
    """Go over all tables once: hashes of all ids, and the ids that pass the cuts."""
    hashes = IdHashes()
    passed: set[str] = set()
    for path in paths:
        start = len(hashes)
        for rows in _read(path, settings):
            hashes.add(rows["id_str"])
            passed.update(rows["id_str"][rows["reason"] == ""])
        _log.info("read %s: %d rows", path, len(hashes) - start)
    return hashes, passed


def _reject(
    tables: Iterable[pd.DataFrame], repeats: Repeats, locations: Mapping[str, str]
) -> Iterator[pd.DataFrame]:
    """Reject what a row alone does not show: repeats, galaxies not in the survey."""
    start = 0
    for rows in tables:
        _reject_repeats(rows, repeats.within(start, n_rows=len(rows)))
        _reject_unknown(rows, locations)
        yield rows
        start += len(rows)


def _sort_out(
    tables: Iterable[pd.DataFrame], write_rejected: Callable[[pd.DataFrame], None]
) -> tuple[pd.DataFrame, Counter[str]]:
    """Write the rejected rows; give the others, and how many of each kind are bad."""
    kinds: Counter[str] = Counter()
    good = []
    for rows in tables:
        is_good = rows["reason"] == ""
        good.append(rows.loc[is_good, ["id_str", "ring"]])
        write_rejected(rows[~is_good])
        kinds.update(rows["kind"][~is_good])
    return pd.concat(good, ignore_index=True), kinds


def _read(path: Path, settings: PrepareRingCatalog) -> Iterator[pd.DataFrame]:
    """Read one table: id_str, ring, and reason and kind where a row fails a cut."""
    cuts = [
        _Cut(_FEATURED, settings.featured_fraction_min),
        _Cut(_FACE_ON, settings.face_on_fraction_min),
    ]
    if settings.kind == "basic":
        cuts.append(_Cut(_NO_SPIRAL, settings.no_spiral_fraction_min))
    columns = ["id_str", *(cut.column for cut in cuts), _label(settings)]
    for table in read_pieces(path, columns=columns):
        yield _judged(table, cuts, settings)
        if table.malformed:
            yield _malformed(table)


def _judged(
    table: Table, cuts: list[_Cut], settings: PrepareRingCatalog
) -> pd.DataFrame:
    """Rows with the number of fields of the header."""
    ids, reasons = as_ids(table)
    kinds = np.where(reasons != "", "id_str is no id", "").astype(object)
    for cut in cuts:
        _note(reasons, kinds, _failed_cut(table, cut), kind=f"{cut.column} is too low")
    label = _label(settings)
    if settings.kind == "basic":
        ring, problems = as_flags(table[label], label)
    else:
        ring, problems = _rings_by_fraction(table, settings)
    _note(reasons, kinds, problems, kind=f"{label} says neither ring nor none")
    return pd.DataFrame({"id_str": ids, "ring": ring, "kind": kinds, "reason": reasons})


def _label(settings: PrepareRingCatalog) -> str:
    """Column that says which galaxies are rings."""
    return _RING if settings.kind == "basic" else _RING_FRACTION


def _malformed(table: Table) -> pd.DataFrame:
    """Rows of a csv file that cannot be read."""
    reasons = [f"{table.path}: {reason}" for _, reason in table.malformed]
    return pd.DataFrame(
        {
            "id_str": pd.Series(
                [known.get("id_str", "") for known, _ in table.malformed], dtype="str"
            ),
            "ring": np.zeros(len(reasons), dtype=np.int64),
            "kind": pd.Series(["malformed row"] * len(reasons), dtype=object),
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


def _survey_locations(survey: Sequence[str | Path], *, of: set[str]) -> dict[str, str]:
    """Image of each galaxy of the survey that is asked for, by id_str."""
    locations: dict[str, str] = {}
    n_galaxies = 0
    for path in survey:
        for table in read_batches(path, columns=["id_str", "file_loc"]):
            galaxies = zip(*(column.to_pylist() for column in table), strict=True)
            locations |= {one: location for one, location in galaxies if one in of}
            n_galaxies += len(table)
    _log.info("read %d galaxies of the survey", n_galaxies)
    return locations


def _reject_repeats(rows: pd.DataFrame, repeats: Repeats) -> None:
    again = np.isin(np.arange(len(rows)), repeats.rows) & (rows["reason"] == "")
    rows.loc[again, "kind"] = "id_str repeats"
    rows.loc[again, "reason"] = [
        f"id_str: {galaxy!r} stands already in an earlier row, expected each id once"
        for galaxy in rows.loc[again, "id_str"]
    ]


def _reject_unknown(rows: pd.DataFrame, locations: Mapping[str, str]) -> None:
    is_known = [galaxy in locations for galaxy in rows["id_str"]]
    unknown = ~np.array(is_known, dtype=bool) & (rows["reason"] == "")
    rows.loc[unknown, "kind"] = "not in the survey"
    rows.loc[unknown, "reason"] = [
        f"id_str: {galaxy!r} is not in the survey, expected one of its galaxies"
        for galaxy in rows.loc[unknown, "id_str"]
    ]


def _check_totals(n_rows: int, chosen: pd.DataFrame, rejected: Counter[str]) -> None:
    n_rings = int(chosen["ring"].sum())
    n_rejected = rejected.total()
    _log.info(
        "%d rows in = %d rings + %d without + %d rejected",
        *(n_rows, n_rings, len(chosen) - n_rings, n_rejected),
    )
    if rejected:
        _log.info("rejected: %s", most_common(rejected, n=10))
    if len(chosen) + n_rejected != n_rows:
        raise ValueError(
            f"rows: found {n_rows} in the tables, but {len(chosen)} chosen + "
            f"{n_rejected} rejected; expected them to agree"
        )


def _check_classes(chosen: pd.DataFrame, rejected: Counter[str]) -> None:
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
            f"{rejected.total()} rows were rejected ({most_common(rejected)}): loosen "
            "the cuts, or add galaxies"
        )
