"""Datasets end when their last batch is read."""

import tensorflow as tf

from zoobot.data_utils.untuned import untuned


def test_what_is_made_of_it_stays_untuned():
    """Batches, maps and reading ahead keep the option; elements stay what they are."""
    dataset = untuned(tf.data.Dataset.range(5)).batch(2).map(lambda x: x + 1)
    dataset = dataset.prefetch(tf.data.AUTOTUNE)
    assert dataset.options().autotune.enabled is False
    assert [batch.tolist() for batch in dataset.as_numpy_iterator()] == [
        [1, 2],
        [3, 4],
        [5],
    ]
