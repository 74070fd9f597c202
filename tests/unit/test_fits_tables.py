"""FITS tables against the parquet tables they are made from, read by astropy."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from zoobot.data_utils.fits_tables import write_fits_from_parquet

HYPHENS = "smooth-or-featured_featured-or-disk_90pc-lower"


def converted(
    folder: Path, columns: dict, *, rows_in_batch: int = 8192, **options
) -> Table:
    """Write columns as parquet, convert, and read as an astronomer would."""
    pq.write_table(pa.table(columns), folder / "t.parquet", **options)
    write_fits_from_parquet(
        folder / "t.parquet", fits_table=folder / "t.fits", rows_in_batch=rows_in_batch
    )
    with fits.open(folder / "t.fits", checksum=True) as file:
        file.verify("exception")
    assert (folder / "t.fits").stat().st_size % 2880 == 0
    return Table.read(folder / "t.fits")


def draw_columns(n_rows: int) -> dict:
    """Ids, numbers of every type, floats with all that a float can be."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=n_rows).astype(np.float32)
    special = [np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38]
    numbers[: len(special)] = special[:n_rows]
    return {
        "id_str": pa.array([f"{i:03d}" for i in range(n_rows)], pa.string()),
        HYPHENS: numbers,
        "ra": rng.normal(size=n_rows),
        "n_votes": rng.integers(-(2**62), 2**62, size=n_rows),
        "member": np.arange(n_rows, dtype=np.int32),
    }


@pytest.mark.parametrize("n_rows", [0, 1, 6, 7, 1000])
def test_every_bit_is_kept(tmp_path: Path, n_rows: int) -> None:
    """Names, order, types, text and the bits of every number, over many batches."""
    columns = draw_columns(n_rows)
    table = converted(tmp_path, columns, rows_in_batch=7, row_group_size=100)
    assert table.colnames == list(columns)
    assert [str(x) for x in table["id_str"]] == columns.pop("id_str").to_pylist()
    with fits.open(tmp_path / "t.fits") as file:
        raw = file[1].data
        for name, expected in columns.items():
            found = np.asarray(raw[name])
            assert found.dtype.newbyteorder("=") == expected.dtype
            assert found.astype(expected.dtype).tobytes() == expected.tobytes(), name


def test_batches_do_not_matter(tmp_path: Path) -> None:
    """The same bytes whether written whole or three rows at a time."""
    columns = draw_columns(50)
    converted(tmp_path, columns)
    whole = (tmp_path / "t.fits").read_bytes()
    converted(tmp_path, columns, rows_in_batch=3)
    assert (tmp_path / "t.fits").read_bytes() == whole


def test_what_is_missing_is_nan(tmp_path: Path) -> None:
    """A null of parquet is a NaN, which astropy masks; an empty text stays empty."""
    columns = {
        "id_str": pa.array(["a", None, ""]),
        "x": pa.array([1.0, None, np.nan], pa.float32()),
    }
    table = converted(tmp_path, columns)
    np.testing.assert_array_equal(np.ma.filled(table["x"], np.nan), [1, np.nan, np.nan])
    assert table["x"].mask.tolist() == [False, True, True]
    assert [str(x) for x in table["id_str"].filled("")] == ["a", "", ""]


def test_text_that_pandas_writes(tmp_path: Path) -> None:
    """What pandas writes."""
    frame = pd.DataFrame({"a": ["x", "yy"], "b": pd.array(["1", "02"], dtype="str")})
    frame.to_parquet(tmp_path / "t.parquet")
    write_fits_from_parquet(tmp_path / "t.parquet", fits_table=tmp_path / "t.fits")
    table = Table.read(tmp_path / "t.fits")
    assert [list(row) for row in table] == [["x", "1"], ["yy", "02"]]


def test_text_that_fits_cannot_hold_is_escaped_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Beyond ASCII, control characters and spaces at the end: nothing gets lost."""
    ids = ["plain", " inner space", "Öpik", "galaxy ", "tab\there", "星", "a\n"]
    with caplog.at_level(logging.WARNING):
        table = converted(tmp_path, {"id_str": ids}, rows_in_batch=2)
    found = [str(x) for x in table["id_str"]]
    assert found[:2] == ids[:2]
    assert found[2:] == [r"\xd6pik", r"galaxy\x20", r"tab\there", r"\u661f", r"a\n"]
    for text, original in zip(found, ids, strict=True):
        assert text.encode().decode("unicode_escape") == original
    assert "column id_str: FITS cannot hold 'Öpik'" in caplog.text
    assert "column id_str: escaped 5 values" in caplog.text


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [True]}, "column a: found type bool, expected text or one of float"),
        ({"a": [[1.0]]}, "column a: found type list"),
        ({"a": [1.0], "A": [1.0]}, "2 columns are called a but for upper and lower"),
        ({"a": pa.array([1, None])}, "column a: expected no missing value"),
        ({str(i): [1.0] for i in range(1000)}, "found 1000 columns, .* 999"),
    ],
)
def test_what_fits_cannot_hold_is_refused(
    tmp_path: Path, columns: dict, message: str
) -> None:
    """The error names file and column, and no file is left behind."""
    with pytest.raises(ValueError, match=rf"t\.parquet: .*{message}"):
        converted(tmp_path, columns)
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
