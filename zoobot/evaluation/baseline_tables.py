"""Tables that baselines are fitted to: votes, and statistics of the same galaxies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from zoobot.schemas import Schema
from zoobot.tables.columns import as_votes
from zoobot.tables.read_tables import as_ids, read_pieces, read_table

__all__ = ["read_ids", "read_statistics", "read_votes", "statistics_names"]


def read_ids(path: str | Path) -> pd.Index:
    """Ids of a table of galaxies, (n_galaxies,) str.

    Raises
    ------
    ValueError
        If the table cannot be read, is empty, or an id repeats; the message names the
        file and the id.
    """
    column, _ = as_ids(read_table(path, columns=["id_str"]))
    ids = pd.Index(column)
    if ids.empty:
        raise ValueError(f"{path}: found no galaxy, expected one or more")
    if not ids.is_unique:
        raise ValueError(
            f"{path}: id_str {ids[ids.duplicated()][0]} repeats, expected unique ids"
        )
    return ids


def read_votes(path: str | Path, *, schema: Schema) -> np.ndarray:
    """Votes of a table of galaxies.

    Returns
    -------
    (n_galaxies, n_answers) int
        Counts, of the smallest type of integers that holds them.

    Raises
    ------
    ValueError
        If the table cannot be read, a label column is missing or holds something else.
    """
    pieces = []
    for table in read_pieces(path, columns=["id_str", *schema.label_cols]):
        votes = np.zeros((len(table), len(schema.label_cols)), np.int64)
        for i, column in enumerate(schema.label_cols):
            votes[:, i], reasons = as_votes(table[column], column)
            if (reasons != "").any():
                row = int(np.argmax(reasons != ""))
                raise ValueError(
                    f"{path}: id_str {table['id_str'][row]}: {reasons[row]}"
                )
        pieces.append(votes.astype(np.min_scalar_type(votes.max(initial=0))))
    return np.concatenate(pieces)


def statistics_names(path: str | Path) -> list[str]:
    """Columns of a table of statistics, (n_statistics,), all but id_str."""
    read_table(path, columns=["id_str"])  # Says what a bad file is.
    return [name for name in pq.read_schema(path).names if name != "id_str"]


def read_statistics(
    paths: Sequence[str | Path],
    *,
    names: Sequence[str],
    ids: pd.Index,
    galaxies: str | Path,
) -> np.ndarray:
    """Statistics of some galaxies, in their order.

    Parameters
    ----------
    paths : sequence of path
        Parquet tables with id_str and columns of numbers, one in memory at a time;
        galaxies other than those of `ids` are not used.
    names : (n_statistics,) sequence of str
        Columns to read.
    ids : (n_galaxies,) Index
        Galaxies.
    galaxies : path
        The table that `ids` are from, for the message.

    Returns
    -------
    (n_galaxies, n_statistics) float32
        Their statistics.

    Raises
    ------
    ValueError
        If there is no file, one lacks a column, a galaxy has no statistics or two rows
        of them, or a value is not a finite number; the message names the file and the
        id.
    """
    if not paths:
        raise ValueError("statistics: found no file, expected one or more")
    statistics = np.empty((len(ids), len(names)), np.float32)
    is_measured = np.zeros(len(ids), dtype=bool)
    for path in paths:
        measured, values = _read_one(path, list(names))
        place = ids.get_indexer(measured)
        repeats = is_measured[place] | pd.Series(place).duplicated()
        if (repeats & (place >= 0)).any():
            row = int(np.argmax(repeats & (place >= 0)))
            raise ValueError(
                f"{path}: id_str {measured[row]} repeats, expected each galaxy's "
                "statistics once"
            )
        is_measured[place[place >= 0]] = True
        statistics[place[place >= 0]] = values[place >= 0]
    if not is_measured.all():
        raise ValueError(
            f"{galaxies}: {(~is_measured).sum()} of {len(ids)} galaxies have no "
            "statistics among those measured, expected all to; the first is id_str "
            f"{ids[int(np.argmin(is_measured))]}"
        )
    return statistics


def _read_one(path: str | Path, names: list[str]) -> tuple[pd.Index, np.ndarray]:
    """Ids, and their statistics as float32, which must be finite."""
    table = read_table(path, columns=["id_str", *names])
    ids, _ = as_ids(table)
    columns = table.columns.select(names).to_pandas()
    try:
        values = columns.to_numpy(dtype=np.float32).reshape(len(ids), len(names))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected columns of numbers; {error}") from error
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"{path}: id_str {ids[row]}, {names[column]}: found {values[row, column]}, "
            "expected a finite number"
        )
    return pd.Index(ids), values
