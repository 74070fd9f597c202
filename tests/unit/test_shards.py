"""Shards and image files: the same galaxies, pixels and votes come out as went in."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from astropy.io import fits
from PIL import Image

from tests import galaxies
from zoobot.data_utils import (
    image_datasets,
    shard_writer,
    shuffling,
    tfrecord_datasets,
)
from zoobot.data_utils.fits_images import DEFAULT_RENDERING
from zoobot.data_utils.images import load_image
from zoobot.data_utils.shuffling import n_buffered
from zoobot.preprocess import PreprocessingConfig, preprocess_dataset
from zoobot.schemas import get_schema
from zoobot.settings.catalog import WriteShards

COLUMNS = get_schema("gz_decals").label_cols
RAW = WriteShards(image_size_px=32, encoding="raw", jpeg_quality=95)


def write(
    folder: Path,
    table: pd.DataFrame,
    *,
    settings: WriteShards = RAW,
    name: str = "shard",
) -> Path:
    """Write a catalogue as one shard, and return its path."""
    table.to_parquet(folder / f"{name}.parquet", index=False)
    shard = folder / f"{name}.tfrecord"
    shard_writer.write_shard(
        folder / f"{name}.parquet", shard=shard, settings=settings, threads=2
    )
    return shard


def ids_in(dataset: tf.data.Dataset) -> list[str]:
    """Ids in the order in which a dataset gives them."""
    return [id_str.decode() for batch in dataset for id_str in batch["id_str"].numpy()]


def images_in(dataset: tf.data.Dataset) -> np.ndarray:
    """All images of a dataset, (n_galaxies, size, size, 3)."""
    return np.concatenate([batch["image"].numpy() for batch in dataset])


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """130 galaxies, more than wait in memory at once, with ids that are not ASCII."""
    folder = tmp_path_factory.mktemp("images")
    return galaxies.write_galaxies(
        folder, n_galaxies=130, agreement=0.7, n_unseen=2, unicode_ids=True
    )


@pytest.fixture(scope="module")
def shard(catalogue, tmp_path_factory):
    """Those galaxies as a raw shard."""
    return write(tmp_path_factory.mktemp("shards"), catalogue)


def test_raw_pixels_votes_and_ids_are_exact(catalogue, shard):
    """Pixel for pixel what `load_image` reads, in the catalogue's order."""
    dataset = tfrecord_datasets.get_dataset([shard], COLUMNS, 16)
    expected = [load_image(path, size_px=32) for path in catalogue["file_loc"]]
    np.testing.assert_array_equal(images_in(dataset), expected)
    assert ids_in(dataset) == list(catalogue["id_str"])
    votes = np.concatenate(
        [np.stack([batch[col] for col in COLUMNS], axis=-1) for batch in dataset]
    )
    np.testing.assert_array_equal(votes, catalogue[COLUMNS])


def test_columns_alone(catalogue, shard):
    """`read_columns` gives the votes, in the order of the columns asked for."""
    wanted = COLUMNS[::-3]
    ids, votes = tfrecord_datasets.read_columns([shard], wanted)
    assert ids == list(catalogue["id_str"])
    assert votes.dtype == np.int64
    np.testing.assert_array_equal(votes, catalogue[wanted])


@pytest.mark.parametrize("encoding", ["raw", "jpeg"])
def test_each_record_is_an_example(catalogue, tmp_path, encoding):
    """Protobuf itself reads the same message as one that is built whole."""
    settings = WriteShards(image_size_px=32, encoding=encoding, jpeg_quality=95)
    shard = write(tmp_path, catalogue[:5], settings=settings)
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(shard))]
    rows = catalogue[:5].to_dict("records")
    for row, record in zip(rows, records, strict=True):
        whole = tf.train.Example()
        features = whole.features.feature
        image = load_image(row["file_loc"], size_px=32)
        for name, text in {
            "id_str": row["id_str"].encode(),
            "image": shard_writer.encode_image(image, settings),
            "encoding": encoding.encode(),
        }.items():
            features[name].bytes_list.value.append(text)
        for name in COLUMNS:
            features[name].int64_list.value.append(row[name])
        features["size"].int64_list.value.append(32)
        features["galaxies_in_shard"].int64_list.value.append(5)
        assert tf.train.Example.FromString(record) == whole


def test_written_twice_is_the_same_to_the_byte(catalogue, shard, tmp_path):
    """Then who reads it need not run again."""
    assert write(tmp_path, catalogue).read_bytes() == shard.read_bytes()


@pytest.mark.parametrize("n_galaxies", [1, 2, 7, 8, 9, 127, 128, 129])
def test_sizes(catalogue, tmp_path, n_galaxies):
    """Around a batch of 8 and the 8 images that wait, all come once, in order."""
    shard = write(tmp_path, catalogue[:n_galaxies])
    dataset = tfrecord_datasets.get_dataset([shard], COLUMNS, 8)
    sizes = [len(batch["id_str"]) for batch in dataset]
    full, rest = divmod(n_galaxies, 8)
    assert sizes == [8] * full + [rest] * bool(rest)
    assert ids_in(dataset) == list(catalogue["id_str"][:n_galaxies])


def test_no_galaxy(catalogue, tmp_path):
    """An empty file is no shard: it could be one of which nothing is left."""
    with pytest.raises(
        ValueError, match=r"parquet: found no galaxy, expected at least"
    ):
        write(tmp_path, catalogue[:0], name="empty")
    assert not list(tmp_path.glob("**/*.tfrecord"))


def test_several_shards(catalogue, shard, tmp_path):
    """Shards follow one another; the union is the input."""
    parts = [catalogue[:50], catalogue[50:51], catalogue[51:]]
    shards = [write(tmp_path, part, name=str(i)) for i, part in enumerate(parts)]
    dataset = tfrecord_datasets.get_dataset(shards, COLUMNS, 16)
    assert ids_in(dataset) == list(catalogue["id_str"])
    whole = tfrecord_datasets.get_dataset([shard], COLUMNS, 16)
    np.testing.assert_array_equal(images_in(dataset), images_in(whole))


@pytest.mark.parametrize("quality", [95, 75])
def test_jpeg_is_close(catalogue, tmp_path, quality):
    """JPEG's error is what rounding to multiples of its quantisation steps gives.

    A step s in a cosine coefficient gives a variance of s^2 / 12 at most, as flat
    regions round to an exact 0. Cb and Cr reach the three bands with weights whose
    squares have a mean of 1.91; each rounding to whole levels adds 1/12.
    """
    settings = WriteShards(image_size_px=32, encoding="jpeg", jpeg_quality=quality)
    shard = write(tmp_path, catalogue[:20], settings=settings)
    found = images_in(tfrecord_datasets.get_dataset([shard], COLUMNS, 16))
    expected = np.stack([load_image(p, size_px=32) for p in catalogue["file_loc"][:20]])
    tables = Image.open(
        io.BytesIO(shard_writer.encode_image(expected[0], settings))
    ).quantization
    luma, chroma = (np.mean(np.square(tables[i])) / 12 for i in (0, 1))
    allowed = luma + 1.91 * chroma + (1 + 1.91 + 1) / 12
    error = np.mean((found.astype(float) - expected) ** 2)
    assert 0 < error < allowed
    # 35.7 dB at quality 95, 21.8 dB at 75: peak signal over rms error.
    assert 20 * np.log10(255 / np.sqrt(error)) > {95: 35.7, 75: 21.8}[quality]


def test_jpeg_decodes_as_pillow_does(catalogue, tmp_path):
    """Two decoders of the same bytes agree: what is stored is what is seen."""
    settings = WriteShards(image_size_px=32, encoding="jpeg", jpeg_quality=90)
    shard = write(tmp_path, catalogue[:5], settings=settings)
    found = images_in(tfrecord_datasets.get_dataset([shard], COLUMNS, 5))
    for path, image in zip(catalogue["file_loc"], found, strict=False):
        encoded = shard_writer.encode_image(load_image(path, size_px=32), settings)
        expected = np.array(Image.open(io.BytesIO(encoded)))
        np.testing.assert_array_equal(image, expected)


def test_resized(catalogue, tmp_path):
    """Images of another size are stored at the size of the settings, which is read."""
    settings = WriteShards(image_size_px=20, encoding="raw", jpeg_quality=95)
    shard = write(tmp_path, catalogue[:3], settings=settings)
    assert tfrecord_datasets.shard_image_size([shard]) == 20
    found = images_in(tfrecord_datasets.get_dataset([shard], COLUMNS, 2))
    expected = [load_image(path, size_px=20) for path in catalogue["file_loc"][:3]]
    np.testing.assert_array_equal(found, expected)


def readings(shard):
    """All that can be done with a shard."""
    return [
        lambda: ids_in(tfrecord_datasets.get_dataset([shard], COLUMNS, 16)),
        lambda: tfrecord_datasets.read_columns([shard], COLUMNS),
        lambda: tfrecord_datasets.read_columns([shard], []),
    ]


def ends_of_records(content):
    """Where records end, by the format: length, checksum, record, checksum."""
    ends = [0]
    while ends[-1] < len(content):
        length = int.from_bytes(content[ends[-1] : ends[-1] + 8], "little")
        ends.append(ends[-1] + 8 + 4 + length + 4)
    return ends


@pytest.mark.faults
def test_a_shard_cut_short_is_named(shard, tmp_path):
    """Within a record or between two, where no checksum is wrong."""
    content = shard.read_bytes()
    ends = ends_of_records(content)
    for n_bytes in (
        0,
        5,
        12,
        13,
        *(end - 1 for end in ends[1:3]),
        *ends[1:3],
        ends[-2],
    ):
        cut = tmp_path / f"cut_{n_bytes}.tfrecord"
        cut.write_bytes(content[:n_bytes])
        for read in readings(cut):
            with pytest.raises(
                ValueError, match=rf"{cut.name}: found .* delete it and"
            ):
                read()


@pytest.mark.faults
def test_a_shard_with_a_record_twice_or_without_one_is_named(shard, tmp_path):
    """What a copy may do to it; again no checksum is wrong."""
    content = shard.read_bytes()
    ends = ends_of_records(content)
    (tmp_path / "more.tfrecord").write_bytes(content + content[: ends[1]])
    (tmp_path / "fewer.tfrecord").write_bytes(content[: ends[1]] + content[ends[2] :])
    n_galaxies = len(ends) - 1
    for name, n_found in (("more", n_galaxies + 1), ("fewer", n_galaxies - 1)):
        message = f"{name}.tfrecord: found {n_found} galaxies, expected {n_galaxies};"
        for read in readings(tmp_path / f"{name}.tfrecord"):
            with pytest.raises(ValueError, match=message):
                read()


@pytest.mark.faults
def test_a_flipped_bit_is_named(shard, tmp_path):
    """Anywhere: in a length, in an image, in what stands before it, in a checksum."""
    content = shard.read_bytes()
    ends = ends_of_records(content)
    first = [0, 7, 8, 11, 12, 15, 40, ends[1] // 2, ends[1] - 4, ends[1] - 1]
    rng = np.random.default_rng(0)
    for place in [*first, *rng.choice(len(content), 20, replace=False)]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.integers(8)
        path = tmp_path / f"bad_{place}.tfrecord"
        path.write_bytes(damaged)
        with pytest.raises(
            ValueError, match=rf"bad_{place}.tfrecord: found .*delete it"
        ):
            tfrecord_datasets.read_columns([shard, path], COLUMNS)
    with pytest.raises(tf.errors.DataLossError):
        ids_in(tfrecord_datasets.get_dataset([path], COLUMNS, 16))


def test_a_shard_of_other_programs_may_not_say_how_many(shard, tmp_path):
    """Then the number of its galaxies is what it is."""
    records = []
    for record in tf.data.TFRecordDataset(str(shard)):
        example = tf.train.Example.FromString(record.numpy())
        del example.features.feature["galaxies_in_shard"]
        records.append(example.SerializeToString())
    other = tmp_path / "other.tfrecord"
    with tf.io.TFRecordWriter(str(other)) as writer:
        for record in records[:-1]:
            writer.write(record)
    ids, _ = tfrecord_datasets.read_columns([other], COLUMNS)
    assert len(ids) == len(records) - 1


def test_wrong_size_is_refused(catalogue, shard, tmp_path):
    """Pixels of another size are never reshaped into galaxies, also within a shard."""
    half = WriteShards(image_size_px=16, encoding="raw", jpeg_quality=95)
    small = write(tmp_path, catalogue[:4], settings=half, name="small")
    for shards, sizes in (([shard, small], (16, 32)), ([small, shard], (32, 16))):
        message = "several sizes: found {} px, expected {} as".format(*sizes)
        with pytest.raises(ValueError, match=message):
            tfrecord_datasets.get_dataset(shards, COLUMNS, 200)
    with pytest.raises(ValueError, match="found images of 16 px, expected 32"):
        tfrecord_datasets.get_dataset([small], COLUMNS, 4, image_size=32)
    both = tmp_path / "both.tfrecord"
    records = [r for path in (shard, small) for r in tf.data.TFRecordDataset(str(path))]
    with tf.io.TFRecordWriter(str(both)) as writer:
        for record in records[:1] + records[-1:]:
            example = tf.train.Example.FromString(record.numpy())
            del example.features.feature["galaxies_in_shard"]
            writer.write(example.SerializeToString())
    with pytest.raises(tf.errors.InvalidArgumentError, match="several sizes"):
        ids_in(tfrecord_datasets.get_dataset([both], COLUMNS, 4))


def test_what_is_no_shard(tmp_path):
    """No path, and a file of something else."""
    with pytest.raises(ValueError, match="shards: found none"):
        tfrecord_datasets.get_dataset([], COLUMNS, 8)
    other = tmp_path / "other.tfrecord"
    with tf.io.TFRecordWriter(str(other)) as writer:
        writer.write(tf.train.Example().SerializeToString())
    with pytest.raises(
        ValueError, match=r"other.tfrecord: expected records with image"
    ):
        tfrecord_datasets.shard_image_size([other])


def test_a_bad_image_is_named(catalogue, tmp_path):
    """The error says which file; no shard is left."""
    table = catalogue[:3].copy()
    table.loc[1, "file_loc"] = str(tmp_path / "gone.png")
    with pytest.raises(ValueError, match=r"gone.png: file does not exist"):
        write(tmp_path, table)
    assert not list(tmp_path.glob("*.tfrecord"))
    assert not list(tmp_path.glob(".*"))


def test_shuffle_is_seeded(catalogue, shard):
    """The same seed gives the same order, each time and again; another, another."""

    def order(seed: int) -> list[str]:
        return ids_in(
            tfrecord_datasets.get_dataset(
                [shard], ["bar_no"], 16, shuffle=True, seed=seed
            )
        )

    first = order(1)
    assert first == order(1)
    assert first != order(2)
    assert first != list(catalogue["id_str"])
    assert sorted(first) == sorted(catalogue["id_str"])


def test_each_pass_has_an_order_of_its_own(shard):
    """So that epochs differ; the seed gives them all. Or, if so asked, they are one."""

    def dataset(**options: bool) -> tf.data.Dataset:
        return tfrecord_datasets.get_dataset(
            [shard], ["bar_no"], 16, shuffle=True, seed=1, **options
        )

    data, again = dataset(), dataset()
    passes = [ids_in(data) for _ in range(3)]
    assert passes == [ids_in(again) for _ in range(3)]
    assert len(set(map(tuple, passes))) == 3
    assert sorted(passes[0]) == sorted(passes[1]) == sorted(passes[2])
    one = dataset(reshuffle_each_iteration=False)
    assert ids_in(one) == ids_in(one)


@pytest.mark.parametrize("global_seed", [0, 7])
def test_shuffle_depends_on_its_own_seed_alone(shard, global_seed):
    """Whatever the process has set, 0 among it, and also from within a graph."""
    tf.random.set_seed(1)
    order = {"shuffle": True, "seed": 5}
    expected = ids_in(tfrecord_datasets.get_dataset([shard], [], 16, **order))
    tf.random.set_seed(global_seed)
    found = ids_in(tfrecord_datasets.get_dataset([shard], [], 16, **order))
    assert found == expected
    seeds = tf.data.Dataset.range(5, 6)
    nested = seeds.flat_map(
        lambda seed: tfrecord_datasets.get_dataset(
            [shard], [], 16, shuffle=True, seed=seed, image_size=32
        )
    )
    assert ids_in(nested) == expected


def test_shuffle_mixes_well(catalogue, shard):
    """Rank correlation with the file's order is that of chance."""
    place = {id_str: i for i, id_str in enumerate(catalogue["id_str"])}
    dataset = tfrecord_datasets.get_dataset(
        [shard], ["bar_no"], 16, shuffle=True, seed=0
    )
    order = [place[id_str] for id_str in ids_in(dataset)]
    # Standard deviation 1 / sqrt(129) = 0.088; four of them.
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.35


def test_shards_mix_beyond_the_buffer(catalogue, tmp_path, monkeypatch):
    """Galaxies of all shards come from the start, in another order each epoch."""
    monkeypatch.setattr(shuffling, "n_buffered", lambda size: 8)
    shards = [
        write(tmp_path, catalogue[i * 16 : (i + 1) * 16], name=str(i)) for i in range(8)
    ]
    shard_of = {id_str: i // 16 for i, id_str in enumerate(catalogue["id_str"][:128])}

    def order(seed: int) -> list[str]:
        return ids_in(
            tfrecord_datasets.get_dataset(shards, [], 16, shuffle=True, seed=seed)
        )

    first, second = order(0), order(1)
    assert sorted(first) == sorted(second) == sorted(shard_of)
    assert first != second
    for found in (first, second):
        # One after another, the first 32 would be of two shards.
        assert len({shard_of[id_str] for id_str in found[:32]}) == 8


def test_buffer_is_bounded_in_bytes():
    """Half a GiB of images at most, unless these are few, and no more than help."""
    assert n_buffered(300) * 300 * 300 * 3 <= 2**29
    assert n_buffered(8) == 16_384
    assert n_buffered(2000) == 1024


def test_shuffled_galaxies_keep_their_images(catalogue, shard):
    """Image, id and votes of a galaxy stay together."""
    dataset = tfrecord_datasets.get_dataset([shard], COLUMNS, 16, shuffle=True, seed=3)
    rows = catalogue.set_index("id_str")
    for batch in dataset.take(2):
        for i, id_str in enumerate(batch["id_str"].numpy()):
            row = rows.loc[id_str.decode()]
            np.testing.assert_array_equal(
                batch["image"][i], load_image(row["file_loc"], size_px=32)
            )
            assert [int(batch[col][i]) for col in COLUMNS] == list(row[COLUMNS])


def test_files_and_shards_give_the_same_input(catalogue, shard):
    """The network sees the same numbers, whichever way a galaxy comes."""
    config = PreprocessingConfig(label_cols=[], input_size=32)
    from_files = image_datasets.get_image_dataset(
        list(catalogue["file_loc"]), requested_img_size=32, batch_size=16
    )
    from_shards = tfrecord_datasets.get_dataset([shard], COLUMNS, 16)
    pairs = zip(
        preprocess_dataset(from_files, config),
        preprocess_dataset(from_shards, config),
        strict=True,
    )
    for files, shards in pairs:
        np.testing.assert_array_equal(files, shards)


def test_image_dataset_in_order_with_labels(catalogue):
    """Batches in the order given; a label for each path."""
    paths = [Path(path) for path in catalogue["file_loc"][:10]]
    labels = np.arange(20, dtype=np.float32).reshape(10, 2)
    dataset = image_datasets.get_image_dataset(
        paths, requested_img_size=32, batch_size=4, labels=labels
    )
    assert ids_in(dataset) == [str(path) for path in paths]
    found = [batch["label"].numpy() for batch in dataset]
    assert [len(batch) for batch in found] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(found), labels)
    assert dataset.cardinality() == 3


def test_image_dataset_refuses(catalogue, tmp_path):
    """No path, labels that do not match, and an image that is not there."""
    with pytest.raises(ValueError, match="paths: found none"):
        image_datasets.get_image_dataset([], requested_img_size=32, batch_size=4)
    with pytest.raises(ValueError, match="labels: found 2, expected 1"):
        image_datasets.get_image_dataset(
            ["a.png"], requested_img_size=32, batch_size=4, labels=[1, 2]
        )
    dataset = image_datasets.get_image_dataset(
        [catalogue["file_loc"][0], tmp_path / "gone.png"],
        requested_img_size=32,
        batch_size=4,
    )
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"gone.png: file does not"
    ):
        ids_in(dataset)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"file_format": "png"},
            r"b.jpg: expected a file of file_format 'png'.*1 of 2",
        ),
        ({"file_format": "gif"}, "file_format: found 'gif', expected one of"),
        (
            {"labels": ["yes", "no"]},
            "labels: found type .*, expected one number a path",
        ),
        ({"labels": [1.0, np.nan]}, "labels: found nan at position 1"),
        ({"labels": np.zeros((2, 2, 2))}, r"labels: found .* shape \(2, 2, 2\)"),
    ],
)
def test_image_dataset_names_what_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        image_datasets.get_image_dataset(
            ["a.png", "b.jpg"], requested_img_size=32, batch_size=4, **options
        )


def test_image_dataset_takes_no_single_path():
    with pytest.raises(
        ValueError, match=r"paths: found one path, a.png, expected a list"
    ):
        image_datasets.get_image_dataset("a.png", requested_img_size=32, batch_size=4)


def test_fits_images_among_others(catalogue, tmp_path):
    """In a dataset and in a shard; the pixels are those that `load_image` reads."""
    rng = np.random.default_rng(0)
    path = tmp_path / "galaxy.fits"
    fits.writeto(path, rng.random((3, 40, 40), dtype=np.float32))
    darker = DEFAULT_RENDERING.model_copy(update={"band_scales": [0.1, 0.2, 0.3]})
    for rendering in (None, darker):
        drawn = load_image(path, size_px=32, rendering=rendering)
        dataset = image_datasets.get_image_dataset(
            [path],
            file_format="fits",
            requested_img_size=32,
            batch_size=1,
            rendering=rendering,
        )
        np.testing.assert_array_equal(images_in(dataset), [drawn])
    expected = load_image(path, size_px=32)
    assert drawn.mean() < expected.mean() - 10
    mixed = catalogue[:2].copy()
    mixed.loc[1, "file_loc"] = str(path)
    shard = write(tmp_path, mixed)
    found = images_in(tfrecord_datasets.get_dataset([shard], [], 2))
    np.testing.assert_array_equal(found[1], expected)


def test_jpg_and_jpeg_are_one_format(catalogue, tmp_path):
    """Whatever case the names are in."""
    paths = [tmp_path / name for name in ("a.jpg", "b.jpeg", "c.JPG")]
    for path in paths:
        Image.open(catalogue["file_loc"][0]).save(path, "JPEG")
    for file_format in ("jpg", "jpeg"):
        dataset = image_datasets.get_image_dataset(
            paths, file_format=file_format, requested_img_size=32, batch_size=3
        )
        assert len(images_in(dataset)) == 3
