"""The first layer of a whole model: which part of an image the encoder sees."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from zoobot.estimators.augmentation import center_view, warp

__all__ = ["GalaxyViews"]


@keras.saving.register_keras_serializable(package="zoobot")
class GalaxyViews(keras.layers.Layer):
    """Crop images and resize them: at random in training, else the central part.

    In training each galaxy is turned by any angle, perhaps mirrored, and seen off its
    centre, each time anew and each galaxy by itself. The scale is the same always.

    Parameters
    ----------
    crop_size, input_size : int
        Side of the part that is seen, and side to which it is resized, in pixels.
    shift_max : float
        Pixels from the image's centre to the part's, at most, along x and y; in
        training only.
    seed : int, optional
        Seed of the draws.

    Notes
    -----
    It computes in float32, and needs Keras' TensorFlow backend.
    """

    def __init__(
        self,
        *,
        crop_size: int,
        input_size: int,
        shift_max: float,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**(kwargs | {"dtype": "float32"}))
        self.crop_size = crop_size
        self.input_size = input_size
        self.shift_max = shift_max
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_jit = False  # XLA has no such kernel

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Views, (batch, input_size, input_size, channels) float32."""
        if not training:
            return center_view(
                images, crop_size=self.crop_size, input_size=self.input_size
            )
        draws = keras.random.uniform(
            (4, keras.ops.shape(images)[0]), seed=self.seed_generator
        )
        angle, flip, x, y = tf.unstack(draws)
        return warp(
            images,
            angle=2 * math.pi * angle,
            flip=tf.where(flip < 0.5, -1.0, 1.0),
            shift_x=self.shift_max * (2 * x - 1),
            shift_y=self.shift_max * (2 * y - 1),
            crop_size=self.crop_size,
            input_size=self.input_size,
        )

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """(batch, input_size, input_size, channels)."""
        return (input_shape[0], self.input_size, self.input_size, input_shape[-1])

    def get_config(self) -> dict:
        """What rebuilds the layer."""
        return super().get_config() | {
            "crop_size": self.crop_size,
            "input_size": self.input_size,
            "shift_max": self.shift_max,
            "seed": self.seed,
        }
