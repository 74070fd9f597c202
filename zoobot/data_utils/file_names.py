"""Tables that say what images are called, where a catalogue does not."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.tables.read_tables import as_ids, as_text, read_table

__all__ = ["FileNames"]

_SEVERAL = "\0"  # No id and no name of a file has this.


@dataclasses.dataclass
class FileNames:
    """A table of ids and names of images, in memory from its first use on."""

    path: Path
    columns: Mapping[str, str]
    """What it calls id_str and file_loc."""

    def of(self, ids: pd.Series) -> tuple[pd.Series, np.ndarray]:
        """Find the names of galaxies' images.

        Parameters
        ----------
        ids : pd.Series
            (n_rows,) str.

        Returns
        -------
        names : (n_rows,) str
            Empty where there is none.
        reasons : (n_rows,) object
            Why there is none, or an empty text.

        Raises
        ------
        ValueError
            If the table cannot be read, or lacks a column.
        """
        found = self._names.reindex(ids).reset_index(drop=True)
        reasons = np.full(len(ids), "", dtype=object)
        reasons[found.isna()] = f"file_loc: id is not in {self.path}, expected it there"
        reasons[found == ""] = f"file_loc: no value in {self.path}, expected a name"
        several = f"file_loc: several values in {self.path}, expected one"
        reasons[found == _SEVERAL] = several
        return found.where(reasons == "", "").astype("str"), reasons

    @functools.cached_property
    def _names(self) -> pd.Series:
        table = read_table(self.path, columns=self.columns)
        rows = pd.DataFrame(
            {"id": as_ids(table)[0], "name": as_text(table, "file_loc")}
        ).drop_duplicates()
        rows.loc[rows["id"].duplicated(keep=False), "name"] = _SEVERAL
        return rows.drop_duplicates().set_index("id")["name"]
