"""Ring catalogues: galaxies of the survey whose labels a model is finetuned to tell."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.data_utils.repeated_ids import IdHashes, Repeats
from zoobot.data_utils.ring_labels import columns_of, read_labelled
from zoobot.data_utils.splits import part_of
from zoobot.settings.rings import PrepareRingCatalog
from zoobot.tables.parquet_pieces import read_batches
from zoobot.tables.read_tables import most_common
from zoobot.tables.table_writers import csv_writer

__all__ = ["prepare_ring_catalog"]

_log = logging.getLogger(__name__)


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
    """Choose galaxies with labels, and say of all others what is wrong.

    These are rings and galaxies without, by their cuts, or what a catalogue of a user's
    own says.

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
        csv to write: id_str, file_loc, the labels (ring is 1 or 0), part.
    rejected : path
        csv to write: id_str, reason.
    train, val, seed : float, float, int
        As in split_catalog.

    Raises
    ------
    ValueError
        If a table lacks a column, or a part lacks a class or has no galaxy.
    """
    paths = [Path(data_folder) / path for path in settings.catalogs]
    hashes, passed = _read_ids(paths, settings)
    locations = _survey_locations(survey, of=passed)
    with csv_writer(rejected, columns=["id_str", "reason"]) as write_rejected:
        tables = (
            rows for path in paths for rows in read_labelled(path, settings=settings)
        )
        judged = _reject(tables, hashes.repeats(), locations)
        columns = columns_of(settings)
        good, kinds = _sort_out(judged, write_rejected, columns)
        parts = [
            part_of(one, train=train, val=val, seed=seed) for one in good["id_str"]
        ]
        chosen = pd.DataFrame(
            {
                "id_str": good["id_str"],
                "file_loc": good["id_str"].map(locations),
                **{name: good[name] for name in columns},
                "part": pd.Series(parts, dtype="str"),
            }
        )
        _check_totals(len(hashes), chosen, kinds)
        _check_classes(chosen, kinds, settings)
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
        for rows in read_labelled(path, settings=settings):
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
    tables: Iterable[pd.DataFrame],
    write_rejected: Callable[[pd.DataFrame], None],
    columns: list[str],
) -> tuple[pd.DataFrame, Counter[str]]:
    """Write the rejected rows; give the others, and how many of each kind are bad."""
    kinds: Counter[str] = Counter()
    good = []
    for rows in tables:
        is_good = rows["reason"] == ""
        good.append(rows.loc[is_good, ["id_str", *columns]])
        write_rejected(rows[~is_good])
        kinds.update(rows["rejected_as"][~is_good])
    return pd.concat(good, ignore_index=True), kinds


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
    rows.loc[again, "rejected_as"] = "id_str repeats"
    rows.loc[again, "reason"] = [
        f"id_str: {galaxy!r} stands already in an earlier row, expected each id once"
        for galaxy in rows.loc[again, "id_str"]
    ]


def _reject_unknown(rows: pd.DataFrame, locations: Mapping[str, str]) -> None:
    is_known = [galaxy in locations for galaxy in rows["id_str"]]
    unknown = ~np.array(is_known, dtype=bool) & (rows["reason"] == "")
    rows.loc[unknown, "rejected_as"] = "not in the survey"
    rows.loc[unknown, "reason"] = [
        f"id_str: {galaxy!r} is not in the survey, expected one of its galaxies"
        for galaxy in rows.loc[unknown, "id_str"]
    ]


def _check_totals(n_rows: int, chosen: pd.DataFrame, rejected: Counter[str]) -> None:
    n_rejected = rejected.total()
    _log.info(
        "%d rows in = %d with labels + %d rejected", n_rows, len(chosen), n_rejected
    )
    if rejected:
        _log.info("rejected: %s", most_common(rejected, n=10))
    if len(chosen) + n_rejected != n_rows:
        raise ValueError(
            f"rows: found {n_rows} in the tables, but {len(chosen)} chosen + "
            f"{n_rejected} rejected; expected them to agree"
        )


def _check_classes(
    chosen: pd.DataFrame, rejected: Counter[str], settings: PrepareRingCatalog
) -> None:
    """Every part must have galaxies, and those of classes must differ."""
    is_class = settings.task in ("binary", "classes")
    labels = chosen[settings.label] if is_class else pd.Series(0, chosen.index)
    names = [0, 1] if settings.task == "binary" else sorted(labels.unique())
    n_least = {"train": len(names), "val": 2, "test": 2} if is_class else {}
    counts = {
        part: labels[chosen["part"] == part].value_counts().reindex(names, fill_value=0)
        for part in ("train", "val", "test")
    }
    _log.info("galaxies: %s", "; ".join(_counts(counts, settings)))
    if any(
        (count > 0).sum() < max(1, n_least.get(part, 1))
        for part, count in counts.items()
    ):
        expected = "both kinds in every part"
        if settings.task == "classes":
            expected = "two classes or more in every part, and all of them in train"
        elif not is_class:
            expected = "galaxies in every part"
        raise ValueError(
            f"prepare_ring_catalog: found {'; '.join(_counts(counts, settings))}; "
            f"expected {expected}. {rejected.total()} rows were rejected "
            f"({most_common(rejected)}): loosen the cuts, or add galaxies"
        )


def _counts(counts: dict[str, pd.Series], settings: PrepareRingCatalog) -> list[str]:
    """How many galaxies of each kind are in each part, in words."""
    if settings.kind != "own":
        return [f"{p}: {n[1]} rings, {n[0]} without" for p, n in counts.items()]
    if settings.task in ("binary", "classes"):
        return [
            f"{part}: "
            + ", ".join(
                f"{n} of {settings.label} {name}" for name, n in of_part.items()
            )
            for part, of_part in counts.items()
        ]
    return [f"{part}: {of_part.sum()}" for part, of_part in counts.items()]
