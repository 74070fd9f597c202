"""Reading the files that `zoobot.predictions.dropout_passes` writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from zoobot.data_utils import hdf5
from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.logs import track
from zoobot.schemas import Schema

__all__ = ["DATASET", "read_each", "read_galaxies", "schema_of"]

DATASET = "predictions"
_SAME_IN_ALL = ("schema", "model_digest", "n_samples", "seed")


def schema_of(rows: GalaxyRows) -> Schema:
    """Give the decision tree of predictions that were read."""
    return Schema.from_json(str(rows.attributes["schema"]))


def read_each(paths: Sequence[str | Path]) -> Iterator[GalaxyRows]:
    """Read files of predictions one after another, and show progress.

    Parameters
    ----------
    paths : sequence of path
        Files of one run: same model, same passes.

    Yields
    ------
    GalaxyRows
        With values (n_galaxies, n_answers, n_passes) float32, concentrations in votes.

    Raises
    ------
    ValueError
        If there is no file, one is of another model, schema or seed than the first, or
        a concentration is not a positive number.
    """
    if not paths:
        raise ValueError("predictions: found no file, expected one or more")
    total = sum(hdf5.n_galaxies(path, dataset=DATASET) for path in paths)
    yield from track(
        _checked(paths),
        total=total,
        what="galaxies",
        size=lambda rows: len(rows.id_str),
    )


def read_galaxies(paths: Sequence[str | Path], *, ids: Iterable[str]) -> GalaxyRows:
    """Read the predictions of some galaxies out of all.

    Parameters
    ----------
    paths : sequence of path
        Files of one run; one is in memory at a time.
    ids : iterable of str
        Galaxies to keep; may hold ids that no file has.

    Returns
    -------
    GalaxyRows
        The galaxies found, in the order of the files, with values (n_found, n_answers,
        n_passes) float32, concentrations in votes.

    Raises
    ------
    ValueError
        As `read_each` does, or if a galaxy has two predictions.
    """
    wanted = set(ids)
    seen: dict[str, Path] = {}
    kept: list[np.ndarray] = []
    found: GalaxyRows | None = None
    for path, rows in zip(paths, read_each(paths), strict=True):
        found = found or rows
        is_kept = np.array([galaxy in wanted for galaxy in rows.id_str], dtype=bool)
        for galaxy in np.array(rows.id_str, dtype=object)[is_kept]:
            if galaxy in seen:
                raise ValueError(
                    f"{path}: found galaxy {galaxy}, which has a prediction in "
                    f"{seen[galaxy]} already, expected one prediction a galaxy"
                )
            seen[galaxy] = Path(path)
        kept.append(rows.values[is_kept])
    if found is None:
        raise ValueError("predictions: found no file, expected one or more")
    return GalaxyRows(
        values=np.concatenate(kept),
        id_str=list(seen),
        label_cols=found.label_cols,
        attributes=found.attributes,
    )


def _checked(paths: Sequence[str | Path]) -> Iterator[GalaxyRows]:
    first: GalaxyRows | None = None
    for path in paths:
        rows = hdf5.read(path, dataset=DATASET)
        _check_file(path, rows)
        first = first or rows
        for name in _SAME_IN_ALL:
            found, expected = rows.attributes[name], first.attributes[name]
            if found != expected:
                raise ValueError(
                    f"{path}: found {name} {found}, expected {expected} as in "
                    f"{paths[0]}; read the files of one run at a time"
                )
        yield rows


def _check_file(path: str | Path, rows: GalaxyRows) -> None:
    missing = [name for name in _SAME_IN_ALL if name not in rows.attributes]
    if missing:
        raise ValueError(f"{path}: attribute {missing[0]} not found")
    label_cols = schema_of(rows).label_cols
    if rows.values.ndim != 3 or rows.label_cols != label_cols:
        raise ValueError(
            f"{path}: found predictions of shape {rows.values.shape} with label_cols "
            f"{rows.label_cols}, expected (galaxy, answer, pass) with {label_cols}"
        )
    bad = ~(np.isfinite(rows.values) & (rows.values > 0))
    if bad.any():
        galaxy, answer, one = np.argwhere(bad)[0]
        raise ValueError(
            f"{path}, galaxy {rows.id_str[galaxy]}, {label_cols[answer]}, pass {one}: "
            f"found {rows.values[galaxy, answer, one]}, expected a positive number"
        )
