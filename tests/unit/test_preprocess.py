"""From stored pixels to what the network takes."""

import numpy as np
import pytest
import tensorflow as tf

from zoobot.preprocess import (
    PreprocessingConfig,
    preprocess_dataset,
    preprocess_images,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
# Rounding of a division and of a mean of three numbers up to 1, in float32.
FLOAT32 = 1.5e-7


def config(**changes) -> PreprocessingConfig:
    """Eight pixels, no labels, and some changes."""
    return PreprocessingConfig(**{"label_cols": [], "input_size": 8} | changes)


def test_greyscale_and_scale_are_the_defaults():
    """The mean of the bands over 255."""
    found = preprocess_images(tf.constant(IMAGES), config()).numpy()
    assert found.dtype == np.float32
    assert found.shape == (4, 8, 8, 1)
    np.testing.assert_allclose(
        found[..., 0], IMAGES.mean(-1) / 255, rtol=0, atol=FLOAT32
    )


def test_colour():
    """Each band over 255; black is 0 and white 1 exactly."""
    found = preprocess_images(tf.constant(IMAGES), config(make_greyscale=False)).numpy()
    np.testing.assert_allclose(found, IMAGES / 255, rtol=0, atol=FLOAT32)
    ends = np.stack([np.zeros((8, 8, 3)), np.full((8, 8, 3), 255)]).astype(np.uint8)
    found = preprocess_images(tf.constant(ends), config(make_greyscale=False)).numpy()
    np.testing.assert_array_equal(found, ends / 255)


def test_without_normalisation():
    """Grey levels as they are stored."""
    unchanged = config(make_greyscale=False, normalise_from_uint8=False)
    found = preprocess_images(tf.constant(IMAGES), unchanged).numpy()
    np.testing.assert_array_equal(found, IMAGES.astype(np.float32))


def test_permuted_bands():
    """The bands of each image are those it has, in an order of its own."""
    tf.random.set_seed(0)
    images = tf.constant(np.repeat(IMAGES, 10, axis=0))
    permuted = config(make_greyscale=False, permute_channels=True)
    plain = preprocess_images(images, config(make_greyscale=False)).numpy()
    found = preprocess_images(images, permuted).numpy()
    orders = set()
    for before, after in zip(plain, found, strict=True):
        order = [
            next(i for i in range(3) if np.array_equal(before[..., i], after[..., j]))
            for j in range(3)
        ]
        assert sorted(order) == [0, 1, 2]
        orders.add(tuple(order))
    # One of six orders is missing in 40 draws once in 250 such tests; the seed is set.
    assert len(orders) == 6


def test_wrong_size_is_refused():
    """Both sizes are named."""
    with pytest.raises(ValueError, match="found 8 x 8 pixels, expected 9 x 9"):
        preprocess_images(tf.constant(IMAGES), config(input_size=9))


def test_contradiction_is_refused():
    """One channel has no order."""
    with pytest.raises(ValueError, match="permute_channels: found True with make_grey"):
        config(permute_channels=True)


def test_dataset_with_labels():
    """Labels are the columns asked for, in that order, as float32."""
    batch = {"image": IMAGES, "a": [1, 2, 3, 4], "b": [5, 6, 7, 8], "c": [0] * 4}
    dataset = tf.data.Dataset.from_tensors(batch)
    ((images, labels),) = preprocess_dataset(dataset, config(label_cols=["b", "a"]))
    assert labels.dtype == tf.float32
    np.testing.assert_array_equal(labels, [[5, 1], [6, 2], [7, 3], [8, 4]])
    np.testing.assert_array_equal(
        images, preprocess_images(tf.constant(IMAGES), config())
    )


def test_dataset_without_labels():
    """Images alone, as model.predict takes them."""
    (images,) = preprocess_dataset(
        tf.data.Dataset.from_tensors({"image": IMAGES}), config()
    )
    assert images.shape == (4, 8, 8, 1)


def test_several_labels_in_one_column():
    """Columns side by side, whether they hold one number a galaxy or more."""
    batch = {"image": IMAGES, "label": [[1, 2], [3, 4], [5, 6], [7, 8]], "a": [0] * 4}
    dataset = tf.data.Dataset.from_tensors(batch)
    ((_, labels),) = preprocess_dataset(dataset, config(label_cols=["label", "a"]))
    np.testing.assert_array_equal(labels, [[1, 2, 0], [3, 4, 0], [5, 6, 0], [7, 8, 0]])


def test_datasets_that_do_not_fit_are_named():
    """Without the label, or preprocessed before."""
    dataset = tf.data.Dataset.from_tensors({"image": IMAGES, "ring": [0] * 4})
    message = r"label_cols: found \['label'\], which the dataset lacks.*\['ring'\]"
    with pytest.raises(ValueError, match=message):
        preprocess_dataset(dataset, config(label_cols=["label"]))
    with pytest.raises(ValueError, match="label_cols: found one text, 'ring'"):
        preprocess_dataset(dataset, config(label_cols="ring"))
    done = preprocess_dataset(dataset, config(label_cols=["ring"]))
    with pytest.raises(ValueError, match="dataset: found batches preprocessed before"):
        preprocess_dataset(done, config(label_cols=["ring"]))
