"""What to do when a batch does not fit into the memory of the device."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

__all__ = ["is_out_of_memory", "within_memory", "without_memory_says"]

log = logging.getLogger(__name__)

# How TensorFlow, XLA, CUDA's libraries and OpenVINO put it, in errors of many classes.
_WORDS = (
    "out of memory",
    "out_of_memory",
    "resource_exhausted",
    "failed to allocate",
    "alloc_failed",
    "bad_alloc",
    "no algorithm worked",  # cuDNN tried all, and none had the memory
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is about too little memory; a full disk is none of these."""
    if "No space left on device" in str(error):
        return False
    if isinstance(error, (tf.errors.ResourceExhaustedError, MemoryError)):
        return True
    is_of_device = isinstance(error, (tf.errors.OpError, RuntimeError))
    return is_of_device and any(words in str(error).lower() for words in _WORDS)


def within_memory(
    encode: Callable[[tf.Tensor], tf.Tensor | np.ndarray],
    batches: Iterable[tf.Tensor],
    *,
    batch_size: int,
) -> Iterator[np.ndarray]:
    """Encode batches, in smaller pieces from where one does not fit into the memory.

    Each time the memory does not suffice, the pieces are halved, down to one galaxy.

    Parameters
    ----------
    encode : function
        From (n, ...) to (n, n_features), each row by itself.
    batches : iterable of tensors
        (batch, ...), of `batch_size` rows or fewer.
    batch_size : int
        Rows to encode at once, as long as they fit.

    Yields
    ------
    (batch, n_features) float32
        Of each batch.
    """
    n_rows = batch_size
    for batch in batches:
        pieces: list[np.ndarray] = []
        start = 0
        while start < len(batch):
            n_tried = min(n_rows, len(batch) - start)
            is_whole = n_tried == len(batch)  # and needs no copy
            piece = batch if is_whole else batch[start : start + n_tried]
            try:
                pieces.append(np.asarray(encode(piece)))
            except Exception as error:
                if n_tried == 1 or not is_out_of_memory(error):
                    raise
                n_rows = n_tried // 2
                log.warning(
                    "%d galaxies at once do not fit into the memory (%s): going on "
                    "with %d; set a smaller batch_size to start with",
                    n_tried,
                    str(error).partition("\n")[0][:200],
                    n_rows,
                )
            else:
                start += n_tried
        yield pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


@contextlib.contextmanager
def without_memory_says(setting: str, *, batch_size: int) -> Iterator[None]:
    """Turn an error about memory into one that says what to set.

    For training, whose results depend on the size of a batch: it is not changed behind
    the user's back.

    Parameters
    ----------
    setting : str
        Name of the setting, as ``train.batch_size``.
    batch_size : int
        Its value.

    Raises
    ------
    ValueError
        If the block runs out of memory.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise ValueError(
            f"{setting}: found {batch_size}, which does not fit into the memory of the "
            f"device; expected less, such as {max(1, batch_size // 2)}"
        ) from error
