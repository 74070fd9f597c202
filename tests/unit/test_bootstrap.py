"""Bootstrap of sums over galaxies, against SciPy and known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from zoobot.evaluation import bootstrap


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
    drawn = bootstrap.resampled_sums(sums, n_resamples=20_000, seed=3)
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
        drawn = bootstrap.resampled_sums(values[:, None], n_resamples=500, seed=seed)
        lower, upper = bootstrap.bounds(drawn[:, 0] / 100, interval=0.9)
        held.append(lower < 3.0 < upper)
    assert np.mean(held) == pytest.approx(0.9, abs=0.05)


def test_models_are_compared_on_the_same_galaxies() -> None:
    """Of two sums apart, each resample has the galaxies of one call for both."""
    rng = np.random.default_rng(5)
    model, baseline = rng.normal(size=(2, 300))
    options = {"n_resamples": 130, "seed": 6}  # more than two blocks of resamples
    together = bootstrap.resampled_sums(np.stack([model, baseline], 1), **options)
    apart = [
        bootstrap.resampled_sums(one[:, None], **options)[:, 0]
        for one in (model, baseline)
    ]
    # The order in which a matrix product adds up may differ.
    np.testing.assert_allclose(together.T, apart, rtol=0, atol=1e-9)
    other = bootstrap.resampled_sums(model[:, None], n_resamples=130, seed=7)
    assert not np.allclose(other[:, 0], apart[0])


def test_as_many_galaxies_as_there_are() -> None:
    """Each resample counts every galaxy 0, 1, 2, ... times, in all n."""
    drawn = bootstrap.resampled_sums(np.eye(40), n_resamples=70, seed=8)
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


def test_no_galaxy() -> None:
    """Sums over nothing are 0, of which no ratio can be made."""
    drawn = bootstrap.resampled_sums(np.empty((0, 2)), n_resamples=3, seed=1)
    np.testing.assert_array_equal(drawn, np.zeros((3, 2)))


def test_names_of_an_interval() -> None:
    """As in the tables of vote fractions."""
    names = bootstrap.bound_columns("accuracy", interval=0.9)
    assert names == ("accuracy_90pc-lower", "accuracy_90pc-upper")
    lower, _ = bootstrap.bound_columns("x", interval=0.975)
    assert lower == "x_97.5pc-lower"
