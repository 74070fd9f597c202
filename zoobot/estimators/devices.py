"""How TensorFlow uses the machine: its threads, GPUs, and the order of sums."""

from __future__ import annotations

import functools
import logging
import os

import keras
import tensorflow as tf

from zoobot.estimators.gpu_locks import take_gpus

__all__ = ["be_deterministic", "strategy_for", "use_gpus", "use_threads"]

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


def use_gpus(n_gpus: int = 1) -> None:
    """Compute on so many of the GPUs, on those that no other job computes on.

    To be called before TensorFlow computes anything: it takes the memory of all GPUs
    that it sees. Which it sees, CUDA_VISIBLE_DEVICES may say, as Slurm sets it. Without
    a GPU nothing is done.

    Parameters
    ----------
    n_gpus : int
        If there are no more than these, all are used; with 0, none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if len(gpus) <= n_gpus:
        return
    chosen = take_gpus(_names_of_gpus(len(gpus)), n_wanted=n_gpus)
    try:
        tf.config.set_visible_devices([gpus[number] for number in chosen], "GPU")
    except RuntimeError:
        log.warning("TensorFlow runs already, its GPUs stay as they are")
        return
    numbers = ", ".join(map(str, chosen)) or "none"
    log.info("computing on GPU %s of %d", numbers, len(gpus))


@functools.cache  # as two of them would mix up what their devices send each other
def strategy_for(n_gpus: int) -> tf.distribute.Strategy:
    """How a model trains on so many GPUs: in the scope of this it is to be made.

    Parameters
    ----------
    n_gpus : int
        With 1 or 0 it trains as without a strategy, on a CPU where there is no GPU. The
        parts into which TensorFlow was told to divide a CPU stand for several.

    Raises
    ------
    ValueError
        If TensorFlow sees fewer.
    """
    if n_gpus < 2:
        return tf.distribute.get_strategy()
    gpus = tf.config.list_logical_devices("GPU")
    devices = gpus or tf.config.list_logical_devices("CPU")
    if len(devices) < n_gpus:
        raise ValueError(
            f"n_gpus: found {n_gpus}, expected at most {len(devices)}: TensorFlow sees "
            f"{len(gpus)} GPUs"
        )
    names = [device.name for device in devices[:n_gpus]]
    log.info("training on %d devices together: %s", n_gpus, ", ".join(names))
    # What TensorFlow takes by itself for GPUs would bind a CPU's parts to one strategy.
    operations = None if gpus else tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(names, operations)


def _names_of_gpus(n_gpus: int) -> list[str]:
    """As CUDA_VISIBLE_DEVICES has them, else numbers: the same for all jobs."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in visible.split(",") if name.strip()]
    return names if len(names) == n_gpus else [str(i) for i in range(n_gpus)]


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
