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
    columns = {"id_str": IDS[:n], "file_loc": "/a.png", "image_digest": "0f"}
    return pd.DataFrame(columns | {"shape_round": np.arange(n)})


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
    order = shards.pop("order.txt").split()
    assert len(order) == len(set(order)) == len(shards)
    for part, galaxies in parts.items():
        assert galaxies["id_str"].is_monotonic_increasing
        names = [name for name in order if name.startswith(f"{part}_")]
        mine = [shards.pop(f"{name}.parquet") for name in names]
        pd.testing.assert_frame_equal(pd.concat(mine, ignore_index=True), galaxies)
        assert all(32 <= len(shard) <= 64 for shard in mine[:-1])
    assert not shards


def test_stale_shards_go_and_other_files_stay(tmp_path):
    """A run with fewer shards leaves none of the earlier run."""
    _, many = split(tmp_path, 1000, make_settings(galaxies_per_shard=16))
    folder = tmp_path / "shards"
    (folder / "train_notes.txt").write_text("mine")
    catalog(3).to_parquet(folder / "mine_0.parquet")
    _, shards = split(tmp_path, 1000, make_settings(galaxies_per_shard=2000))
    order = shards["order.txt"].split()
    assert [name.split("_")[0] for name in order] == list(SHARES)
    assert set(shards) - {f"{name}.parquet" for name in order} == {
        "order.txt",
        "mine_0.parquet",
        "train_notes.txt",
    }
    assert len(many) > 50


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


def chunk(folder, labelled, unlabelled, *, size=10):
    """Chunk two catalogues; return each chunk's bytes by its name, in order."""
    labelled.to_parquet(folder / "labelled.parquet")
    unlabelled.to_parquet(folder / "others.parquet")
    splits.chunk_catalog(
        folder / "labelled.parquet",
        unlabelled=folder / "others.parquet",
        chunks_folder=folder / "chunks",
        settings=ChunkCatalog(galaxies_per_chunk=size),
    )
    names = (folder / "chunks" / "order.txt").read_text().split()
    return {n: (folder / "chunks" / f"{n}.parquet").read_bytes() for n in names}


@pytest.mark.parametrize("n", [1, 9, 10, 11, 65])
def test_chunks(tmp_path, n):
    """Labelled and unlabelled galaxies apart, ten at most; stale chunks go."""
    folder = tmp_path / "chunks"
    folder.mkdir()
    (folder / "labelled_99.parquet").write_text("stale")
    others = catalog(n)[["id_str", "file_loc", "image_digest"]][n // 2 :]
    names = chunk(tmp_path, catalog(n // 2), others)
    files = {path.name for path in folder.iterdir()}
    assert files == {"order.txt", *(f"{name}.parquet" for name in names)}
    chunks = {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}
    assert list(pd.concat(chunks.values())["id_str"]) == list(IDS[:n])
    labelled = [one for name, one in chunks.items() if name.startswith("labelled_")]
    assert sum(map(len, labelled)) == n // 2
    assert max(map(len, chunks.values())) <= 10
    for one in chunks.values():
        assert list(one.columns) == ["id_str", "file_loc", "image_digest"]


def test_a_change_rewrites_its_own_chunk_only(tmp_path):
    """All other chunks have the same bytes, so nothing that reads them runs again."""
    labelled = catalog(300)
    others = labelled[["id_str", "file_loc", "image_digest"]].assign(
        id_str=[f"u{i}" for i in range(300)]
    )
    before = chunk(tmp_path, labelled, others, size=40)

    def changed(labelled, others=others):
        after = chunk(tmp_path, labelled, others, size=40)
        return {n for n in {*before, *after} if before.get(n) != after.get(n)}

    assert changed(labelled) == set()
    assert changed(labelled.assign(shape_round=7)) == set(), "votes do not matter"
    row = 100
    name, piece = next(
        (name, piece)
        for name in before
        for piece in [pd.read_parquet(tmp_path / "chunks" / f"{name}.parquet")]
        if IDS[row] in set(piece["id_str"])
    )
    assert 21 < len(piece) < 40 and piece["id_str"].iloc[0] != IDS[row]
    replaced = labelled.copy()
    replaced.loc[row, "image_digest"] = "f0"
    assert changed(replaced) == {name}
    assert changed(labelled.drop(row)) == {name}
    grown = pd.concat([labelled, labelled[-1:].assign(id_str="one more")])
    assert changed(grown) == {[n for n in before if n.startswith("labelled")][-1]}


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
    assert len(list((tmp_path / "chunks").iterdir())) >= 3
