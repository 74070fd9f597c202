"""The mix of galaxies is the one asked for, galaxy by galaxy from a seed."""

import numpy as np
import pytest

from zoobot.demo import population

_SEED = 7


def _draw(n: int, *, seed: int = _SEED, ring_fraction: float = 0.25):
    return [
        population.random(
            population.stream(seed, purpose="galaxy", index=i),
            ring_fraction=ring_fraction,
        )
        for i in range(n)
    ]


def test_same_seed_same_galaxies_other_seed_others():
    """A galaxy is a function of seed and number."""
    assert _draw(5) == _draw(5)
    assert _draw(9)[:5] == _draw(5)
    assert all(a != b for a, b in zip(_draw(5), _draw(5, seed=8), strict=True))


def test_streams_differ_by_purpose_and_number():
    """Noise does not repeat the numbers that made the galaxy."""
    keys = [(1, "a", 0), (1, "b", 0), (1, "a", 1), (2, "a", 0)]
    first = [
        population.stream(key[0], purpose=key[1], index=key[2]).random() for key in keys
    ]
    assert len(set(first)) == len(keys)


@pytest.mark.parametrize("ring_fraction", [0.0, 0.25, 1.0])
def test_ring_fraction(ring_fraction):
    """Rings are on that share of the disks, and on nothing else."""
    galaxies = _draw(1500, ring_fraction=ring_fraction)
    has_ring = np.array([g.has_ring for g in galaxies if g.kind == "disk"])
    # Four standard deviations of a binomial share.
    tolerance = 4 * np.sqrt(ring_fraction * (1 - ring_fraction) / has_ring.size)
    np.testing.assert_allclose(has_ring.mean(), ring_fraction, rtol=0, atol=tolerance)
    assert not any(g.has_ring for g in galaxies if g.kind != "disk")


def test_every_answer_has_galaxies():
    """No kind, arm count, winding, bar, bulge or merger is missing from the demo."""
    galaxies = _draw(1500)
    assert {g.kind for g in galaxies} == {"smooth", "disk", "edge-on", "artifact"}
    assert {g.n_arms for g in galaxies} == set(range(7))
    assert {g.bar for g in galaxies} == {"strong", "weak", "no"}
    assert {g.merging for g in galaxies} == set(population.MERGING)
    bulges = {g.edge_on_bulge for g in galaxies if g.kind == "edge-on"}
    assert bulges == set(population.EDGE_ON_BULGES)
    pitches = np.array([g.pitch_deg for g in galaxies if g.n_arms])
    n_in_class = [
        np.count_nonzero((low <= pitches) & (pitches <= high))
        for low, high in population.WINDINGS_DEG.values()
    ]
    assert sum(n_in_class) == pitches.size
    assert min(n_in_class) > 0


def test_disks_are_thin():
    """The axis ratio of a disk is the cosine of its inclination."""
    disks = [g for g in _draw(300) if g.kind == "disk"]
    cosines = np.cos(np.radians([g.inclination_deg for g in disks]))
    np.testing.assert_allclose(
        [g.axis_ratio for g in disks], cosines, rtol=0, atol=1e-9
    )
