"""Rows of a survey's tables and folders, good and bad."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

__all__ = ["Rows", "good_rows"]


@dataclasses.dataclass
class Rows:
    """Some rows of one source, good and bad."""

    table: pd.DataFrame
    """id_str, file_loc, kind and reason, both of these empty in good rows.

    ``file_loc`` is the absolute path of the image, a text. It is empty in good rows of
    sources whose images have to be made first. These have in addition, for all rows,
    either

    - ``file_loc_<band>`` of every band: absolute path, as a text, of the image in that
      band, or
    - ``ra`` and ``dec``: float64, degrees; ``mosaic``, or ``mosaic_<band>`` of every
      band: absolute path, as a text, of the mosaic that the galaxy is on; and
      ``petro_th50`` and ``petro_th90``, each only if the source has it: float64, radii
      that hold 50% and 90% of the light, arcsec, NaN where there is no value.

    Texts are empty and numbers NaN only in bad rows, but for these radii. All rows of a
    source have the same columns."""
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

    def reject_reasons(self, reasons: np.ndarray, *, kind: str) -> None:
        """Reject the rows for which there is a reason, (n_rows,) object, not empty."""
        bad = np.flatnonzero(reasons != "")
        self.reject(bad, kind=kind, reasons=reasons[bad])

    @property
    def good(self) -> np.ndarray:
        """Positions of the rows with which nothing is wrong."""
        return np.flatnonzero(self.table["reason"] == "")


def good_rows(
    ids: Sequence[str], locations: Sequence[str], *, votes: Mapping[str, int]
) -> Rows:
    """Make rows with which nothing is wrong yet.

    Parameters
    ----------
    ids, locations : sequence of str
        ``id_str`` and ``file_loc`` of each.
    votes : mapping of str to int
        Columns of votes, and one number for all rows of each.
    """
    columns = {
        "id_str": pd.Series(ids, dtype="str"),
        "file_loc": pd.Series(locations, dtype="str"),
        "kind": pd.Series([""] * len(ids), dtype="object"),
        "reason": pd.Series([""] * len(ids), dtype="object"),
    }
    return Rows(pd.DataFrame(columns), pd.DataFrame(votes, index=range(len(ids))))
