"""Labels of galaxies in a table of a user's own, checked."""

from __future__ import annotations

import dataclasses
import difflib

import numpy as np
import pandas as pd
import pyarrow as pa

from zoobot.data_utils.splits import part_of
from zoobot.data_utils.tasks import (
    Task,
    label_columns,
    parse_labels,
    targets_of,
    task_of,
)
from zoobot.schemas import Schema
from zoobot.settings.rings import TaskKind

__all__ = [
    "PARTS",
    "Labels",
    "check_parts",
    "images_of",
    "parts_of",
    "read_labels",
]

PARTS = ("train", "val", "test")


@dataclasses.dataclass(frozen=True)
class Labels:
    """Galaxies and their labels."""

    id_str: list[str]
    """(n_galaxies,)"""
    task: Task
    values: pd.DataFrame
    """The label columns, one row a galaxy."""
    targets: np.ndarray
    """(n_galaxies,) or (n_galaxies, n_outputs) float32, what a network learns."""


def read_labels(
    table: pd.DataFrame,
    *,
    label: str | Schema | None = None,
    kind: TaskKind | None = None,
    task: Task | None = None,
) -> Labels:
    """Check a table of labels.

    Parameters
    ----------
    table : DataFrame
        ``id_str`` and the label columns.
    label : str or Schema
        Column of the labels, or for votes the decision tree.
    kind : {"binary", "classes", "fraction", "votes"}
    task : Task, optional
        Instead of `label` and `kind`, for more labels of the same task.

    Raises
    ------
    ValueError
        If a column is missing, an id is no text or repeats, a label is none, or all
        are the same. The message names galaxy, column, and what was found.
    """
    ids = _ids(table)
    if task is not None:
        kind, columns = task.kind, task.label_cols
    else:
        kind, columns = _columns(label, kind)
    _check_columns(table, columns, label)
    values, reasons = parse_labels(
        {name: _arrow(table[name], name) for name in columns}, kind=kind
    )
    bad = np.flatnonzero(reasons != "")
    if len(bad):
        more = f"; {len(bad)} galaxies have such labels" if len(bad) > 1 else ""
        raise ValueError(f"labels, galaxy {ids[bad[0]]!r}, {reasons[bad[0]]}{more}")
    if task is None:
        assert label is not None
        task = task_of(values, kind=kind, label=label)
    return Labels(ids, task, values, targets_of(values, task=task))


def parts_of(table: pd.DataFrame, *, val: float, test: float, seed: int) -> np.ndarray:
    """Which part each galaxy is in, (n_galaxies,) str: train, val or test.

    Parameters
    ----------
    table : DataFrame
        ``id_str`` and, if the parts are given, ``part``.
    val, test : float
        Shares, if they are not given.
    seed : int
        Another seed gives another split.

    Raises
    ------
    ValueError
        If shares are out of range, or a part has another name.
    """
    if "part" in table:
        parts = table["part"].to_numpy()
        other = [row for row, part in enumerate(parts) if part not in PARTS]
        if other:
            raise ValueError(
                f"labels, galaxy {table['id_str'].iloc[other[0]]!r}, part: found "
                f"{parts[other[0]]!r}, expected train, val or test"
            )
        return parts.astype("<U5")
    if not (0 < val < 1 and 0 <= test < 1 and val + test < 1):
        raise ValueError(
            f"val, test: found {val} and {test}, expected val above 0, test 0 or more, "
            "and some galaxies left to train on"
        )
    train = 1 - val - test
    found = [part_of(one, train=train, val=val, seed=seed) for one in table["id_str"]]
    parts = np.array(found, dtype="<U5")
    return np.where((parts == "test") & (test == 0), "val", parts)


def check_parts(known: Labels, parts: np.ndarray) -> None:
    """Check that there is something to learn, and to choose the best epoch by.

    Parameters
    ----------
    known : Labels
    parts : (n_galaxies,) str
        From `parts_of`.

    Raises
    ------
    ValueError
        If training lacks galaxies or a class, or another part, but for a test part
        without any galaxy, has fewer than two classes.
    """
    classes = known.task.classes_of(known.targets)
    n_classes = known.task.n_classes
    for part in PARTS:
        rows = parts == part
        if not rows.any() and part == "test":
            continue
        found = [] if classes is None else list(np.unique(classes[rows]))
        least = 0 if classes is None else n_classes if part == "train" else 2
        if not rows.any() or len(found) < least:
            names = known.task.classes or ("0", "1")
            these = ", ".join(names[one] for one in found) or "none"
            expected = f"{least} classes or more" if least else "one galaxy or more"
            raise ValueError(
                f"labels, {known.task.label}: found {rows.sum()} galaxies in part "
                f"{part}" + (f", of class {these}" if least else "") + f"; expected "
                f"{expected} there. Add galaxies, take another split_seed, or give a "
                "column part"
            )


def images_of(table: pd.DataFrame, *, why: str) -> list[str]:
    """Paths of images.

    Parameters
    ----------
    table : DataFrame
        ``id_str`` and ``file_loc``.
    why : str
        Said if they are not there.

    Raises
    ------
    ValueError
        If there is no such column, or a galaxy has no path in it.
    """
    if "file_loc" not in table:
        raise ValueError(
            f"labels: column file_loc not found, expected images' paths: {why}"
        )
    for galaxy, path in zip(table["id_str"], table["file_loc"], strict=True):
        if not str(path) or path is None or path != path:
            raise ValueError(
                f"labels, galaxy {galaxy!r}, file_loc: found {path!r}, expected the "
                "path of its image"
            )
    return [str(path) for path in table["file_loc"]]


def _ids(table: pd.DataFrame) -> list[str]:
    if "id_str" not in table:
        raise ValueError(
            f"labels: column id_str not found; found {', '.join(map(str, table))}"
        )
    ids = list(table["id_str"])
    if not ids:
        raise ValueError("labels: found no galaxy, expected some")
    for row, galaxy in enumerate(ids):
        if not isinstance(galaxy, str) or not galaxy:
            raise ValueError(
                f"labels, row {row}, id_str: found {galaxy!r}, expected text (read the "
                "table with dtype={'id_str': str})"
            )
    repeated = table["id_str"][table["id_str"].duplicated()]
    if len(repeated):
        raise ValueError(
            f"labels: id_str {repeated.iloc[0]!r} repeats, expected each galaxy once"
        )
    return ids


def _columns(
    label: str | Schema | None, kind: TaskKind | None
) -> tuple[TaskKind, list[str]]:
    kinds = ("binary", "classes", "fraction", "votes")
    if kind not in kinds:
        raise ValueError(f"task: found {kind!r}, expected one of {', '.join(kinds)}")
    if isinstance(label, Schema):
        if kind != "votes":
            raise ValueError(
                f"label: found {label}, expected the name of a column for task {kind}"
            )
        return kind, label.label_cols
    if label in ("id_str", "file_loc", "part"):
        raise ValueError(f"label: found {label!r}, expected the column of the labels")
    return kind, label_columns(kind, label=str(label))


def _check_columns(
    table: pd.DataFrame, columns: list[str], label: str | Schema | None
) -> None:
    missing = [name for name in columns if name not in table]
    if missing:
        close = difflib.get_close_matches(missing[0], list(map(str, table)), n=1)
        of_all = f" ({len(missing)} of {len(columns)})" if len(columns) > 1 else ""
        of_tree = f" of {label!r}" if len(columns) > 1 else ""
        hint = f"; is it {close[0]!r}?" if close else ""
        raise ValueError(
            f"labels: column {missing[0]!r}{of_tree} not found{of_all}{hint}"
        )


def _arrow(values: pd.Series, name: str) -> pa.ChunkedArray:
    try:
        array = pa.Array.from_pandas(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(f"labels, column {name}: {error}") from error
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
