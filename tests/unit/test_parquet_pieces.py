"""Parquet tables read and cut some rows at a time."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zoobot.tables import parquet_pieces


def numbers(n):
    """Make a table of the first n numbers, as text too."""
    values = np.arange(n)
    return pd.DataFrame({"number": values, "text": values.astype(str)})


@pytest.mark.parametrize("size", [1, 2, 5, 20])
@pytest.mark.parametrize("n", [0, 1, 4, 5, 6, 10, 11])
@pytest.mark.parametrize("step", [1, 3, 11])
def test_cut(n, size, step):
    """All rows once, in order; every piece full but the last, none empty."""
    whole = pa.Table.from_pandas(numbers(n))
    parts = [whole.slice(start, step) for start in range(0, n, step)]
    pieces = list(parquet_pieces.cut([whole.slice(0, 0), *parts], size=size))
    assert [x for one in pieces for x in one["number"].to_pylist()] == list(range(n))
    assert all(len(one) == size for one in pieces[:-1])
    assert all(0 < len(one) <= size for one in pieces)


def test_read_batches(tmp_path, monkeypatch):
    """What pandas wrote, a few rows at a time, whatever the groups in the file."""
    monkeypatch.setattr(parquet_pieces, "_ROWS", 4)
    path = tmp_path / "numbers.parquet"
    numbers(11).to_parquet(path, row_group_size=5)
    tables = list(parquet_pieces.read_batches(path))
    assert max(len(table) for table in tables) <= 4
    found = pa.concat_tables(tables).to_pandas()
    pd.testing.assert_frame_equal(found, numbers(11))
    assert parquet_pieces.n_rows(path) == 11


def test_what_was_read_does_not_stay_in_memory(tmp_path):
    """Of a table of 16 MB, in groups of 0.8, a quarter at most is there at any time."""
    path = tmp_path / "random.parquet"
    rows = {"value": np.random.default_rng(0).random(2_000_000)}
    pq.write_table(pa.table(rows), path, row_group_size=100_000)
    before = pa.total_allocated_bytes()
    most = max(
        pa.total_allocated_bytes() - before for _ in parquet_pieces.read_batches(path)
    )
    assert most < 4_000_000 < path.stat().st_size / 4


def test_columns_come_in_the_order_asked_for(tmp_path):
    """Not in that of the file."""
    path = tmp_path / "numbers.parquet"
    numbers(3).to_parquet(path)
    (table,) = parquet_pieces.read_batches(path, columns=["text", "number"])
    assert table.column_names == ["text", "number"]


def test_an_empty_table_of_another_type_can_be_joined(tmp_path):
    """A column of no rows has no type of its own."""
    numbers(0).assign(text=None).to_parquet(tmp_path / "none.parquet")
    numbers(3).to_parquet(tmp_path / "some.parquet")
    rows = [
        table
        for name in ("none", "some")
        for table in parquet_pieces.read_batches(tmp_path / f"{name}.parquet")
    ]
    (piece,) = parquet_pieces.cut(rows, size=10)
    assert piece["text"].to_pylist() == ["0", "1", "2"]


def test_write_table(tmp_path):
    """Pandas reads what was written."""
    path = tmp_path / "folder" / "numbers.parquet"
    parquet_pieces.write_table(pa.Table.from_pandas(numbers(5)), path)
    pd.testing.assert_frame_equal(pd.read_parquet(path), numbers(5))
