"""Predictions matched with votes: the right rows, or an error that names the wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.evaluation import matching
from zoobot.evaluation.matching import Block, Matched, match
from zoobot.schemas import Schema

TREE = Schema({"bar": {"answers": ["yes", "no"]}}, name="tree")


def make_predictions(ids: list[str]) -> GalaxyRows:
    """Concentrations that tell by their values whose they are, two passes."""
    values = np.ones((len(ids), 2, 2), dtype=np.float32)
    values *= np.array([float(i) for i in ids], dtype=np.float32)[:, None, None]
    return GalaxyRows(
        values=values, id_str=ids, label_cols=TREE.label_cols, attributes={}
    )


def make_catalog(ids: list[str]) -> pd.DataFrame:
    """Votes that tell by their values whose they are."""
    votes = {"bar_yes": [int(i) for i in ids], "bar_no": [2 * int(i) for i in ids]}
    return pd.DataFrame({"id_str": ids, **votes})


def whole(matched: Matched) -> Block:
    """All blocks in one."""
    blocks = list(matched.blocks())
    return Block(
        np.concatenate([block.concentrations for block in blocks]),
        np.concatenate([block.votes for block in blocks]),
    )


def test_rows_are_matched_by_id() -> None:
    """In the order of the catalogue; other predicted galaxies are left out."""
    ids = ["3", "1", "2"]
    matched = match(
        make_predictions(["1", "7", "2", "3"]), make_catalog(ids), schema=TREE
    )
    assert list(matched.id_str) == ids
    found = whole(matched)
    np.testing.assert_array_equal(found.votes, [[3, 6], [1, 2], [2, 4]])
    np.testing.assert_array_equal(found.concentrations[:, 1, 1], [3, 1, 2])
    assert found.concentrations.shape == (3, 2, 2)
    assert found.votes.dtype == np.int64


@pytest.mark.parametrize("size", [1, 3, 10])
def test_blocks_hold_every_galaxy_once(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is empty, the last may be shorter."""
    monkeypatch.setattr(matching, "_GALAXIES_IN_BLOCK", size)
    ids = [str(i) for i in range(1, 11)]
    matched = match(make_predictions(ids), make_catalog(ids[::-1]), schema=TREE)
    lengths = [len(block.votes) for block in matched.blocks()]
    assert lengths[:-1] == [size] * (len(lengths) - 1)
    assert 0 < lengths[-1] <= size
    np.testing.assert_array_equal(whole(matched).votes[:, 0], range(10, 0, -1))


def test_votes_of_any_size() -> None:
    """Kept as bytes where that is enough, and never cut."""
    ids = ["1", "300", "70000"]
    matched = match(make_predictions(ids), make_catalog(ids), schema=TREE)
    np.testing.assert_array_equal(whole(matched).votes[:, 1], [2, 600, 140_000])
    few = match(make_predictions(ids), make_catalog(ids[:1]), schema=TREE)
    assert few.votes.dtype == np.uint8


def test_ids_that_match_nothing() -> None:
    """How many, and the first."""
    catalog = make_catalog(["1", "5", "6"])
    with pytest.raises(ValueError, match=r"2 of the catalogue's 3 .* first is 5"):
        match(make_predictions(["1", "2"]), catalog, schema=TREE)


def test_ids_that_repeat() -> None:
    """Which of the two tables, and the id."""
    with pytest.raises(ValueError, match="predictions: galaxy 2 repeats"):
        match(make_predictions(["1", "2", "2"]), make_catalog(["1"]), schema=TREE)
    with pytest.raises(ValueError, match="catalog: id_str 1 repeats"):
        match(make_predictions(["1"]), make_catalog(["1", "1"]), schema=TREE)


def test_ids_read_as_numbers() -> None:
    """The error says how to read the table."""
    catalog = make_catalog(["1", "2"]).astype({"id_str": int})
    with pytest.raises(ValueError, match=r"row 0, id_str: .* dtype=\{'id_str': str\}"):
        match(make_predictions(["1", "2"]), catalog, schema=TREE)


@pytest.mark.parametrize(
    ("label_cols", "message"),
    [
        (["bar_yes", "bar_maybe"], "2 of schema tree; .* is bar_no"),
        (["bar_yes", "bar_no", "bar_maybe"], "found 3 label columns.* is bar_maybe"),
        (["bar_no", "bar_yes"], "reordered"),
    ],
)
def test_predictions_of_another_schema(label_cols: list[str], message: str) -> None:
    """Another answer, one more, or another order."""
    rows = dataclasses.replace(make_predictions(["1"]), label_cols=label_cols)
    with pytest.raises(ValueError, match=message):
        match(rows, make_catalog(["1"]), schema=TREE)


@pytest.mark.parametrize("shape", [(1, 2), (2, 2, 3), (1, 3, 3)])
def test_predictions_of_a_wrong_shape(shape: tuple[int, ...]) -> None:
    """As without passes, as representations have it."""
    rows = dataclasses.replace(make_predictions(["1"]), values=np.ones(shape))
    with pytest.raises(ValueError, match=r"shape .* expected \(1, 2, n_passes\)"):
        match(rows, make_catalog(["1"]), schema=TREE)


def test_a_catalogue_without_what_is_needed() -> None:
    """Ids, votes, galaxies."""
    rows, catalog = make_predictions(["1"]), make_catalog(["1"])
    with pytest.raises(ValueError, match="column id_str not found"):
        match(rows, catalog.drop(columns="id_str"), schema=TREE)
    with pytest.raises(ValueError, match=r"1 label columns of schema tree .* bar_no"):
        match(rows, catalog.drop(columns="bar_no"), schema=TREE)
    with pytest.raises(ValueError, match="found no galaxy"):
        match(rows, catalog.iloc[:0], schema=TREE)


@pytest.mark.parametrize("vote", [-1, 0.5, np.nan, np.inf, "many"])
def test_votes_that_are_no_counts(vote: object) -> None:
    """Fractions in place of counts are the usual mistake."""
    catalog = make_catalog(["1", "2"]).astype({"bar_no": object})
    catalog.loc[1, "bar_no"] = vote
    with pytest.raises(
        ValueError, match=r"galaxy 2, bar_no: found .* a count of votes"
    ):
        match(make_predictions(["1", "2"]), catalog, schema=TREE)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
def test_concentrations_that_are_none(value: float) -> None:
    """The galaxy, the answer and the pass are named; other galaxies do not matter."""
    rows = make_predictions(["1", "2", "3"])
    rows.values[1, 1, 1] = value
    with pytest.raises(ValueError, match="galaxy 2, bar_no, pass 1: found"):
        whole(match(rows, make_catalog(["1", "2"]), schema=TREE))
    whole(match(rows, make_catalog(["1", "3"]), schema=TREE))
