"""Datasets without TensorFlow's tuning of their threads and buffers."""

from __future__ import annotations

import tensorflow as tf

__all__ = ["untuned"]


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Leave a dataset's threads and buffers as they start.

    The end of a tuned dataset waits for the tuner, which sleeps 10 ms at first and then
    each time twice as long, up to a minute: reading a shard, validating or sweeping a
    chunk takes up to twice its time. On all cores from the start there is nothing to
    tune.

    Parameters
    ----------
    dataset : tf.data.Dataset
        What is made of it stays untuned, too, but for what a function given to
        ``flat_map`` returns.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
