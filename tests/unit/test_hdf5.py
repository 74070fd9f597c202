"""HDF5 files: what is written is read, and a bad file is named."""

import h5py
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


@pytest.fixture
def whole(tmp_path):
    """A file's path, its bytes, and the values written to it."""
    path = tmp_path / "rows.hdf5"
    values = written(path, id_str=[str(i) for i in range(300)], n_passes=3)
    return path, path.read_bytes(), values


def read_all_ways(path):
    """What each of the readers gives of the values."""
    blocks = hdf5.read_blocks(path, dataset="predictions", n_rows=70)
    return [
        hdf5.read(path, dataset="predictions").values,
        np.concatenate(list(blocks)),
        hdf5.read_rows(path, dataset="predictions", rows=np.arange(300)),
    ]


def test_readers_agree(whole):
    """Whole, in blocks, and row by row."""
    path, _, values = whole
    for found in read_all_ways(path):
        np.testing.assert_array_equal(found, values)


@pytest.mark.faults
@pytest.mark.parametrize("n_zeros", [4, 64, 2048])
def test_zeros_in_place_of_values_are_noticed(whole, n_zeros):
    """A page that never reached the disk reads as zeros, and zeros are numbers."""
    path, content, values = whole
    start = content.index(values[100].tobytes())
    path.write_bytes(content[:start] + bytes(n_zeros) + content[start + n_zeros :])
    for read in (
        lambda: hdf5.read(path, dataset="predictions"),
        lambda: list(hdf5.read_blocks(path, dataset="predictions", n_rows=70)),
        lambda: hdf5.read_rows(path, dataset="predictions", rows=np.array([7, 100])),
    ):
        with pytest.raises(ValueError, match=r"rows.hdf5: .*first of '100'; delete it"):
            read()
    good = hdf5.read_rows(path, dataset="predictions", rows=np.array([7, 99]))
    np.testing.assert_array_equal(good, values[[7, 99]])


@pytest.mark.faults
def test_a_changed_attribute_is_noticed(whole):
    """As of the model that made the file."""
    path, _, _ = whole
    with h5py.File(path, "r+") as file:
        file.attrs["seed"] = 4
    with pytest.raises(ValueError, match=r"rows.hdf5: .*attributes that differ"):
        hdf5.read_header(path, dataset="predictions")


@pytest.mark.faults
def test_no_changed_byte_changes_what_is_read(whole):
    """Wherever it is: the same values are read, or an error names the file."""
    path, content, values = whole
    rng = np.random.default_rng(0)
    n_noticed = 0
    for place in rng.choice(len(content), 300, replace=False):
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            rows = hdf5.read(path, dataset="predictions")
        except ValueError as error:
            assert "rows.hdf5: " in str(error), place
            n_noticed += 1
        else:
            np.testing.assert_array_equal(rows.values, values, str(place))
            assert rows.id_str == [str(i) for i in range(300)], place
    assert n_noticed > 50  # the values alone are about half of the file


@pytest.mark.faults
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_file_cut_short_is_named(whole, share):
    """Wherever it ends."""
    path, content, _ = whole
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"rows.hdf5: expected a complete.*delete it"):
        hdf5.read(path, dataset="predictions")


def test_a_file_of_other_programs_has_no_checksums(tmp_path):
    """It is read as it is."""
    path = tmp_path / "rows.hdf5"
    values = written(path)
    with h5py.File(path, "r+") as file:
        del file["checksums"]
    found = hdf5.read(path, dataset="predictions")
    np.testing.assert_array_equal(found.values, values)


@pytest.mark.faults
def test_damage_that_sends_hdf5_in_circles_is_not_followed(tmp_path):
    """Found by fuzzing: HDF5 reads on for ever where its heap of texts has no end."""
    path = tmp_path / "rows.hdf5"
    written(path, id_str=[str(i) for i in range(20)])
    content = path.read_bytes()
    # A text of -16 bytes, with 16 bytes in front of it, is followed by itself.
    length = content.index(b"GCOL") + 16 + 8
    endless = (-16).to_bytes(8, "little", signed=True)
    path.write_bytes(content[:length] + endless + content[length + 8 :])
    with pytest.raises(ValueError, match="describes its values differs"):
        hdf5.read(path, dataset="predictions")
    path.write_bytes(content[:-5])
    with pytest.raises(ValueError, match="its end is missing"):
        hdf5.read(path, dataset="predictions")


def test_other_programs_read_what_is_sealed(tmp_path):
    """They see no byte of it, and what they change is read as theirs."""
    path = tmp_path / "rows.hdf5"
    values = written(path)
    with h5py.File(path, "r") as file:
        np.testing.assert_array_equal(file["predictions"][()], values)
    with h5py.File(path, "r+") as file:
        file.create_dataset("note", data=np.arange(1000))
    found = hdf5.read(path, dataset="predictions")
    np.testing.assert_array_equal(found.values, values)
