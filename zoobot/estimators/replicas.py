"""What replicas of a network, one on each GPU, know of the batch that they share.

A batch is cut into one part a replica. What a step computes is a matter of the whole
batch: the mean and variance of all its galaxies, and which of them a part holds.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

import tensorflow as tf

__all__ = ["are_several", "part_of_batch", "place_in_batch", "summed"]

_of_thread = threading.local()  # each replica's step is traced in a thread of its own


def are_several() -> bool:
    """Whether this is computed by one of several replicas, each on its part."""
    context = tf.distribute.get_replica_context()
    return context is not None and context.num_replicas_in_sync > 1


def summed(values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Sums over all replicas, through which gradients flow.

    Parameters
    ----------
    values : sequence of tensors
        (...) float32 each, of this replica.
    """
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, list(values))


@contextlib.contextmanager
def part_of_batch(first: tf.Tensor, n_all: tf.Tensor) -> Iterator[None]:
    """Say which galaxies of a batch the layers called inside are given.

    Parameters
    ----------
    first : () int32
        Place in the batch of the part's first galaxy, from 0.
    n_all : () int32
        Galaxies in the batch.
    """
    _of_thread.place = first, n_all
    try:
        yield
    finally:
        _of_thread.place = None


def place_in_batch() -> tuple[tf.Tensor, tf.Tensor] | None:
    """What `part_of_batch` was told; None outside."""
    return getattr(_of_thread, "place", None)
