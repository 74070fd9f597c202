"""Layers of the models that Keras does not have in the form needed here."""

from __future__ import annotations

import keras
from keras import ops

__all__ = ["AlwaysOnDropout", "Concentrations", "FusedBatchNormalization"]


@keras.saving.register_keras_serializable(package="zoobot")
class AlwaysOnDropout(keras.layers.Dropout):
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
    it is Keras's own.
    """

    def call(self, inputs, training=None, mask=None):
        """Normalise by the batch in training, if trainable, else by the averages."""
        if keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf  # only this backend has the kernel

        use_batch = bool(training) and self.trainable
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
            self._move_averages(
                mean, variance, n_values=ops.size(inputs) // inputs.shape[-1]
            )
        return output

    def _move_averages(self, mean, variance, *, n_values):
        # The kernel returns the unbiased variance; Keras averages the biased one.
        n_values = ops.cast(n_values, "float32")
        variance = variance * (n_values - 1) / n_values
        for average, value in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            average.assign(average * self.momentum + value * (1 - self.momentum))
