"""Loading and preprocessing data, as the page "Components" shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests import galaxies
from zoobot import preprocess
from zoobot.data_utils import image_datasets, tfrecord_datasets
from zoobot.data_utils.create_shards import ShardConfig
from zoobot.data_utils.images import load_image


@pytest.fixture(scope="module")
def rings(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Galaxies with jpg images, every third a ring."""
    folder = tmp_path_factory.mktemp("jpg")
    table = galaxies.write_galaxies(folder, n_galaxies=30, suffix=".jpg")
    table["ring"] = (galaxies.kind_of(table["id_str"]) == "ring").astype(int)
    return table[["id_str", "file_loc", "ring"]]


def seen(dataset) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels that a model would be given."""
    images, labels = zip(*dataset, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def grey(paths, size: int) -> np.ndarray:
    """Mean over bands from 0 to 1 of image files, (n_galaxies, size, size, 1)."""
    pixels = np.stack([load_image(path, size_px=size) for path in paths])
    return pixels.mean(axis=-1, keepdims=True) / 255


def test_images_on_disk(rings: pd.DataFrame):
    paths_train, labels_train = list(rings["file_loc"][:20]), list(rings["ring"][:20])
    paths_val, labels_val = list(rings["file_loc"][20:]), list(rings["ring"][20:])
    file_format = "jpg"
    requested_img_size = 30
    batch_size = 8

    raw_train_dataset = image_datasets.get_image_dataset(
        paths_train,
        file_format=file_format,
        requested_img_size=requested_img_size,
        batch_size=batch_size,
        labels=labels_train,
    )
    raw_val_dataset = image_datasets.get_image_dataset(
        paths_val,
        file_format=file_format,
        requested_img_size=requested_img_size,
        batch_size=batch_size,
        labels=labels_val,
    )

    preprocess_config = preprocess.PreprocessingConfig(
        label_cols=["label"],
        input_size=requested_img_size,
        normalise_from_uint8=True,
        make_greyscale=True,
        permute_channels=False,
    )
    train_dataset = preprocess.preprocess_dataset(raw_train_dataset, preprocess_config)
    val_dataset = preprocess.preprocess_dataset(raw_val_dataset, preprocess_config)

    for dataset, paths, labels in (
        (train_dataset, paths_train, labels_train),
        (val_dataset, paths_val, labels_val),
    ):
        images, found = seen(dataset)
        np.testing.assert_array_equal(found, np.array(labels)[:, None])
        # The mean of three bands in float32.
        np.testing.assert_allclose(images, grey(paths, 30), rtol=0, atol=1.5e-7)


def test_tfrecords(rings: pd.DataFrame, tmp_path: Path):
    labelled_catalog = rings
    unlabelled_catalog = rings[["id_str", "file_loc"]].head(5)
    columns_to_save = ["ring"]
    batch_size = 8

    shard_config = ShardConfig(shard_dir=tmp_path / "tfrecords", size=30)

    shard_config.prepare_shards(
        labelled_catalog,
        unlabelled_catalog,
        train_test_fraction=0.8,
        columns_to_save=columns_to_save,
    )

    train_records = [str(tmp_path / "tfrecords" / "train" / "s30_shard_0.tfrecord")]
    val_records = [str(tmp_path / "tfrecords" / "test" / "s30_shard_0.tfrecord")]

    raw_train_dataset = tfrecord_datasets.get_dataset(
        train_records, columns_to_save, batch_size, shuffle=True
    )
    raw_val_dataset = tfrecord_datasets.get_dataset(
        val_records, columns_to_save, batch_size, shuffle=False
    )

    preprocess_config = preprocess.PreprocessingConfig(
        label_cols=columns_to_save,
        input_size=30,
        normalise_from_uint8=True,
        make_greyscale=True,
        permute_channels=False,
    )
    train_dataset = preprocess.preprocess_dataset(raw_train_dataset, preprocess_config)
    val_dataset = preprocess.preprocess_dataset(raw_val_dataset, preprocess_config)

    # Every galaxy once, with its pixels and its label, in one of the two parts.
    images, labels = (
        np.concatenate(both)
        for both in zip(seen(train_dataset), seen(val_dataset), strict=True)
    )
    expected = grey(rings["file_loc"], 30)
    nearest = [
        int(np.abs(expected - image).sum((1, 2, 3)).argmin()) for image in images
    ]
    assert sorted(nearest) == list(range(30))
    np.testing.assert_allclose(images, expected[nearest], rtol=0, atol=1.5e-7)
    np.testing.assert_array_equal(labels[:, 0], rings["ring"].to_numpy()[nearest])


def test_import_of_the_module(rings: pd.DataFrame):
    """As the page names it: `create_shards.ShardConfig`."""
    from zoobot.data_utils import create_shards

    assert create_shards.ShardConfig is ShardConfig
