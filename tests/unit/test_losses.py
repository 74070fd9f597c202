"""The loss against SciPy, identities a person can check, and extreme values."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import gammaln
from scipy.stats import dirichlet_multinomial, multinomial

from zoobot.dirichlet_multinomial import log_likelihood
from zoobot.schemas import get_schema
from zoobot.training.losses import (
    dirichlet_multinomial_loss,
    get_multiquestion_loss,
    log_rising,
)

SCHEMA = get_schema("gz_decals")
GROUPS = SCHEMA.question_index_groups

# A term of the loss is of the order of the number of votes times a logarithm, up to
# 1e4 for 1000 votes; float32 keeps 1.2e-7 of each of some twenty such terms.
ATOL, RTOL = 1e-5, 2e-6


def loss_of(votes, concentration, groups=GROUPS) -> np.ndarray:
    """The loss of each question, (n_galaxies, n_questions), as NumPy."""
    return keras.ops.convert_to_numpy(
        dirichlet_multinomial_loss(
            np.asarray(votes), np.asarray(concentration), question_index_groups=groups
        )
    )


def draw(n_galaxies: int, *, n_votes: int = 60, seed: int = 0):
    """Random votes of at most `n_votes` a question, and float32 concentrations."""
    rng = np.random.default_rng(seed)
    concentration = np.exp(rng.uniform(np.log(0.02), np.log(101), (n_galaxies, 34)))
    votes = np.zeros((n_galaxies, 34), dtype=np.int64)
    for first, last in GROUPS:
        for row in votes:
            share = rng.dirichlet(np.ones(last - first + 1))
            row[first : last + 1] = rng.multinomial(rng.integers(n_votes + 1), share)
    return votes, concentration.astype(np.float32)


@pytest.mark.parametrize("alpha", [0.02, 1.0, 3.7, 101.0, 600.0])
@pytest.mark.parametrize("other", [0.02, 1.0, 101.0, 600.0])
@pytest.mark.parametrize(
    "votes", [(0, 0), (1, 0), (0, 1), (5, 3), (80, 0), (0, 1000), (1000, 7), (500, 500)]
)
def test_against_scipy(votes, alpha, other):
    """Each corner of the range of concentrations and of counts."""
    concentration = np.array([[alpha, other]], dtype=np.float32)
    expected = -dirichlet_multinomial.logpmf(
        votes, concentration[0].astype(np.float64), sum(votes)
    )
    found = loss_of([votes], concentration, [(0, 1)])
    assert found.dtype == np.float32
    # Both cancel terms up to about N ln(N + A).
    scale = sum(votes) * np.log(sum(votes) + alpha + other + 1)
    np.testing.assert_allclose(found[0, 0], expected, rtol=0, atol=ATOL + RTOL * scale)


def test_against_scipy_at_random():
    """300 galaxies of a whole tree, under 60 votes a question: within 1e-4 nats."""
    votes, concentration = draw(300)
    expected = np.zeros((300, len(GROUPS)))
    for i, (first, last) in enumerate(GROUPS):
        for row in range(300):
            counts = votes[row, first : last + 1]
            alpha = concentration[row, first : last + 1].astype(np.float64)
            expected[row, i] = -dirichlet_multinomial.logpmf(
                counts, alpha, counts.sum()
            )
    np.testing.assert_allclose(
        loss_of(votes, concentration), expected, rtol=0, atol=1e-4
    )


def test_against_our_double_precision():
    """What the training minimises is what the evaluation reports."""
    votes, concentration = draw(200, seed=1)
    expected = -log_likelihood(votes, concentrations=concentration, schema=SCHEMA)
    np.testing.assert_allclose(
        loss_of(votes, concentration), expected, rtol=0, atol=1e-4
    )


@pytest.mark.parametrize(
    ("votes", "concentration", "probability"),
    [
        ((1, 0), (1, 1), 1 / 2),  # one vote is the mean
        ((1, 0), (1, 2), 1 / 3),
        ((0, 1, 0), (2, 3, 5), 3 / 10),
        ((2, 1), (1, 1), 1 / 4),  # flat: each of the N + 1 splits alike
        ((0, 6), (1, 1), 1 / 7),
        ((1, 1), (1, 1), 1 / 3),
    ],
)
def test_by_hand(votes, concentration, probability):
    """Probabilities that a person can check."""
    found = loss_of([votes], [np.float32(concentration)], [(0, len(votes) - 1)])
    # Terms of some ten nats cancel, in float32.
    np.testing.assert_allclose(found[0, 0], -np.log(probability), rtol=0, atol=5e-6)


@pytest.mark.parametrize("alpha", [0.02, 1.0, 101.0])
def test_probabilities_sum_to_one(alpha):
    """Over all ways to split 12 votes between two answers."""
    votes = [(k, 12 - k) for k in range(13)]
    concentration = np.tile(np.float32([alpha, 2.5]), (13, 1))
    total = np.exp(-loss_of(votes, concentration, [(0, 1)])).sum()
    assert total == pytest.approx(1, rel=0, abs=1e-5)


def test_no_votes_give_exactly_zero():
    """A question that nobody was asked has no loss and moves nothing."""
    _, concentration = draw(50)
    concentration = tf.constant(concentration)
    with tf.GradientTape() as tape:
        tape.watch(concentration)
        loss = dirichlet_multinomial_loss(
            tf.zeros((50, 34)), concentration, question_index_groups=GROUPS
        )
    assert np.all(loss.numpy() == 0)
    assert np.all(tape.gradient(loss, concentration).numpy() == 0)


def test_unasked_questions_do_not_touch_others():
    """Gradients are zero exactly where a question has no votes."""
    votes, concentration = draw(50, seed=2)
    concentration = tf.constant(concentration)
    with tf.GradientTape() as tape:
        tape.watch(concentration)
        loss = tf.reduce_sum(get_multiquestion_loss(GROUPS)(votes, concentration))
    gradient = tape.gradient(loss, concentration).numpy()
    asked = np.stack(
        [
            np.broadcast_to(votes[:, first : last + 1].sum(-1) > 0, (50,))
            for first, last in GROUPS
            for _ in range(first, last + 1)
        ],
        axis=-1,
    )
    assert np.all(gradient[~asked] == 0)
    assert np.all(gradient[asked] != 0)


@pytest.mark.parametrize("n_votes", [1, 60, 1000])
def test_gradient_is_the_finite_difference(n_votes):
    """Of the double-precision likelihood, by a step of 1e-4 of each concentration."""
    votes, concentration = draw(20, n_votes=n_votes, seed=3)
    variable = tf.constant(concentration)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        loss = tf.reduce_sum(get_multiquestion_loss(GROUPS)(votes, variable))
    found = tape.gradient(loss, variable).numpy()
    exact = concentration.astype(np.float64)
    expected = np.zeros_like(exact)
    for answer in range(34):
        step = np.zeros(34)
        step[answer] = 1e-4
        above, below = (
            -log_likelihood(votes, concentrations=exact * (1 + s), schema=SCHEMA).sum(
                -1
            )
            for s in (step, -step)
        )
        expected[:, answer] = (above - below) / (2e-4 * exact[:, answer])
    assert np.isfinite(found).all()
    # In nats for a change of the concentration by a factor e: what the head's logits
    # feel. 1e-8 is the finite difference's own error; the rest float32 of N ln N.
    np.testing.assert_allclose(
        found * exact, expected * exact, rtol=1e-4, atol=1e-4 + 1e-6 * n_votes
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int32"])
def test_computed_in_float32(dtype):
    """Whatever comes in, the result is float32 and as exact as its inputs are."""
    votes, concentration = draw(50, seed=4)
    concentration = np.maximum(concentration, 1)
    given = tf.cast(concentration, dtype)
    loss = dirichlet_multinomial_loss(
        tf.cast(votes, dtype), given, question_index_groups=GROUPS
    )
    assert loss.dtype == tf.float32
    expected = -log_likelihood(
        tf.cast(tf.cast(votes, dtype), tf.float64).numpy(),
        concentrations=tf.cast(given, tf.float64).numpy(),
        schema=SCHEMA,
    )
    np.testing.assert_allclose(loss.numpy(), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("total", [1e4, 1e6])
def test_huge_concentrations_give_the_multinomial(total):
    """Volunteers who agree as coins do: off by at most N^2 / (2 min alpha) nats."""
    share = np.array([0.2, 0.5, 0.3])
    votes = np.array([[3, 4, 1], [0, 0, 8], [8, 0, 0]])
    found = loss_of(votes, np.tile(np.float32(share * total), (3, 1)), [(0, 2)])
    expected = -multinomial.logpmf(votes, 8, share)
    np.testing.assert_allclose(
        found[:, 0], expected, rtol=0, atol=64 / (2 * 0.2 * total) + 1e-4
    )


def test_log_rising_by_hand():
    """The product of x to x + k - 1 for small k, gamma functions for large."""
    x = np.float32([0.02, 0.5, 1, 7.3, 100, 606])
    np.testing.assert_array_equal(log_rising(x, np.zeros_like(x)), 0)
    for k in (1, 2, 3):
        product = np.prod([x.astype(float) + i for i in range(k)], axis=0)
        # Terms up to 8 ln 600, kept to 1.2e-7 of each.
        np.testing.assert_allclose(
            log_rising(x, np.full_like(x, k)), np.log(product), rtol=0, atol=2e-5
        )
    k = np.float32(1000)
    expected = gammaln(x.astype(float) + k) - gammaln(x.astype(float))
    np.testing.assert_allclose(log_rising(x, k), expected, rtol=1e-6, atol=0)


def test_sum_over_questions():
    """The loss of a galaxy is the sum over its questions."""
    votes, concentration = draw(30, seed=5)
    total = get_multiquestion_loss(GROUPS)(votes, concentration)
    assert total.shape == (30,)
    parts = loss_of(votes, concentration)
    # Ten numbers in float32, in another order.
    np.testing.assert_allclose(total, parts.sum(axis=1), rtol=1e-6, atol=0)
    first, last = GROUPS[3]
    alone = loss_of(
        votes[:, first : last + 1],
        concentration[:, first : last + 1],
        [(0, last - first)],
    )
    np.testing.assert_allclose(alone[:, 0], parts[:, 3], rtol=0, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_mean_over_galaxies_does_not_depend_on_batches(batch_size):
    """Keras reports the mean over galaxies, however they are cut into batches."""
    votes, concentration = draw(30, seed=6)
    model = keras.Sequential([keras.Input((34,)), keras.layers.Identity()])
    model.compile(loss=get_multiquestion_loss(GROUPS), jit_compile=False)
    found = model.evaluate(
        concentration, votes.astype(np.float32), batch_size=batch_size, verbose=0
    )
    expected = -log_likelihood(votes, concentrations=concentration, schema=SCHEMA)
    assert found == pytest.approx(expected.sum(axis=1).mean(), rel=0, abs=1e-4)


def test_galaxies_do_not_touch_each_other():
    """A galaxy's loss is the same alone and in a batch."""
    votes, concentration = draw(16, seed=7)
    loss = get_multiquestion_loss(GROUPS)
    together = np.asarray(loss(votes, concentration))
    for row in range(16):
        alone = np.asarray(loss(votes[row : row + 1], concentration[row : row + 1]))
        # The same operations, perhaps vectorised otherwise.
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-6, atol=0)


@pytest.mark.parametrize("concentration", [1e-3, 0.02, 1.0, 100.0, 1e5])
def test_extremes_are_finite(concentration):
    """A million votes, and the ends of what settings allow: no overflow, no NaN."""
    votes = np.array([[1_000_000, 0], [1_000_000, 1], [3, 999_997]])
    given = tf.fill((3, 2), np.float32(concentration))
    with tf.GradientTape() as tape:
        tape.watch(given)
        loss = dirichlet_multinomial_loss(votes, given, question_index_groups=[(0, 1)])
    expected = -dirichlet_multinomial.logpmf(
        votes, np.full((3, 2), concentration), votes.sum(-1)
    )
    # Terms of N ln N = 1.4e7, of which float32 keeps 1.2e-7.
    np.testing.assert_allclose(loss.numpy()[:, 0], expected, rtol=0, atol=15)
    assert np.isfinite(tape.gradient(loss, given)).all()
