"""Heads of new tasks: ranges, start, and what survives a reload."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoobot.data_utils.tasks import Task
from zoobot.estimators.finetuning_head import get_finetuning_head
from zoobot.estimators.model_files import load_network, save_network
from zoobot.schemas import Schema

TREE = Schema(
    {
        "shape": {"answers": ["round", "long", "odd"]},
        "bar": {"answers": ["yes", "no"], "asked_after": ["shape_long"]},
    },
    name="tree",
)
TASKS = {
    "binary": (Task("binary", "ring"), np.array([0.3])),
    "classes": (
        Task("classes", "kind", classes=("a", "b", "c")),
        np.array([0.5, 0.3, 0.2]),
    ),
    "fraction": (Task("fraction", "light"), np.array([0.8])),
    "votes": (
        Task("votes", "tree", schema=TREE),
        np.array([3.0, 1.0, 0.5, 20.0, 5.0]),
    ),
}


def new_head(kind: str, x: np.ndarray, *, hidden_units: int = 8) -> keras.Model:
    task, start = TASKS[kind]
    return get_finetuning_head(
        task,
        n_features=x.shape[1],
        hidden_units=hidden_units,
        dropout_rate=0.5,
        mean=x.mean(0),
        variance=x.var(0),
        start_at=start,
    )


@pytest.mark.parametrize("kind", TASKS)
def test_a_head_starts_at_the_constant_and_stays_in_range(kind):
    """With hidden layers that say nothing, each output is what it starts at."""
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    head = new_head(kind, x)
    task, start = TASKS[kind]
    outputs = head.predict(x, verbose=0)
    np.testing.assert_array_equal(outputs, head.predict(x, verbose=0))
    assert outputs.shape == (50, task.n_outputs)
    assert np.all(outputs > 0)
    assert np.all(outputs < (100.02 if kind == "votes" else 1))
    if kind == "classes":
        np.testing.assert_allclose(outputs.sum(1), 1, rtol=0, atol=1e-6)
    kernel, bias = head.get_layer("answer").get_weights()
    head.get_layer("answer").set_weights([0 * kernel, bias])
    # float32 of a sigmoid, times 100 for concentrations.
    atol = 1e-4 if kind == "votes" else 1e-6
    np.testing.assert_allclose(
        head.predict(x, verbose=0), np.tile(start, (50, 1)), rtol=0, atol=atol
    )


@pytest.mark.parametrize("kind", TASKS)
def test_a_reloaded_head_is_the_same(kind, tmp_path):
    """All it is made of may be read back."""
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    head = new_head(kind, x)
    save_network(tmp_path / "head.keras", head)
    again = load_network(tmp_path / "head.keras")
    np.testing.assert_array_equal(
        again.predict(x, verbose=0), head.predict(x, verbose=0)
    )


def test_a_head_normalises():
    """Features enter with mean 0 and variance 1, whatever their scale."""
    rng = np.random.default_rng(0)
    scale = np.array([1e-6, 1.0, 1e3, 5.0])
    x = (rng.normal(size=(500, 4)) * scale + 3 * scale).astype(np.float32)
    seen = new_head("binary", x).get_layer("normalise")(x).numpy()
    np.testing.assert_allclose(seen.mean(0), 0, rtol=0, atol=1e-4)
    np.testing.assert_allclose(seen.std(0), 1, rtol=0, atol=1e-3)


def test_a_head_survives_a_dead_feature():
    """A feature that never varies gives no NaN."""
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    x[:, 1] = 0
    assert np.isfinite(new_head("binary", x).predict(x, verbose=0)).all()
