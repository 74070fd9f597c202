"""Volunteers vote on what can be seen, and their votes have the stated moments."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from zoobot.demo import population, volunteers
from zoobot.demo.population import Galaxy
from zoobot.schemas import get_schema

_SCHEMA = get_schema("gz_decals")
_RING = Galaxy(
    kind="disk",
    snr=40.0,
    half_light_radius=0.14,
    psf_fwhm=0.02,
    position_angle_deg=0.0,
    bulge_fraction=0.2,
    n_arms=2,
    pitch_deg=20.0,
    arm_contrast=0.8,
    has_ring=True,
    ring_radius=2.0,
    ring_fraction=0.4,
)


def _population(n: int) -> list[Galaxy]:
    streams = (population.stream(5, purpose="galaxy", index=i) for i in range(n))
    return [population.random(rng, ring_fraction=0.25) for rng in streams]


def _fraction(galaxy: Galaxy, label_col: str) -> float:
    fractions = volunteers.expected_fractions(galaxy, schema=_SCHEMA)
    return fractions[_SCHEMA.label_cols.index(label_col)]


def test_expected_fractions_are_fractions():
    """Each question's sum to 1, and none is negative."""
    fractions = np.stack(
        [volunteers.expected_fractions(g, schema=_SCHEMA) for g in _population(300)]
    )
    assert (fractions > 0).all()
    for question in _SCHEMA.questions:
        total = fractions[:, question.columns].sum(axis=1)
        np.testing.assert_allclose(total, 1, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "label_col"),
    [
        ({"n_arms": 1}, "spiral-arm-count_1"),
        ({"n_arms": 2}, "spiral-arm-count_2"),
        ({"n_arms": 3}, "spiral-arm-count_3"),
        ({"n_arms": 4, "pitch_deg": 35.0}, "spiral-arm-count_4"),
        ({"n_arms": 6, "pitch_deg": 35.0}, "spiral-arm-count_more-than-4"),
        ({"pitch_deg": 11.0}, "spiral-winding_tight"),
        ({"pitch_deg": 20.0}, "spiral-winding_medium"),
        ({"pitch_deg": 35.0}, "spiral-winding_loose"),
        ({"has_ring": False, "ring_radius": 0.0}, "has-spiral-arms_yes"),
        ({"n_arms": 0}, "has-spiral-arms_no"),
        ({"bar": "strong", "bar_length": 1.4}, "bar_strong"),
        ({"bar": "weak", "bar_length": 1.0}, "bar_weak"),
        ({}, "bar_no"),
        ({}, "smooth-or-featured_featured-or-disk"),
        ({"kind": "smooth"}, "smooth-or-featured_smooth"),
        ({"kind": "artifact"}, "smooth-or-featured_artifact"),
        ({}, "disk-edge-on_no"),
        ({"kind": "edge-on", "inclination_deg": 87.0}, "disk-edge-on_yes"),
        ({"kind": "edge-on", "edge_on_bulge": "boxy"}, "edge-on-bulge_boxy"),
        ({"kind": "edge-on", "edge_on_bulge": "rounded"}, "edge-on-bulge_rounded"),
        ({"bulge_fraction": 0.0}, "bulge-size_none"),
        ({"bulge_fraction": 0.07}, "bulge-size_small"),
        ({"bulge_fraction": 0.6}, "bulge-size_dominant"),
        ({"axis_ratio": 0.95}, "how-rounded_round"),
        ({"axis_ratio": 0.25}, "how-rounded_cigar-shaped"),
        ({}, "merging_none"),
        ({"merging": "merger"}, "merging_merger"),
    ],
)
def test_the_truth_wins_where_it_can_be_seen(changes, label_col):
    """Most volunteers see what a bright, large galaxy is."""
    assert _fraction(dataclasses.replace(_RING, **changes), label_col) > 0.5


def test_features_fade_for_faint_and_small_galaxies():
    """Fewer see a ring, arms or features as signal or size go down."""
    for name, values in {
        "snr": (40.0, 12.0, 5.0),
        "half_light_radius": (0.14, 0.07, 0.045),
    }.items():
        galaxies = [dataclasses.replace(_RING, **{name: v}) for v in values]
        for seen in (
            [volunteers.visibility(g) for g in galaxies],
            [volunteers.expected_ring_fraction(g) for g in galaxies],
            [_fraction(g, "spiral-arm-count_2") for g in galaxies],
            [_fraction(g, "smooth-or-featured_featured-or-disk") for g in galaxies],
        ):
            assert seen[0] > seen[1] > seen[2]


def test_concentrations_are_fractions_times_agreement():
    """They add up to vote_concentration, but for the minimum of rare answers."""
    concentrations = volunteers.true_concentrations(
        _RING, schema=_SCHEMA, vote_concentration=20.0
    )
    expected = 20 * volunteers.expected_fractions(_RING, schema=_SCHEMA)
    common = expected > 0.05
    np.testing.assert_allclose(
        concentrations[common], expected[common], rtol=0, atol=1e-12
    )
    assert (concentrations[~common] == 0.05).all()


def test_votes_add_up_down_the_tree():
    """A question's votes are those of the answers that lead to it."""
    for i, galaxy in enumerate(_population(100)):
        concentrations = volunteers.true_concentrations(
            galaxy, schema=_SCHEMA, vote_concentration=20.0
        )
        drawn = volunteers.draw_votes(
            concentrations,
            schema=_SCHEMA,
            n_volunteers=i,
            rng=np.random.default_rng(i),
        )
        assert drawn.dtype == np.int64
        assert (drawn >= 0).all()
        votes = dict(zip(_SCHEMA.label_cols, drawn, strict=True))

        def total(question: str, votes: dict[str, int] = votes) -> int:
            return sum(n for col, n in votes.items() if col.startswith(f"{question}_"))

        smooth = votes["smooth-or-featured_smooth"]
        featured = votes["smooth-or-featured_featured-or-disk"]
        face_on = votes["disk-edge-on_no"]
        assert total("smooth-or-featured") == i
        assert total("disk-edge-on") == featured
        assert total("how-rounded") == smooth
        assert total("merging") == smooth + featured
        assert total("edge-on-bulge") == votes["disk-edge-on_yes"]
        for question in ("has-spiral-arms", "bar", "bulge-size"):
            assert total(question) == face_on
        for question in ("spiral-winding", "spiral-arm-count"):
            assert total(question) == votes["has-spiral-arms_yes"]


def test_votes_are_dirichlet_multinomial():
    """Mean and covariance of many draws are SciPy's, also for those asked later."""
    n_draws, n_volunteers = 6000, 30
    concentrations = volunteers.true_concentrations(
        _RING, schema=_SCHEMA, vote_concentration=20.0
    )
    rng = np.random.default_rng(11)
    votes = np.stack(
        [
            volunteers.draw_votes(
                concentrations, schema=_SCHEMA, n_volunteers=n_volunteers, rng=rng
            )
            for _ in range(n_draws)
        ]
    )
    first = _SCHEMA.questions[0]
    expected = stats.dirichlet_multinomial(concentrations[first.columns], n_volunteers)
    # Five standard errors of a mean.
    errors = np.sqrt(np.diag(expected.cov()) / n_draws)
    found = votes[:, first.columns]
    difference = np.abs(found.mean(axis=0) - expected.mean())
    assert (difference < 5 * errors).all()
    # A covariance's standard error is near var sqrt(2 / n), 2%; tails make it wider.
    np.testing.assert_allclose(
        np.cov(found.T),
        expected.cov(),
        rtol=0,
        atol=0.15 * np.diag(expected.cov()).max(),
    )
    for question in _SCHEMA.questions[1:]:
        _check_where_asked(votes[:, question.columns], concentrations[question.columns])


def _check_where_asked(votes: np.ndarray, concentrations: np.ndarray) -> None:
    """Standardised by each galaxy's own number asked, means are 0, variances 1."""
    n_asked = votes.sum(axis=1)
    votes, n_asked = votes[n_asked > 1], n_asked[n_asked > 1]
    if n_asked.size < 1000:  # too few for moments: bulges of edge-on disks
        return
    total = concentrations.sum()
    shares = concentrations / total
    overdispersion = (n_asked + total) / (1 + total)
    variance = np.outer(n_asked * overdispersion, shares * (1 - shares))
    scores = (votes - np.outer(n_asked, shares)) / np.sqrt(variance)
    assert (np.abs(scores.mean(axis=0)) < 5 / np.sqrt(n_asked.size)).all()
    # Rare answers have long tails, so only of common ones is the variance well known.
    common = shares > 0.05
    np.testing.assert_allclose(scores[:, common].var(axis=0), 1, rtol=0, atol=0.15)


def test_ring_votes_are_beta_binomial():
    """Mean and variance of many draws are SciPy's."""
    n_draws, n_asked = 4000, 25
    rng = np.random.default_rng(2)
    votes = [
        volunteers.draw_ring_votes(
            _RING, n_asked=n_asked, vote_concentration=20.0, rng=rng
        )
        for _ in range(n_draws)
    ]
    share = volunteers.expected_ring_fraction(_RING)
    expected = stats.betabinom(n_asked, 20 * share, 20 * (1 - share))
    error = expected.std() / np.sqrt(n_draws)  # of the mean
    np.testing.assert_allclose(np.mean(votes), expected.mean(), rtol=0, atol=5 * error)
    # Five standard errors of a variance, var sqrt(2 / n), are 11%.
    np.testing.assert_allclose(
        np.var(votes), expected.var(), rtol=0, atol=0.11 * expected.var()
    )


def test_rings_and_others_lie_on_their_sides_of_the_cuts():
    """Expected ring fractions: below 0.05 without a ring, above 0.25 if seen well."""
    for galaxy in _population(400):
        share = volunteers.expected_ring_fraction(galaxy)
        if not galaxy.has_ring:
            assert share < 0.05
        elif volunteers.visibility(galaxy) > 0.8 and galaxy.axis_ratio > 0.5:
            assert share > 0.25


def test_other_trees_are_refused():
    """The volunteers answer one tree only, and say which."""
    with pytest.raises(ValueError, match="schema gz2: found other questions"):
        volunteers.expected_fractions(_RING, schema=get_schema("gz2"))
