"""Predictions and votes of the same galaxies, side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from zoobot.predictions.concentrations import check_positive
from zoobot.schemas import Schema

__all__ = [
    "Block",
    "Matched",
    "Predictions",
    "Values",
    "match",
]

_GALAXIES_IN_BLOCK = 256  # keeps (block, n_answers, n_passes) within a few MB


class Values(Protocol):
    """An array, or what reads its rows from files."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n_galaxies, n_answers, n_passes)."""

    def __getitem__(self, rows: Any, /) -> Any:
        """Give (n_rows, n_answers, n_passes) float32."""


class Predictions(Protocol):
    """Concentrations, in memory (`GalaxyRows`) or in files (`StoredGalaxies`)."""

    @property
    def values(self) -> Values:
        """(n_galaxies, n_answers, n_passes), in votes."""

    @property
    def id_str(self) -> Sequence[str]:
        """(n_galaxies,)."""

    @property
    def label_cols(self) -> Sequence[str]:
        """(n_answers,)."""


@dataclasses.dataclass(frozen=True)
class Block:
    """Some galaxies, one after another in the catalogue."""

    concentrations: np.ndarray
    """(n_in_block, n_answers, n_passes) float32, in votes."""
    votes: np.ndarray
    """(n_in_block, n_answers) int64."""


@dataclasses.dataclass(frozen=True)
class Matched:
    """Galaxies that have both, in the order of the catalogue."""

    id_str: pd.Index
    """(n_galaxies,)"""
    schema: Schema
    predictions: Predictions
    place: np.ndarray
    """(n_galaxies,) int, where the predictions have each."""
    votes: np.ndarray
    """(n_galaxies, n_answers) of the smallest type of integers that holds them."""

    def blocks(self) -> Iterator[Block]:
        """Read the predictions of some galaxies at a time.

        Raises
        ------
        ValueError
            If a concentration is not a positive number.
        """
        for start in range(0, len(self.place), _GALAXIES_IN_BLOCK):
            rows = slice(start, start + _GALAXIES_IN_BLOCK)
            concentrations = self.predictions.values[self.place[rows]]
            check_positive(
                concentrations,
                label_cols=self.schema.label_cols,
                galaxies=self.id_str[rows],
                where="predictions",
            )
            yield Block(concentrations, self.votes[rows].astype(np.int64))


def match(
    predictions: Predictions, catalog: pd.DataFrame, *, schema: Schema
) -> Matched:
    """Bring predictions into the order of a catalogue with votes.

    Parameters
    ----------
    predictions : GalaxyRows or StoredGalaxies
        Concentrations, (n, n_answers, n_passes); may hold other galaxies too.
    catalog : DataFrame
        ``id_str`` and a column of votes for each of the schema's label columns.
    schema : Schema
        The decision tree of both.

    Returns
    -------
    Matched
        Every galaxy of the catalogue.

    Raises
    ------
    ValueError
        If the schema does not fit the predictions or the catalogue, the catalogue is
        empty, an id repeats or has no prediction, or a vote is no count. The message
        names the id and column.
    """
    _check_predictions(predictions, schema)
    ids = _ids(catalog)
    places = pd.Index(predictions.id_str)
    if not places.is_unique:
        repeated = places[places.duplicated()][0]
        raise ValueError(
            f"predictions: galaxy {repeated} repeats, expected one prediction a galaxy"
        )
    place = places.get_indexer(ids)
    votes = _votes(catalog, schema)
    _check_all_found(ids, place)
    return Matched(
        id_str=ids, schema=schema, predictions=predictions, place=place, votes=votes
    )


def _check_predictions(predictions: Predictions, schema: Schema) -> None:
    found, expected = list(predictions.label_cols), schema.label_cols
    if found != expected:
        different = [name for name in expected if name not in found]
        different += [name for name in found if name not in expected]
        what = f"the first in one only is {different[0]}" if different else "reordered"
        raise ValueError(
            f"predictions: found {len(found)} label columns, expected the "
            f"{len(expected)} of schema {schema.name}; {what}"
        )
    shape = predictions.values.shape
    if len(shape) != 3 or shape[:2] != (len(predictions.id_str), len(found)):
        raise ValueError(
            f"predictions: found concentrations of shape {shape}, expected "
            f"({len(predictions.id_str)}, {len(found)}, n_passes)"
        )


def _ids(catalog: pd.DataFrame) -> pd.Index:
    if "id_str" not in catalog:
        raise ValueError("catalog: column id_str not found")
    ids = pd.Index(catalog["id_str"])
    if ids.empty:
        raise ValueError("catalog: found no galaxy, expected one or more")
    not_text = [row for row, value in enumerate(ids) if not isinstance(value, str)]
    if not_text:
        raise ValueError(
            f"catalog, row {not_text[0]}, id_str: found {ids[not_text[0]]!r}, expected "
            "text (read the table with dtype={'id_str': str})"
        )
    if not ids.is_unique:
        raise ValueError(
            f"catalog: id_str {ids[ids.duplicated()][0]} repeats, expected unique ids"
        )
    return ids


def _votes(catalog: pd.DataFrame, schema: Schema) -> np.ndarray:
    missing = [column for column in schema.label_cols if column not in catalog]
    if missing:
        raise ValueError(
            f"catalog: {len(missing)} label columns of schema {schema.name} not found, "
            f"the first is {missing[0]}"
        )
    columns = []
    for name in schema.label_cols:
        values = pd.to_numeric(catalog[name], errors="coerce").to_numpy(float)
        is_count = np.isfinite(values) & (values >= 0) & (values == np.floor(values))
        if not is_count.all():
            row = int(np.argmin(is_count))
            raise ValueError(
                f"catalog, galaxy {catalog['id_str'].iloc[row]}, {name}: found "
                f"{catalog[name].iloc[row]!r}, expected a count of votes"
            )
        largest = int(values.max())
        columns.append(values.astype(np.min_scalar_type(largest)))
    return np.stack(columns, axis=1)


def _check_all_found(ids: pd.Index, place: np.ndarray) -> None:
    is_missing = place < 0
    if is_missing.any():
        raise ValueError(
            f"{is_missing.sum()} of the catalogue's {len(ids)} galaxies have no "
            f"prediction, expected one each; the first is {ids[np.argmax(is_missing)]}"
        )
