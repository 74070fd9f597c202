"""Entropies of the next votes against SciPy, and identities of information theory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from zoobot.predictions import uncertainty
from zoobot.predictions.uncertainty import vote_entropies
from zoobot.schemas import Schema, get_schema

TREE = Schema(
    {
        "shape": {"answers": ["smooth", "disk", "star"]},
        "bar": {"answers": ["yes", "no"], "asked_after": ["shape_disk"]},
    },
    name="tree",
)
BAR_ONLY = Schema({"bar": {"answers": ["yes", "no"]}}, name="bar_only")
# Sums of up to a few hundred terms of order 1, and of log-gamma functions in SciPy.
ROUNDING = 1e-10


def entropy(probabilities: np.ndarray) -> float:
    """The definition; 0 log 0 = 0."""
    probabilities = probabilities[probabilities > 0]
    return float(-(probabilities * np.log(probabilities)).sum())


@pytest.mark.parametrize("level", [0.02, 1.0, 101.0])
@pytest.mark.parametrize("n_votes", [1, 2, 7])
def test_entropies_equal_scipys_distribution(level: float, n_votes: int) -> None:
    """All counts by hand, their probabilities by SciPy, the mixture by hand."""
    rng = np.random.default_rng(0)
    values = level * np.exp(rng.normal(0, 1, size=(4, 5, 3)))
    values[0] = level
    found = vote_entropies(values, schema=TREE, n_votes=n_votes)
    for i, question in enumerate(TREE.questions):
        n_answers = len(question.answers)
        vectors = np.array(
            [
                k
                for k in itertools.product(range(n_votes + 1), repeat=n_answers)
                if sum(k) == n_votes
            ]
        )
        for galaxy in range(4):
            p = np.array(
                [
                    stats.dirichlet_multinomial.pmf(vectors, alpha, n=n_votes)
                    for alpha in values[galaxy, question.columns].T
                ]
            )
            predictive = entropy(p.mean(axis=0))
            expected = np.mean([entropy(one) for one in p])
            where = (galaxy, i)
            assert found.predictive[where] == pytest.approx(predictive, abs=ROUNDING)
            assert found.expected[where] == pytest.approx(expected, abs=ROUNDING)
            assert found.mutual_information[where] == pytest.approx(
                predictive - expected, abs=ROUNDING
            )


def test_two_answers_are_beta_binomial() -> None:
    """SciPy's own entropy of the beta-binomial distribution, for many votes."""
    rng = np.random.default_rng(1)
    values = np.exp(rng.uniform(np.log(0.02), np.log(101), size=(20, 2, 1)))
    found = vote_entropies(values, schema=BAR_ONLY, n_votes=40)
    expected = stats.betabinom.entropy(40, values[:, 0, 0], values[:, 1, 0])
    np.testing.assert_allclose(found.expected[:, 0], expected, rtol=0, atol=1e-8)


def test_one_vote_of_the_real_tree_is_categorical() -> None:
    """The next vote is drawn with the mean fractions alpha / A."""
    schema = get_schema("gz_decals")
    rng = np.random.default_rng(2)
    values = rng.uniform(0.02, 101, size=(300, 34, 5)).astype(np.float32)
    found = vote_entropies(values, schema=schema)
    for i, question in enumerate(schema.questions):
        alpha = values[:, question.columns].astype(float)
        p = alpha / alpha.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(
            found.predictive[:, i],
            stats.entropy(p.mean(axis=2), axis=1),
            rtol=0,
            atol=ROUNDING,
        )
        np.testing.assert_allclose(
            found.expected[:, i],
            stats.entropy(p, axis=1).mean(axis=1),
            rtol=0,
            atol=ROUNDING,
        )


@pytest.mark.parametrize("n_votes", [1, 5])
def test_one_network_cannot_disagree(n_votes: int) -> None:
    """One pass, or passes that agree: the votes would teach nothing about it."""
    rng = np.random.default_rng(3)
    one = rng.uniform(0.02, 101, size=(50, 5, 1))
    for values in (one, np.repeat(one, 4, axis=2)):
        found = vote_entropies(values, schema=TREE, n_votes=n_votes)
        np.testing.assert_allclose(found.mutual_information, 0, rtol=0, atol=ROUNDING)
        assert (found.mutual_information >= 0).all()
        np.testing.assert_allclose(
            found.predictive, found.expected, rtol=0, atol=ROUNDING
        )


def test_passes_that_disagree_fully() -> None:
    """Two sure passes of opposite opinion: one vote tells which is right, log 2."""
    values = np.full((1, 5, 2), 1e-6)
    values[0, [0, 3], 0] = 100
    values[0, [1, 4], 1] = 100
    found = vote_entropies(values, schema=TREE)
    # A share of 1e-8 for the others adds 1e-8 log 1e8 to each entropy.
    np.testing.assert_allclose(found.mutual_information, np.log(2), rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.expected, 0, rtol=0, atol=1e-6)


def test_more_votes_teach_more() -> None:
    """Mutual information grows with the votes, up to log of the number of passes."""
    rng = np.random.default_rng(4)
    values = rng.uniform(0.02, 30, size=(40, 5, 3))
    by_votes = [
        vote_entropies(values, schema=TREE, n_votes=n).mutual_information
        for n in (1, 2, 5, 20)
    ]
    assert (np.diff(by_votes, axis=0) > 0).all()
    assert (by_votes[-1] < np.log(3)).all()


def test_blocks_and_threads_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, in small blocks, or shared among threads: the same numbers."""
    values = np.random.default_rng(5).uniform(0.02, 30, size=(70, 5, 3))
    whole = vote_entropies(values, schema=TREE, n_votes=4)
    monkeypatch.setattr(uncertainty, "_VALUES_IN_BLOCK", 100)
    blocks = vote_entropies(values, schema=TREE, n_votes=4, n_threads=2)
    np.testing.assert_array_equal(whole.predictive, blocks.predictive)
    np.testing.assert_array_equal(whole.mutual_information, blocks.mutual_information)


def test_too_many_votes_are_refused() -> None:
    """Five answers share 30 votes in C(34, 4) ways: refused before anything is done."""
    schema = get_schema("gz_decals")
    with pytest.raises(
        ValueError, match=r"5 answers of bulge-size can share in 46376 ways"
    ):
        vote_entropies(np.ones((1, 34, 1)), schema=schema, n_votes=30)
    with pytest.raises(ValueError, match="n_votes: found 0, expected 1 or more"):
        vote_entropies(np.ones((1, 34, 1)), schema=schema, n_votes=0)


def test_a_bad_concentration_is_named() -> None:
    """NaN never becomes an entropy."""
    values = np.ones((2, 5, 2))
    values[1, 3, 0] = np.nan
    with pytest.raises(ValueError, match="galaxy 1, bar_yes, pass 0: found nan"):
        vote_entropies(values, schema=TREE)
