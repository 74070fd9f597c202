"""Training on several GPUs: each has the whole network, and a part of every batch."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from zoobot.estimators import replicas

__all__ = ["MirroredModel", "in_parts", "joined"]

Data = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


def joined(encoder: keras.Model, head: keras.Model) -> keras.Model:
    """Both together, to be trained by as many replicas as the strategy in force has."""
    n_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    kind = keras.Sequential if n_replicas == 1 else MirroredModel
    return kind([encoder, head])


def in_parts(batches: tf.data.Dataset, *, n_replicas: int) -> tf.data.Dataset:
    """Batches that can be cut into a part for each replica, none of them empty.

    TensorFlow cuts them into parts of equal size, as long as there are galaxies. If
    some part would be empty, as only the last batch of an epoch can be, each replica
    has the whole batch.

    Parameters
    ----------
    batches : tf.data.Dataset
        Images and targets, (batch, ...) each.
    n_replicas : int

    Returns
    -------
    tf.data.Dataset
        Images, targets, and (batch, 2) int32: the place of each galaxy in its batch,
        and how many galaxies that has. Of one replica, what was given.
    """
    if n_replicas == 1:
        return batches

    def with_places(images: tf.Tensor, targets: tf.Tensor) -> Data:
        n_all = tf.shape(images)[0]
        n_in_part = -(-n_all // n_replicas)
        some_are_empty = n_in_part * (n_replicas - 1) >= n_all
        n_copies = tf.where(some_are_empty, n_replicas, 1)
        places = tf.stack([tf.range(n_all), tf.fill([n_all], n_all)], axis=1)
        return (
            tf.tile(images, [n_copies, 1, 1, 1]),
            tf.tile(targets, [n_copies, 1]),
            tf.tile(places, [n_copies, 1]),
        )

    return batches.map(with_places, num_parallel_calls=tf.data.AUTOTUNE)


class MirroredModel(keras.Sequential):
    """A model whose loss and gradients do not depend on how many replicas there are.

    Keras takes the mean of the replicas' means, in which galaxies of a smaller part, as
    there are in batches that do not divide, weigh more. Here all galaxies weigh the
    same. To be made in the scope of a ``tf.distribute.MirroredStrategy``, compiled
    there with a loss that has a value for each galaxy, and trained on what `in_parts`
    gives.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.mean_loss = keras.metrics.Mean(name="loss")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """What starts anew with each epoch."""
        return [self.mean_loss]

    def train_step(self, data: Data) -> dict[str, tf.Tensor]:
        """One step on this replica's part of a batch, together with the others."""
        with tf.GradientTape() as tape:
            loss = self._share_of_loss(data, training=True)
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)  # of their sums
        return {"loss": self.mean_loss.result()}

    def test_step(self, data: Data) -> dict[str, tf.Tensor]:
        """The loss alone."""
        self._share_of_loss(data, training=False)
        return {"loss": self.mean_loss.result()}

    def _share_of_loss(self, data: Data, *, training: bool) -> tf.Tensor:
        """What this replica's galaxies add to the mean over the batch, () float32."""
        images, targets, places = data
        first, n_all = tf.unstack(places[0])
        with replicas.part_of_batch(first, n_all):
            outputs = self(images, training=training)
        total = tf.reduce_sum(self.loss(targets, outputs))
        n_own = tf.cast(tf.shape(images)[0], tf.float32)
        total_of_all, n_rows = replicas.summed([tf.stop_gradient(total), n_own])
        self.mean_loss.update_state(
            total_of_all / n_rows, sample_weight=tf.cast(n_all, tf.float32)
        )
        return total / n_rows

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the model is built, and Keras would add up parts of unequal size."""
