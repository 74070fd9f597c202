"""The survey's galaxies, from the user's tables and folders of images.

Every row that goes in comes out as a labelled galaxy, as an unlabelled galaxy, or as a
rejected row with its reason.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.data_utils.columns import as_votes
from zoobot.data_utils.images import check_image
from zoobot.data_utils.tables import (
    Table,
    as_ids,
    as_text,
    first_rows,
    most_common,
    read_table,
)
from zoobot.files import written_whole
from zoobot.logs import track
from zoobot.schemas import Schema, get_schema
from zoobot.settings.catalog import PrepareCatalog

__all__ = ["prepare_catalog"]

_IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg"}
_IMAGES_AT_A_TIME = 1024
_ROWS_IN_GROUP = 8192
_log = logging.getLogger(__name__)


@dataclasses.dataclass
class _Rows:
    """Rows of one or several sources, good and bad."""

    table: pd.DataFrame
    """id_str, file_loc (absolute), source, kind and reason; both empty in good rows."""
    votes: np.ndarray
    """(n_rows, n_answers) int64 for labelled rows, (n_rows, 0) for others."""

    def reject(
        self,
        rows: np.ndarray,
        *,
        kind: str | Sequence[str],
        reasons: Sequence[str] | np.ndarray,
    ) -> None:
        """Give rows, by position, their reason, unless they have one already."""
        table = self.table
        good = table["reason"].to_numpy()[rows] == ""
        kinds = [kind] * len(rows) if isinstance(kind, str) else kind
        for column, values in {"kind": kinds, "reason": reasons}.items():
            texts = table[column].to_numpy(dtype=object, copy=True)
            texts[rows[good]] = np.array(values, dtype=object)[good]
            table[column] = texts

    @property
    def good(self) -> np.ndarray:
        """Positions of the rows with which nothing is wrong."""
        return np.flatnonzero(self.table["reason"] == "")


def prepare_catalog(
    settings: PrepareCatalog,
    *,
    schema: str | Schema,
    data_folder: str | Path,
    labelled: str | Path,
    unlabelled: str | Path,
    rejected: str | Path,
    threads: int = 1,
) -> None:
    """Check tables, votes and images, and write the survey's galaxies.

    A labelled galaxy that nobody voted on becomes an unlabelled one. Of rows with the
    same id the first stays. Relative tables and image folders lie below `data_folder`,
    a relative ``file_loc`` below the folder of its table.

    Parameters
    ----------
    settings : PrepareCatalog
        Tables and folders.
    schema : str or Schema
        Decision tree, or its name, or its YAML file; its label columns are the votes.
    data_folder : str or Path
        Where relative paths start.
    labelled, unlabelled, rejected : str or Path
        Files to write: parquet, parquet and csv.
    threads : int
        Images decoded at the same time.

    Raises
    ------
    ValueError
        If a table lacks a column or cannot be read, a folder holds no image, or no
        galaxy is left.
    """
    schema = schema if isinstance(schema, Schema) else get_schema(schema)
    with_votes, without = _read_sources(settings, Path(data_folder), schema.label_cols)
    both = [with_votes, without]
    _reject_duplicates(both)
    _reject_bad_images(both, threads)
    galaxies = _labelled_galaxies(with_votes, schema.label_cols)
    voted = galaxies[schema.label_cols].to_numpy().any(axis=1)
    to_predict = _concat([galaxies[~voted], without.table.iloc[without.good]])
    bad = _concat([rows.table[rows.table["reason"] != ""] for rows in both])
    n_rows = len(with_votes.table) + len(without.table)
    _check_totals(n_rows, [galaxies[voted], to_predict], bad)
    _write_parquet(
        galaxies[voted], ["id_str", "file_loc", *schema.label_cols], labelled
    )
    _write_parquet(to_predict, ["id_str", "file_loc"], unlabelled)
    with written_whole(rejected) as beside:
        bad[["id_str", "file_loc", "reason"]].to_csv(beside, index=False)


def _read_sources(
    settings: PrepareCatalog, data_folder: Path, label_cols: list[str]
) -> tuple[_Rows, _Rows]:
    """Read all sources: the rows with votes, and the others."""
    with_votes = [
        _read_catalog(data_folder / path, label_cols)
        for path in settings.labelled_catalogs
    ]
    without = [
        _read_catalog(data_folder / path, []) for path in settings.unlabelled_catalogs
    ]
    without += [_read_folder(data_folder / path) for path in settings.image_folders]
    return _join(with_votes, len(label_cols)), _join(without, 0)


def _read_catalog(path: Path, label_cols: list[str]) -> _Rows:
    table = read_table(path, columns=["id_str", "file_loc", *label_cols])
    ids, id_reasons = as_ids(table)
    locations = as_text(table, "file_loc").to_numpy(dtype=object)
    rows = _rows(ids, _absolute(locations, path.parent), path)
    _reject_reasons(rows, id_reasons, kind="id_str is no id")
    nowhere = np.flatnonzero(locations == "")
    reasons = ["file_loc: empty, expected the path of an image"] * len(nowhere)
    rows.reject(nowhere, kind="file_loc is empty", reasons=reasons)
    rows.votes = np.zeros((len(ids), len(label_cols)), dtype=np.int64)
    for i, column in enumerate(label_cols):
        rows.votes[:, i], vote_reasons = as_votes(table[column], column)
        _reject_reasons(rows, vote_reasons, kind="a vote count is none")
    return _join([rows, _malformed(table, len(label_cols))], len(label_cols))


def _malformed(table: Table, n_answers: int) -> _Rows:
    """Rows of a csv file with too many or too few fields."""
    fields = [known for known, _ in table.malformed]
    locations = np.array([known.get("file_loc", "") for known in fields], dtype=object)
    ids = [known.get("id_str", "") for known in fields]
    rows = _rows(ids, _absolute(locations, table.path.parent), table.path)
    reasons = [f"{table.path}: {reason}" for _, reason in table.malformed]
    rows.reject(np.arange(len(ids)), kind="wrong number of fields", reasons=reasons)
    rows.votes = np.zeros((len(ids), n_answers), dtype=np.int64)
    return rows


def _read_folder(folder: Path) -> _Rows:
    if not folder.is_dir():
        raise ValueError(
            f"{folder}: expected a folder of png and jpg images, found none"
        )
    paths = sorted(folder.iterdir())
    images = [path for path in paths if path.suffix.lower() in _IMAGE_SUFFIXES]
    if not images:
        raise ValueError(
            f"{folder}: expected png or jpg files in this folder, found none among its "
            f"{len(paths)} entries"
        )
    ignored = len(paths) - len(images)
    _log.info("found %d images in %s, %d other entries", len(images), folder, ignored)
    locations = np.array([str(path.absolute()) for path in images], dtype=object)
    return _rows([path.stem for path in images], locations, folder)


def _absolute(locations: np.ndarray, folder: Path) -> list[str]:
    """Absolute paths; symbolic links stay, as a user knows files by their names."""
    folder_name = str(folder.absolute())
    return [
        os.path.normpath(os.path.join(folder_name, loc)) if loc else ""  # noqa: PTH118
        for loc in locations
    ]


def _rows(
    ids: Sequence[str], locations: Sequence[str] | np.ndarray, source: Path
) -> _Rows:
    columns = {
        "id_str": pd.Series(ids, dtype="str"),
        "file_loc": pd.Series(locations, dtype="str"),
        "source": pd.Categorical([str(source)] * len(ids)),
        "kind": pd.Series([""] * len(ids), dtype="object"),
        "reason": pd.Series([""] * len(ids), dtype="object"),
    }
    return _Rows(pd.DataFrame(columns), np.zeros((len(ids), 0), dtype=np.int64))


def _join(parts: list[_Rows], n_answers: int) -> _Rows:
    none = _rows([], [], Path())
    votes = [np.zeros((0, n_answers), dtype=np.int64), *(part.votes for part in parts)]
    tables = [part.table for part in parts] or [none.table]
    return _Rows(_concat(tables), np.concatenate(votes))


def _concat(tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)


def _reject_reasons(rows: _Rows, reasons: np.ndarray, *, kind: str) -> None:
    bad = np.flatnonzero(reasons != "")
    rows.reject(bad, kind=kind, reasons=reasons[bad])


def _reject_duplicates(parts: list[_Rows]) -> None:
    everything = _concat([rows.table for rows in parts])
    ids = everything["id_str"]
    first = first_rows(ids)
    start = 0
    for rows in parts:
        here = np.arange(start, start + len(rows.table))
        again = here[first[here] < here]
        sources = everything["source"].to_numpy()[first[again]]
        reasons = [
            f"id_str: {galaxy!r} stands already in {source}, expected each id once"
            for galaxy, source in zip(ids.to_numpy()[again], sources, strict=True)
        ]
        rows.reject(again - start, kind="id_str repeats", reasons=reasons)
        start += len(rows.table)


def _reject_bad_images(parts: list[_Rows], threads: int) -> None:
    n_images = sum(len(rows.good) for rows in parts)
    paths = (path for rows in parts for path in rows.table["file_loc"].iloc[rows.good])
    reasons = track(_image_reasons(paths, threads), total=n_images, what="images")
    for rows in parts:
        checked = rows.good
        found = list(itertools.islice(reasons, len(checked)))
        bad = {i: reason for i, reason in enumerate(found) if reason is not None}
        rows.reject(
            checked[list(bad)],
            kind=[reason.partition(" (")[0] for reason in bad.values()],
            reasons=[f"file_loc: {reason}" for reason in bad.values()],
        )
    next(reasons, None)  # Lets the progress come to its end.


def _image_reasons(paths: Iterable[str], threads: int) -> Iterator[str | None]:
    """Check images, a bounded number ahead of the reader."""
    paths = iter(paths)
    with ThreadPoolExecutor(threads) as pool:
        while batch := list(itertools.islice(paths, _IMAGES_AT_A_TIME)):
            yield from pool.map(check_image, batch)


def _labelled_galaxies(rows: _Rows, label_cols: list[str]) -> pd.DataFrame:
    votes = pd.DataFrame(rows.votes[rows.good], columns=label_cols)
    return rows.table.iloc[rows.good].reset_index(drop=True).join(votes)


def _check_totals(n_rows: int, kept: list[pd.DataFrame], bad: pd.DataFrame) -> None:
    n_labelled, n_unlabelled = (len(table) for table in kept)
    _log.info(
        "%d rows in = %d labelled + %d unlabelled + %d rejected",
        *(n_rows, n_labelled, n_unlabelled, len(bad)),
    )
    for kind, count in bad["kind"].value_counts().items():
        _log.info("rejected, %s: %d rows", kind, count)
    if n_labelled + n_unlabelled + len(bad) != n_rows:
        raise ValueError(
            f"rows: found {n_rows} in the tables, but {n_labelled} labelled + "
            f"{n_unlabelled} unlabelled + {len(bad)} rejected; expected them to agree"
        )
    if n_labelled + n_unlabelled == 0:
        why = (
            f" ({most_common(bad['kind'])}; as {bad['reason'].iloc[0]})"
            if n_rows
            else ""
        )
        raise ValueError(f"no galaxy left: all {n_rows} rows rejected{why}")


def _write_parquet(table: pd.DataFrame, columns: list[str], path: str | Path) -> None:
    with written_whole(path) as beside:
        # Groups of rows that readers can take one at a time.
        table[columns].to_parquet(beside, index=False, row_group_size=_ROWS_IN_GROUP)
    _log.info("wrote %d galaxies to %s", len(table), path)
