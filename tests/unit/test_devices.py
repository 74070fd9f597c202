"""Threads: as many as asked for, in a process that has not used TensorFlow yet."""

from __future__ import annotations

import logging
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled

from zoobot.estimators import devices


def test_threads_of_a_fresh_process():
    """Both of TensorFlow's pools, and what tf.data takes from them."""
    program = (
        "from zoobot.estimators.devices import use_threads\n"
        "import tensorflow as tf\n"
        "use_threads(3)\n"
        "tf.constant(1) + 1\n"
        "threading = tf.config.threading\n"
        "print(threading.get_intra_op_parallelism_threads(),"
        " threading.get_inter_op_parallelism_threads())"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], text=True, capture_output=True, check=True
    )
    assert result.stdout.split() == ["3", "3"]


def test_threads_of_a_running_process(caplog):
    """They cannot change any more, which the log says."""
    tf.constant(1) + 1
    before = tf.config.threading.get_intra_op_parallelism_threads()
    with caplog.at_level(logging.WARNING):
        devices.use_threads(before + 1)
    assert "stay as they are" in caplog.text
    assert tf.config.threading.get_intra_op_parallelism_threads() == before


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_below_one(threads):
    """TensorFlow would take all cores."""
    with pytest.raises(ValueError, match=f"threads: found {threads}, expected 1"):
        devices.use_threads(threads)


def test_deterministic():
    """TensorFlow is told so, and all random numbers begin with the seed."""

    def numbers(seed: int) -> list[float]:
        devices.be_deterministic(seed)
        drawn = tf.random.uniform([]), keras.random.uniform([]), np.random.rand()  # noqa: NPY002
        return [*map(float, drawn), random.random()]

    first, again, other = numbers(1), numbers(1), numbers(2)
    assert first == again
    assert not set(first) & set(other)
    assert is_op_determinism_enabled()
