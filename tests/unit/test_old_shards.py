"""Shards as Zoobot 0.0.3 wrote them, built here from what is known of their format."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests import galaxies
from zoobot.data_utils import shard_writer, tfrecord_datasets
from zoobot.data_utils.images import load_image
from zoobot.data_utils.labelled_galaxies import ShardGalaxies
from zoobot.preprocess import PreprocessingConfig, preprocess_dataset
from zoobot.settings.catalog import WriteShards

OLD = {"record_format": "zoobot_0.0.3"}


def write_old(
    path: Path, table: pd.DataFrame, *, labels: list[str], as_float: bool, **shape: int
) -> Path:
    """Records with matrix, height, width, channels, id_str and labels."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in table.to_dict("records"):
            image = load_image(row["file_loc"], size_px=32)
            upside_down = np.ascontiguousarray(image[::-1])
            example = tf.train.Example()
            features = example.features.feature
            features["matrix"].bytes_list.value.append(upside_down.tobytes())
            features["id_str"].bytes_list.value.append(row["id_str"].encode())
            sides = {"height": 32, "width": 32, "channels": 3} | shape
            for name, value in sides.items():
                features[name].int64_list.value.append(value)
            for name in labels:
                if as_float:
                    features[name].float_list.value.append(row[name])
                else:
                    features[name].int64_list.value.append(int(row[name]))
            writer.write(example.SerializeToString())
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("images")
    found = galaxies.write_galaxies(folder, n_galaxies=9, agreement=0.7)
    return found.assign(fraction=np.linspace(0, 1, 9))


@pytest.mark.parametrize("as_float", [False, True])
def test_pixels_are_those_of_the_image_files(table, tmp_path, as_float):
    """Turned upright; labels are what they were stored as."""
    labels = ["bar_no", "fraction"] if as_float else ["bar_no"]
    shard = write_old(
        tmp_path / "old.tfrecord", table, labels=labels, as_float=as_float
    )
    assert tfrecord_datasets.shard_image_size([shard]) == 32
    batches = list(tfrecord_datasets.get_dataset([shard], labels, 4, **OLD))
    images = np.concatenate([batch["image"] for batch in batches])
    expected = np.stack([load_image(path, size_px=32) for path in table["file_loc"]])
    assert (expected != expected[:, ::-1]).any()
    np.testing.assert_array_equal(images, expected)
    ids = [one.decode() for batch in batches for one in batch["id_str"].numpy()]
    assert ids == list(table["id_str"])
    found_ids, found = tfrecord_datasets.read_columns([shard], labels)
    assert found_ids == ids
    assert found.dtype == (np.float64 if as_float else np.int64)
    np.testing.assert_allclose(found, table[labels], rtol=6e-8, atol=0)  # float32


def test_they_can_be_shuffled_and_preprocessed(table, tmp_path):
    shard = write_old(
        tmp_path / "old.tfrecord", table, labels=["bar_no"], as_float=True
    )
    raw = tfrecord_datasets.get_dataset([shard], ["bar_no"], 9, shuffle=True, **OLD)
    config = PreprocessingConfig(label_cols=["bar_no"], input_size=32)
    ((images, labels),) = preprocess_dataset(raw, config)
    (ids,) = [list(batch["id_str"].numpy()) for batch in raw]
    rows = table.set_index("id_str").loc[[one.decode() for one in ids]]
    pixels = np.stack([load_image(path, size_px=32) for path in rows["file_loc"]])
    # The mean of three bands in float32.
    np.testing.assert_allclose(images[..., 0], pixels.mean(-1) / 255, rtol=0, atol=2e-7)
    np.testing.assert_array_equal(labels[:, 0], rows["bar_no"])


@pytest.fixture
def both(table, tmp_path) -> dict[str, Path]:
    """An old shard, and a new one of the same galaxies."""
    old = write_old(tmp_path / "old.tfrecord", table, labels=["bar_no"], as_float=True)
    table.drop(columns="fraction").to_parquet(tmp_path / "galaxies.parquet")
    shard_writer.write_shard(
        tmp_path / "galaxies.parquet",
        shard=tmp_path / "new.tfrecord",
        settings=WriteShards(image_size_px=32, encoding="raw", jpeg_quality=95),
        threads=1,
    )
    return {"old": old, "new": tmp_path / "new.tfrecord"}


def test_training_takes_them_as_they_are(both):
    """The same galaxies, pixels and labels, in the same order."""
    batches = [
        ShardGalaxies([both[name]]).batches(["bar_no"], batch_size=4, shuffle=True)
        for name in ("old", "new")
    ]
    for old, new in zip(*batches, strict=True):
        for name, values in new.items():
            np.testing.assert_array_equal(old[name], values)
    votes = [ShardGalaxies([path]).labels(["bar_no"]) for path in both.values()]
    np.testing.assert_array_equal(*votes)


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["old"], {}, "old.tfrecord: found records of format zoobot_0.0.3, expected "),
        (["new"], OLD, "read them with record_format='zoobot'"),
        (["new", "old"], {}, "old.tfrecord: found records of format zoobot_0.0.3"),
        (["old"], {"record_format": "0.0.3"}, "record_format: found '0.0.3'"),
    ],
)
def test_the_wrong_format_is_named(both, names, options, message):
    with pytest.raises(ValueError, match=message):
        tfrecord_datasets.get_dataset([both[n] for n in names], [], 4, **options)


def test_labels_that_do_not_fit_are_named(both):
    """Missing, of another type than in the first shard, or no numbers."""
    message = "old.tfrecord: columns_to_save: found no numbers bar_yes in it, expected"
    with pytest.raises(ValueError, match=message):
        tfrecord_datasets.get_dataset([both["old"]], ["bar_yes"], 4, **OLD)
    with pytest.raises(ValueError, match="found no numbers id_str in it, expected"):
        tfrecord_datasets.get_dataset([both["new"]], ["id_str"], 4)
    with pytest.raises(ValueError, match="columns_to_save: found one text, 'bar_no'"):
        tfrecord_datasets.get_dataset([both["new"]], "bar_no", 4)
    with pytest.raises(ValueError, match="records: found one path"):
        tfrecord_datasets.get_dataset(str(both["new"]), ["bar_no"], 4)
    with pytest.raises(
        ValueError, match=r"new.tfrecord: found records of format zoobot"
    ):
        tfrecord_datasets.read_columns([both["old"], both["new"]], ["bar_no"])


def test_labels_of_mixed_types_are_named(table, tmp_path):
    shards = [
        write_old(
            tmp_path / f"{as_float}.tfrecord",
            table,
            labels=["bar_no"],
            as_float=as_float,
        )
        for as_float in (True, False)
    ]
    message = "False.tfrecord: bar_no: found int64, expected float32 as in .*True"
    with pytest.raises(ValueError, match=message):
        tfrecord_datasets.get_dataset(shards, ["bar_no"], 4, **OLD)
    assert len(list(tfrecord_datasets.get_dataset(shards, [], 18, **OLD))) == 1


@pytest.mark.parametrize("shape", [{"channels": 1}, {"width": 30}])
def test_images_of_another_shape_are_named(table, tmp_path, shape):
    shard = write_old(
        tmp_path / "old.tfrecord", table, labels=[], as_float=False, **shape
    )
    with pytest.raises(ValueError, match="not square or not of 3 bands"):
        tfrecord_datasets.get_dataset([shard], [], 4, **OLD)


@pytest.mark.faults
def test_a_damaged_first_record_is_called_damaged(both, tmp_path):
    """Not a shard of another kind, whatever it looks like now."""
    copy = shutil.copy(both["new"], tmp_path / "copy.tfrecord")
    content = bytearray(Path(copy).read_bytes())
    for name in (b"\x04size", b"bar_no", b"encoding"):
        damaged = bytearray(content)
        damaged[content.index(name)] ^= 1
        Path(copy).write_bytes(damaged)
        with pytest.raises(ValueError, match=r"copy.tfrecord: found a damaged record"):
            tfrecord_datasets.get_dataset([copy], ["bar_no"], 4)
