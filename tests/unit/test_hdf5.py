"""HDF5 files: what is written is read, and a bad file is named."""

import numpy as np
import pandas as pd
import pytest

from zoobot.data_utils import hdf5

IDS = ["007", "J1234+56", "Ä銀 河"]
COLUMNS = ["a_x", "a_y"]


def written(path, *, id_str=IDS, n_passes=None, attributes=None):
    """Write random numbers, and return them."""
    shape = (len(id_str), len(COLUMNS)) + (() if n_passes is None else (n_passes,))
    values = np.random.default_rng(0).random(shape).astype(np.float32)
    with hdf5.create(
        path,
        dataset="predictions",
        id_str=id_str,
        label_cols=COLUMNS,
        n_passes=n_passes,
        attributes=attributes or {},
    ) as dataset:
        dataset[...] = values
    return values


@pytest.mark.parametrize("n_passes", [None, 1, 5])
@pytest.mark.parametrize("id_str", [IDS, pd.Series(IDS), []], ids=["list", "series", 0])
def test_round_trip(tmp_path, id_str, n_passes):
    """Values, ids, columns and attributes come back as they were."""
    path = tmp_path / "rows.hdf5"
    attributes = {"schema": '{"name": "ä"}', "seed": 3}
    values = written(path, id_str=id_str, n_passes=n_passes, attributes=attributes)
    rows = hdf5.read(path, dataset="predictions")
    np.testing.assert_array_equal(rows.values, values)
    assert rows.values.dtype == np.float32
    assert rows.id_str == list(id_str)
    assert all(type(galaxy) is str for galaxy in rows.id_str)
    assert rows.label_cols == COLUMNS
    assert rows.attributes == attributes
    assert hdf5.read_ids(path, dataset="predictions") == list(id_str)
    header = hdf5.read_header(path, dataset="predictions")
    assert header.shape == values.shape
    assert header.id_str == list(id_str)
    assert (header.label_cols, header.attributes) == (COLUMNS, attributes)


def test_some_rows(tmp_path):
    """In the order asked for, which HDF5 itself does not give."""
    path = tmp_path / "rows.hdf5"
    values = written(path, id_str=[str(i) for i in range(9)], n_passes=2)
    for rows in ([4, 0, 8, 3], [7], []):
        rows = np.array(rows, dtype=np.int64)
        found = hdf5.read_rows(path, dataset="predictions", rows=rows)
        np.testing.assert_array_equal(found, values[rows])


def test_failure_leaves_no_file(tmp_path):
    """A job that dies while it fills the file leaves nothing."""
    with (
        pytest.raises(KeyError),
        hdf5.create(
            tmp_path / "rows.hdf5",
            dataset="predictions",
            id_str=IDS,
            label_cols=COLUMNS,
            attributes={},
        ),
    ):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("read", [hdf5.read, hdf5.read_header, hdf5.read_ids])
def test_bad_files_are_named(tmp_path, read):
    """Missing, no HDF5, cut short, or with another dataset."""
    path = tmp_path / "rows.hdf5"
    with pytest.raises(ValueError, match=r"rows.hdf5: expected a complete HDF5 file"):
        read(path, dataset="predictions")
    path.write_text("id_str,value\n")
    with pytest.raises(ValueError, match=r"rows.hdf5: expected a complete HDF5 file"):
        read(path, dataset="predictions")
    written(path, id_str=[str(i) for i in range(5000)])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"rows.hdf5: expected a complete HDF5 file"):
        read(path, dataset="predictions")
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"rows.hdf5.* representations not found"):
        read(path, dataset="representations")
