"""Splits, shards and chunks: nobody is lost, and ids alone decide."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workflow_scripts import chunk_catalog as chunk_script
from workflow_scripts import split_catalog as split_script
from zoobot.data_utils import splits
from zoobot.settings.catalog import ChunkCatalog, SplitCatalog

IDS = np.array([f"J{i:06d}" for i in range(20_000)])
SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}


def make_settings(*, seed=42, galaxies_per_shard=1024, **shares):
    """Make settings, by default with the papers' shares."""
    shares = SHARES | shares
    return SplitCatalog(**shares, seed=seed, galaxies_per_shard=galaxies_per_shard)


def catalog(n):
    """Make a catalogue of n galaxies with one column of votes."""
    columns = {"id_str": IDS[:n], "file_loc": "/a.png", "shape_round": np.arange(n)}
    return pd.DataFrame(columns)


def split(folder, n, settings):
    """Split n galaxies with files in a folder; return parts and shards."""
    catalog(n).to_parquet(folder / "labelled.parquet")
    splits.split_catalog(
        folder / "labelled.parquet",
        train_catalog=folder / "train.parquet",
        val_catalog=folder / "val.parquet",
        test_catalog=folder / "test.parquet",
        shards_folder=folder / "shards",
        settings=settings,
    )
    parts = {part: pd.read_parquet(folder / f"{part}.parquet") for part in SHARES}
    paths = sorted((folder / "shards").iterdir())
    tables = {".parquet": pd.read_parquet, ".txt": Path.read_text}
    shards = {path.name: tables[path.suffix](path) for path in paths}
    return parts, shards


def test_shares_are_near_nominal():
    """Of 20,000 galaxies each part has its share, within 5 standard deviations."""
    parts = splits.assign_parts(IDS, settings=make_settings())
    for part, share in SHARES.items():
        tolerance = 5 * np.sqrt(share * (1 - share) / len(IDS))
        assert abs((parts == part).mean() - share) < tolerance


def test_the_id_alone_decides():
    """Order and company do not matter; other seeds give other, unrelated splits."""
    settings = make_settings()
    parts = splits.assign_parts(IDS, settings=settings)
    order = np.random.default_rng(0).permutation(len(IDS))[:5000]
    np.testing.assert_array_equal(
        splits.assign_parts(IDS[order], settings=settings), parts[order]
    )
    other = splits.assign_parts(IDS, settings=make_settings(seed=43))
    # Independent splits agree with probability .7^2 + .1^2 + .2^2 = .54, sd .0035.
    assert abs((parts == other).mean() - 0.54) < 0.02


def test_the_hash_is_the_documented_one():
    """The uniform number is the first 8 bytes of a sha256, so anyone can repeat it."""
    digest = hashlib.sha256("7/split/galaxyé".encode()).hexdigest()
    uniform = int(digest[:16], 16) / 2.0**64
    shares = {"val": 0.25, "seed": 7}
    above, below = np.nextafter(uniform, 1), np.nextafter(uniform, 0)
    assert splits.part_of("galaxyé", train=above, **shares) == "train"
    assert splits.part_of("galaxyé", train=below, **shares) == "val"
    assert splits.part_of("galaxyé", train=0, val=0, seed=7) == "test"


def test_a_larger_train_share_moves_nobody_out():
    """Training galaxies stay when the share grows."""
    small = splits.assign_parts(IDS, settings=make_settings(train=0.5, test=0.4))
    large = splits.assign_parts(IDS, settings=make_settings())
    assert (large[small == "train"] == "train").all()


def test_split_catalog_keeps_everybody(tmp_path):
    """Parts and shards hold each galaxy once, in catalogue order, all columns."""
    parts, shards = split(tmp_path, 1000, make_settings(galaxies_per_shard=64))
    everybody = pd.concat(parts.values()).sort_values("id_str", ignore_index=True)
    pd.testing.assert_frame_equal(everybody, catalog(1000), check_dtype=False)
    for part, galaxies in parts.items():
        assert galaxies["id_str"].is_monotonic_increasing
        n_shards = -(-len(galaxies) // 64)
        mine = [shards.pop(f"{part}_{i}.parquet") for i in range(n_shards)]
        pd.testing.assert_frame_equal(pd.concat(mine, ignore_index=True), galaxies)
    assert not shards


def test_stale_shards_go_and_other_files_stay(tmp_path):
    """A run with fewer shards leaves none of the earlier run."""
    split(tmp_path, 1000, make_settings(galaxies_per_shard=16))
    folder = tmp_path / "shards"
    assert (folder / "train_20.parquet").exists()
    (folder / "train_notes.txt").write_text("mine")
    catalog(3).to_parquet(folder / "mine_0.parquet")
    _, shards = split(tmp_path, 1000, make_settings(galaxies_per_shard=1024))
    assert set(shards) == {
        *(f"{part}_0.parquet" for part in SHARES),
        "mine_0.parquet",
        "train_notes.txt",
    }


@pytest.mark.parametrize(
    ("shares", "part"),
    [({"train": 0.8, "val": 0.0}, "val"), ({"val": 0.3, "test": 0.0}, "test")],
)
def test_an_empty_split_is_named(tmp_path, shares, part):
    """The error says which split, its share and how many galaxies there are."""
    message = rf"split_catalog.{part}: found 0.0, which gives none of 100 labelled"
    with pytest.raises(ValueError, match=message):
        split(tmp_path, 100, make_settings(**shares))
    assert not (tmp_path / "shards").exists()


def test_no_labelled_galaxy(tmp_path):
    """Without labelled galaxies nothing can be trained."""
    with pytest.raises(ValueError, match=r"split_catalog.train: .* none of 0 labelled"):
        split(tmp_path, 0, make_settings())


@pytest.mark.parametrize("n", [1, 9, 10, 11, 25])
def test_chunks(tmp_path, n):
    """Labelled then unlabelled galaxies, in chunks of ten; stale ones go."""
    galaxies = catalog(n)
    galaxies[: n // 2].to_parquet(tmp_path / "labelled.parquet")
    galaxies[["id_str", "file_loc"]][n // 2 :].to_parquet(tmp_path / "others.parquet")
    folder = tmp_path / "chunks"
    folder.mkdir()
    (folder / "99.parquet").write_text("stale")
    splits.chunk_catalog(
        tmp_path / "labelled.parquet",
        unlabelled=tmp_path / "others.parquet",
        chunks_folder=folder,
        settings=ChunkCatalog(galaxies_per_chunk=10),
    )
    names = [f"{i}.parquet" for i in range(-(-n // 10))]
    assert sorted(path.name for path in folder.iterdir()) == names
    chunks = [pd.read_parquet(folder / name) for name in names]
    assert [len(chunk) for chunk in chunks[:-1]] == [10] * (len(chunks) - 1)
    assert list(pd.concat(chunks)["id_str"]) == list(IDS[:n])
    assert list(chunks[0].columns) == ["id_str", "file_loc"]


def test_nothing_to_chunk(tmp_path):
    """Two empty catalogues are an error that names them."""
    catalog(0).to_parquet(tmp_path / "none.parquet")
    with pytest.raises(ValueError, match=r"none\.parquet.*expected galaxies"):
        splits.chunk_catalog(
            tmp_path / "none.parquet",
            unlabelled=tmp_path / "none.parquet",
            chunks_folder=tmp_path / "chunks",
            settings=ChunkCatalog(galaxies_per_chunk=10),
        )


def test_scripts(tmp_path):
    """Both programs write the files that their options name."""
    catalog(200).to_parquet(tmp_path / "l.parquet")
    files = [f"--{part}-catalog {tmp_path}/{part}.parquet" for part in SHARES]
    shares = [f"--{part} {share}" for part, share in SHARES.items()]
    split_script.main(
        f"--labelled {tmp_path}/l.parquet {' '.join(files)} {' '.join(shares)} "
        f"--seed 1 --galaxies-per-shard 50 --shards-folder {tmp_path}/shards".split()
    )
    sizes = [len(pd.read_parquet(tmp_path / f"{part}.parquet")) for part in SHARES]
    assert sum(sizes) == 200
    chunk_script.main(
        f"--labelled {tmp_path}/l.parquet --unlabelled {tmp_path}/l.parquet "
        f"--chunks-folder {tmp_path}/chunks --galaxies-per-chunk 150".split()
    )
    assert len(list((tmp_path / "chunks").iterdir())) == 3
