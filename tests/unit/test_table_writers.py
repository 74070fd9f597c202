"""Tables written some rows at a time are those that pandas writes at once."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zoobot.tables import table_writers
from zoobot.tables.table_writers import csv_writer, parquet_writer

SCHEMA = pa.schema([("text", pa.large_string()), ("number", pa.int64())])


def rows(n):
    """Rows with a column too many, and texts that csv must quote."""
    return pd.DataFrame(
        {
            "other": 0,
            "number": np.arange(n),
            "text": pd.Series(['a, "b"\n' * i for i in range(n)], dtype="str"),
        }
    )


@pytest.mark.parametrize("step", [1, 3, 20])
def test_parquet(tmp_path, monkeypatch, step):
    """Few rows become groups of the size asked for at most, and not of one row each."""
    monkeypatch.setattr(table_writers, "_ROWS_IN_GROUP", 8)
    path = tmp_path / "folder" / "table.parquet"
    table = rows(20)
    with parquet_writer(path, schema=SCHEMA) as write:
        for start in range(0, 20, step):
            write(table[start : start + step])
            write(table[:0])
        assert not path.exists()
    pd.testing.assert_frame_equal(pd.read_parquet(path), table[["text", "number"]])
    metadata = pq.read_metadata(path)
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert len(sizes) <= 4
    assert max(sizes) <= 8


def test_parquet_without_rows(tmp_path):
    """The types are those asked for."""
    with parquet_writer(tmp_path / "table.parquet", schema=SCHEMA):
        pass
    assert pq.read_schema(tmp_path / "table.parquet").equals(SCHEMA)


@pytest.mark.parametrize("n", [0, 1, 10])
def test_csv(tmp_path, n):
    """The same bytes as at once."""
    table = rows(n).assign(number=np.arange(n) / 3)
    with csv_writer(
        tmp_path / "pieces.csv", columns=["text", "number"], float_format="%.5f"
    ) as write:
        for start in range(0, n, 3):
            write(table[start : start + 3])
    table[["text", "number"]].to_csv(
        tmp_path / "whole.csv", index=False, float_format="%.5f"
    )
    found = (tmp_path / "pieces.csv").read_bytes()
    assert found == (tmp_path / "whole.csv").read_bytes()


def test_nothing_is_left_of_a_table_that_fails(tmp_path):
    """No file, under its own name or another."""
    with (
        pytest.raises(ValueError, match="rows are bad"),
        parquet_writer(tmp_path / "a.parquet", schema=SCHEMA) as write,
        csv_writer(tmp_path / "a.csv", columns=["text"]) as write_too,
    ):
        write(rows(3))
        write_too(rows(3))
        raise ValueError("rows are bad")
    assert not list(tmp_path.iterdir())
