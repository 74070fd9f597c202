"""Galaxies of a user's own tables, checked before any goes into a shard."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.data_utils.splits import uniform_of
from zoobot.tables.columns import as_votes
from zoobot.tables.read_tables import as_ids, as_text, read_table

__all__ = [
    "PARTS",
    "check_images_exist",
    "checked_galaxies",
    "read_galaxies",
    "sampled",
    "split_galaxies",
]

PARTS = ("train", "val", "test", "unlabelled")
"""Kinds of galaxies, and the folders of their shards."""

_GALAXY = ["id_str", "file_loc"]
# Features of a record that are no labels.
_TAKEN = {
    *("id_str", "file_loc", "image", "encoding", "size", "galaxies_in_shard"),
    "image_digest",
}
_MOST_NAMES = 12
_AT_ONCE = 16  # where files are far away, the time goes into waiting for them


def read_galaxies(path: str | Path, *, columns: Sequence[str]) -> pd.DataFrame:
    """Read galaxies and their labels from a file.

    Parameters
    ----------
    path : path
        Table, as `zoobot.tables.read_tables.read_table` reads it; a relative file_loc
        lies below its folder.
    columns : sequence of str
        Labels; those of whole numbers from 0 are read as such, others as floats.

    Returns
    -------
    (n_galaxies, 2 + n_columns) pandas.DataFrame
        id_str, file_loc and the labels.

    Raises
    ------
    ValueError
        If a row cannot be read, or a label is no number; it names file, row and column.
    """
    table = read_table(path, columns=[*_GALAXY, *columns])
    if table.malformed:
        raise ValueError(f"{path}: {table.malformed[0][1]}")
    ids, reasons = as_ids(table)
    _check_reasons(reasons, ids, path)
    folder = Path(path).resolve().parent
    locations = [os.path.join(folder, one) for one in as_text(table, "file_loc")]  # noqa: PTH118, keeps what it is given
    galaxies = pd.DataFrame({"id_str": ids, "file_loc": locations})
    for column in columns:
        numbers, reasons = as_votes(table[column], column)
        if any(reasons):
            texts = table[column].to_pandas()
            numbers = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
            reasons[np.isfinite(numbers)] = ""
            _check_reasons(reasons, ids, path)
        galaxies[column] = numbers
    return galaxies


def _check_reasons(reasons: np.ndarray, ids: pd.Series, path: str | Path) -> None:
    for row in np.flatnonzero(reasons != ""):
        raise ValueError(f"{path}: row {row + 1} ({ids[row]!r}): {reasons[row]}")


def checked_galaxies(
    catalog: pd.DataFrame, *, columns: Sequence[str], name: str
) -> pd.DataFrame:
    """Check a table of galaxies, and give what shards need of it.

    Parameters
    ----------
    catalog : (n_galaxies, n) pandas.DataFrame
        With id_str, file_loc and the columns.
    columns : sequence of str
        Labels: numbers, no value missing.
    name : str
        Of the table, for messages.

    Returns
    -------
    (n_galaxies, 2 + n_columns) pandas.DataFrame
        id_str and file_loc (absolute) as text, then labels as int64 or float64.

    Raises
    ------
    ValueError
        If a column is not there or of another type, an id repeats or a value is
        missing; it names table, column, galaxy and value.
    """
    if not isinstance(catalog, pd.DataFrame):
        raise ValueError(
            f"{name}: found a {type(catalog).__name__}, expected a pandas.DataFrame"
        )
    _check_names(list(catalog.columns), columns, name)
    ids = _texts(catalog["id_str"], name)
    repeated = ids[ids.duplicated()]
    if len(repeated):
        raise ValueError(
            f"{name}: id_str: found {repeated.iloc[0]!r} several times, expected each "
            f"id once ({len(repeated)} rows repeat one)"
        )
    paths = [str(Path(path).absolute()) for path in _texts(catalog["file_loc"], name)]
    labels = {col: _numbers(catalog[col], ids.to_numpy(), name) for col in columns}
    return pd.DataFrame({"id_str": ids.to_numpy(), "file_loc": paths} | labels)


def check_images_exist(paths: Sequence[str]) -> None:
    """Look for all image files before the first of many is read.

    Raises
    ------
    ValueError
        If one is not there; it names the first and counts them.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        is_there = list(pool.map(os.path.isfile, paths))
    missing = [path for path, found in zip(paths, is_there, strict=True) if not found]
    if missing:
        raise ValueError(
            f"file_loc: found no file {missing[0]}, expected an image "
            f"({len(missing)} of {len(paths)} are missing)"
        )


def sampled(galaxies: pd.DataFrame, n: int | None, *, seed: int) -> pd.DataFrame:
    """Some galaxies, by a seeded hash of their ids, in the order of the table.

    Parameters
    ----------
    galaxies : (n_galaxies, n_columns) pandas.DataFrame
        With id_str.
    n : int or None
        How many, if there are more; None for all.
    seed : int
        Another seed gives others.
    """
    if n is not None and n < 0:
        raise ValueError(f"most galaxies: found {n}, expected 0 or more")
    if n is None or n >= len(galaxies):
        return galaxies
    hashes = [
        uniform_of(one, seed=seed, purpose="sample") for one in galaxies["id_str"]
    ]
    return galaxies.iloc[np.sort(np.argsort(hashes, kind="stable")[:n])]


def split_galaxies(
    labelled: pd.DataFrame,
    *,
    fraction: float | None,
    n_test: int | None,
    n_val: int,
    seed: int,
) -> np.ndarray:
    """Decide by a seeded hash of its id to which part each labelled galaxy belongs.

    Parameters
    ----------
    labelled : (n_labelled, n_columns) pandas.DataFrame
        With id_str.
    fraction : float or None
        Share that is not test galaxies: those whose hash is smaller.
    n_test : int or None
        Instead of the share, how many are.
    n_val : int
        How many of the others, with the largest hashes, choose the best epoch.
    seed : int
        Another seed gives another split.

    Returns
    -------
    (n_labelled,) str
        One of `PARTS`, but the last.

    Raises
    ------
    ValueError
        If a part would have no galaxy, or both or none of share and number are given.
    """
    n_galaxies = len(labelled)
    if not n_galaxies:
        raise ValueError("labelled_catalog: found no galaxy, expected at least one")
    if (fraction is None) == (n_test is None):
        raise ValueError(
            f"train_test_fraction: found {fraction} with eval_size {n_test}, expected "
            "one of the two"
        )
    hashes = np.array([uniform_of(one, seed=seed) for one in labelled["id_str"]])
    if fraction is not None:
        n_test = int(np.count_nonzero(hashes >= fraction))
        if (
            not 0 < fraction <= 1
            or n_test == n_galaxies
            or (fraction < 1 and not n_test)
        ):
            raise ValueError(
                f"train_test_fraction: found {fraction}, which leaves "
                f"{n_galaxies - n_test} of {n_galaxies} galaxies to train and {n_test} "
                "to test; expected more than 0, up to 1, and a galaxy in each part"
            )
    assert n_test is not None
    for name, n, most in (
        ("eval_size", n_test, n_galaxies),
        ("val_size", n_val, n_galaxies - n_test),
    ):
        if not 0 <= n < most:
            raise ValueError(
                f"{name}: found {n}, expected 0 to {most - 1}, so that one of {most} "
                "galaxies is left to train"
            )
    split = np.repeat(PARTS[:3], [n_galaxies - n_test - n_val, n_val, n_test])
    # The largest hashes are those from a fraction on.
    return split[np.argsort(np.argsort(hashes, kind="stable"))]


def _check_names(found: list[str], columns: Sequence[str], name: str) -> None:
    if isinstance(columns, str):
        raise ValueError(
            f"columns_to_save: found one text, {columns!r}, expected a list of them"
        )
    taken = [column for column in columns if column in _TAKEN]
    repeated = [column for column in columns if list(columns).count(column) > 1]
    if taken or repeated:
        raise ValueError(
            f"columns_to_save: found {(taken or repeated)[0]!r}, expected names of "
            "labels, each once"
        )
    expected = [*_GALAXY, *columns]
    missing = [column for column in expected if column not in found]
    if missing:
        raise ValueError(
            f"{name}: columns missing: {_listed(missing)}; found {_listed(found)}; "
            f"expected {_listed(expected)}"
        )


def _texts(values: pd.Series, name: str) -> pd.Series:
    """Ids or paths as text; whole numbers become their digits."""
    if pd.api.types.is_integer_dtype(values.dtype) and not values.isna().any():
        return values.astype(str)
    for value in values:
        if not isinstance(value, str | Path) or not str(value):
            raise ValueError(
                f"{name}: {values.name}: found {value!r}, expected a text in each row"
            )
    return values.astype(str)


def _numbers(values: pd.Series, ids: np.ndarray, name: str) -> np.ndarray:
    """Labels as int64 or float64, decided by the type of the column."""
    is_whole = pd.api.types.is_integer_dtype(values.dtype)
    is_whole = is_whole or pd.api.types.is_bool_dtype(values.dtype)
    if not is_whole and not pd.api.types.is_float_dtype(values.dtype):
        raise ValueError(
            f"{name}: {values.name}: found type {values.dtype}, as {values.iloc[0]!r}, "
            "expected whole numbers or floats"
        )
    unknown = ~np.isfinite(values.to_numpy(np.float64, na_value=np.nan))
    if unknown.any():
        row = int(np.argmax(unknown))
        raise ValueError(
            f"{name}: {values.name}: found {values.iloc[row]} for galaxy {ids[row]!r}, "
            f"expected a number ({unknown.sum()} rows have none)"
        )
    return values.to_numpy(np.int64 if is_whole else np.float64)


def _listed(names: Sequence[str]) -> str:
    left = len(names) - _MOST_NAMES
    shown = ", ".join(map(str, names[:_MOST_NAMES])) or "none"
    return shown + (f" and {left} more" if left > 0 else "")
