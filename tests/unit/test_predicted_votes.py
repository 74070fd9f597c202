"""Predicted distribution of the next N votes, against SciPy and enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from zoobot.predictions import predicted_votes
from zoobot.schemas import Schema

TREE = Schema(
    {
        "shape": {"answers": ["smooth", "disk", "star"]},
        "bar": {"answers": ["yes", "no"], "asked_after": ["shape_disk"]},
    },
    name="tree",
)
# Differences of log-gamma functions of numbers up to 1e3 have 12 digits.
ROUNDING = 1e-9


def draw_cases(
    rng: np.random.Generator,
    *,
    n_galaxies: int = 300,
    n_passes: int = 3,
    n_votes_max: int = 40,
    lowest: float = 0.02,
    highest: float = 101.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Concentrations (n_galaxies, 5, n_passes), and votes of all kinds, 0 included."""
    ends = np.log([lowest, highest])
    alpha = np.exp(rng.uniform(*ends, size=(n_galaxies, 5, n_passes)))
    n = rng.integers(0, n_votes_max + 1, size=(2, n_galaxies))
    votes = np.empty((n_galaxies, 5), dtype=np.int64)
    # Uneven shares, whatever was predicted: counts far in the tails are among them.
    for n_of_all, question in zip(n, TREE.questions, strict=True):
        shares = rng.dirichlet(np.full(len(question.answers), 0.3), size=n_galaxies)
        votes[:, question.columns] = rng.multinomial(n_of_all, shares)
    return alpha, votes


def scipy_marginals(alpha: np.ndarray, votes: np.ndarray) -> tuple:
    """P(K < k) and P(K = k) by SciPy, the mean over passes."""
    below, equal = np.empty((2, *votes.shape))
    for question in TREE.questions:
        for answer in question.answers:
            a = alpha[:, answer.index]
            others = [o.index for o in question.answers if o is not answer]
            n = votes[:, question.columns].sum(axis=1)[:, None]
            counts = stats.betabinom(n, a, alpha[:, others].sum(axis=1))
            k = votes[:, answer.index][:, None]
            # SciPy gives nan, not 0, below the support of no votes.
            fewer = np.where(k > 0, counts.cdf(np.maximum(k - 1, 0)), 0)
            below[:, answer.index] = fewer.mean(axis=1)
            equal[:, answer.index] = counts.pmf(k).mean(axis=1)
    return below, equal


@pytest.mark.parametrize("n_votes_max", [1, 5, 40, 400])
@pytest.mark.parametrize("ends", [(0.02, 101.0), (1.0, 101.0), (0.9, 1.1)])
def test_marginals_are_beta_binomial(n_votes_max: int, ends: tuple) -> None:
    """Both probabilities are SciPy's, also without votes and far in the tails."""
    rng = np.random.default_rng(1)
    alpha, votes = draw_cases(
        rng, n_votes_max=n_votes_max, lowest=ends[0], highest=ends[1]
    )
    found = predicted_votes.marginal_probability(
        votes, concentrations=alpha, schema=TREE
    )
    for ours, scipys in zip(found, scipy_marginals(alpha, votes), strict=True):
        np.testing.assert_allclose(ours, scipys, rtol=0, atol=ROUNDING)


def test_marginals_of_no_votes_are_exact() -> None:
    """Nothing lies below a count of none, and all lies on it."""
    below, equal = predicted_votes.marginal_probability(
        np.zeros((2, 5), dtype=int), concentrations=np.ones((2, 5, 4)), schema=TREE
    )
    np.testing.assert_array_equal(below, 0)
    np.testing.assert_array_equal(equal, 1)


@pytest.mark.parametrize("tiny", [1e-6, np.finfo(np.float32).tiny])
def test_marginals_where_an_answer_is_all_but_excluded(tiny: float) -> None:
    """A tiny sum of the others' concentrations does not vanish beside a large one."""
    alpha = np.array([[101.0, tiny, tiny, tiny, tiny]], dtype=np.float32)[:, :, None]
    votes = np.array([[30, 0, 0, 3, 0]])
    below, equal = predicted_votes.marginal_probability(
        votes, concentrations=alpha, schema=TREE
    )
    # All votes for the first, but for a probability of the order of tiny times 30; for
    # the second question all or nothing, either half of the time.
    np.testing.assert_allclose(below[0], [0, 0, 0, 0.5, 0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(equal[0], [1, 1, 1, 0.5, 0.5], rtol=0, atol=1e-5)


def test_marginals_of_a_count_that_cannot_be() -> None:
    """A probability below the least float, 1e-308, leaves nothing undefined."""
    alpha = np.array([[9e5, 1e5, 1.0, 1e5, 9e5]])[:, :, None]
    votes = np.array([[0, 700, 0, 700, 0]])
    below, equal = predicted_votes.marginal_probability(
        votes, concentrations=alpha, schema=TREE
    )
    np.testing.assert_allclose(below[0, [0, 1, 3, 4]], [0, 1, 1, 0], atol=1e-12)
    np.testing.assert_allclose(equal[0, [0, 1, 3, 4]], 0, atol=1e-12)


@pytest.mark.parametrize("n_votes_max", [1, 40, 400])
def test_log_probability_is_of_the_mean_over_passes(n_votes_max: int) -> None:
    """SciPy's probabilities are averaged, not their logarithms."""
    rng = np.random.default_rng(2)
    alpha, votes = draw_cases(rng, n_galaxies=50, n_votes_max=n_votes_max)
    found = predicted_votes.log_probability(votes, concentrations=alpha, schema=TREE)
    for i, question in enumerate(TREE.questions):
        k = votes[:, None, question.columns]
        log_p = stats.dirichlet_multinomial.logpmf(
            k, np.moveaxis(alpha[:, question.columns], 1, 2), k.sum(axis=-1)
        )
        expected = np.logaddexp.reduce(log_p, axis=1) - np.log(3)
        np.testing.assert_allclose(found[:, i], expected, rtol=0, atol=ROUNDING)
    without = votes[:, :3].sum(axis=1) == 0
    assert (found[without, 0] == 0).all()


def test_log_probability_does_not_underflow() -> None:
    """Votes less probable than the least float keep their logarithm."""
    alpha = np.array([1e5, 1e-3, 1e-3, 1.0, 1.0])[None, :, None]
    votes = np.array([[0, 500, 500, 0, 0]])
    found = predicted_votes.log_probability(votes, concentrations=alpha, schema=TREE)
    one = stats.dirichlet_multinomial.logpmf(votes[0, :3], alpha[0, :3, 0], 1000)
    assert one < -1000
    np.testing.assert_allclose(found[0], [one, 0], rtol=1e-9)


def enumerated_winners(n: int, alpha: np.ndarray) -> np.ndarray:
    """Sum the probabilities of all counts of 3 answers that each one wins."""
    wins = np.zeros(3)
    for k in itertools.product(range(n + 1), repeat=3):
        if sum(k) == n:
            p = stats.dirichlet_multinomial.pmf(k, alpha, n)
            wins[np.argmax(k)] += p
    return wins


@pytest.mark.parametrize("n", [1, 2, 6])
def test_winners_against_enumeration(n: int) -> None:
    """Of three answers by draws, of two exactly, ties included, for two passes."""
    passes = [np.array([0.5, 3.0, 1.5, 0.7, 1.9]), np.array([2.0, 0.1, 0.4, 5.0, 0.2])]
    n_draws = 40_000
    found = predicted_votes.winning_probability(
        np.array([[n, n]]),
        concentrations=np.stack(passes, axis=1)[None],
        schema=TREE,
        n_draws=n_draws,
        rng=np.random.default_rng(3),
    )[0]
    expected = np.mean([enumerated_winners(n, a[:3]) for a in passes], axis=0)
    # Four standard errors of a share of 40,000 draws, at most 0.01.
    np.testing.assert_allclose(found[:3], expected, atol=4 * 0.5 / np.sqrt(n_draws))
    half = np.arange(n // 2 + n % 2, n + 1)  # equals: the first wins
    first = np.mean([stats.betabinom.pmf(half, n, *a[3:]).sum() for a in passes])
    np.testing.assert_allclose(found[3:], [first, 1 - first], rtol=0, atol=ROUNDING)


def test_winners_some_galaxies_at_a_time() -> None:
    """The same draws as for all at once."""
    rng = np.random.default_rng(5)
    alpha, _ = draw_cases(rng, n_galaxies=50)
    n_votes = rng.integers(0, 30, size=(50, 2))

    def winners(size: int) -> np.ndarray:
        draws = np.random.default_rng(6)
        parts = [
            predicted_votes.winning_probability(
                n_votes[start : start + size],
                concentrations=alpha[start : start + size],
                schema=TREE,
                n_draws=100,
                rng=draws,
            )
            for start in range(0, 50, size)
        ]
        return np.concatenate(parts)

    for size in (1, 7):
        np.testing.assert_array_equal(winners(size), winners(50))


def test_winners_where_every_concentration_is_tiny() -> None:
    """All votes go to one answer, each in proportion to its concentration."""
    alpha = np.array([1e-30, 2e-30, 1e-30, 1.0, 1.0])[None, :, None]
    found = predicted_votes.winning_probability(
        np.array([[20, 0]]),
        concentrations=alpha,
        schema=TREE,
        n_draws=10_000,
        rng=np.random.default_rng(4),
    )[0]
    # Four standard errors: 0.02.
    np.testing.assert_allclose(found[:3], [0.25, 0.5, 0.25], rtol=0, atol=0.02)
    assert np.isnan(found[3:]).all(), "no votes, no winner"


def test_arrays_that_do_not_fit() -> None:
    """The error says both shapes and the expected one."""
    for votes, alpha in (((3, 5), (3, 4, 2)), ((3, 5), (2, 5, 2)), ((3, 4), (3, 5, 2))):
        with pytest.raises(ValueError, match=r"found shapes .* expected \(3, 5\)"):
            predicted_votes.marginal_probability(
                np.ones(votes, dtype=int), concentrations=np.ones(alpha), schema=TREE
            )
