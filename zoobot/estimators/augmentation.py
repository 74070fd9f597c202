"""Views of a galaxy: one affine warp that rotates, flips, crops and resizes at once."""

from __future__ import annotations

import math

import tensorflow as tf

__all__ = ["center_view", "random_view", "uniform_draws", "unseen_margin", "warp"]


def center_view(images: tf.Tensor, *, crop_size: int, input_size: int) -> tf.Tensor:
    """The central part of each image, as seen in validation and prediction.

    Parameters
    ----------
    images : (batch, size, size, channels) float32
    crop_size, input_size : int
        Side of the part, and side to which it is resized, in pixels.

    Returns
    -------
    (batch, input_size, input_size, channels) float32
    """
    zero = tf.zeros(tf.shape(images)[:1])
    return warp(
        images,
        angle=zero,
        flip=zero + 1,
        shift_x=zero,
        shift_y=zero,
        crop_size=crop_size,
        input_size=input_size,
    )


def unseen_margin(*, image_size: int, crop_size: int) -> int:
    """Pixels along each edge that `center_view` does not look at."""
    blurred = 1  # bilinear sampling reaches a pixel beyond the crop
    return max(0, (image_size - crop_size) // 2 - blurred)


def random_view(
    images: tf.Tensor,
    *,
    id_str: tf.Tensor,
    epoch: tf.Tensor,
    seed: int,
    shift_max: float,
    crop_size: int,
    input_size: int,
) -> tf.Tensor:
    """A rotation by any angle, a flip and a random crop, each galaxy its own draw.

    Parameters
    ----------
    images : (batch, size, size, channels) float32
    id_str : (batch,) str
        With `seed` and `epoch` it decides the draw: not the order, nor the batch.
    epoch : () int64
        Another epoch, another view.
    seed : int
        Seed of the whole training.
    shift_max : float
        Pixels from the image's centre to the crop's, at most, along x and y.
    crop_size, input_size : int
        Side of the part, and side to which it is resized, in pixels.

    Returns
    -------
    (batch, input_size, input_size, channels) float32
    """

    def draw(purpose: str) -> tf.Tensor:
        return uniform_draws(id_str, purpose=purpose, epoch=epoch, seed=seed)

    return warp(
        images,
        angle=2 * math.pi * draw("angle"),
        flip=tf.where(draw("flip") < 0.5, -1.0, 1.0),
        shift_x=shift_max * (2 * draw("shift_x") - 1),
        shift_y=shift_max * (2 * draw("shift_y") - 1),
        crop_size=crop_size,
        input_size=input_size,
    )


def uniform_draws(
    id_str: tf.Tensor, *, purpose: str, epoch: tf.Tensor, seed: int
) -> tf.Tensor:
    """One number in [0, 1) for each id: a hash of seed, purpose, epoch and id.

    Parameters
    ----------
    id_str : (batch,) str
        Ids of the galaxies.
    purpose : str
        What the numbers are for; another purpose, other numbers.
    epoch : () int64
        Another epoch, other numbers.
    seed : int
        Seed of the whole training.

    Returns
    -------
    (batch,) float32
    """
    n_values = 2**24  # what float32 tells apart in [0, 1)
    names = tf.strings.join(
        [f"{seed}/{purpose}/", tf.strings.as_string(epoch), "/", id_str]
    )
    return (
        tf.cast(tf.strings.to_hash_bucket_fast(names, n_values), tf.float32) / n_values
    )


def warp(
    images: tf.Tensor,
    *,
    angle: tf.Tensor,
    flip: tf.Tensor,
    shift_x: tf.Tensor,
    shift_y: tf.Tensor,
    crop_size: int,
    input_size: int,
) -> tf.Tensor:
    """Sample each image once, bilinearly, on a turned, flipped and shifted grid.

    Outside an image its mirror image is seen. Pixel (i, j) has its centre at
    (i + 0.5, j + 0.5).

    Parameters
    ----------
    images : (batch, size, size, channels) float32
    angle : (batch,) float32
        Radians.
    flip : (batch,) float32
        -1 to mirror left and right, else 1.
    shift_x, shift_y : (batch,) float32
        Pixels from the image's centre to the centre of what is seen.
    crop_size, input_size : int
        Side of what is seen, and side to which it is resized, in pixels.

    Returns
    -------
    (batch, input_size, input_size, channels) float32
    """
    scale = crop_size / input_size
    center = images.shape[1] / 2
    cosine, sine = scale * tf.cos(angle), scale * tf.sin(angle)
    # Output to input pixel: A (out + 0.5 - input_size / 2) + center + shift - 0.5.
    rows = [(cosine * flip, -sine, shift_x), (sine * flip, cosine, shift_y)]
    half = 0.5 - input_size / 2
    coefficients = [
        part
        for along_x, along_y, shift in rows
        for part in (
            along_x,
            along_y,
            (along_x + along_y) * half + center + shift - 0.5,
        )
    ]
    zero = tf.zeros_like(angle)
    result = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([*coefficients, zero, zero], axis=-1),
        output_shape=[input_size, input_size],
        interpolation="BILINEAR",
        fill_mode="REFLECT",
        fill_value=0.0,
    )
    result.set_shape([None, input_size, input_size, images.shape[-1]])
    return result
