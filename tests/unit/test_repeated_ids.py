"""Repeated ids, found by hashes, are those that comparing the ids finds."""

import numpy as np
import pandas as pd
import pytest

from zoobot.data_utils.repeated_ids import IdHashes


def repeats_of(ids, *, step):
    """Add ids some at a time, and find their repeats."""
    hashes = IdHashes()
    for start in range(0, len(ids), step):
        hashes.add(ids[start : start + step])
    assert len(hashes) == len(ids)
    return hashes.repeats()


@pytest.mark.parametrize("step", [1, 7, 5000])
def test_repeats_are_those_of_pandas(step):
    """Of thousands of ids many repeat, some often: each has its first row."""
    rng = np.random.default_rng(0)
    ids = [f"{i}" for i in rng.integers(0, 3000, 5000)]
    repeats = repeats_of(ids, step=step)
    np.testing.assert_array_equal(
        repeats.rows, np.flatnonzero(pd.Series(ids).duplicated())
    )
    first: dict[str, int] = {}
    for row, galaxy in enumerate(ids):
        first.setdefault(galaxy, row)
    np.testing.assert_array_equal(
        repeats.first, [first[ids[row]] for row in repeats.rows]
    )


@pytest.mark.parametrize("ids", [[], ["a"], ["a", "b"], ["", "0", "00", "\u00e9"]])
def test_no_repeats(ids):
    """Of few ids, and of ids that resemble each other."""
    repeats = repeats_of(ids, step=1)
    assert len(repeats.rows) == len(repeats.first) == 0


def test_within():
    """The repeats of a block are numbered within it, their first rows in the whole."""
    repeats = repeats_of(list("abcabcxa"), step=8)
    np.testing.assert_array_equal(repeats.rows, [3, 4, 5, 7])
    block = repeats.within(4, n_rows=3)
    np.testing.assert_array_equal(block.rows, [0, 1])
    np.testing.assert_array_equal(block.first, [1, 2])
    assert len(repeats.within(0, n_rows=3).rows) == 0
