"""Training on several devices, here parts of a CPU, against training on one.

On one device Keras' own training step runs: what is compared was computed in two ways.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.workflow.workflow import ROOT
from zoobot.estimators import devices
from zoobot.training.mirrored import in_parts

EPOCHS, N_BATCHES, LEARNING_RATE = 2, 3, 0.01  # as in tests.mirrored


@pytest.fixture(scope="module")
def found(tmp_path_factory, planted_shard: Path) -> dict[str, np.ndarray]:
    """What the trainings have come to, in a process whose CPU is divided."""
    folder = tmp_path_factory.mktemp("mirrored")
    result = subprocess.run(
        [sys.executable, "-m", "tests.mirrored", str(folder), str(planted_shard)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
        check=False,
    )
    assert result.returncode == 0, result.stdout[-5000:]
    with np.load(folder / "found.npz") as arrays:
        return dict(arrays)


def weights(found: dict[str, np.ndarray], n_devices: int, step: int) -> list:
    """All weights after a step; those before the first are of step 0."""
    start = f"{n_devices}/{step}/"
    return [
        found[f"{start}{i}"] for i in range(sum(k.startswith(start) for k in found))
    ]


def test_losses_are_those_of_one_device(found):
    """In training with dropout and in validation: parts of unequal size, and of one."""
    for name in ("loss", "val_loss"):
        assert len(found[f"1/{name}"]) == EPOCHS
        # Sums in float32 in another order, over a few steps.
        np.testing.assert_allclose(
            found[f"2/{name}"], found[f"1/{name}"], rtol=1e-5, atol=0
        )


def test_gradients_and_averages_are_those_of_one_device(found):
    """Of each weight after each step, relative to the largest of its kind.

    A step of gradient descent is the gradient times the learning rate; averages of
    batch normalisation are among the weights, too.
    """
    for step in range(EPOCHS * N_BATCHES):
        before, after = (weights(found, 1, step + i) for i in range(2))
        largest = max(np.abs(b - a).max() for a, b in zip(before, after, strict=True))
        assert largest > 0.1 * LEARNING_RATE  # something moved
        ours = (weights(found, 2, step + i) for i in range(2))
        changes = [b - a for a, b in zip(*ours, strict=True)]
        for change, old, new in zip(changes, before, after, strict=True):
            size = np.abs(new - old).max()
            # Sums in another order; and weights near 1 are rounded by 6e-8.
            np.testing.assert_allclose(
                change, new - old, rtol=0, atol=1e-4 * size + 5e-7
            )


def test_a_training_goes_on_with_other_devices(found):
    """Killed on three after an epoch, gone on with on two: as on one all the time."""
    for name in ("loss", "val_loss"):
        assert len(found[f"alone/{name}"]) == 3
        # Adam divides by the size of the gradients, also where they are but rounding.
        np.testing.assert_allclose(
            found[f"changing/{name}"], found[f"alone/{name}"], rtol=1e-4, atol=0
        )
    assert found["alone/loss"][2] < found["alone/loss"][0]


@pytest.mark.parametrize("n_replicas", [2, 3, 4])
@pytest.mark.parametrize("n_galaxies", range(1, 10))
def test_every_part_has_galaxies(n_galaxies, n_replicas):
    """Cut as TensorFlow does it: all galaxies as often, in order, none left out."""
    images = np.arange(n_galaxies, dtype=np.float32).reshape(-1, 1, 1, 1)
    batch = tf.data.Dataset.from_tensors((images, images[:, 0, 0]))
    (parts,) = in_parts(batch, n_replicas=n_replicas)
    n_rows = len(parts[0])
    size = -(-n_rows // n_replicas)
    assert size * (n_replicas - 1) < n_rows, "the last part is not empty"
    assert n_rows in (n_galaxies, n_galaxies * n_replicas)
    for start in range(0, n_rows, size):
        seen, targets, places = (values[start : start + size] for values in parts)
        np.testing.assert_array_equal(seen[:, 0, 0], targets)
        np.testing.assert_array_equal(places[:, 0], targets[:, 0])
        np.testing.assert_array_equal(places[:, 1], n_galaxies)
        # A run of the batch, which its first place tells.
        np.testing.assert_array_equal(np.diff(places[:, 0]), 1)


def test_more_gpus_than_there_are():
    """An error says how many there are."""
    with pytest.raises(ValueError, match="n_gpus: found 9, expected at most 1"):
        devices.strategy_for(9)
