"""Where a survey's galaxies come from: tables and folders, read some rows at a time."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoobot.data_utils.columns import as_votes
from zoobot.data_utils.tables import Table, as_ids, as_text, id_reasons, read_pieces
from zoobot.settings.catalog import PrepareCatalog

__all__ = ["Folder", "Rows", "Source", "TableFile", "find_sources"]

_IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg"}
_FILES_AT_A_TIME = 2048
_log = logging.getLogger(__name__)


@dataclasses.dataclass
class Rows:
    """Some rows of one source, good and bad."""

    table: pd.DataFrame
    """id_str, file_loc (absolute), kind and reason; both empty in good rows."""
    votes: pd.DataFrame
    """(n_rows, n_answers) int64; (n_rows, 0) of sources without votes."""

    def __len__(self) -> int:
        """Count the rows, good and bad."""
        return len(self.table)

    def reject(
        self,
        rows: np.ndarray,
        *,
        kind: str | Sequence[str],
        reasons: Sequence[str] | np.ndarray,
    ) -> None:
        """Give rows, by position, their reason, unless they have one already."""
        if not len(rows):
            return
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


@dataclasses.dataclass(frozen=True)
class TableFile:
    """A csv or parquet table of galaxies."""

    path: Path
    label_cols: list[str]
    """Columns of votes; empty if it has none."""

    def ids(self) -> Iterator[Sequence[str]]:
        """Give the ids of all rows, some at a time, in the order of `rows`."""
        n_rows = 0
        for table in self._pieces():
            as_text(table, "file_loc")  # Says that the column has a wrong type.
            found = [*as_ids(table)[0], *_fields(table, "id_str")]
            n_rows += len(found)
            yield found
        _log.info("read %s: %d rows", self.path, n_rows)

    def rows(self) -> Iterator[Rows]:
        """Give all rows, some at a time, malformed ones last."""
        for table in self._pieces():
            if len(table):
                yield self._checked(table)
            if table.malformed:
                yield self._malformed(table)

    def _pieces(self) -> Iterator[Table]:
        return read_pieces(self.path, columns=["id_str", "file_loc", *self.label_cols])

    def _checked(self, table: Table) -> Rows:
        ids, id_reasons = as_ids(table)
        locations = as_text(table, "file_loc").to_numpy(dtype=object)
        rows = self._rows(ids, locations)
        _reject_reasons(rows, id_reasons, kind="id_str is no id")
        nowhere = np.flatnonzero(locations == "")
        reasons = ["file_loc: empty, expected the path of an image"] * len(nowhere)
        rows.reject(nowhere, kind="file_loc is empty", reasons=reasons)
        for column in self.label_cols:
            rows.votes[column], vote_reasons = as_votes(table[column], column)
            _reject_reasons(rows, vote_reasons, kind="a vote count is none")
        return rows

    def _malformed(self, table: Table) -> Rows:
        """Rows of a csv file that cannot be read."""
        rows = self._rows(_fields(table, "id_str"), _fields(table, "file_loc"))
        reasons = [f"{self.path}: {reason}" for _, reason in table.malformed]
        everyone = np.arange(len(rows))
        rows.reject(everyone, kind="malformed row", reasons=reasons)
        return rows

    def _rows(self, ids: Sequence[str], locations: Sequence[str]) -> Rows:
        votes = dict.fromkeys(self.label_cols, 0)
        return _rows(ids, _absolute(locations, self.path.parent), votes=votes)


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder of images; a file's stem is the galaxy's id."""

    path: Path
    names: pa.Array
    """(n_images,) large_binary: the images, as they are when the folder is found."""

    def ids(self) -> Iterator[Sequence[str]]:
        """Give the ids of all images, some at a time, in the order of `rows`."""
        for rows in self.rows():
            yield rows.table["id_str"]

    def rows(self) -> Iterator[Rows]:
        """Give all images, some at a time, by name."""
        folder = self.path.absolute()
        for start in range(0, len(self.names), _FILES_AT_A_TIME):
            stored = self.names.slice(start, _FILES_AT_A_TIME).to_pylist()
            names = [name.decode(errors="replace") for name in stored]
            # As ids in tables, which spaces around them are not part of.
            ids = pd.Series(
                [Path(name).stem.strip(" \t") for name in names], dtype="str"
            )
            rows = _rows(ids, [str(folder / name) for name in names], votes={})
            _reject_reasons(rows, _name_reasons(stored), kind="file name is not UTF-8")
            _reject_reasons(rows, id_reasons(ids), kind="id_str is no id")
            yield rows


Source = TableFile | Folder


def find_sources(
    settings: PrepareCatalog, *, data_folder: Path, label_cols: list[str]
) -> list[Source]:
    """Find a survey's sources, those with votes first.

    Parameters
    ----------
    settings : PrepareCatalog
        Tables and folders.
    data_folder : Path
        Where relative paths start.
    label_cols : list of str
        Columns of votes in labelled tables.

    Raises
    ------
    ValueError
        If a folder is missing or holds no image.
    """
    return [
        *(
            TableFile(data_folder / one, label_cols)
            for one in settings.labelled_catalogs
        ),
        *(TableFile(data_folder / one, []) for one in settings.unlabelled_catalogs),
        *(_find_images(data_folder / one) for one in settings.image_folders),
    ]


def _find_images(folder: Path) -> Folder:
    if not folder.is_dir():
        raise ValueError(
            f"{folder}: expected a folder of png and jpg images, found none"
        )
    n_entries = 0
    pieces = [pa.array([], pa.large_binary())]
    for names in _listed(folder):
        n_entries += len(names)
        found = [one for one in names if Path(one).suffix.lower() in _IMAGE_SUFFIXES]
        pieces.append(pa.array(map(os.fsencode, found), pa.large_binary()))
    images = pa.chunked_array(pieces).combine_chunks()
    if not len(images):
        raise ValueError(
            f"{folder}: expected png or jpg files in this folder, found none among its "
            f"{n_entries} entries"
        )
    ignored = n_entries - len(images)
    _log.info("found %d images in %s, %d other entries", len(images), folder, ignored)
    return Folder(folder, images.take(pc.sort_indices(images)))


def _listed(folder: Path) -> Iterator[list[str]]:
    """Names of a folder's entries, some at a time: it may have millions."""
    with os.scandir(folder) as entries:
        while some := list(itertools.islice(entries, _FILES_AT_A_TIME)):
            yield [entry.name for entry in some]


def _name_reasons(names: list[bytes]) -> np.ndarray:
    """Say which names of files are not text: no table could hold them."""
    reasons = np.full(len(names), "", dtype=object)
    for row, name in enumerate(names):
        try:
            name.decode()
        except UnicodeDecodeError:
            reasons[row] = f"file_loc: found a file called {name!r}, expected UTF-8"
    return reasons


def _fields(table: Table, column: str) -> list[str]:
    """What could be read of a column in malformed rows."""
    return [known.get(column, "") for known, _ in table.malformed]


def _absolute(locations: Sequence[str], folder: Path) -> list[str]:
    """Absolute paths; symbolic links stay, as a user knows files by their names."""
    folder_name = str(folder.absolute())
    return [
        os.path.normpath(os.path.join(folder_name, loc)) if loc else ""  # noqa: PTH118
        for loc in locations
    ]


def _rows(
    ids: Sequence[str], locations: Sequence[str], *, votes: Mapping[str, int]
) -> Rows:
    columns = {
        "id_str": pd.Series(ids, dtype="str"),
        "file_loc": pd.Series(locations, dtype="str"),
        "kind": pd.Series([""] * len(ids), dtype="object"),
        "reason": pd.Series([""] * len(ids), dtype="object"),
    }
    return Rows(pd.DataFrame(columns), pd.DataFrame(votes, index=range(len(ids))))


def _reject_reasons(rows: Rows, reasons: np.ndarray, *, kind: str) -> None:
    bad = np.flatnonzero(reasons != "")
    rows.reject(bad, kind=kind, reasons=reasons[bad])
