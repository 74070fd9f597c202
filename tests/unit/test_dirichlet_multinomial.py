"""The likelihood of votes against SciPy, identities and simulated volunteers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from zoobot.dirichlet_multinomial import fit_constant_concentrations, log_likelihood
from zoobot.schemas import Schema, get_schema

TWO_QUESTIONS = Schema(
    {
        "shape": {"answers": ["round", "flat", "odd"]},
        "bar": {"answers": ["yes", "no"], "asked_after": ["shape_flat"]},
    },
    name="two_questions",
)
# log-gamma of numbers up to about 1e3 is exact to 1e-12, and a dozen of them add up.
ROUNDING = 1e-9


def draw_votes(
    rng: np.random.Generator, *, n_galaxies: int, alpha: np.ndarray, n_votes: np.ndarray
) -> np.ndarray:
    """Votes of galaxies whose vote fractions follow Dirichlet(alpha)."""
    return rng.multinomial(n_votes, rng.dirichlet(alpha, size=n_galaxies))


@pytest.mark.parametrize("level", [0.02, 1.0, 7.3, 101.0])
@pytest.mark.parametrize("votes", [(0, 0, 0), (0, 1, 0), (3, 2, 9), (80, 0, 1)])
def test_log_likelihood_equals_scipy(level: float, votes: tuple[int, ...]) -> None:
    """Every question is SciPy's distribution, at both ends of the head's range too."""
    alpha = np.array([level, 0.02, 1.5, level, 101.0])
    k = np.array([*votes, 4, 1])
    found = log_likelihood(k, concentrations=alpha, schema=TWO_QUESTIONS)
    first = stats.dirichlet_multinomial.logpmf(k[:3], alpha[:3], n=k[:3].sum())
    second = stats.dirichlet_multinomial.logpmf(k[3:], alpha[3:], n=5)
    np.testing.assert_allclose(found, [first, second], rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(
    ("low", "high"), [(0.02, 0.03), (0.02, 101), (1.0, 1.1), (100, 101)]
)
def test_log_likelihood_equals_scipy_over_random_cases(low: float, high: float) -> None:
    """Every question of the real tree, with 0, 1 and many votes, at both ends."""
    rng = np.random.default_rng(11)
    schema = get_schema("gz_decals")
    alpha = rng.uniform(low, high, size=(30, len(schema.label_cols)))
    n_votes = np.array([0, 1, 2, 5, 40, 1000])[np.arange(30) % 6]
    votes = np.concatenate(
        [
            [
                rng.multinomial(n, rng.dirichlet(a))
                for a, n in zip(alpha[:, q.columns], n_votes, strict=True)
            ]
            for q in schema.questions
        ],
        axis=1,
    )
    found = log_likelihood(votes, concentrations=alpha, schema=schema)
    for i, question in enumerate(schema.questions):
        expected = stats.dirichlet_multinomial.logpmf(
            votes[:, question.columns], alpha[:, question.columns], n=n_votes
        )
        np.testing.assert_allclose(found[:, i], expected, rtol=0, atol=ROUNDING)
    assert (found[n_votes == 0] == 0).all()


def test_no_votes_give_exactly_zero() -> None:
    """A question nobody was asked adds nothing, so no mask is needed."""
    schema = get_schema("gz_decals")
    alpha = np.geomspace(0.02, 101, len(schema.label_cols))
    found = log_likelihood(np.zeros_like(alpha), concentrations=alpha, schema=schema)
    assert (found == 0).all()


def test_two_answers_are_beta_binomial() -> None:
    """With two answers the first one's count is beta-binomial."""
    k = np.arange(11)
    votes = np.stack([0 * k, 0 * k, 0 * k, k, 10 - k], axis=-1)
    alpha = np.array([1, 1, 1, 0.3, 2.5])
    found = log_likelihood(votes, concentrations=alpha, schema=TWO_QUESTIONS)[:, 1]
    expected = stats.betabinom.logpmf(k, 10, 0.3, 2.5)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)
    assert np.exp(found).sum() == pytest.approx(1, abs=ROUNDING)


def test_one_vote_is_the_mean_fraction() -> None:
    """A single vote has probability alpha_a / A."""
    alpha = np.array([0.02, 5.0, 30.0, 2.0, 6.0])
    votes = np.array([0, 0, 1, 1, 0])
    found = log_likelihood(votes, concentrations=alpha, schema=TWO_QUESTIONS)
    expected = np.log([30 / 35.02, 2 / 8])
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


def test_leading_axes_broadcast() -> None:
    """Concentrations of many passes against the votes of the same galaxies."""
    rng = np.random.default_rng(0)
    alpha = rng.uniform(0.02, 101, size=(4, 6, 5))
    votes = rng.integers(0, 20, size=(6, 5))
    found = log_likelihood(votes, concentrations=alpha, schema=TWO_QUESTIONS)
    one = log_likelihood(votes[3], concentrations=alpha[2, 3], schema=TWO_QUESTIONS)
    assert found.shape == (4, 6, 2)
    np.testing.assert_array_equal(found[2, 3], one)


def test_wrong_number_of_answers() -> None:
    """Arrays of another schema are refused by name and shape."""
    with pytest.raises(ValueError, match=r"votes: found shape \(4,\), expected .* 5"):
        log_likelihood(np.ones(4), concentrations=np.ones(5), schema=TWO_QUESTIONS)


def test_fit_recovers_planted_concentrations() -> None:
    """With 40,000 galaxies the fit is as near as sampling noise allows.

    The relative error of a concentration is about sqrt(2 / 40000) times a small
    factor for few votes: under 2%; 6% is three of these.
    """
    rng = np.random.default_rng(1)
    planted = np.array([0.3, 2.0, 5.0, 0.08, 12.0])
    n_votes = rng.integers(5, 60, size=40_000)
    votes = np.concatenate(
        [
            draw_votes(rng, n_galaxies=40_000, alpha=planted[:3], n_votes=n_votes),
            draw_votes(rng, n_galaxies=40_000, alpha=planted[3:], n_votes=n_votes),
        ],
        axis=1,
    )
    fitted = fit_constant_concentrations(votes, schema=TWO_QUESTIONS)
    np.testing.assert_allclose(fitted[:3], planted[:3], rtol=0.06)
    # A rare answer leaves few informative galaxies.
    np.testing.assert_allclose(fitted[3:], planted[3:], rtol=0.15)


def test_fit_beats_every_perturbation() -> None:
    """No step of 2% in one concentration makes the votes more probable."""
    rng = np.random.default_rng(2)
    votes = rng.poisson([9, 3, 0.2, 2, 0.5], size=(500, 5))
    fitted = fit_constant_concentrations(votes, schema=TWO_QUESTIONS)

    def total(alpha: np.ndarray) -> float:
        return log_likelihood(votes, concentrations=alpha, schema=TWO_QUESTIONS).sum()

    for i in range(5):
        for factor in (0.98, 1.02):
            moved = fitted.copy()
            moved[i] *= factor
            # Where the maximum lies at the upper end a step outside may gain nothing
            # but rounding of sums of log-gamma functions of 1e6.
            assert total(moved) <= total(fitted) + 1e-4


def test_fit_of_degenerate_questions() -> None:
    """Answers without a vote, and questions without one, give finite numbers."""
    votes = np.zeros((50, 5), dtype=int)
    votes[:, 1] = np.arange(1, 51)
    fitted = fit_constant_concentrations(votes, schema=TWO_QUESTIONS)
    assert np.isfinite(fitted).all()
    assert (fitted > 0).all()
    assert fitted[1] / fitted[:3].sum() > 0.99
    np.testing.assert_array_equal(fitted[3:], 1)
    loss = -log_likelihood(votes, concentrations=fitted, schema=TWO_QUESTIONS)
    # The limit is probability 1; the least concentration of 1e-4 costs 1e-3 at most.
    assert 0 <= loss.mean() < 1e-3


def test_fit_where_all_volunteers_are_alike() -> None:
    """Votes without any scatter between galaxies drive the concentrations up."""
    rng = np.random.default_rng(3)
    votes = rng.multinomial(40, [0.2, 0.5, 0.3], size=5000)
    votes = np.concatenate([votes, votes[:, :2]], axis=1)
    fitted = fit_constant_concentrations(votes, schema=TWO_QUESTIONS)
    assert fitted[:3].sum() > 500
    # Standard error of a mean of 200,000 votes: 0.0011.
    np.testing.assert_allclose(
        fitted[:3] / fitted[:3].sum(), [0.2, 0.5, 0.3], rtol=0, atol=0.005
    )


def test_fit_names_the_bad_vote() -> None:
    """A negative or missing count is named by row and answer."""
    votes = np.ones((4, 5))
    votes[2, 4] = np.nan
    with pytest.raises(ValueError, match="row 2, bar_no: found nan"):
        fit_constant_concentrations(votes, schema=TWO_QUESTIONS)
    with pytest.raises(ValueError, match=r"expected \(n_galaxies, n_answers\)"):
        fit_constant_concentrations(np.ones(5), schema=TWO_QUESTIONS)
