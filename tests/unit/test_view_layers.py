"""The layer of views: the same scale always, and a draw of its own for each galaxy."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoobot.estimators.augmentation import center_view
from zoobot.estimators.view_layers import GalaxyViews

SIZE, CROP, INPUT = 60, 45, 30
SIGMA = 4.0


def layer(**changes) -> GalaxyViews:
    options = {"crop_size": CROP, "input_size": INPUT, "shift_max": 7.5, "seed": 0}
    return GalaxyViews(**options | changes)


def blobs(n_images: int, *, ratio: float = 1.0) -> np.ndarray:
    """The same elliptical Gaussian in the centre of each, (n, SIZE, SIZE, 1)."""
    x = np.arange(SIZE) - (SIZE - 1) / 2
    one = np.exp(-0.5 * ((x / SIGMA) ** 2 + (x[:, None] / (ratio * SIGMA)) ** 2))
    return np.repeat(one[None, ..., None], n_images, axis=0).astype(np.float32)


def moments(views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centroids, (n, 2), and covariances, (n, 2, 2), in pixels of the views."""
    position = np.moveaxis(np.indices(views.shape[1:3]), 0, -1) - (INPUT - 1) / 2
    weights = views[..., 0] / views[..., 0].sum((1, 2), keepdims=True)
    centre = np.einsum("nij,ijk->nk", weights, position)
    second = np.einsum("nij,ijk,ijl->nkl", weights, position, position)
    return centre, second - np.einsum("nk,nl->nkl", centre, centre)


def parallelogram(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Signed area between vectors, (..., 2)."""
    return one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]


def test_prediction_sees_the_centre():
    """As validation and the workflow's sweep do."""
    images = np.random.default_rng(0).random((3, SIZE, SIZE, 3), dtype=np.float32)
    expected = center_view(images, crop_size=CROP, input_size=INPUT)
    np.testing.assert_array_equal(layer()(images, training=False), expected)
    np.testing.assert_array_equal(layer()(images), expected)


def test_the_scale_is_the_same_in_training():
    """A round galaxy has the same size in every view, INPUT / CROP of its own."""
    images = blobs(40)
    for training in (False, True):
        _, covariance = moments(
            np.asarray(layer(shift_max=2.0)(images, training=training))
        )
        expected = (SIGMA * INPUT / CROP) ** 2 * np.eye(2)
        # Bilinear sampling blurs by a quarter of a pixel's variance at most; the wing
        # beyond the edge of the view is cut off.
        np.testing.assert_allclose(covariance, np.tile(expected, (40, 1, 1)), atol=0.4)


def test_each_galaxy_has_its_own_draw():
    """Turned by any angle, shifted along both axes, within the given range."""
    found = np.asarray(layer()(blobs(400, ratio=0.5), training=True))
    centre, covariance = moments(found)
    angle = np.arctan2(
        2 * covariance[:, 0, 1], covariance[:, 0, 0] - covariance[:, 1, 1]
    )
    assert len(np.unique(np.round(angle, 4))) > 390
    # 400 uniform draws fall into each quarter with probability 1/4: +-5 sigma.
    counts = np.histogram(angle, bins=4, range=(-np.pi, np.pi))[0]
    np.testing.assert_allclose(counts, 100, atol=5 * np.sqrt(75))
    limit = 7.5 * INPUT / CROP
    # Cut wings pull centroids inwards, never outwards.
    assert np.abs(centre).max() < np.sqrt(2) * limit
    spread = limit / np.sqrt(3)  # of uniform shifts; a view's turn keeps it
    np.testing.assert_allclose(centre.std(axis=0), spread, rtol=0.15)


def test_half_of_the_views_are_mirrored():
    """The sign of the area between three spots changes, which no turn can do."""
    places = np.array([[22, 30], [36, 26], [34, 37]])
    spots = np.zeros((3, SIZE, SIZE, 1), np.float32)
    row, column = np.indices((SIZE, SIZE))
    for spot, (y, x) in zip(spots, places, strict=True):
        spot[..., 0] = np.exp(-0.5 * ((row - y) ** 2 + (column - x) ** 2) / 4)
    n_galaxies = 200
    # The spots are the bands of one image, so that they turn together.
    images = np.repeat(np.moveaxis(spots[..., 0], 0, -1)[None], n_galaxies, axis=0)
    views = np.asarray(layer(shift_max=2.0)(images, training=True))
    a, b, c = (moments(views[..., i : i + 1])[0] for i in range(3))
    area = parallelogram(b - a, c - a)
    expected = parallelogram(places[1] - places[0], places[2] - places[0])
    np.testing.assert_allclose(
        np.abs(area), abs(expected) * (INPUT / CROP) ** 2, rtol=0.05
    )
    n_mirrored = (np.sign(area) != np.sign(expected)).sum()
    assert abs(n_mirrored - n_galaxies / 2) < 5 * np.sqrt(n_galaxies / 4)


def test_seed_and_time():
    """The same seed gives the same views; the next call gives others."""
    images = blobs(5, ratio=0.5)
    one, other = layer(), layer()
    first = np.asarray(one(images, training=True))
    np.testing.assert_array_equal(first, other(images, training=True))
    assert np.abs(first - np.asarray(one(images, training=True))).max() > 0.1


def test_it_is_rebuilt_from_its_config():
    again = GalaxyViews.from_config(layer().get_config())
    images = blobs(3, ratio=0.5)
    np.testing.assert_array_equal(
        again(images, training=True), layer()(images, training=True)
    )


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_float32_whatever_the_policy(policy):
    """Half precision cannot tell apart the pixels of a large image."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        assert layer()(blobs(1)).dtype == "float32"
    finally:
        keras.config.set_dtype_policy(before)
