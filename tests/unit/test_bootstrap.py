"""Bootstrap of sums over galaxies, against SciPy and known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from zoobot.evaluation import bootstrap


def resampled_sums(
    sums: np.ndarray, *, n_resamples: int, seed: int, block: int = 100
) -> np.ndarray:
    """Sums (n_galaxies, n_sums) over the galaxies of each resample."""
    resamples = bootstrap.Bootstrap(0.9, n_resamples=n_resamples, seed=seed)
    blocks = ([sums[i : i + block]] for i in range(0, len(sums), block))
    (totals,) = resamples.totals(blocks, n_galaxies=len(sums))
    np.testing.assert_allclose(totals[0], sums.sum(axis=0), rtol=1e-12, atol=1e-9)
    return totals[1:]


def test_interval_of_a_ratio_is_scipys() -> None:
    """Ends of the percentile interval of a mean over those that count.

    With 20,000 resamples each, the 5% quantile of a normal variable has a standard
    error of sqrt(0.05 * 0.95 / 20000) / 0.103 = 0.015 of its standard deviation; the
    two differ by 0.08 of it (four times the error of a difference) at most.
    """
    rng = np.random.default_rng(1)
    is_hit = rng.random(150) < 0.7
    counts = rng.random(150) < 0.5

    def accuracy(hit: np.ndarray, count: np.ndarray, axis: int = -1) -> np.ndarray:
        return (hit * count).sum(axis=axis) / count.sum(axis=axis)

    scipys = stats.bootstrap(
        (is_hit, counts),
        accuracy,
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        batch=1000,
        confidence_level=0.9,
        method="percentile",
        rng=np.random.default_rng(2),
    )
    sums = np.stack([is_hit & counts, counts], axis=1)
    drawn = resampled_sums(sums, n_resamples=20_000, seed=3)
    found = bootstrap.bounds(drawn[:, 0] / drawn[:, 1], interval=0.9)
    expected = scipys.confidence_interval
    tolerance = 0.08 * scipys.standard_error
    np.testing.assert_allclose(found, (expected.low, expected.high), atol=tolerance)


def test_interval_holds_a_known_mean() -> None:
    """In 600 surveys of 100 galaxies, 90% of the intervals hold the true mean.

    The standard error of a share of 600 is 1.2%; the percentile interval of a mean of
    100 normal values is itself too narrow by the factor sqrt(99 / 100) and Student's
    0.7% of the width, 0.4% of coverage. Four standard errors are allowed.
    """
    rng = np.random.default_rng(4)
    surveys = rng.normal(3.0, 2.0, size=(600, 100))
    held = []
    for seed, values in enumerate(surveys):
        drawn = resampled_sums(values[:, None], n_resamples=500, seed=seed)
        lower, upper = bootstrap.bounds(drawn[:, 0] / 100, interval=0.9)
        held.append(lower < 3.0 < upper)
    assert np.mean(held) == pytest.approx(0.9, abs=0.05)


def test_models_are_compared_on_the_same_galaxies() -> None:
    """Of two sums apart, each resample has the galaxies of one call for both."""
    rng = np.random.default_rng(5)
    model, baseline = rng.normal(size=(2, 300))
    options = {"n_resamples": 130, "seed": 6}
    together = resampled_sums(np.stack([model, baseline], 1), **options)
    apart = [resampled_sums(one[:, None], **options)[:, 0] for one in (model, baseline)]
    # The order in which a matrix product adds up may differ.
    np.testing.assert_allclose(together.T, apart, rtol=0, atol=1e-9)
    other = resampled_sums(model[:, None], n_resamples=130, seed=7)
    assert not np.allclose(other[:, 0], apart[0])


def test_as_many_galaxies_as_there_are() -> None:
    """Each resample counts every galaxy 0, 1, 2, ... times, in all n."""
    drawn = resampled_sums(np.eye(40), n_resamples=70, seed=8)
    np.testing.assert_array_equal(drawn.sum(axis=1), 40)
    np.testing.assert_array_equal(drawn, drawn.round())
    assert len(np.unique(drawn, axis=0)) == 70
    # Each galaxy is drawn once a resample on average: four standard errors of 70.
    np.testing.assert_allclose(drawn.mean(axis=0), 1, rtol=0, atol=4 / np.sqrt(70))


def test_resamples_without_a_galaxy_that_counts_are_left_out() -> None:
    """NaN samples do not enter; where all are NaN so is the interval, silently."""
    samples = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    lower, upper = bootstrap.bounds(samples, interval=0.5)
    np.testing.assert_array_equal(lower, [1.5, np.nan])
    np.testing.assert_array_equal(upper, [2.5, np.nan])


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_blocks_do_not_matter(block: int) -> None:
    """The same galaxies are drawn, whatever comes at a time; sums add up otherwise."""
    sums = np.random.default_rng(9).normal(size=(300, 2))
    options = {"n_resamples": 50, "seed": 10}
    expected = resampled_sums(sums, **options)
    found = resampled_sums(sums, block=block, **options)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


def test_counts_are_those_of_galaxies_drawn_one_by_one() -> None:
    """Variance and covariance of multinomial counts, of 20 galaxies.

    A count of 20 draws, each with probability 1/20, has the variance 20 (1/20) (19/20)
    = 0.95; two have the covariance -20 / 20^2 = -0.05. Of 20,000 resamples a variance
    has a standard error of 0.95 sqrt(2.9 / 20000) = 0.012 (kurtosis 3.9), a covariance
    of 0.95 / sqrt(20000) = 0.007. Five of these are allowed, of 210.
    """
    counts = resampled_sums(np.eye(20), n_resamples=20_000, seed=11, block=6)
    covariance = np.cov(counts.T)
    is_same = np.eye(20, dtype=bool)
    np.testing.assert_allclose(covariance[is_same], 0.95, rtol=0, atol=0.06)
    np.testing.assert_allclose(covariance[~is_same], -0.05, rtol=0, atol=0.035)
    # The first and the last galaxy are drawn as often as binomial counts are.
    for one in (0, 19):
        found = np.bincount(counts[:, one].astype(int), minlength=5)[:5]
        expected = 20_000 * stats.binom.pmf(range(5), 20, 1 / 20)
        sigma = np.sqrt(expected)
        assert (np.abs(found - expected) < 4.5 * sigma).all()


def test_names_of_an_interval() -> None:
    """As in the tables of vote fractions."""
    names = bootstrap.bound_columns("accuracy", interval=0.9)
    assert names == ("accuracy_90pc-lower", "accuracy_90pc-upper")
    lower, _ = bootstrap.bound_columns("x", interval=0.975)
    assert lower == "x_97.5pc-lower"
