"""Which columns of a user's table are which of ours, by the settings and its header."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from zoobot.data_utils.file_names import FileNames
from zoobot.data_utils.image_columns import FILE_LOC, ImageColumns, find_image_columns
from zoobot.data_utils.presets import Preset, fitting_presets, get_preset
from zoobot.schemas import Schema
from zoobot.settings.catalog import PrepareCatalog, known_image_columns
from zoobot.tables.read_tables import column_names, read_pieces

__all__ = ["Layout", "Layouts"]


@dataclasses.dataclass(frozen=True)
class Layout:
    """How one table is read."""

    names: dict[str, str]
    """Columns to read: names here and in the table."""
    images: ImageColumns
    """Columns that say where images are; none if `file_names` do."""
    folder: Path
    """Where relative paths of images start."""
    label_cols: list[str]
    """Columns of votes; empty if it has none."""
    suffix: str = ""
    """What ``file_loc`` lacks at its end."""
    file_names: FileNames | None = None
    """Says what images are called, if the table does not."""
    schema: Schema | None = None
    """The decision tree of a preset."""
    totals: dict[str, str] = dataclasses.field(default_factory=dict)
    """By question of that tree the column of all its votes."""
    volunteers: int = 0
    """How many volunteers' votes fractions become; 0 if there are votes."""


class Layouts:
    """Finds the layouts of all tables of a survey.

    Parameters
    ----------
    settings : PrepareCatalog
        What the tables call their columns.
    data_folder : Path
        Where relative paths of settings start.
    label_cols : list of str
        Columns of votes in labelled tables.
    bands : sequence of str
        Bands that images are made of.

    Raises
    ------
    ValueError
        If the settings do not fit the decision tree or the bands.
    """

    def __init__(
        self,
        settings: PrepareCatalog,
        *,
        data_folder: Path,
        label_cols: list[str],
        bands: Sequence[str],
    ) -> None:
        settings.check_names(label_cols=label_cols, bands=bands)
        self._settings = settings
        self._data_folder = data_folder
        self._bands = bands
        self._preset: Preset | None = None
        if settings.preset != "none":
            self._preset = get_preset(settings.preset)
        columns = self._preset.columns if self._preset else {}
        self._columns: Mapping[str, str] = columns | settings.columns
        self._strict = set(columns) - {"id_str", FILE_LOC}
        self._unused = dict(settings.columns)
        self._file_names = self._find_file_names()

    def find(self, path: Path, *, label_cols: list[str]) -> Layout:
        """Find a table's layout from its header.

        Parameters
        ----------
        path : Path
            The table.
        label_cols : list of str
            Columns of votes that it should have.

        Raises
        ------
        ValueError
            If it cannot be read or lacks a column.
        """
        found = column_names(path)
        images = self._find_images(found)
        columns = ["id_str", *images.names, *label_cols]
        names = {name: self._name_in(found, name) for name in columns}
        if not set(names.values()) <= set(found):
            self._say_what_is_missing(path, names, found)
        for name, column in self._columns.items():
            if column in found:
                self._unused.pop(name, None)
        layout = Layout(names, images, self._folder(path), label_cols)
        if not images.paths and self._file_names:
            layout = dataclasses.replace(
                layout,
                suffix=self._suffix,
                file_names=self._file_names,
                folder=self._folder(self._file_names.path),
            )
        elif names.get(FILE_LOC) == self._columns.get(FILE_LOC, FILE_LOC):
            layout = dataclasses.replace(layout, suffix=self._suffix)
        return self._with_votes(layout, found) if label_cols else layout

    def check_all_used(self) -> None:
        """Refuse columns of the settings that no table had: they are misspelt."""
        for name, column in self._unused.items():
            raise ValueError(
                f"prepare_catalog.columns: {name}: found {column!r}, which is a column "
                "of none of the tables; expected one of at least one of them"
            )

    def _with_votes(self, layout: Layout, found: Sequence[str]) -> Layout:
        """A labelled table's layout, with what a preset knows of votes."""
        preset = self._preset
        if preset is None:
            return layout
        totals = {q: column for q, column in preset.totals.items() if column in found}
        return dataclasses.replace(
            layout,
            names=layout.names | {column: column for column in totals.values()},
            schema=preset.schema,
            totals=totals,
            volunteers=self._settings.volunteers if preset.has_fractions else 0,
        )

    def _find_file_names(self) -> FileNames | None:
        if not self._settings.file_loc_table:
            return None
        columns = {"id_str": "id_str", FILE_LOC: FILE_LOC}
        if self._preset and self._preset.file_table:
            columns = self._preset.file_table
        names = FileNames(self._data_folder / self._settings.file_loc_table, columns)
        next(read_pieces(names.path, columns=columns))  # Says what is missing.
        return names

    def _find_images(self, found: Sequence[str]) -> ImageColumns:
        known = known_image_columns(self._bands)
        there = [name for name in known if self._name_in(found, name) in found]
        if self._file_names and FILE_LOC not in there:
            return ImageColumns(())
        return find_image_columns(there, bands=self._bands)

    def _name_in(self, found: Sequence[str], name: str) -> str:
        """What a table calls a column; tables that have ours need no other name.

        But for the votes of a preset: ours may be counts where its are fractions.
        """
        column = self._columns.get(name, name)
        if column in found or name not in found or name in self._strict:
            return column
        return name

    @property
    def _suffix(self) -> str:
        if self._settings.file_loc_suffix or not self._preset:
            return self._settings.file_loc_suffix
        return "" if FILE_LOC in self._settings.columns else self._preset.suffix

    def _folder(self, table: Path) -> Path:
        folder = self._settings.file_loc_folder
        return self._data_folder / folder if folder else table.parent

    def _say_what_is_missing(
        self, path: Path, names: Mapping[str, str], found: Sequence[str]
    ) -> None:
        try:
            # Its own error is better, if the header is none or is another's.
            next(read_pieces(path, columns=names))
        except ValueError as error:
            hints = "".join(f". {hint}" for hint in self._hints(names, found))
            raise ValueError(f"{error}{hints}") from None

    def _hints(self, names: Mapping[str, str], found: Sequence[str]) -> list[str]:
        hints = []
        missing = {name: one for name, one in names.items() if one not in found}
        if self._preset:
            fitting = fitting_presets(found)
            hints.append(
                f"prepare_catalog.preset is {self._preset.name}, for the columns of "
                f"{self._preset.table}; these are those of preset "
                f"{' or '.join(fitting) or 'none'}"
            )
        for name in self._settings.columns:
            if name in missing:
                hints.append(f"prepare_catalog.columns: {name} is {missing[name]!r}")
        if FILE_LOC in missing and self._bands:
            files = ", ".join(f"{FILE_LOC}_{band}" for band in self._bands)
            hints.append(f"In place of file_loc: {files}; or ra, dec, mosaic")
        return hints
