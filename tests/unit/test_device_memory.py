"""A device without enough memory: the sweep goes on with less, training says so."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import tensorflow as tf

from tests import networks
from zoobot.estimators.device_memory import (
    is_out_of_memory,
    says_what_to_set,
    within_memory,
)
from zoobot.training.train import train_member

pytestmark = pytest.mark.faults

ALLOCATOR = tf.errors.ResourceExhaustedError(
    None, None, "OOM when allocating tensor with shape[64,32,112,112]"
)
SIZES = [8, 8, 8, 3]


class Device:
    """A stand-in for an encoder on a device that holds so many galaxies at once."""

    def __init__(self, capacity: int, error: Exception = ALLOCATOR) -> None:
        self.capacity = capacity
        self.error = error
        self.tried: list[int] = []

    def __call__(self, views: tf.Tensor) -> tf.Tensor:
        self.tried.append(len(views))
        if len(views) > self.capacity:
            raise self.error
        return views * 2


def batches() -> list[tf.Tensor]:
    numbers = np.arange(sum(SIZES) * 5, dtype=np.float32).reshape(-1, 5)
    return [tf.constant(part) for part in np.split(numbers, np.cumsum(SIZES)[:-1])]


@pytest.mark.parametrize("capacity", [1, 2, 3, 4, 5, 7, 8, 100])
def test_every_row_once_and_in_order(capacity):
    """Whatever fits, the blocks are those of the batches."""
    device = Device(capacity)
    found = list(within_memory(device, batches(), batch_size=8))
    assert [len(block) for block in found] == SIZES
    for block, batch in zip(found, batches(), strict=True):
        np.testing.assert_array_equal(block, 2 * batch)


def test_what_is_done_is_not_done_again():
    """Half the size from where it was, and to the end."""
    device = Device(3)
    list(within_memory(device, batches(), batch_size=8))
    assert device.tried == [8, 4, 2, 2, 2, 2, *[2] * 4, *[2] * 4, 2, 1]


def test_memory_that_shrinks_on_the_way():
    """Another job took it: what was encoded of a batch stays."""
    device = Device(4)

    def encode(views: tf.Tensor) -> tf.Tensor:
        if sum(device.tried) > 20:
            device.capacity = 1
        return device(views)

    found = np.concatenate(list(within_memory(encode, batches(), batch_size=8)))
    np.testing.assert_array_equal(found, 2 * np.concatenate(batches()))


def test_one_galaxy_that_does_not_fit_is_an_error(caplog):
    """There is nothing left to halve; the log says what was tried."""
    with pytest.raises(tf.errors.ResourceExhaustedError):
        list(within_memory(Device(0), batches(), batch_size=8))
    assert "8 galaxies at once do not fit" in caplog.text
    assert "going on with 1" in caplog.text


def test_other_errors_are_not_tried_again():
    """A bad image is one, however many are decoded at once."""
    error = tf.errors.InvalidArgumentError(None, None, "gone.png: file does not exist")
    device = Device(0, error)
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(within_memory(device, batches(), batch_size=8))
    assert device.tried == [8]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ALLOCATOR, True),
        (MemoryError(), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to"), True),
        (tf.errors.InternalError(None, None, "CUDA_ERROR_OUT_OF_MEMORY: x"), True),
        (tf.errors.InternalError(None, None, "CUDNN_STATUS_ALLOC_FAILED"), True),
        (tf.errors.NotFoundError(None, None, "No algorithm worked! Error: x"), True),
        (tf.errors.InternalError(None, None, "CUDA_ERROR_ILLEGAL_ADDRESS"), False),
        (
            tf.errors.ResourceExhaustedError(None, None, "a; No space left on device"),
            False,
        ),
        (OSError(28, "No space left on device"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_is_about_memory(error, expected):
    """As TensorFlow, XLA, CUDA and cuDNN put it; a full disk is another matter."""
    assert is_out_of_memory(error) is expected


@pytest.mark.parametrize(
    ("error", "expected", "match"),
    [
        (ALLOCATOR, ValueError, r"train.batch_size: found 16, .* such as 8"),
        (KeyError("column"), KeyError, "column"),
    ],
)
def test_training_says_what_to_set(error, expected, match):
    """Its results depend on the size of a batch, so it is not halved by itself."""

    @says_what_to_set("train")
    def train(shards, *, settings):
        raise error

    with pytest.raises(expected, match=match):
        train([], settings=networks.train_settings(batch_size=16))


def test_training_is_one_that_says_it():
    """Wherever in it the memory ends; here as soon as it takes its options."""

    class Greedy:
        batch_size = 64

        def __getattr__(self, name):
            raise MemoryError

    parameters = inspect.signature(train_member).parameters
    options = dict.fromkeys(list(parameters)[1:], "gz_decals")
    options |= {"settings": Greedy(), "member": 0, "threads": None}
    with pytest.raises(ValueError, match=r"train.batch_size: found 64, .* 32"):
        train_member([], **options)
