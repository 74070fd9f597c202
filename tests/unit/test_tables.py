"""Tables read some rows at a time: the same rows, whatever the blocks."""

import csv

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zoobot.tables import (
    csv_tables,
    csv_text,
    malformed_rows,
    parquet_pieces,
    read_tables,
)
from zoobot.tables.read_tables import read_pieces, read_table

COLUMNS = ["b", "a"]


@pytest.fixture
def blocks_of_three(monkeypatch):
    """Blocks so small that a short table has many."""
    for module in (malformed_rows, parquet_pieces, csv_tables):
        monkeypatch.setattr(module, "_ROWS", 3)


def write_csv(path, n, *, malformed=()):
    """Write n rows of two columns; some lack the second."""
    rows = [[f"a{i}"] if i in malformed else [f"a{i}", f"b{i}"] for i in range(n)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["a", "b"], *rows])


@pytest.mark.usefixtures("blocks_of_three")
@pytest.mark.parametrize("malformed", [(), (0,), (2, 3, 4, 5, 6, 7), range(10)])
def test_csv_rows_come_once_and_malformed_ones_last(tmp_path, malformed):
    """Good rows in order, then the malformed ones in order, in blocks of three."""
    path = tmp_path / "table.csv"
    write_csv(path, 10, malformed=malformed)
    blocks = list(read_pieces(path, columns=COLUMNS))
    assert max(len(block) + len(block.malformed) for block in blocks) <= 3
    good = [i for i in range(10) if i not in malformed]
    found = pa.concat_tables([block.columns for block in blocks]).to_pydict()
    assert found == {"b": [f"b{i}" for i in good], "a": [f"a{i}" for i in good]}
    bad = [row for block in blocks for row in block.malformed]
    assert bad == [
        ({"b": "", "a": f"a{i}"}, f"line {i + 2}: found 1 fields, expected 2")
        for i in sorted(malformed)
    ]
    last_good = max((i for i, block in enumerate(blocks) if len(block)), default=0)
    assert not any(block.malformed for block in blocks[: last_good + 1])


def test_lines_are_counted_over_the_blocks_of_the_csv_reader(tmp_path):
    """The line of a malformed row many blocks of bytes behind is right."""
    path = tmp_path / "table.csv"
    n = 40_000
    lines = [f"a{i},b{i}" for i in range(n)]
    lines[-2] = "short"
    path.write_text("\n".join(["a,b", *lines]))
    assert path.stat().st_size > 3 * csv_text.BYTES_IN_ROW
    table = read_table(path, columns=COLUMNS)
    assert table.malformed == [
        ({"b": "", "a": "short"}, f"line {n}: found 1 fields, expected 2")
    ]
    assert len(table) == n - 1
    assert table["a"][-1].as_py() == f"a{n - 1}"


@pytest.mark.usefixtures("blocks_of_three")
def test_parquet_rows_come_once(tmp_path):
    """Numbers and categories, whatever the groups of rows in the file."""
    path = tmp_path / "table.parquet"
    frame = pd.DataFrame(
        {"a": pd.Categorical(list("xyxyzxxzwx")), "b": np.arange(10), "c": 0}
    )
    frame.to_parquet(path, row_group_size=4)
    blocks = list(read_pieces(path, columns=COLUMNS))
    assert max(map(len, blocks)) <= 3
    assert len(blocks[0]) == 0
    table = read_table(path, columns=COLUMNS)
    assert table["b"].to_pylist() == list(range(10))
    assert read_tables.plain(table["a"]).to_pylist() == list("xyxyzxxzwx")


def test_types_are_known_without_rows(tmp_path):
    """Ids that are floats are an error in an empty table too."""
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"a": pa.array([], pa.float64())}), path)
    with pytest.raises(ValueError, match="column a: found type double"):
        read_tables.as_ids(read_table(path, columns=["a"]), "a")
