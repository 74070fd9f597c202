"""Training that reads image files gives what training on shards gives."""

from __future__ import annotations

import itertools
import resource
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests import galaxies, networks
from zoobot.data_utils import image_cache, shard_writer, shuffling
from zoobot.data_utils.image_cache import Images
from zoobot.data_utils.images import load_image
from zoobot.data_utils.labelled_galaxies import FileGalaxies, ShardGalaxies
from zoobot.estimators.model_card import load_card
from zoobot.schemas import get_schema
from zoobot.settings.catalog import WriteShards
from zoobot.settings.training import Train
from zoobot.training import train
from zoobot.training.batches import get_galaxies

VOTES = get_schema("gz_decals").label_cols
N_GALAXIES = 47
SHARES = [0, 20, 21, 40, N_GALAXIES]  # galaxies of four shards, one of them alone


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The same galaxies as tables and as shards of 28 px."""
    folder = tmp_path_factory.mktemp("pieces")
    table = galaxies.write_galaxies(folder, n_galaxies=N_GALAXIES, agreement=0.8)
    table.insert(2, "image_digest", [f"{i:032x}" for i in range(N_GALAXIES)])
    found: dict[str, list[Path]] = {"tables": [], "shards": []}
    for i, (first, end) in enumerate(itertools.pairwise(SHARES)):
        found["tables"].append(folder / f"{i}.parquet")
        found["shards"].append(folder / f"{i}.tfrecord")
        table[first:end].to_parquet(found["tables"][-1], index=False)
        shard_writer.write_shard(
            found["tables"][-1],
            shard=found["shards"][-1],
            settings=WriteShards(image_size_px=28, encoding="raw", jpeg_quality=95),
            threads=2,
        )
    return found


def both(pieces: dict[str, list[Path]], **options: str):
    """The galaxies as files and as shards."""
    files = FileGalaxies(pieces["tables"], image_size=28, **options)
    return files, ShardGalaxies(pieces["shards"])


def assert_same(found: tf.data.Dataset, expected: tf.data.Dataset) -> int:
    """Batches are equal, with types; gives the number of galaxies."""
    assert found.element_spec.keys() == expected.element_spec.keys()
    n_galaxies = 0
    for one, other in zip(found, expected, strict=True):
        for name, values in other.items():
            assert one[name].dtype == values.dtype
            np.testing.assert_array_equal(one[name], values)
        n_galaxies += len(one["id_str"])
    return n_galaxies


@pytest.mark.parametrize("cache", ["none", "memory", "file"])
def test_the_same_batches_in_the_same_order(pieces, cache, monkeypatch):
    """In order, and shuffled by a buffer that holds a part of them; twice."""
    monkeypatch.setattr(shuffling, "n_buffered", lambda size: 10)
    files, shards = both(pieces, cache=cache)
    for options in ({}, {"shuffle": True, "seed": 3}, {"shuffle": True, "seed": 4}):
        batches = [
            source.batches(VOTES[:3], batch_size=6, **options)
            for source in (files, shards)
        ]
        for _ in range(2):
            assert assert_same(*batches) == N_GALAXIES
    np.testing.assert_array_equal(files.labels(VOTES), shards.labels(VOTES))
    assert files.labels(VOTES).dtype == np.int64


def test_no_operation_keeps_a_state(pieces):
    """One that did would make deterministic reading serial."""
    files, _ = both(pieces)
    graph = tf.compat.v1.GraphDef()
    dataset = files.batches(VOTES, batch_size=6, shuffle=True)
    graph.ParseFromString(dataset._as_serialized_graph().numpy())
    ops = {node.op for function in graph.library.function for node in function.node_def}
    assert "PyFuncStateless" in ops
    assert "PyFunc" not in ops


def train_small(folder: Path, paths: list[Path], **changes: object) -> Path:
    """Train the small network; some of the same galaxies choose the epoch."""
    settings = networks.train_settings(
        crop_size_px=24, shift_max_px=2.0, epochs=2, **changes
    )
    train.train_member(
        paths,
        val_shards=paths[:2],
        schema="gz_decals",
        member=0,
        model_folder=folder / "model",
        tensorboard_folder=folder / "tensorboard",
        settings=settings,
        image_size=28,
    )
    return folder / "model"


def test_weights_are_equal_to_the_bit(pieces, tmp_path, small_network):
    """Of the smallest training: their digest and all of the card."""
    card = load_card(train_small(tmp_path / "shards", pieces["shards"]))
    assert card.n_train == N_GALAXIES
    found = train_small(
        tmp_path / "files", pieces["tables"], shards="none", cache="memory"
    )
    assert load_card(found) == card


def test_the_digest_is_of_the_galaxies(pieces, tmp_path):
    """Not of where images lie; another vote, image or order is another one."""
    table = pd.concat(map(pd.read_parquet, pieces["tables"]))
    first = FileGalaxies(pieces["tables"], image_size=28).digest()

    def digest(changed: pd.DataFrame) -> str:
        changed.to_parquet(tmp_path / "changed.parquet", index=False)
        return FileGalaxies([tmp_path / "changed.parquet"], image_size=28).digest()

    assert digest(table) == first
    assert digest(table.assign(file_loc="/elsewhere/" + table["file_loc"])) == first
    others = [
        table.assign(bar_no=table["bar_no"] + 1),
        table.assign(image_digest="f" * 32),
        table[::-1],
        table[:-1],
        table.assign(id_str=table["id_str"] + "x"),
        table.drop(columns="image_digest"),
    ]
    assert len({first, *map(digest, others)}) == len(others) + 1


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file is decoded."""
    counts: Counter[str] = Counter()

    def load(path: str, *, size_px: int) -> np.ndarray:
        counts[path] += 1
        return load_image(path, size_px=size_px)

    monkeypatch.setattr(image_cache, "load_image", load)
    return counts


@pytest.mark.parametrize(("cache", "times"), [("none", 3), ("memory", 1), ("file", 1)])
def test_images_are_decoded_once_if_kept(planted, decoded, cache, times):
    paths = list(planted["file_loc"][:5])
    images = Images(paths, size_px=20, cache=cache)
    assert len(images) == 5
    for _ in range(3):
        for number in (3, 0, 4, 1, 2):
            expected = load_image(paths[number], size_px=20)
            np.testing.assert_array_equal(images[number], expected)
    assert decoded == dict.fromkeys(paths, times)


def test_what_is_given_is_a_copy(planted):
    """So that nobody who changes it changes what is kept."""
    images = Images(list(planted["file_loc"][:1]), size_px=20, cache="memory")
    before = images[0]
    images[0][:] = 0
    np.testing.assert_array_equal(images[0], before)


def test_the_file_has_no_name(planted, tmp_path, monkeypatch):
    """Then nothing is left of it, however the process ends."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    images = Images(list(planted["file_loc"]), size_px=20, cache="file")
    assert images[0].shape == (20, 20, 3)
    assert list(tmp_path.iterdir()) == []


def test_too_many_images_are_refused_at_once(planted, monkeypatch, tmp_path):
    """Not when memory is full, or the disk, which would end the process."""
    paths = list(planted["file_loc"]) * 1000
    with pytest.raises(ValueError, match="cache: found memory, which 24000 images wou"):
        Images(paths, size_px=100_000, cache="memory")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(ValueError, match="set TMPDIR to a folder with more"):
            Images(paths[:24], size_px=100, cache="file")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_files_of_the_wrong_kind_are_named(pieces):
    none = networks.train_settings(shards="none")
    with pytest.raises(
        ValueError, match=r"0.tfrecord: expected a file that ends in .pa"
    ):
        get_galaxies(pieces["shards"], settings=none, image_size=28)
    with pytest.raises(
        ValueError, match=r"0.parquet: expected a file that ends in .tf"
    ):
        get_galaxies(pieces["tables"], settings=networks.train_settings())
    with pytest.raises(ValueError, match="image_size: found none"):
        get_galaxies(pieces["tables"], settings=none)
    with pytest.raises(ValueError, match="found images of 28 px, expected 30"):
        get_galaxies(
            pieces["shards"], settings=networks.train_settings(), image_size=30
        )


def test_bad_tables_are_named(pieces, tmp_path):
    empty = tmp_path / "empty.parquet"
    pd.read_parquet(pieces["tables"][0])[:0].to_parquet(empty)
    with pytest.raises(ValueError, match=r"empty.parquet.*: found no galaxy"):
        FileGalaxies([empty], image_size=28)
    files, _ = both(pieces)
    with pytest.raises(ValueError, match=r"0.parquet: columns missing: bar_maybe"):
        files.labels(["bar_maybe"])
    gone = pd.read_parquet(pieces["tables"][0]).assign(file_loc="/gone.png")
    gone.to_parquet(tmp_path / "gone.parquet")
    files = FileGalaxies([tmp_path / "gone.parquet"], image_size=28)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"gone.png: file does"):
        list(files.batches(VOTES, batch_size=4))


def test_a_cache_of_shards_is_refused():
    with pytest.raises(ValueError, match="cache: found memory with shards tfrecords"):
        networks.train_settings(cache="memory")
    assert isinstance(networks.train_settings(shards="none", cache="file"), Train)
