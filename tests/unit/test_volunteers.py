"""How many volunteers a model is worth, where that is planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.evaluation import matching
from zoobot.evaluation.volunteers import (
    Volunteers,
    equivalent_volunteers,
    expected_errors,
)
from zoobot.schemas import Schema

TREE = Schema(
    {
        "shape": {"answers": ["smooth", "disk", "star"]},
        "bar": {"answers": ["yes", "no"], "asked_after": ["shape_disk"]},
    },
    name="tree",
)


def draw(rng: np.random.Generator, *, n_galaxies: int) -> tuple[np.ndarray, np.ndarray]:
    """True fractions (n_galaxies, 3) of the first question and 20 to 60 votes."""
    truth = rng.dirichlet([1.0, 2.0, 0.5], size=n_galaxies)
    return truth, rng.multinomial(rng.integers(20, 60, size=n_galaxies), truth)


def worth(
    fractions: np.ndarray, votes: np.ndarray, *, n_resamples: int = 200, **options
) -> Volunteers:
    """What fractions (n_galaxies, 3) are worth; nobody was asked the second question.

    Many decimals of the fractions survive as concentrations of a thousand votes.
    """
    ids = [str(i) for i in range(len(votes))]
    alpha = np.ones((len(votes), 5, 1), dtype=np.float32)
    alpha[:, :3, 0] = 1000 * fractions + 1e-3
    catalog = pd.DataFrame(0, index=range(len(votes)), columns=TREE.label_cols)
    catalog[TREE.label_cols[:3]] = votes
    return equivalent_volunteers(
        GalaxyRows(alpha, ids, TREE.label_cols, {}),
        catalog.assign(id_str=ids),
        TREE,
        n_resamples=n_resamples,
        **options,
    )


@pytest.mark.parametrize("n_planted", [3, 8, 12])
def test_extra_volunteers_are_worth_their_number(n_planted: int) -> None:
    """A model that holds the votes of n more volunteers of the same galaxy.

    Within three times the bootstrap's own standard deviation, which is small.
    """
    rng = np.random.default_rng(n_planted)
    truth, votes = draw(rng, n_galaxies=20_000)
    extra = rng.multinomial(n_planted, truth) / n_planted
    numbers = worth(extra, votes).numbers.set_index("question")
    row = numbers.loc["shape"]
    sigma = (row["volunteers_90pc-upper"] - row["volunteers_90pc-lower"]) / 3.29
    assert sigma < 0.03 * n_planted
    assert row["volunteers"] == pytest.approx(n_planted, abs=3 * sigma)
    assert not row["is_lower_bound"]
    assert not row["is_below_one"]
    expected = np.abs(extra - votes / votes.sum(axis=1, keepdims=True)).mean()
    # float32 concentrations and the thousandth of a vote that keeps them positive
    assert row["mean_absolute_error"] == pytest.approx(expected, abs=1e-5)


def test_a_number_between_two_whole_ones() -> None:
    """Two thirds of the galaxies with 6 more volunteers, a third with 5.

    The error falls so evenly there that the mean lies near 5.64, by the mean of the
    standard deviations, n^-1/2.
    """
    rng = np.random.default_rng(20)
    truth, votes = draw(rng, n_galaxies=30_000)
    n_extra = np.where(np.arange(30_000) % 3 == 0, 5, 6)
    extra = rng.multinomial(n_extra, truth) / n_extra[:, None]
    row = worth(extra, votes, n_resamples=50).numbers.iloc[0]
    mean_error = (1 / 3) * 5**-0.5 + (2 / 3) * 6**-0.5
    assert row["volunteers"] == pytest.approx(mean_error**-2, abs=0.2)


def test_the_interval_holds_the_truth() -> None:
    """Of 40 samples of 300 galaxies, a 90% interval misses 4 +- 1.9; 9 is 3 sigma."""
    n_missed = 0
    for seed in range(40):
        rng = np.random.default_rng(1000 + seed)
        truth, votes = draw(rng, n_galaxies=300)
        row = worth(rng.multinomial(6, truth) / 6, votes, seed=seed).numbers.iloc[0]
        n_missed += not (
            row["volunteers_90pc-lower"] <= 6 <= row["volunteers_90pc-upper"]
        )
    assert n_missed <= 9


def test_the_truth_is_worth_more_than_can_be_said() -> None:
    """Known fractions reach the largest number that leaves judges."""
    truth, votes = draw(np.random.default_rng(4), n_galaxies=2000)
    found = worth(truth, votes)
    row = found.numbers.iloc[0]
    assert (row["volunteers"], row["is_lower_bound"]) == (15, True)
    assert row["volunteers_90pc-upper"] == 15
    curve = found.errors.query("question == 'shape'")
    assert list(curve["n_volunteers"]) == list(range(1, 16))
    assert (curve["model_error"] < curve["volunteers_error"]).all()


def test_a_useless_model_is_worth_nothing() -> None:
    """Sure of the wrong answer: worse than any one volunteer."""
    truth, votes = draw(np.random.default_rng(5), n_galaxies=500)
    wrong = np.eye(3)[truth.argmin(axis=1)]
    row = worth(wrong, votes).numbers.iloc[0]
    assert (row["volunteers"], row["is_below_one"]) == (0, True)
    assert row["volunteers_90pc-upper"] == 0
    assert not row["is_lower_bound"]


def test_a_question_without_galaxies_is_empty() -> None:
    """No vote for the second question: n = 0, no number, neither bound."""
    truth, votes = draw(np.random.default_rng(6), n_galaxies=50)
    found = worth(truth, votes)
    row = found.numbers.set_index("question").loc["bar"]
    assert row["n"] == 0
    flags = ["is_lower_bound", "is_below_one"]
    assert not row[flags].any()
    assert row.drop(["n", *flags]).isna().all()
    curve = found.errors.query("question == 'bar'")
    assert curve[["volunteers_error", "model_error"]].isna().all(axis=None)


@pytest.mark.parametrize("n_drawn", [1, 4, 15])
def test_expectations_by_drawing(n_drawn: int) -> None:
    """Against 20,000 draws of each galaxy's volunteers without replacement.

    An error lies between 0 and 1: its mean over draws is known to 0.5 / sqrt(20000) =
    0.0035 at worst, and 0.001 or so in truth.
    """
    rng = np.random.default_rng(7)
    votes = np.array([[20, 0, 0], [7, 12, 1], [30, 5, 25], [7, 12, 1]])
    fractions = rng.dirichlet([1, 1, 1], size=4)
    found = expected_errors(fractions, votes=votes, n_drawn=n_drawn)
    for galaxy, k in enumerate(votes):
        drawn = rng.multivariate_hypergeometric(k, n_drawn, size=20_000)
        judged = (k - drawn) / (k.sum() - n_drawn)
        of_volunteers = np.abs(drawn / n_drawn - judged).mean()
        of_model = np.abs(fractions[galaxy] - judged).mean()
        assert found[0][galaxy] == pytest.approx(of_volunteers, abs=0.005)
        assert found[1][galaxy] == pytest.approx(of_model, abs=0.005)


def test_expectations_by_scipy() -> None:
    """The same sums over SciPy's hypergeometric probabilities, one galaxy at a time."""
    rng = np.random.default_rng(8)
    votes = rng.multinomial(rng.integers(20, 80, size=30), [0.9, 0.02, 0.08])
    fractions = rng.dirichlet([1, 1, 1], size=30)
    found = expected_errors(fractions, votes=votes, n_drawn=6)
    j = np.arange(7)
    for galaxy, counts in enumerate(votes):
        n = counts.sum()
        of_volunteers, of_model = [], []
        for f, k in zip(fractions[galaxy], counts, strict=True):
            p = stats.hypergeom.pmf(j, n, k, 6)
            of_volunteers.append(np.dot(p, np.abs(j / 6 - (k - j) / (n - 6))))
            of_model.append(np.dot(p, np.abs(f - (k - j) / (n - 6))))
        assert found[0][galaxy] == pytest.approx(np.mean(of_volunteers), abs=1e-10)
        assert found[1][galaxy] == pytest.approx(np.mean(of_model), abs=1e-10)


def test_too_few_votes_are_refused() -> None:
    """Five judges and two numbers to compare."""
    truth, votes = draw(np.random.default_rng(9), n_galaxies=10)
    with pytest.raises(ValueError, match="votes_min: found 6, expected at least 7"):
        worth(truth, votes, votes_min=6)
    assert worth(truth, votes, votes_min=7).errors["n_volunteers"].max() == 2


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_blocks_do_not_matter(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers, but for the order in which errors below 1 add up."""
    rng = np.random.default_rng(10)
    truth, votes = draw(rng, n_galaxies=300)
    extra = rng.multinomial(8, truth) / 8
    expected = worth(extra, votes)
    monkeypatch.setattr(matching, "_GALAXIES_IN_BLOCK", size)
    found = worth(extra, votes)
    for name in ("numbers", "errors"):
        pd.testing.assert_frame_equal(
            getattr(found, name), getattr(expected, name), rtol=0, atol=1e-9
        )
