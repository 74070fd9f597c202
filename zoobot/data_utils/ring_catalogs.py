"""Ring catalogues: galaxies of the survey whose labels a model is finetuned to tell."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoobot.data_utils.repeated_ids import IdHashes, Repeats
from zoobot.data_utils.ring_labels import check_columns_are_used, read_labelled
from zoobot.data_utils.splits import part_of
from zoobot.settings.rings import PrepareRingCatalog
from zoobot.tables.parquet_pieces import read_batches
from zoobot.tables.read_tables import most_common
from zoobot.tables.table_writers import csv_writer

__all__ = ["prepare_ring_catalog"]

_PARTS = ("train", "val", "test")
_ROWS_IN_PASS = 2**16  # in memory at once
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

    Notes
    -----
    The tables are read twice, the survey once for every 65,536 of their rows, of which
    only these are in memory; of all rows 16 bytes.
    """
    paths = [Path(data_folder) / path for path in settings.catalogs]
    check_columns_are_used(paths, settings=settings)
    hashes = _read_ids(paths, settings)
    tables = (rows for path in paths for rows in read_labelled(path, settings=settings))
    totals = _Totals(settings)
    columns = settings.label_cols
    with (
        csv_writer(rejected, columns=["id_str", "reason"]) as write_rejected,
        csv_writer(
            catalog, columns=["id_str", "file_loc", *columns, "part"]
        ) as write_chosen,
    ):
        for rows in _judged(tables, hashes.repeats(), survey):
            is_good = rows["reason"] == ""
            chosen = rows[is_good].assign(
                part=[
                    part_of(one, train=train, val=val, seed=seed)
                    for one in rows["id_str"][is_good]
                ]
            )
            write_chosen(chosen)
            write_rejected(rows[~is_good])
            totals.add(chosen, bad=rows[~is_good])
        totals.check(n_rows=len(hashes))
    _log.info("wrote %d rows to %s", totals.n_chosen, catalog)
    _log.info("wrote %d rows to %s", totals.rejected.total(), rejected)


def _read_ids(paths: list[Path], settings: PrepareRingCatalog) -> IdHashes:
    """Go over all tables once: what is wrong with one is found before it matters."""
    hashes = IdHashes()
    for path in paths:
        start = len(hashes)
        for rows in read_labelled(path, settings=settings):
            hashes.add(rows["id_str"])
        _log.info("read %s: %d rows", path, len(hashes) - start)
    return hashes


def _judged(
    tables: Iterable[pd.DataFrame], repeats: Repeats, survey: Sequence[str | Path]
) -> Iterator[pd.DataFrame]:
    """Reject what a row alone does not show, and add ``file_loc`` to the others."""
    for some in _in_passes(tables, repeats):
        asked_for = {
            galaxy
            for rows in some
            for galaxy in rows.filter(pc.equal(rows["reason"], ""))[
                "id_str"
            ].to_pylist()
        }
        locations = _survey_locations(survey, of=asked_for)
        for table in some:
            rows = table.to_pandas()
            _reject_unknown(rows, locations)
            yield rows.assign(file_loc=rows["id_str"].map(locations))


def _in_passes(
    tables: Iterable[pd.DataFrame], repeats: Repeats
) -> Iterator[list[pa.Table]]:
    """Collect tables, as the survey is read once for all that are given together."""
    start = 0
    waiting: list[pa.Table] = []  # whose texts take a third of those in pandas
    for rows in tables:
        _reject_repeats(rows, repeats.within(start, n_rows=len(rows)))
        start += len(rows)
        waiting.append(pa.Table.from_pandas(rows, preserve_index=False))
        if sum(map(len, waiting)) >= _ROWS_IN_PASS:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _survey_locations(survey: Sequence[str | Path], *, of: set[str]) -> dict[str, str]:
    """Image of each galaxy of the survey that is asked for, by id_str."""
    locations: dict[str, str] = {}
    for path in survey if of else ():
        for table in read_batches(path, columns=["id_str", "file_loc"]):
            ids = table["id_str"].to_pylist()
            rows = [row for row, one in enumerate(ids) if one in of]
            paths = table["file_loc"].take(rows).to_pylist() if rows else []
            locations |= zip((ids[row] for row in rows), paths, strict=True)
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


@dataclasses.dataclass
class _Totals:
    """Rows written so far."""

    settings: PrepareRingCatalog
    rejected: Counter[str] = dataclasses.field(default_factory=Counter)
    """Rejected rows by kind."""
    chosen: Counter[tuple[str, Any]] = dataclasses.field(default_factory=Counter)
    """Galaxies by part and class, which is 0 for all where labels are no classes."""

    @property
    def n_chosen(self) -> int:
        """Galaxies with labels."""
        return self.chosen.total()

    @property
    def is_class(self) -> bool:
        """Whether labels are classes."""
        return self.settings.task in ("binary", "classes")

    def add(self, chosen: pd.DataFrame, *, bad: pd.DataFrame) -> None:
        """Count rows."""
        self.rejected.update(bad["rejected_as"])
        labels = chosen[self.settings.label] if self.is_class else [0] * len(chosen)
        self.chosen.update(zip(chosen["part"], labels, strict=True))

    def check(self, *, n_rows: int) -> None:
        """Check that all rows were counted, and that there is something to learn."""
        n_rejected = self.rejected.total()
        _log.info(
            "%d rows in = %d with labels + %d rejected",
            *(n_rows, self.n_chosen, n_rejected),
        )
        if self.rejected:
            _log.info("rejected: %s", most_common(self.rejected, n=10))
        if self.n_chosen + n_rejected != n_rows:
            raise ValueError(
                f"rows: found {n_rows} in the tables, but {self.n_chosen} chosen + "
                f"{n_rejected} rejected; expected them to agree"
            )
        self._check_classes()

    def _check_classes(self) -> None:
        """Every part must have galaxies, and those of classes must differ."""
        names = sorted({name for _, name in self.chosen})
        if self.settings.task == "binary":
            names = [0, 1]
        n_least = {"train": len(names), "val": 2, "test": 2} if self.is_class else {}
        counts = {
            part: {name: self.chosen[part, name] for name in names} for part in _PARTS
        }
        found = "; ".join(_counts(counts, self.settings))
        _log.info("galaxies: %s", found)
        if all(
            sum(n > 0 for n in of_part.values()) >= max(1, n_least.get(part, 1))
            for part, of_part in counts.items()
        ):
            return
        expected = "both kinds in every part"
        if self.settings.task == "classes":
            expected = "two classes or more in every part, and all of them in train"
        elif not self.is_class:
            expected = "galaxies in every part"
        raise ValueError(
            f"prepare_ring_catalog: found {found}; expected {expected}. "
            f"{self.rejected.total()} rows were rejected "
            f"({most_common(self.rejected)}): loosen the cuts, or add galaxies"
        )


def _counts(
    counts: dict[str, dict[Any, int]], settings: PrepareRingCatalog
) -> list[str]:
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
    return [f"{part}: {sum(of_part.values())}" for part, of_part in counts.items()]
