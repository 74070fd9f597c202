"""What to do when a batch does not fit into the memory of the device."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

import numpy as np
import tensorflow as tf

__all__ = ["is_out_of_memory", "says_what_to_set", "within_memory"]

Function = TypeVar("Function", bound=Callable)
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


def says_what_to_set(section: str) -> Callable[[Function], Function]:
    """Make a training's error about memory say which batch size to set.

    The results of training depend on the size of a batch: it is not changed behind the
    user's back.

    Parameters
    ----------
    section : str
        Section of the settings, of which the decorated function takes ``settings``.

    Returns
    -------
    function
        A decorator. What it decorates raises ValueError if it runs out of memory.
    """

    def decorate(train: Function) -> Function:
        @functools.wraps(train)
        def wrapper(*args: Any, settings: Any, **options: Any) -> Any:
            try:
                return train(*args, settings=settings, **options)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                size = settings.batch_size
                raise ValueError(
                    f"{section}.batch_size: found {size}, which does not fit into the "
                    f"memory of the device; expected less, such as {max(1, size // 2)}"
                ) from error

        return cast(Function, wrapper)

    return decorate
