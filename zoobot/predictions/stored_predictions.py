"""Reading the files that `zoobot.predictions.dropout_passes` writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.data_utils import hdf5
from zoobot.data_utils.hdf5 import GalaxyRows, Header
from zoobot.logs import track
from zoobot.predictions.concentrations import check_positive
from zoobot.schemas import Schema

__all__ = [
    "DATASET",
    "StoredGalaxies",
    "StoredValues",
    "find_galaxies",
    "read_each",
    "schema_of",
]

DATASET = "predictions"
_SAME_IN_ALL = ("schema", "model_digest", "n_samples", "seed")


@dataclasses.dataclass(frozen=True)
class StoredValues:
    """Concentrations that stay in their files until some of them are asked for."""

    paths: Sequence[str | Path]
    file_of: np.ndarray
    """(n_galaxies,) int, which of the paths holds each galaxy."""
    row_of: np.ndarray
    """(n_galaxies,) int, its row there."""
    shape: tuple[int, ...]
    """(n_galaxies, n_answers, n_passes)."""

    def __getitem__(self, galaxies: np.ndarray) -> np.ndarray:
        """Read some galaxies, (n_asked, n_answers, n_passes) float32."""
        values = np.empty((len(galaxies), *self.shape[1:]), np.float32)
        files, rows = self.file_of[galaxies], self.row_of[galaxies]
        for file in np.unique(files):
            is_here = files == file
            values[is_here] = hdf5.read_rows(
                self.paths[file], dataset=DATASET, rows=rows[is_here]
            )
        return values


@dataclasses.dataclass(frozen=True)
class StoredGalaxies:
    """Like `zoobot.data_utils.hdf5.GalaxyRows`, of values that are not in memory."""

    values: StoredValues
    id_str: list[str]
    """(n_galaxies,)"""
    label_cols: list[str]
    """(n_answers,)"""
    attributes: dict[str, object]
    """What made the files: schema, seeds, versions."""


def schema_of(rows: GalaxyRows | StoredGalaxies | Header) -> Schema:
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


def find_galaxies(paths: Sequence[str | Path], *, ids: Iterable[str]) -> StoredGalaxies:
    """Find the predictions of some galaxies among all, without reading them.

    Parameters
    ----------
    paths : sequence of path
        Files of one run.
    ids : iterable of str
        Galaxies to find, each once; may hold ids that no file has.

    Returns
    -------
    StoredGalaxies
        The galaxies found, in the order of `ids`, with values (n_found, n_answers,
        n_passes) float32, concentrations in votes.

    Raises
    ------
    ValueError
        If there is no file, one is of another model, schema or seed than the first, or
        a galaxy has two predictions.
    """
    if not paths:
        raise ValueError("predictions: found no file, expected one or more")
    wanted = pd.Index(ids)
    file_of, row_of = np.full((2, len(wanted)), -1, dtype=np.int32)
    for number, (path, header) in enumerate(_headers(paths)):
        place = wanted.get_indexer(pd.Index(header.id_str))
        for row in np.flatnonzero(place >= 0):
            galaxy = place[row]
            if file_of[galaxy] >= 0:
                raise ValueError(
                    f"{path}: found galaxy {wanted[galaxy]}, which has a prediction in "
                    f"{paths[file_of[galaxy]]} already, expected one prediction a "
                    "galaxy"
                )
            file_of[galaxy], row_of[galaxy] = number, row
    is_found = file_of >= 0
    return StoredGalaxies(
        values=StoredValues(
            paths,
            file_of=file_of[is_found],
            row_of=row_of[is_found],
            shape=(int(is_found.sum()), *header.shape[1:]),
        ),
        id_str=list(wanted[is_found]),
        label_cols=header.label_cols,
        attributes=header.attributes,
    )


def _checked(paths: Sequence[str | Path]) -> Iterator[GalaxyRows]:
    for path, _ in _headers(paths):
        rows = hdf5.read(path, dataset=DATASET)
        check_positive(
            rows.values,
            label_cols=rows.label_cols,
            galaxies=rows.id_str,
            where=path,
        )
        yield rows


def _headers(paths: Sequence[str | Path]) -> Iterator[tuple[str | Path, Header]]:
    """Read what stands before the values, of files that must be of one run."""
    first: Header | None = None
    for path in paths:
        header = hdf5.read_header(path, dataset=DATASET)
        _check_header(path, header)
        first = first or header
        for name in _SAME_IN_ALL:
            found, expected = header.attributes[name], first.attributes[name]
            if found != expected:
                raise ValueError(
                    f"{path}: found {name} {found}, expected {expected} as in "
                    f"{paths[0]}; read the files of one run at a time"
                )
        yield path, header


def _check_header(path: str | Path, header: Header) -> None:
    missing = [name for name in _SAME_IN_ALL if name not in header.attributes]
    if missing:
        raise ValueError(f"{path}: attribute {missing[0]} not found")
    label_cols = schema_of(header).label_cols
    if len(header.shape) != 3 or header.label_cols != label_cols:
        raise ValueError(
            f"{path}: found predictions of shape {header.shape} with label_cols "
            f"{header.label_cols}, expected (galaxy, answer, pass) with {label_cols}"
        )
