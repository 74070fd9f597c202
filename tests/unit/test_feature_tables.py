"""Representations as one table: the released layout, every bit, whatever the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from workflow_scripts import tabulate_representations
from zoobot.data_utils import hdf5
from zoobot.representations import feature_tables


def write_representations(
    path: Path, *, ids: list[str], values: np.ndarray, model: str = "abc"
) -> Path:
    """Write a file of representations, (galaxy, feature[, view])."""
    with hdf5.create(
        path,
        dataset="representations",
        id_str=ids,
        label_cols=[f"feat_{i}" for i in range(values.shape[1])],
        n_passes=values.shape[2] if values.ndim == 3 else None,
        attributes={"model_digest": model},
    ) as dataset:
        dataset[...] = values
    return path


def tabulated(folder: Path, paths: list[Path]) -> Path:
    """Run the script."""
    features = folder / "cnn_features.parquet"
    tabulate_representations.main(
        ["--representations", *map(str, paths), "--features", str(features)]
    )
    return features


def test_the_released_layout(tmp_path: Path):
    """1280 features as float32 behind id_str, as pandas, pyarrow and astropy see it."""
    values = np.random.default_rng(0).normal(size=(3, 1280)).astype(np.float32)
    ids = ["588018090547020096", "007", "J0"]
    path = write_representations(tmp_path / "a.hdf5", ids=ids, values=values)
    features = tabulated(tmp_path, [path])
    names = [f"feat_{i}" for i in range(1280)]

    frame = pd.read_parquet(features)
    assert list(frame) == ["id_str", *names]
    assert list(frame["id_str"]) == ids
    np.testing.assert_array_equal(frame[names].to_numpy(), values)
    assert frame.attrs["model"] == "abc"

    arrow = pq.read_table(features, columns=["id_str", "feat_7"])
    assert arrow.schema.types == [pa.string(), pa.float32()]

    table = Table.read(features)
    assert table.colnames == ["id_str", *names]
    assert table["feat_1279"].dtype == np.float32
    assert table["feat_1279"].description.startswith("Feature 1279 of the galaxy's")
    np.testing.assert_array_equal(table["feat_1279"], values[:, 1279])
    assert table.meta["model"] == "abc"


@pytest.mark.parametrize("sizes", [(8,), (16,), (17,), (3, 0, 20, 1), (1,) * 9])
@pytest.mark.parametrize("n_views", [None, 3])
def test_files_and_groups_do_not_matter(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sizes: tuple[int, ...],
    n_views: int | None,
):
    """Groups that end before, at and behind the ends of files; views are averaged."""
    monkeypatch.setattr(feature_tables, "_ROWS", 5)
    monkeypatch.setattr(feature_tables, "_ROWS_IN_GROUP", 8)
    n = sum(sizes)
    shape = (n, 4) if n_views is None else (n, 4, n_views)
    values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    ids = [f"g{i}" for i in range(n)]
    ends = np.cumsum(sizes)
    paths = [
        write_representations(
            tmp_path / f"{i}.hdf5",
            ids=ids[end - size : end],
            values=values[end - size : end],
        )
        for i, (size, end) in enumerate(zip(sizes, ends, strict=True))
    ]
    features = tabulated(tmp_path, paths)
    frame = pd.read_parquet(features)
    assert list(frame["id_str"]) == ids
    expected = values if n_views is None else values.mean(axis=2, dtype=np.float64)
    np.testing.assert_array_equal(
        frame.drop(columns="id_str").to_numpy(), expected.astype(np.float32)
    )
    metadata = pq.read_metadata(features)
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [8] * (n // 8) + ([n % 8] if n % 8 else [])


def test_a_large_table_has_few_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each takes memory for all columns: more galaxies make them larger, not more."""
    monkeypatch.setattr(feature_tables, "_ROWS", 5)
    monkeypatch.setattr(feature_tables, "_ROWS_IN_GROUP", 4)
    monkeypatch.setattr(feature_tables, "_MOST_GROUPS", 3)
    values = np.random.default_rng(1).normal(size=(41, 4)).astype(np.float32)
    ids = [f"g{i}" for i in range(41)]
    path = write_representations(tmp_path / "a.hdf5", ids=ids, values=values)
    features = tabulated(tmp_path, [path])
    metadata = pq.read_metadata(features)
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [14, 14, 13]
    np.testing.assert_array_equal(
        pd.read_parquet(features).drop(columns="id_str").to_numpy(), values
    )


def test_what_does_not_belong_together_is_refused(tmp_path: Path):
    """Another model, another size, a value that is not finite; no table is left."""
    good = write_representations(tmp_path / "a.hdf5", ids=["a"], values=np.ones((1, 4)))
    others = {
        "model": write_representations(
            tmp_path / "b.hdf5", ids=["b"], values=np.ones((1, 4)), model="other"
        ),
        "5 features": write_representations(
            tmp_path / "c.hdf5", ids=["c"], values=np.ones((1, 5))
        ),
        "'d': found a value that is not finite": write_representations(
            tmp_path / "d.hdf5", ids=["d"], values=np.full((1, 4), np.nan)
        ),
    }
    for message, bad in others.items():
        with pytest.raises(ValueError, match=rf"{bad.name}: .*{message}"):
            tabulated(tmp_path, [good, bad])
    assert not list(tmp_path.glob("*.parquet"))
