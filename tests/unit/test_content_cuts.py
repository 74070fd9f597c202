"""Tables cut by content: a change stays where it is."""

import itertools

import numpy as np
import pyarrow as pa
import pytest

from zoobot.data_utils.content_cuts import cut_by_content, piece_name

IDS = [f"J{i:06d}" for i in range(20_000)]


def tables(ids, *, step=2048):
    """Make tables of so many rows, the first of none."""
    whole = pa.table({"id_str": pa.array(ids, pa.large_string())})
    starts = range(0, len(ids), step)
    return [whole.slice(0, 0), *(whole.slice(start, step) for start in starts)]


def cut(ids, *, size, step=2048):
    """Cut; return the ids of each piece by its name, in order."""
    pieces = list(cut_by_content(tables(ids, step=step), size=size))
    named = {piece_name(piece): piece["id_str"].to_pylist() for piece in pieces}
    assert len(named) == len(pieces)
    return named


@pytest.mark.parametrize("size", [1, 2, 3, 10, 64, 1000])
@pytest.mark.parametrize("n", [0, 1, 9, 10, 11, 5000])
def test_all_rows_once_in_order_and_sizes_in_bounds(n, size):
    """Every piece is at least half full, but for the last."""
    pieces = list(cut(IDS[:n], size=size).values())
    assert list(itertools.chain.from_iterable(pieces)) == IDS[:n]
    assert all(size / 2 <= len(piece) <= size for piece in pieces[:-1])
    assert all(0 < len(piece) <= size for piece in pieces)


def test_sizes_are_as_documented():
    """Half, then geometric with probability 8 in n, no more than n: 0.62 n on average.

    mean = n / 2 - 1 + (1 - (1 - 8 / n)^(n / 2 + 1)) / (8 / n) = 621.9; the standard
    deviation of a piece is below 125, and there are about 32: four errors are 88.
    """
    sizes = [len(piece) for piece in cut(IDS, size=1000).values()][:-1]
    assert abs(np.mean(sizes) - 621.9) < 88


@pytest.mark.parametrize("step", [1, 7, 999, 20_000])
def test_how_rows_come_does_not_matter(step):
    """The same pieces from tables of any length."""
    assert cut(IDS[:5000], size=64, step=step) == cut(IDS[:5000], size=64)


@pytest.mark.parametrize("n_more", [1, 50, 3000])
def test_rows_appended_change_the_last_piece_alone(n_more):
    """All before it stay, with their names."""
    before = cut(IDS[:4000], size=200)
    after = cut(IDS[: 4000 + n_more], size=200)
    assert list(before)[:-1] == list(after)[: len(before) - 1]
    whole = list(before)[:-1]
    assert [after[name] for name in whole] == [before[name] for name in whole]


@pytest.mark.parametrize("change", ["insert", "remove"])
def test_a_change_stays_in_its_piece(change):
    """Of 150 rows anywhere, hardly one moves a cut, and the next cuts are as before.

    A removed row moves its cut if the piece is as short or as long as it may be (8 in
    n, and e^-4), or if it ends the piece itself: 6 in 200 here, 0.07 in all; 150 such
    have a standard deviation of 3.1, and five of them above 10.5 are 26.
    """
    ids = IDS[:12_000]
    before = cut(ids, size=200)
    rng = np.random.default_rng(0)
    n_moved = 0
    for number, row in enumerate(rng.choice(len(ids), 150, replace=False)):
        others = [f"new {number}"] if change == "insert" else []
        rest = ids[row:] if change == "insert" else ids[row + 1 :]
        after = cut([*ids[:row], *others, *rest], size=200)
        changed = {n for n in {*before, *after} if before.get(n) != after.get(n)}
        assert 0 < len(changed) < 40, "of nearly 200, before and after"
        # A piece whose first galaxy is another is one that goes and one that comes.
        owner = next(name for name, piece in before.items() if ids[row] in piece)
        first = ids[row] == before[owner][0]
        n_moved += len(changed) > 1 + first
    assert n_moved < 26


def test_a_piece_is_named_after_its_first_galaxy():
    """Whatever else it holds."""
    one, two = tables(["a", "b"])[1], tables(["a"])[1]
    assert piece_name(one) == piece_name(two) != piece_name(one.slice(1))
    assert len(piece_name(one)) == 12
