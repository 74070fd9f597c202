"""Large tables: what comes out does not depend on how many rows are read at once.

Each stage is set against the same done at once, in pandas.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from zoobot.data_utils import hdf5, splits
from zoobot.predictions import vote_fraction_tables
from zoobot.predictions.vote_fraction_tables import TableFiles, advanced_table
from zoobot.representations import compress_representations
from zoobot.schemas import Schema
from zoobot.settings.catalog import ChunkCatalog, SplitCatalog
from zoobot.settings.predictions import SummarisePredictions
from zoobot.tables import parquet_pieces

TREE = Schema({"shape": {"answers": ["smooth", "disk"]}}, name="tree")
SUMMARY = SummarisePredictions(interval=0.9, asked_fraction_min=0.5, next_votes=1)
N = 500
CUTS = pytest.mark.parametrize("sizes", [(N,), (1, 0, 300, 199), (50,) * 10])


def uniform(text: str) -> float:
    """The first 8 bytes of a sha256, from 0 to 1."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:16], 16) / 2**64


def pieces_at_once(table: pd.DataFrame, *, size: int) -> Iterator[pd.DataFrame]:
    """Cut behind a galaxy with a small hash once half full, or where full."""
    is_end = [uniform(f"piece/{one}") < min(8 / size, 0.5) for one in table["id_str"]]
    start = 0
    for stop in range(1, len(table) + 1):
        length = stop - start
        if length == size or (length >= size / 2 and is_end[stop - 1]):
            yield table[start:stop]
            start = stop
    if start < len(table):
        yield table[start:]


def galaxies(kind: str, *, n: int = N) -> pd.DataFrame:
    """A prepared catalogue."""
    ids = [f"{kind}{i}" for i in range(n)]
    columns = {"id_str": ids, "file_loc": "/a.png", "image_digest": ids}
    return pd.DataFrame(columns | {"shape_smooth": np.arange(n)})


def written_pieces(folder: Path) -> dict[str, pd.DataFrame]:
    """Shards or chunks by kind and number, in their order."""
    names = (folder / "order.txt").read_text().split()
    tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}
    by_kind = itertools.groupby(tables, key=lambda name: name.partition("_")[0])
    return {
        f"{kind} {number}": tables[name]
        for kind, of_kind in by_kind
        for number, name in enumerate(of_kind)
    }


def check_pieces(folder: Path, expected: dict[str, pd.DataFrame], *, size: int) -> None:
    """Compare written pieces with those of tables that are cut at once."""
    found = written_pieces(folder)
    wanted = {
        f"{kind} {number}": piece.reset_index(drop=True)
        for kind, table in expected.items()
        for number, piece in enumerate(pieces_at_once(table, size=size))
    }
    assert list(found) == list(wanted)
    for name, table in wanted.items():
        pd.testing.assert_frame_equal(found[name], table, check_dtype=False, obj=name)


@pytest.mark.parametrize("rows_at_once", [1, 7, 2048])
def test_split_and_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
):
    monkeypatch.setattr(parquet_pieces, "_ROWS", rows_at_once)
    labelled, others = galaxies("l"), galaxies("u", n=90).drop(columns="shape_smooth")
    labelled.to_parquet(tmp_path / "labelled.parquet", row_group_size=64)
    others.to_parquet(tmp_path / "unlabelled.parquet")
    splits.split_catalog(
        tmp_path / "labelled.parquet",
        train_catalog=tmp_path / "train.parquet",
        val_catalog=tmp_path / "val.parquet",
        test_catalog=tmp_path / "test.parquet",
        shards_folder=tmp_path / "shards",
        settings=SplitCatalog(
            train=0.7, val=0.1, test=0.2, seed=5, galaxies_per_shard=40
        ),
    )
    number = np.array([uniform(f"5/split/{one}") for one in labelled["id_str"]])
    parts = {
        "train": labelled[number < 0.7],
        "val": labelled[(number >= 0.7) & (number < 0.7 + 0.1)],
        "test": labelled[number >= 0.7 + 0.1],
    }
    for name, table in parts.items():
        found = pd.read_parquet(tmp_path / f"{name}.parquet")
        pd.testing.assert_frame_equal(
            found, table.reset_index(drop=True), check_dtype=False
        )
    check_pieces(tmp_path / "shards", parts, size=40)

    splits.chunk_catalog(
        tmp_path / "labelled.parquet",
        unlabelled=tmp_path / "unlabelled.parquet",
        chunks_folder=tmp_path / "chunks",
        settings=ChunkCatalog(galaxies_per_chunk=64),
    )
    lists = {"labelled": labelled.drop(columns="shape_smooth"), "unlabelled": others}
    check_pieces(tmp_path / "chunks", lists, size=64)


@CUTS
def test_tables_of_vote_fractions(tmp_path: Path, sizes: tuple[int, ...]):
    """However the galaxies are cut into files: those of all galaxies at once."""
    values = np.random.default_rng(0).uniform(0.02, 9, (N, 2, 3)).astype(np.float32)
    ids = [f"g{i}" for i in range(N)]
    attributes = {
        "schema": TREE.to_json(),
        **{"n_samples": 3, "seed": 1, "model_digest": "m"},
    }
    paths = []
    for i, end in enumerate(np.cumsum(sizes)):
        rows = slice(end - sizes[i], end)
        paths.append(tmp_path / f"{i}.hdf5")
        with hdf5.create(
            paths[-1],
            dataset="predictions",
            id_str=ids[rows],
            label_cols=TREE.label_cols,
            n_passes=3,
            attributes=attributes,
        ) as dataset:
            dataset[...] = values[rows]
    files = {
        kind: TableFiles(
            *(tmp_path / f"{kind}.{s}" for s in ("parquet", "csv", "fits"))
        )
        for kind in ("advanced", "friendly")
    }
    vote_fraction_tables.summarise(paths, **files, settings=SUMMARY)
    rows_of_all = hdf5.GalaxyRows(values, ids, TREE.label_cols, attributes)
    expected = advanced_table(rows_of_all, settings=SUMMARY)
    found = pd.read_parquet(files["advanced"].parquet)
    # Intervals are found by root finding, to 1e-7; all else does not know its company.
    pd.testing.assert_frame_equal(found, expected, rtol=0, atol=1e-6)
    assert list(Table.read(files["advanced"].fits)["id_str"]) == ids
    assert pd.read_csv(files["friendly"].csv)["id_str"].tolist() == ids


@CUTS
@pytest.mark.parametrize("rows_at_once", [3, 2048])
def test_tables_of_components(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sizes: tuple[int, ...],
    rows_at_once: int,
):
    monkeypatch.setattr(parquet_pieces, "_ROWS", rows_at_once)
    monkeypatch.setattr(compress_representations, "_ROWS_IN_GROUP", 128)
    values = np.random.default_rng(0).normal(size=(N, 2)).astype(np.float32)
    table = pd.DataFrame(values, columns=["pca_0", "pca_1"])
    table.insert(0, "id_str", [f"g{i}" for i in range(N)])
    paths = []
    for i, end in enumerate(np.cumsum(sizes)):
        paths.append(tmp_path / f"{i}.parquet")
        table[end - sizes[i] : end].to_parquet(paths[-1], index=False)
    compress_representations.summarise_representations(
        paths, compressed=tmp_path / "all.parquet", fits_table=tmp_path / "all.fits"
    )
    found = pd.read_parquet(tmp_path / "all.parquet")
    pd.testing.assert_frame_equal(found, table, check_dtype=False)
    in_fits = Table.read(tmp_path / "all.fits").to_pandas()
    np.testing.assert_array_equal(in_fits[["pca_0", "pca_1"]], values)
