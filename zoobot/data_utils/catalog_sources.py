"""Where a survey's galaxies come from: tables and folders, read some rows at a time."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.data_utils.fractions_as_votes import votes_of_fractions
from zoobot.data_utils.image_columns import FILE_LOC, as_sky
from zoobot.data_utils.image_folders import Folder, find_images
from zoobot.data_utils.survey_rows import Rows, good_rows
from zoobot.data_utils.table_layouts import Layout, Layouts
from zoobot.schemas import Schema
from zoobot.settings.catalog import PrepareCatalog
from zoobot.tables.columns import as_fractions, as_votes
from zoobot.tables.read_tables import Table, as_ids, as_text, read_pieces

__all__ = ["Rows", "Source", "TableFile", "find_sources"]

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TableFile:
    """A table of galaxies."""

    path: Path
    layout: Layout
    left_out: Counter[str] = dataclasses.field(default_factory=Counter)
    """By question on how many galaxies its votes were left out, of rows given."""

    def ids(self) -> Iterator[Sequence[str]]:
        """Give the ids of all rows, some at a time, in the order of `rows`."""
        n_rows = 0
        for table in self._pieces():
            for column in self.layout.images.paths:
                as_text(table, column)  # Says that the column has a wrong type.
            found = [*as_ids(table)[0], *_fields(table, "id_str")]
            n_rows += len(found)
            yield found
        _log.info("read %s: %d rows", self.path, n_rows)

    def rows(self) -> Iterator[Rows]:
        """Give all rows, some at a time, malformed ones last."""
        self.left_out.clear()
        for table in self._pieces():
            if len(table):
                yield self._checked(table)
            if table.malformed:
                yield self._malformed(table)
        for question, n in (+self.left_out).items():
            _log.warning(
                "%s: %s: left out the votes on %d galaxies, which are fewer than its "
                "total: some were for answers that are not in the table",
                *(self.path, question, n),
            )

    def _pieces(self) -> Iterator[Table]:
        return read_pieces(self.path, columns=self.layout.names)

    def _checked(self, table: Table) -> Rows:
        ids, id_reasons = as_ids(table)
        images = self.layout.images
        paths = {column: as_text(table, column) for column in images.paths}
        sky = {
            column: as_sky(table[column], column, name=table.name_of(column))
            for column in images.numbers
        }
        if self.layout.file_names:
            paths[FILE_LOC], path_reasons = self.layout.file_names.of(ids)
        rows = self._rows(ids, paths, {column: sky[column][0] for column in sky})
        rows.reject_reasons(id_reasons, kind="id_str is no id")
        if self.layout.file_names:
            rows.reject_reasons(path_reasons, kind="file_loc is not known")
        for column, locations in paths.items():
            nowhere = np.flatnonzero(locations == "")
            reason = f"{table.name_of(column)}: empty, expected the path of an image"
            reasons = [reason] * len(nowhere)
            rows.reject(nowhere, kind=f"{column} is empty", reasons=reasons)
        for column, (_, sky_reasons) in sky.items():
            rows.reject_reasons(sky_reasons, kind=f"{column} is no such number")
        self._add_votes(rows, table)
        return rows

    def _add_votes(self, rows: Rows, table: Table) -> None:
        read = as_fractions if self.layout.volunteers else as_votes
        kind = f"a vote {'fraction' if self.layout.volunteers else 'count'} is none"
        for column in self.layout.label_cols:
            values, reasons = read(table[column], table.name_of(column))
            rows.votes[column] = values
            rows.reject_reasons(reasons, kind=kind)
        schema = self.layout.schema
        if schema is not None and self.layout.volunteers:
            fractions = np.nan_to_num(rows.votes[schema.label_cols].to_numpy())
            rows.votes[schema.label_cols] = votes_of_fractions(
                fractions, schema=schema, volunteers=self.layout.volunteers
            )
        if schema is not None and self.layout.totals:
            self._leave_out_incomplete(rows, table, schema)

    def _leave_out_incomplete(self, rows: Rows, table: Table, schema: Schema) -> None:
        """Take a question as not asked where it had other answers when it was."""
        for question in schema.questions:
            column = self.layout.totals.get(question.text)
            if column is not None:
                totals, reasons = as_votes(table[column], column)
                rows.reject_reasons(reasons, kind="a total of votes is none")
                answers = [answer.label_col for answer in question.answers]
                differs = rows.votes[answers].sum(axis=1).to_numpy() != totals
                differs &= reasons == ""
                rows.votes.loc[differs, answers] = 0
                self.left_out[question.text] += int(differs.sum())

    def _malformed(self, table: Table) -> Rows:
        """Rows that cannot be read."""
        images = self.layout.images
        paths = {column: _fields(table, column) for column in images.paths}
        nothing = np.full(len(table.malformed), np.nan)
        numbers = dict.fromkeys(images.numbers, nothing)
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
        layout = self.layout
        absolute = {
            column: _absolute(
                locations,
                layout.folder,
                suffix=layout.suffix if column == FILE_LOC else "",
            )
            for column, locations in paths.items()
        }
        file_loc = absolute.pop(FILE_LOC, [""] * len(ids))
        rows = good_rows(ids, file_loc, votes=dict.fromkeys(layout.label_cols, 0))
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
        If the settings do not fit, a table is missing, cannot be read or lacks a
        column, or a folder is missing or holds no image.
    """
    layouts = Layouts(
        settings, data_folder=data_folder, label_cols=label_cols, bands=bands
    )
    labelled = [data_folder / one for one in settings.labelled_catalogs]
    others = [data_folder / one for one in settings.unlabelled_catalogs]
    tables = [
        *(TableFile(one, layouts.find(one, label_cols=label_cols)) for one in labelled),
        *(TableFile(one, layouts.find(one, label_cols=[])) for one in others),
    ]
    layouts.check_all_used()
    folders = [find_images(data_folder / one) for one in settings.image_folders]
    return [*tables, *folders]


def _fields(table: Table, column: str) -> list[str]:
    """What could be read of a column in malformed rows."""
    return [known.get(column, "") for known, _ in table.malformed]


def _absolute(locations: Sequence[str], folder: Path, *, suffix: str) -> list[str]:
    """Absolute paths; symbolic links stay, as a user knows files by their names."""
    start = str(folder.absolute())
    return [
        os.path.normpath(os.path.join(start, loc + suffix)) if loc else ""  # noqa: PTH118
        for loc in locations
    ]
