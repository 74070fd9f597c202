"""Layers of the models that Keras does not have in the form needed here."""

from __future__ import annotations

import keras
from keras import ops

__all__ = [
    "AlwaysOnDropout",
    "Concentrations",
    "FusedBatchNormalization",
    "GalaxyDropout",
]


@keras.saving.register_keras_serializable(package="zoobot")
class GalaxyDropout(keras.layers.Dropout):
    """Dropout in which a galaxy's draw depends on its place in the whole batch.

    So it is the same however many GPUs share the batch. Keras' own layer, which this is
    on one device, would draw the same for the first galaxy of each GPU.
    """

    def call(self, inputs, training=False):
        """Drop in training."""
        place = _place_in_batch()
        if place is None or not training or not self.rate:
            return super().call(inputs, training=training)
        first, n_all = place
        # Drawn for the whole batch, as on one device.
        noise = self.noise_shape or inputs.shape
        ones = ops.ones((n_all, *noise[1:]), dtype=inputs.dtype)
        kept = super().call(ones, training=True)
        return inputs * kept[first : first + ops.shape(inputs)[0]]


def _place_in_batch():
    if keras.backend.backend() != "tensorflow":
        return None
    from zoobot.estimators import replicas  # only this backend has them

    return replicas.place_in_batch()


@keras.saving.register_keras_serializable(package="zoobot")
class AlwaysOnDropout(GalaxyDropout):
    """Dropout that is on in training and in prediction (Monte Carlo dropout).

    References
    ----------
    Gal & Ghahramani 2016, arXiv 1506.02142.
    """

    def call(self, inputs, training=False):
        """Drop, whatever `training` says."""
        return super().call(inputs, training=True)


@keras.saving.register_keras_serializable(package="zoobot")
class Concentrations(keras.layers.Layer):
    """Map any number to a concentration: ``low + (high - low) sigmoid(x)``.

    In float32 also under mixed precision. The papers use (1, 101).

    References
    ----------
    Walmsley et al. 2022, MNRAS 509, 3966, section 3.
    """

    def __init__(self, *, low: float, high: float, **kwargs):
        super().__init__(**(kwargs | {"dtype": "float32"}))
        self.low = low
        self.high = high

    def call(self, inputs):
        """(batch, n_answers) to (batch, n_answers), float32."""
        return self.low + (self.high - self.low) * ops.sigmoid(inputs)

    def get_config(self):
        """What rebuilds the layer."""
        return super().get_config() | {"low": self.low, "high": self.high}


@keras.saving.register_keras_serializable(package="zoobot")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation of (batch, height, width, channel) in one TensorFlow kernel.

    Same weights and results as Keras's own layer, which composes it of many small
    operations and costs a third of the training speed on a CPU. On other Keras backends
    it is Keras's own. Where several GPUs share a batch, mean and variance are those of
    the whole batch.
    """

    def call(self, inputs, training=None, mask=None):
        """Normalise by the batch in training, if trainable, else by the averages."""
        if keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        from zoobot.estimators import replicas  # only this backend has them

        use_batch = bool(training) and self.trainable
        if use_batch and replicas.are_several():
            return self._by_all_replicas(inputs)
        return self._by_kernel(inputs, use_batch=use_batch)

    def _by_kernel(self, inputs, *, use_batch):
        import tensorflow as tf  # only this backend has the kernel

        output, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.cast(self.gamma, tf.float32),
            offset=tf.cast(self.beta, tf.float32),
            mean=tf.zeros([0]) if use_batch else tf.cast(self.moving_mean, tf.float32),
            variance=tf.zeros([0])
            if use_batch
            else tf.cast(self.moving_variance, tf.float32),
            epsilon=self.epsilon,
            is_training=use_batch,
        )
        if use_batch:
            # The kernel returns the unbiased variance; Keras averages the biased one.
            n_values = ops.cast(ops.size(inputs) // inputs.shape[-1], "float32")
            self._move_averages(mean, variance * (n_values - 1) / n_values)
        return output

    def _by_all_replicas(self, inputs):
        """As the kernel, by mean and variance of the parts of all replicas together."""
        import tensorflow as tf

        from zoobot.estimators import replicas

        values = tf.cast(inputs, tf.float32)
        n_own = tf.cast(tf.size(values) // values.shape[-1], tf.float32)
        n_values, total = replicas.summed([n_own, tf.reduce_sum(values, [0, 1, 2])])
        mean = total / n_values
        # A change of the mean does not change the variance, so that no gradient flows.
        squares = tf.math.squared_difference(values, tf.stop_gradient(mean))
        (total,) = replicas.summed([tf.reduce_sum(squares, [0, 1, 2])])
        variance = total / n_values
        self._move_averages(mean, variance)
        output = tf.nn.batch_normalization(
            values, mean, variance, self.beta, self.gamma, self.epsilon
        )
        return tf.cast(output, inputs.dtype)

    def _move_averages(self, mean, variance):
        for average, value in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            average.assign(average * self.momentum + value * (1 - self.momentum))
