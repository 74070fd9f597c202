"""The first layer of a whole model: which part of an image the encoder sees."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from zoobot.estimators.augmentation import center_view, warp

__all__ = ["GalaxyViews", "shift_to_edge"]


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


def shift_to_edge(
    crop_size: int, *, image_size: int, shift_max: float | None = None
) -> float:
    """How far a crop may lie off the image's centre: if not given, up to the edge.

    Parameters
    ----------
    crop_size, image_size : int
        Sides of the part that is seen and of the image, pixels.
    shift_max : float, optional
        Pixels along x and y, if they are chosen.

    Raises
    ------
    ValueError
        If the crop is larger than the image, or would leave it.
    """
    if not 0 < crop_size <= image_size:
        raise ValueError(
            f"crop_size: found {crop_size}, expected more than 0, and at most the side "
            f"of the image, {image_size}"
        )
    most = (image_size - crop_size) / 2
    if shift_max is not None and not 0 <= shift_max <= most:
        raise ValueError(
            f"shift_max: found {shift_max}, expected 0 to {most}, half of what the "
            "crop leaves of the image"
        )
    return most if shift_max is None else shift_max
