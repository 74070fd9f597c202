"""Matches by position against all pairs of great circles, and by id."""

from __future__ import annotations

import numpy as np
import pytest

from zoobot.tables import matches
from zoobot.tables.matches import match_by_id, match_by_position

ARCSEC = 1 / 3600


def separations(positions: np.ndarray, others: np.ndarray) -> np.ndarray:
    """All separations in arcsec, (n, m), from chords between unit vectors."""

    def vectors(degrees: np.ndarray) -> np.ndarray:
        ra, dec = np.radians(degrees).astype(np.longdouble).T
        return np.stack(
            [np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]
        )

    chords = vectors(positions)[:, :, None] - vectors(others)[:, None, :]
    half = np.sqrt((chords**2).sum(axis=0)) / 2
    return np.degrees(2 * np.arcsin(half)).astype(float) * 3600


def scattered(centre: tuple[float, float], n: int, *, seed: int) -> np.ndarray:
    """Positions within about 20 arcsec of a centre, wherever that is."""
    rng = np.random.default_rng(seed)
    ra, dec = np.radians(centre)
    middle = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    vectors = middle + rng.normal(size=(n, 3)) * np.radians(10 * ARCSEC)
    ra, dec = (
        np.arctan2(vectors[:, 1], vectors[:, 0]),
        np.arctan2(vectors[:, 2], np.hypot(vectors[:, 0], vectors[:, 1])),
    )
    return np.degrees(np.stack([ra, dec], axis=1))


@pytest.mark.parametrize("rows_at_once", [7, 1000])
@pytest.mark.parametrize(
    "centre", [(0.0, 0.0), (0.0, 60.0), (180.0, -30.0), (77.0, 90.0), (10.0, -90.0)]
)
def test_nearest_as_among_all_pairs(
    monkeypatch: pytest.MonkeyPatch, centre: tuple[float, float], rows_at_once: int
):
    """Across RA 0 = 360, which one table calls 0 and the other -0, and round poles."""
    monkeypatch.setattr(matches, "_ROWS", rows_at_once)
    positions = scattered(centre, 60, seed=1)
    others = scattered(centre, 80, seed=2)
    others[:, 0] %= 360
    if centre[0] == 0:
        assert (positions[:, 0] < 0).any() and (positions[:, 0] > 0).any()
    all_pairs = separations(positions, others)
    radius = 4.0
    found = match_by_position(positions, others=others, radius_arcsec=radius)
    nearest = all_pairs.min(axis=1)
    is_near = nearest <= radius
    assert 5 < is_near.sum() < 60
    np.testing.assert_array_equal(found.row >= 0, is_near)
    np.testing.assert_array_equal(found.row[is_near], all_pairs.argmin(1)[is_near])
    np.testing.assert_array_equal(found.n_matches, (all_pairs <= radius).sum(axis=1))
    # Degrees as float64 are good to 1e-10 arcsec.
    np.testing.assert_allclose(found.separation[is_near], nearest[is_near], atol=1e-6)
    assert np.isnan(found.separation[~is_near]).all()


def test_all_over_the_sky():
    """Each of 500 galaxies, moved by less than the radius, is found again."""
    rng = np.random.default_rng(3)
    ra, sine = rng.uniform(0, 360, 500), rng.uniform(-1, 1, 500)
    positions = np.stack([ra, np.degrees(np.arcsin(sine))], axis=1)
    order = rng.permutation(500)
    moved = positions[order] + [0, 0.5 * ARCSEC]
    found = match_by_position(positions, others=moved, radius_arcsec=1)
    np.testing.assert_array_equal(order[found.row], np.arange(500))
    np.testing.assert_allclose(found.separation, 0.5, rtol=0, atol=1e-6)
    assert (found.n_matches == 1).all() and (found.n_sharing == 1).all()


def test_duplicates_and_missing_positions():
    """The first of equals is taken, and who shares a row is told."""
    positions = np.array([[10, 0], [10, ARCSEC], [np.nan, 0], [50, 5]])
    others = np.array([[10, np.nan], [10, 0], [10, 0], [10, 0]])
    found = match_by_position(positions, others=others, radius_arcsec=2)
    assert found.row.tolist() == [1, 1, -1, -1]
    assert found.n_matches.tolist() == [3, 3, 0, 0]
    assert found.n_sharing.tolist() == [2, 2, 0, 0]


@pytest.mark.parametrize(("n", "m"), [(0, 3), (3, 0), (0, 0)])
def test_empty_tables(n: int, m: int):
    found = match_by_position(np.ones((n, 2)), others=np.ones((m, 2)), radius_arcsec=1)
    assert found.row.tolist() == [-1] * n
    assert found.n_sharing.tolist() == [0] * n
    assert match_by_id(["a"] * n, others=["a"] * m).row.tolist() == [-1] * n


@pytest.mark.parametrize("radius", [0, -1, 3601, np.nan])
def test_a_radius_that_makes_no_sense_is_refused(radius: float):
    with pytest.raises(ValueError, match="radius_arcsec: found"):
        match_by_position(np.ones((1, 2)), others=np.ones((1, 2)), radius_arcsec=radius)


def test_by_id():
    """The first row of an id is taken; an empty id is none; zeros count."""
    found = match_by_id(
        ["7", "", "007", "x", "7"], others=["y", "007", "7", "", "7", "7"]
    )
    assert found.row.tolist() == [2, -1, 1, -1, 2]
    assert found.n_matches.tolist() == [3, 0, 1, 0, 3]
    assert found.n_sharing.tolist() == [2, 0, 1, 0, 2]
    assert found.separation is None
