"""Where a survey's galaxies come from: tables and folders, read some rows at a time."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.data_utils.columns import as_votes
from zoobot.data_utils.image_columns import (
    FILE_LOC,
    ImageColumns,
    as_sky,
    find_image_columns,
)
from zoobot.data_utils.image_folders import Folder, find_images
from zoobot.data_utils.survey_rows import Rows, good_rows
from zoobot.data_utils.tables import (
    Table,
    as_ids,
    as_text,
    column_names,
    read_pieces,
)
from zoobot.settings.catalog import PrepareCatalog

__all__ = ["Rows", "Source", "TableFile", "find_sources"]

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TableFile:
    """A table of galaxies."""

    path: Path
    label_cols: list[str]
    """Columns of votes; empty if it has none."""
    images: ImageColumns
    """Columns that say where the images are."""

    def ids(self) -> Iterator[Sequence[str]]:
        """Give the ids of all rows, some at a time, in the order of `rows`."""
        n_rows = 0
        for table in self._pieces():
            for column in self.images.paths:
                as_text(table, column)  # Says that the column has a wrong type.
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
        columns = ["id_str", *self.images.names, *self.label_cols]
        return read_pieces(self.path, columns=columns)

    def _checked(self, table: Table) -> Rows:
        ids, id_reasons = as_ids(table)
        paths = {column: as_text(table, column) for column in self.images.paths}
        sky = {
            column: as_sky(table[column], column, name=table.name_of(column))
            for column in self.images.numbers
        }
        rows = self._rows(ids, paths, {column: sky[column][0] for column in sky})
        rows.reject_reasons(id_reasons, kind="id_str is no id")
        for column, locations in paths.items():
            nowhere = np.flatnonzero(locations == "")
            reason = f"{table.name_of(column)}: empty, expected the path of an image"
            reasons = [reason] * len(nowhere)
            rows.reject(nowhere, kind=f"{column} is empty", reasons=reasons)
        for column, (_, sky_reasons) in sky.items():
            rows.reject_reasons(sky_reasons, kind=f"{column} is no such number")
        for column in self.label_cols:
            name = table.name_of(column)
            rows.votes[column], vote_reasons = as_votes(table[column], name)
            rows.reject_reasons(vote_reasons, kind="a vote count is none")
        return rows

    def _malformed(self, table: Table) -> Rows:
        """Rows of a csv file that cannot be read."""
        paths = {column: _fields(table, column) for column in self.images.paths}
        numbers = {
            column: np.full(len(table.malformed), np.nan)
            for column in self.images.numbers
        }
        rows = self._rows(_fields(table, "id_str"), paths, numbers)
        reasons = [f"{self.path}: {reason}" for _, reason in table.malformed]
        everyone = np.arange(len(rows))
        rows.reject(everyone, kind="malformed row", reasons=reasons)
        return rows

    def _rows(
        self,
        ids: Sequence[str],
        paths: Mapping[str, Sequence[str]],
        numbers: Mapping[str, np.ndarray],
    ) -> Rows:
        absolute = {
            column: _absolute(locations, self.path.parent)
            for column, locations in paths.items()
        }
        file_loc = absolute.pop(FILE_LOC, [""] * len(ids))
        rows = good_rows(ids, file_loc, votes=dict.fromkeys(self.label_cols, 0))
        for column, locations in absolute.items():
            rows.table[column] = pd.Series(locations, dtype="str")
        for column, values in numbers.items():
            rows.table[column] = values
        return rows


Source = TableFile | Folder


def find_sources(
    settings: PrepareCatalog,
    *,
    data_folder: Path,
    label_cols: list[str],
    bands: Sequence[str] = (),
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
    bands : sequence of str
        Bands that images are made of, of tables that have no ``file_loc``: then they
        may have what `Rows` says in its place. Without, each must have ``file_loc``.

    Raises
    ------
    ValueError
        If a table is missing or cannot be read, or a folder is missing or holds no
        image.
    """

    def table(name: str, votes: list[str]) -> TableFile:
        path = data_folder / name
        return TableFile(
            path, votes, find_image_columns(column_names(path), bands=bands)
        )

    return [
        *(table(one, label_cols) for one in settings.labelled_catalogs),
        *(table(one, []) for one in settings.unlabelled_catalogs),
        *(find_images(data_folder / one) for one in settings.image_folders),
    ]


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
