"""How TensorFlow uses the machine: its threads, and the order of sums."""

from __future__ import annotations

import logging

import keras
import tensorflow as tf

__all__ = ["be_deterministic", "use_threads"]

log = logging.getLogger(__name__)


def use_threads(threads: int) -> None:
    """Compute and read with so many threads, not with all cores of the machine.

    To be called before TensorFlow computes anything. Once it runs, its threads stay as
    they are, and a warning in the log says so.

    Parameters
    ----------
    threads : int
        Threads that share one operation, and operations that run at once. tf.data takes
        its threads from the latter.

    Raises
    ------
    ValueError
        If it is below 1, which to TensorFlow means all cores.
    """
    if threads < 1:
        raise ValueError(f"threads: found {threads}, expected 1 or more")
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        log.warning("TensorFlow runs already, its threads stay as they are")


def be_deterministic(seed: int) -> None:
    """From now on the same seed gives the same results, to the bit.

    On the same machine with the same number of threads, for the whole process.

    Parameters
    ----------
    seed : int
        Of all random numbers that do not have a seed of their own.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
