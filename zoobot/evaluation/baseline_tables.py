"""Tables that baselines are fitted to: votes, and statistics of the same galaxies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from zoobot.data_utils.columns import as_votes
from zoobot.data_utils.tables import Table, as_ids, first_rows, read_table
from zoobot.schemas import Schema

__all__ = ["read_ids", "read_statistics", "read_votes", "rows_of"]


def read_ids(path: str | Path) -> list[str]:
    """Ids of a table of galaxies, (n_galaxies,).

    Raises
    ------
    ValueError
        If the table cannot be read, is empty, or an id repeats; the message names the
        file and the id.
    """
    return _unique_ids(read_table(path, columns=["id_str"]))


def read_votes(path: str | Path, *, schema: Schema) -> tuple[list[str], np.ndarray]:
    """Ids and votes of a table of galaxies.

    Returns
    -------
    ids : (n_galaxies,) list of str
        Ids.
    votes : (n_galaxies, n_answers) int64
        Counts.

    Raises
    ------
    ValueError
        As for `read_ids`, and if a label column is missing or holds something else.
    """
    table = read_table(path, columns=["id_str", *schema.label_cols])
    ids = _unique_ids(table)
    votes = np.zeros((len(ids), len(schema.label_cols)), np.int64)
    for i, column in enumerate(schema.label_cols):
        votes[:, i], reasons = as_votes(table[column], column)
        if (reasons != "").any():
            row = int(np.argmax(reasons != ""))
            raise ValueError(f"{path}: id_str {ids[row]}: {reasons[row]}")
    return ids, votes


def read_statistics(
    paths: Sequence[str | Path], *, names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Statistics of all galaxies of some tables.

    Parameters
    ----------
    paths : sequence of path
        Parquet tables with id_str and columns of numbers.
    names : (n_statistics,) sequence of str, optional
        Columns to read; otherwise all of the first table but id_str.

    Returns
    -------
    DataFrame
        float64, one column a statistic, indexed by id_str.

    Raises
    ------
    ValueError
        If there is no file, one lacks a column, an id repeats, or a value is not a
        finite number; the message names the file and the id.
    """
    if not paths:
        raise ValueError("statistics: found no file, expected one or more")
    if names is None:
        read_table(paths[0], columns=["id_str"])  # Says what a bad file is.
        names = [name for name in pq.read_schema(paths[0]).names if name != "id_str"]
    tables = [_read_one(path, list(names)) for path in paths]
    together = pd.concat(tables)
    repeats = together.index.duplicated()
    if repeats.any():
        row = int(np.argmax(repeats))
        ends = np.cumsum([len(table) for table in tables])
        raise ValueError(
            f"{paths[int(np.searchsorted(ends, row, side='right'))]}: id_str "
            f"{together.index[row]} repeats, expected each galaxy's statistics once"
        )
    return together


def rows_of(
    statistics: pd.DataFrame, ids: Sequence[str], *, path: str | Path
) -> np.ndarray:
    """Statistics of some galaxies, in their order.

    Parameters
    ----------
    statistics : DataFrame
        Indexed by id_str.
    ids : (n_galaxies,) sequence of str
        Galaxies.
    path : str or Path
        The table that they are from, for the message.

    Returns
    -------
    (n_galaxies, n_statistics) float64
        Their rows.

    Raises
    ------
    ValueError
        If a galaxy has none.
    """
    place = statistics.index.get_indexer(pd.Index(ids))
    missing = place < 0
    if missing.any():
        raise ValueError(
            f"{path}: {missing.sum()} of {len(ids)} galaxies have no statistics among "
            f"the {len(statistics)} measured, expected all to; the first is id_str "
            f"{ids[int(np.argmax(missing))]}"
        )
    return statistics.to_numpy()[place]


def _unique_ids(table: Table) -> list[str]:
    ids, _ = as_ids(table)
    if not len(ids):
        raise ValueError(f"{table.path}: found no galaxy, expected one or more")
    repeats = first_rows(ids) < np.arange(len(ids))
    if repeats.any():
        raise ValueError(
            f"{table.path}: id_str {ids[int(np.argmax(repeats))]} repeats, expected "
            "unique ids"
        )
    return list(ids)


def _read_one(path: str | Path, names: list[str]) -> pd.DataFrame:
    table = read_table(path, columns=["id_str", *names])
    ids, _ = as_ids(table)
    columns = table.columns.select(names).to_pandas()
    try:
        values = columns.to_numpy(dtype=np.float64).reshape(len(ids), len(names))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected columns of numbers; {error}") from error
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"{path}: id_str {ids[row]}, {names[column]}: found {values[row, column]}, "
            "expected a finite number"
        )
    return pd.DataFrame(values, index=pd.Index(ids, name="id_str"), columns=names)
