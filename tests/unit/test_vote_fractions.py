"""Posterior of the vote fractions against SciPy, simulation and a tree by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit

from tests.workflow.workflow import ROOT
from zoobot.predictions import beta_mixture, vote_fractions
from zoobot.schemas import Schema, get_schema

PUBLISHED = Path(
    ROOT,
    os.environ.get("ZOOBOT_REAL_DATA", ""),
    "gz_decals_sample/gz_decals_auto_posteriors.csv",
)
# Final brackets are 2e-5 wide and their middle is given; the rest is rounding.
BRACKET = 1.01e-5
TREE = Schema(
    {
        "shape": {"answers": ["smooth", "disk", "star"]},
        "edge": {"answers": ["yes", "no"], "asked_after": ["shape_disk"]},
        "bar": {"answers": ["yes", "no"], "asked_after": ["edge_no"]},
        "odd": {
            "answers": ["yes", "no"],
            "asked_after": ["shape_smooth", "shape_disk"],
        },
    },
    name="tree",
)


def draw_concentrations(
    rng: np.random.Generator, *, n_galaxies: int, schema: Schema, n_passes: int
) -> np.ndarray:
    """Concentrations as a head gives them, from 0.02 to 100."""
    n_answers = len(schema.label_cols)
    x = rng.normal(-3, 2, size=(n_galaxies, n_answers, 1))
    x = x + rng.normal(0, 0.5, size=(n_galaxies, n_answers, n_passes))
    return (0.02 + 100 * expit(x)).astype(np.float32)


@pytest.mark.parametrize("probability", [0.05, 0.5, 0.95, 0.999])
def test_one_component_is_a_beta_quantile(probability: float) -> None:
    """A mixture of one is SciPy's quantile, from U-shaped to narrow."""
    grid = np.geomspace(0.02, 1000, 25)
    alpha, beta = (axis.ravel() for axis in np.meshgrid(grid, grid))
    found = beta_mixture.quantile(
        alpha[:, None], beta=beta[:, None], probability=probability
    )
    expected = stats.beta.ppf(probability, alpha, beta)
    np.testing.assert_allclose(found, expected, rtol=0, atol=BRACKET)


@pytest.mark.parametrize("probability", [0.05, 0.95])
@pytest.mark.parametrize(
    ("low", "high"), [(1e-9, 500), (0.02, 101), (1, 101), (10, 1e5), (1e-9, 1e6)]
)
@pytest.mark.parametrize("n_components", [1, 4, 15])
def test_mixture_quantile_inverts_its_distribution(
    low: float, high: float, n_components: int, probability: float
) -> None:
    """The mixture's distribution function passes the probability within the bracket.

    Components differ by up to 15 decades, so that many mixtures have several modes, and
    some parameters are those of heads whose range is (0.02, 100.02) or (1, 101).
    """
    rng = np.random.default_rng(3)
    shape = (2, 6000 // n_components, n_components)
    alpha, beta = np.exp(rng.uniform(np.log(low), np.log(high), size=shape))
    found = beta_mixture.quantile(alpha, beta=beta, probability=probability)
    below, above = np.clip([found - BRACKET, found + BRACKET], 0, 1)
    # Where the function is flat between two modes, rounding decides.
    rounding = 1e-12
    assert (
        stats.beta.cdf(below[:, None], alpha, beta).mean(axis=1)
        <= probability + rounding
    ).all()
    assert (
        stats.beta.cdf(above[:, None], alpha, beta).mean(axis=1)
        >= probability - rounding
    ).all()


def test_quantile_refuses_what_is_no_concentration() -> None:
    """NaN and 0 are named, not turned into an interval."""
    with pytest.raises(ValueError, match="alpha, mixture 1, component 0: found nan"):
        beta_mixture.quantile(
            np.array([[1.0], [np.nan]]), beta=np.ones((2, 1)), probability=0.5
        )


def test_intervals_equal_simulation() -> None:
    """Quantiles of 200,000 draws from the mixture of Dirichlet distributions.

    The distribution function at our quantile is that share of the draws to within
    four standard errors, sqrt(0.05 * 0.95 / 200000) = 0.0005 each.
    """
    rng = np.random.default_rng(4)
    schema = get_schema("gz_decals")
    values = draw_concentrations(rng, n_galaxies=2, schema=schema, n_passes=5)
    lower, upper = vote_fractions.intervals(values, schema=schema, interval=0.9)
    means = vote_fractions.mean_fractions(values, schema=schema)
    deviations = vote_fractions.standard_deviations(values, schema=schema)
    for galaxy in range(2):
        for question in schema.questions:
            alphas = values[galaxy, question.columns].T.astype(float)
            draws = np.concatenate([rng.dirichlet(a, size=40_000) for a in alphas])
            columns = (galaxy, question.columns)
            # Where half the draws are below the bracket's width, only the width counts.
            for bound, share in ((lower[columns], 0.05), (upper[columns], 0.95)):
                assert ((draws <= bound - BRACKET).mean(axis=0) <= share + 0.002).all()
                assert ((draws <= bound + BRACKET).mean(axis=0) >= share - 0.002).all()
            # Standard error of a mean of fractions: at most 0.5 / sqrt(200000).
            np.testing.assert_allclose(
                draws.mean(axis=0), means[columns], rtol=0, atol=0.005
            )
            # That of a standard deviation: less, as the values lie within 0 and 1.
            np.testing.assert_allclose(
                draws.std(axis=0), deviations[columns], rtol=0, atol=0.005
            )


def test_intervals_of_two_answers_mirror() -> None:
    """With two answers the second fraction is 1 minus the first."""
    values = np.random.default_rng(5).uniform(0.02, 30, size=(300, 9, 3))
    lower, upper = vote_fractions.intervals(values, schema=TREE, interval=0.8)
    np.testing.assert_allclose(lower[:, 3], 1 - upper[:, 4], rtol=0, atol=2 * BRACKET)


def test_threads_and_blocks_do_not_matter() -> None:
    """Whole, shared among threads, or galaxy by galaxy: the same numbers."""
    rng = np.random.default_rng(6)
    values = draw_concentrations(rng, n_galaxies=600, schema=TREE, n_passes=3)
    one = vote_fractions.intervals(values, schema=TREE, interval=0.9)
    two = vote_fractions.intervals(values, schema=TREE, interval=0.9, n_threads=2)
    alone = vote_fractions.intervals(values[599:], schema=TREE, interval=0.9)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(np.array(one)[:, 599:], alone)


def test_a_concentration_near_zero_beside_a_large_one() -> None:
    """A head whose range starts at 0 gives fractions at 0 and 1, not an error."""
    values = np.full((1, 9, 2), np.finfo(np.float32).tiny)
    values[:, [0, 3, 5, 7]] = 50.0
    lower, upper = vote_fractions.intervals(values, schema=TREE, interval=0.9)
    np.testing.assert_allclose(lower[0, :3], [1, 0, 0], rtol=0, atol=BRACKET)
    np.testing.assert_allclose(upper[0, :3], [1, 0, 0], rtol=0, atol=BRACKET)


@pytest.mark.parametrize("level", [0.02, 1.0, 101.0])
def test_one_pass_is_scipys_beta(level: float) -> None:
    """Mean, standard deviation and interval of one pass, at the ends of heads' ranges.

    Every question has an answer at `level`, the others are drawn around it.
    """
    rng = np.random.default_rng(8)
    values = level * np.exp(rng.normal(0, 1, size=(200, 9, 1)))
    values[:, [0, 3, 5, 7]] = level
    totals = [values[:, q.columns].sum(axis=1) for q in TREE.questions]
    total = np.concatenate(
        [
            np.broadcast_to(one, (200, len(q.answers)))
            for one, q in zip(totals, TREE.questions, strict=True)
        ],
        axis=1,
    )
    truth = stats.beta(values[..., 0], total - values[..., 0])
    lower, upper = vote_fractions.intervals(values, schema=TREE, interval=0.9)
    rounding = {"rtol": 0, "atol": 1e-12}
    np.testing.assert_allclose(
        vote_fractions.mean_fractions(values, schema=TREE), truth.mean(), **rounding
    )
    np.testing.assert_allclose(
        vote_fractions.standard_deviations(values, schema=TREE), truth.std(), **rounding
    )
    np.testing.assert_allclose(lower, truth.ppf(0.05), rtol=0, atol=BRACKET)
    np.testing.assert_allclose(upper, truth.ppf(0.95), rtol=0, atol=BRACKET)


def test_standard_deviation_by_moments_of_the_mixture() -> None:
    """Second moment less squared mean, of SciPy's components."""
    rng = np.random.default_rng(9)
    values = rng.uniform(0.02, 30, size=(50, 9, 15))
    found = vote_fractions.standard_deviations(values, schema=TREE)
    a = values[:, 3]
    parts = stats.beta(a, values[:, 4])
    second = (parts.var() + parts.mean() ** 2).mean(axis=1)
    expected = np.sqrt(second - parts.mean().mean(axis=1) ** 2)
    # A difference of moments of order 1 keeps 15 digits, its root at 0.05 a few less.
    np.testing.assert_allclose(found[:, 3], expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found[:, 4], expected, rtol=0, atol=1e-12)


def test_tree_quantities_equal_simulation() -> None:
    """Fractions drawn pass by pass, and multiplied down the real tree by hand.

    Passes disagree strongly: each favours or not the answers of a whole branch, so that
    the product of overall means is wrong by much more than the noise.
    """
    rng = np.random.default_rng(10)
    schema = get_schema("gz_decals")
    n_passes, n_draws = 4, 50_000
    values = rng.uniform(0.5, 3, size=(1, 34, n_passes))
    for pass_ in range(n_passes):
        for question in schema.questions:
            favoured = question.start + (1 if pass_ % 2 else 0)
            values[0, favoured, pass_] += 8
    draws = {}
    for question in schema.questions:
        alphas = values[0, question.columns].T
        fractions = np.concatenate([rng.dirichlet(a, size=n_draws) for a in alphas])
        asked = sum(draws[a.label_col] for a in question.asked_after)
        for answer, fraction in zip(question.answers, fractions.T, strict=True):
            draws[answer.label_col] = fraction * (asked if question.asked_after else 1)
    joint = vote_fractions.joint_fractions(values, schema=schema)[0]
    expected = [draws[column].mean() for column in schema.label_cols]
    # Standard error of a mean of fractions: at most 0.5 / sqrt(200000) = 0.0011.
    np.testing.assert_allclose(joint, expected, rtol=0, atol=0.005)
    asked = vote_fractions.proportions_asked(values, schema=schema)[0]
    for i, question in enumerate(schema.questions):
        assert joint[question.columns].sum() == pytest.approx(asked[i], abs=1e-12)
    means = vote_fractions.mean_fractions(values, schema=schema)
    assert np.abs(schema.proportion_asked(means)[0] - asked).max() > 0.1


def test_no_galaxy_gives_empty_arrays() -> None:
    """An empty file of predictions is no error."""
    values = np.ones((0, 9, 3), dtype=np.float32)
    assert vote_fractions.mean_fractions(values, schema=TREE).shape == (0, 9)
    assert vote_fractions.proportions_asked(values, schema=TREE).shape == (0, 4)
    lower, _ = vote_fractions.intervals(values, schema=TREE, interval=0.9)
    assert lower.shape == (0, 9)


@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0, np.inf])
def test_a_bad_concentration_is_named(bad: float) -> None:
    """Anywhere in the array, by galaxy, answer and pass."""
    values = np.ones((300, 9, 2))
    values[280, 4, 1] = bad
    for function in (
        vote_fractions.mean_fractions,
        vote_fractions.standard_deviations,
        vote_fractions.joint_fractions,
    ):
        with pytest.raises(ValueError, match="galaxy 280, edge_no, pass 1: found"):
            function(values, schema=TREE)


@pytest.mark.parametrize("shape", [(3, 8, 2), (3, 9), (3, 9, 0)])
def test_a_wrong_shape_is_named(shape: tuple[int, ...]) -> None:
    """Concentrations of another tree, or without passes."""
    with pytest.raises(ValueError, match=r"expected \(n_galaxies, 9, n_passes\)"):
        vote_fractions.mean_fractions(np.ones(shape), schema=TREE)


def test_an_impossible_interval_is_refused() -> None:
    """A percentage is no probability."""
    with pytest.raises(ValueError, match="interval: found 90, expected a probability"):
        vote_fractions.intervals(np.ones((1, 9, 1)), schema=TREE, interval=90)


@pytest.mark.skipif(
    not PUBLISHED.is_file(),
    reason=f"ZOOBOT_REAL_DATA names no folder with {PUBLISHED.name}",
)
def test_published_posteriors_of_gz_decals() -> None:
    """Concentrations and fractions of the GZ DECaLS release, computed by others."""
    schema = get_schema("gz_decals")
    table = pd.read_csv(PUBLISHED)
    values = np.stack(
        [
            np.array([json.loads(text) for text in table[f"{column}_concentration"]])
            for column in schema.label_cols
        ],
        axis=1,
    )
    means = vote_fractions.mean_fractions(values, schema=schema)
    published = table[[f"{column}_fraction" for column in schema.label_cols]]
    # Concentrations and fractions are published with about seven digits.
    np.testing.assert_allclose(means, published, rtol=0, atol=2e-6)

    # Of merging they publish something else than its two leading answers give.
    compared = [i for i, q in enumerate(schema.questions) if len(q.asked_after) < 2]
    assert len(compared) == len(schema.questions) - 1
    names = [schema.questions[i].text for i in compared]
    asked = table[[f"{name}_proportion_volunteers_asked" for name in names]]
    product = schema.proportion_asked(means)[:, compared]
    np.testing.assert_allclose(product, asked, rtol=0, atol=2e-6)
    # They multiply overall means. The mean over passes differs by the covariance of
    # passes, whose fractions scatter by a few percent: 0.05^2 = 0.0025 at each step.
    exact = vote_fractions.proportions_asked(values, schema=schema)[:, compared]
    assert 1e-5 < np.abs(exact - asked).to_numpy().max() < 0.004
