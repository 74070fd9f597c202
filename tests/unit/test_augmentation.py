"""Views: what the one affine warp does to pixels, and what decides it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import kstest, spearmanr

from zoobot.estimators.augmentation import (
    center_view,
    random_view,
    uniform_draws,
    unseen_margin,
    warp,
)

IMAGES = np.random.default_rng(0).random((5, 24, 24, 2)).astype(np.float32)
# Bilinear weights of order 1e-6 from an angle of pi/2 in float32, on pixels up to 1.
ATOL = 1e-5
IDS = tf.constant([f"galaxy-{i}" for i in range(4000)])
EPOCH = tf.constant(0, tf.int64)


def warped(images, *, angle=0.0, flip=1.0, x=0.0, y=0.0, crop=24, size=24):
    """The warp with one choice for all images, as NumPy."""
    same = tf.ones(len(images))
    return warp(
        tf.constant(images),
        angle=angle * same,
        flip=flip * same,
        shift_x=x * same,
        shift_y=y * same,
        crop_size=crop,
        input_size=size,
    ).numpy()


@pytest.mark.parametrize("size", [24, 25])
def test_identity_is_exact(size):
    """No turn, no flip, no crop: the same pixels, bit for bit."""
    images = np.random.default_rng(0).random((3, size, size, 1)).astype(np.float32)
    np.testing.assert_array_equal(warped(images, crop=size, size=size), images)


def test_four_quarter_turns_close():
    """A quarter turn is that of NumPy, always the same way; four lead back."""
    once = warped(IMAGES, angle=math.pi / 2)
    turns = [np.rot90(IMAGES, k, axes=(1, 2)) for k in (1, -1)]
    errors = [np.abs(once - turn).max() for turn in turns]
    assert min(errors) < ATOL
    direction = (1, -1)[int(np.argmin(errors))]
    turned = IMAGES
    for n_turns in range(1, 5):
        turned = warped(turned, angle=math.pi / 2)
        expected = np.rot90(IMAGES, direction * n_turns, axes=(1, 2))
        np.testing.assert_allclose(turned, expected, rtol=0, atol=4 * ATOL)
        at_once = warped(IMAGES, angle=n_turns * math.pi / 2)
        np.testing.assert_allclose(at_once, expected, rtol=0, atol=4 * ATOL)
    np.testing.assert_allclose(turned, IMAGES, rtol=0, atol=4 * ATOL)


def test_flip_is_exact():
    """Left and right change places."""
    np.testing.assert_array_equal(warped(IMAGES, flip=-1.0), IMAGES[:, :, ::-1])


def test_crop_is_a_slice():
    """The central part, and one off the centre, are the pixels that lie there."""
    np.testing.assert_array_equal(
        warped(IMAGES, crop=16, size=16), IMAGES[:, 4:20, 4:20]
    )
    np.testing.assert_array_equal(
        warped(IMAGES, crop=16, size=16, x=3.0, y=-4.0), IMAGES[:, 0:16, 7:23]
    )


def test_resize_is_that_of_bilinear_sampling():
    """Half the size without antialiasing: the mean of each 2 x 2 pixels."""
    expected = IMAGES.reshape(5, 12, 2, 12, 2, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(
        warped(IMAGES, crop=24, size=12), expected, rtol=0, atol=ATOL
    )


def test_outside_is_the_mirror_image():
    """What lies beyond the edge repeats what lies inside it."""
    found = warped(IMAGES, x=-3.0)
    expected = np.concatenate([IMAGES[:, :, 2::-1], IMAGES[:, :, :-3]], axis=2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ATOL)


def planted(x: float, y: float, size: int) -> np.ndarray:
    """A Gaussian with sigma 2.5 px at a position from the image's centre, (1, ...)."""
    rows, columns = np.indices((size, size)) + 0.5 - size / 2
    image = np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / 2.5**2)
    return image[None, :, :, None].astype(np.float32)


def centroid(image: np.ndarray) -> np.ndarray:
    """Centre of light from the image's centre, (x, y) in pixels."""
    rows, columns = np.indices(image.shape) + 0.5 - image.shape[0] / 2
    return np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()


@pytest.mark.parametrize("flip", [1.0, -1.0])
@pytest.mark.parametrize("angle", [0.0, 0.4, 2.0, 4.4])
@pytest.mark.parametrize(("crop", "size"), [(64, 64), (48, 64), (60, 30)])
def test_planted_galaxy_lands_where_the_map_says(angle, flip, crop, size):
    """As in = R(angle) F out + shift, it goes to out = F R(-angle) (in - shift)."""
    place, shift = np.array([5.0, -3.0]), np.array([2.0, 1.5])
    image = planted(*place, size=64)
    found = warped(
        image, angle=angle, flip=flip, x=shift[0], y=shift[1], crop=crop, size=size
    )
    turn_back = np.array(
        [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    )
    expected = turn_back @ (place - shift) * size / crop * [flip, 1]
    # Bilinear sampling of a smooth spot keeps its centre to a hundredth of a pixel.
    np.testing.assert_allclose(centroid(found[0, ..., 0]), expected, rtol=0, atol=0.02)


def test_center_view_is_the_warp_without_chance():
    """Validation and prediction see the centre, resized."""
    found = center_view(tf.constant(IMAGES), crop_size=20, input_size=16)
    assert found.shape == (5, 16, 16, 2)
    np.testing.assert_array_equal(found, warped(IMAGES, crop=20, size=16))


@pytest.mark.parametrize("crop", [12, 15, 20])
def test_center_view_does_not_see_the_margin(crop):
    """Whatever stands there, the view is the same."""
    margin = unseen_margin(image_size=IMAGES.shape[1], crop_size=crop)
    inner = IMAGES[:, margin:-margin, margin:-margin] if margin else IMAGES
    found = center_view(tf.constant(inner), crop_size=crop, input_size=16)
    expected = center_view(tf.constant(IMAGES), crop_size=crop, input_size=16)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def draws(*, purpose="angle", epoch=0, seed=0, id_str=IDS) -> np.ndarray:
    """Uniform draws as NumPy."""
    epoch = tf.constant(epoch, tf.int64)
    return uniform_draws(id_str, purpose=purpose, epoch=epoch, seed=seed).numpy()


def test_draws_are_uniform():
    """Range, mean and distribution of 4000, and no value twice as often as chance."""
    found = draws()
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() < 1
    # Five standard deviations of the mean, 5 / sqrt(12 x 4000).
    assert abs(found.mean() - 0.5) < 0.023
    assert kstest(found, "uniform").pvalue > 1e-3
    # 4000^2 / 2^25 = 0.5 pairs of equal values are expected.
    assert len(np.unique(found)) >= 3990


@pytest.mark.parametrize(
    "other", [{"purpose": "flip"}, {"epoch": 1}, {"seed": 1}, {"epoch": 10}]
)
def test_draws_are_independent(other):
    """Another purpose, epoch or seed gives other numbers without correlation."""
    first, second = draws(), draws(**other)
    assert not np.any(first == second) or np.mean(first == second) < 1e-3
    # Five standard deviations of a rank correlation, 5 / sqrt(4000).
    assert abs(spearmanr(first, second).statistic) < 0.08
    # So are products of the two, as those of independent uniform numbers.
    assert kstest((first + second) % 1, "uniform").pvalue > 1e-3


def test_draws_do_not_mix_up_their_names():
    """Epoch 1 of galaxy 1x is not epoch 11 of galaxy x."""
    one = draws(epoch=1, id_str=tf.constant(["1/x", "1x"]))
    eleven = draws(epoch=11, id_str=tf.constant(["/x", "x"]))
    assert set(one).isdisjoint(eleven)


def views(rows, *, epoch=0, seed=0, shift_max=4.0) -> np.ndarray:
    """Random views of some of the images."""
    return random_view(
        tf.constant(IMAGES[rows]),
        id_str=tf.constant([f"g{row}" for row in rows]),
        epoch=tf.constant(epoch, tf.int64),
        seed=seed,
        shift_max=shift_max,
        crop_size=16,
        input_size=20,
    ).numpy()


def test_a_view_does_not_depend_on_the_batch():
    """A galaxy is seen alike alone, in another order, and beside others."""
    together = views([0, 1, 2, 3, 4])
    np.testing.assert_array_equal(views([3, 0]), together[[3, 0]])
    np.testing.assert_array_equal(views([2]), together[[2]])


def test_a_view_depends_on_galaxy_epoch_and_seed():
    """Each galaxy its own draw, and each epoch."""
    together = views([0, 1, 2])
    assert not np.allclose(views([0, 1, 2], epoch=1), together, atol=0.01)
    assert not np.allclose(views([0, 1, 2], seed=1), together, atol=0.01)
    same = np.repeat(IMAGES[:1], 2, axis=0)
    a, b = random_view(
        tf.constant(same),
        id_str=tf.constant(["a", "b"]),
        epoch=EPOCH,
        seed=0,
        shift_max=4.0,
        crop_size=16,
        input_size=20,
    ).numpy()
    assert not np.allclose(a, b, atol=0.01)


def test_random_views_are_where_they_should_be():
    """A spot at the centre lands anywhere within shift_max, all around, in both signs.

    The distance from the centre is that of a uniform square turned by any angle.
    """
    n, shift_max = 600, 6.0
    images = tf.constant(np.repeat(planted(0, 0, 48), n, axis=0))
    seen = random_view(
        images,
        id_str=IDS[:n],
        epoch=EPOCH,
        seed=5,
        shift_max=shift_max,
        crop_size=36,
        input_size=36,
    ).numpy()
    places = np.array([centroid(image[..., 0]) for image in seen])
    rng = np.random.default_rng(0)
    expected = np.hypot(*rng.uniform(-shift_max, shift_max, (2, 100_000)))
    assert kstest(np.hypot(*places.T), expected).pvalue > 1e-3
    angle = np.arctan2(places[:, 1], places[:, 0]) / (2 * np.pi) % 1
    assert kstest(angle, "uniform").pvalue > 1e-3


def test_half_of_the_views_are_mirrored():
    """The sign of an image's handedness is kept in one half."""
    n = 400
    image = planted(8, 0, 48) + 0.5 * planted(0, 8, 48)
    seen = random_view(
        tf.constant(np.repeat(image, n, axis=0)),
        id_str=IDS[:n],
        epoch=EPOCH,
        seed=0,
        shift_max=0.0,
        crop_size=48,
        input_size=48,
    ).numpy()[..., 0]
    brightest = np.array([np.unravel_index(s.argmax(), s.shape) for s in seen])
    bright = brightest[:, ::-1] + 0.5 - 24  # (x, y) of the brighter spot
    # The fainter one is a quarter turn from it, one way or the other.
    other = np.stack([-bright[:, 1], bright[:, 0]], axis=-1)
    at = np.floor(other + 24).astype(int)
    kept = seen[np.arange(n), at[:, 1], at[:, 0]] > 0.25
    # Five standard deviations of a share of 400.
    assert abs(kept.mean() - 0.5) < 0.125
