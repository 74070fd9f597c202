"""HDF5 files of one row a galaxy: representations and predictions.

Each file holds one dataset of values whose first axis is the galaxy, ``id_str``, and
``label_cols``, the names along the second axis. Attributes say what made them.
``checksums`` holds the CRC-32 of each galaxy's values, and as its attribute ``header``
that of all else: what a disk or a copy spoilt is not taken for data. A seal behind the
file keeps HDF5 from following damaged structures. Files without either, made elsewhere,
are read as they are.
"""

from __future__ import annotations

import contextlib
import dataclasses
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from zoobot.data_utils.hdf5_seals import check_seal, seal
from zoobot.data_utils.plain_datasets import check_plain
from zoobot.files import MAKE_ANEW, written_whole

__all__ = [
    "GalaxyRows",
    "Header",
    "create",
    "n_galaxies",
    "read",
    "read_blocks",
    "read_header",
    "read_ids",
    "read_rows",
]

_CHECKSUMS = "checksums"
_BLOCK_BYTES = 2**24


@dataclasses.dataclass(frozen=True)
class GalaxyRows:
    """What one file holds."""

    values: np.ndarray
    """(n_galaxies, n_columns[, n_passes]) float32."""
    id_str: list[str]
    """(n_galaxies,)"""
    label_cols: list[str]
    """(n_columns,), names along the second axis."""
    attributes: dict[str, object]
    """What made the file: schema, seeds, versions."""


@dataclasses.dataclass(frozen=True)
class Header:
    """What one file holds, but for the values."""

    shape: tuple[int, ...]
    """(n_galaxies, n_columns[, n_passes]), of the values."""
    id_str: list[str]
    label_cols: list[str]
    attributes: dict[str, object]


@contextlib.contextmanager
def create(
    path: str | Path,
    *,
    dataset: str,
    id_str: Sequence[str],
    label_cols: Sequence[str],
    n_passes: int | None = None,
    attributes: dict[str, object],
) -> Iterator[h5py.Dataset]:
    """Create a file to fill; it is written when the block ends well, all at once.

    Parameters
    ----------
    path : str or Path
        File to write.
    dataset : str
        ``representations`` or ``predictions``.
    id_str : (n_galaxies,) sequence of str
        Ids of the galaxies, in the order of the rows.
    label_cols : (n_columns,) sequence of str
        Names along the second axis.
    n_passes : int, optional
        Length of a third axis, if there is one.
    attributes : dict
        Text and numbers stored with the file.

    Yields
    ------
    h5py.Dataset
        (n_galaxies, n_columns[, n_passes]) float32, to be filled.
    """
    text = h5py.string_dtype()
    shape = (len(id_str), len(label_cols)) + (() if n_passes is None else (n_passes,))
    with (
        written_whole(path) as beside,
        # In memory: where a disk is full, HDF5 fails to close a file, and then crashes.
        h5py.File(beside, "w", driver="core", backing_store=False) as file,
    ):
        file.create_dataset("id_str", data=np.array(id_str, dtype=object), dtype=text)
        file.create_dataset(
            "label_cols", data=np.array(label_cols, dtype=object), dtype=text
        )
        file.attrs.update(attributes)
        values = file.create_dataset(dataset, shape=shape, dtype="float32")
        yield values
        _write_checksums(file, values)
        file.flush()
        image = file.id.get_file_image()
        start = values.id.get_offset() or 0  # None if there is no galaxy
        behind = seal(image, start=start, stop=start + values.id.get_storage_size())
        with beside.open("wb") as sealed:
            sealed.write(image)
            sealed.write(behind)


def read(path: str | Path, *, dataset: str) -> GalaxyRows:
    """Read a whole file that `create` wrote.

    Raises
    ------
    ValueError
        If the file is no HDF5 file, lacks the dataset, or was damaged since it was
        written; the message names the file.
    """
    with _opened(path, dataset) as file:
        header = _header(path, file, dataset)
        return GalaxyRows(
            values=_values(path, file[dataset], slice(None)),
            id_str=header.id_str,
            label_cols=header.label_cols,
            attributes=header.attributes,
        )


def read_header(path: str | Path, *, dataset: str) -> Header:
    """Read all of a file but the values; errors are those of `read`."""
    with _opened(path, dataset) as file:
        return _header(path, file, dataset)


def read_blocks(path: str | Path, *, dataset: str, n_rows: int) -> Iterator[np.ndarray]:
    """Read the values of a few galaxies at a time; errors are those of `read`.

    Parameters
    ----------
    path : str or Path
        File that `create` wrote.
    dataset : str
        ``representations`` or ``predictions``.
    n_rows : int
        Galaxies in memory at once.

    Yields
    ------
    (n, n_columns[, n_passes]) float32
        Of the next galaxies, in the order of the file.
    """
    with _opened(path, dataset) as file:
        values = file[dataset]
        for start in range(0, len(values), n_rows):
            yield _values(path, values, slice(start, start + n_rows))


def read_rows(path: str | Path, *, dataset: str, rows: np.ndarray) -> np.ndarray:
    """Read the values of some galaxies.

    Parameters
    ----------
    path : str or Path
        File that `create` wrote.
    dataset : str
        ``representations`` or ``predictions``.
    rows : (n_rows,) int
        Which galaxies, each at most once, in any order.

    Returns
    -------
    (n_rows, n_columns[, n_passes]) float32
        In the order of `rows`.
    """
    order = np.argsort(rows)  # HDF5 reads forwards only.
    with _opened(path, dataset) as file:
        forwards = _values(path, file[dataset], rows[order])
    return forwards[np.argsort(order)]


def read_ids(path: str | Path, *, dataset: str) -> list[str]:
    """Ids of the galaxies in a file, (n_galaxies,), without reading the values."""
    return read_header(path, dataset=dataset).id_str


def n_galaxies(path: str | Path, *, dataset: str) -> int:
    """Count the galaxies in a file, without reading ids or values."""
    with _opened(path, dataset) as file:
        return len(file["id_str"])


def _write_checksums(file: h5py.File, values: h5py.Dataset) -> None:
    """Of what the file says was written to it, before it gets its name."""
    n_rows = max(1, _BLOCK_BYTES // max(1, 4 * int(np.prod(values.shape[1:]))))
    parts = [
        _checksums(values[start : start + n_rows])
        for start in range(0, len(values), n_rows)
    ]
    found = np.concatenate([np.empty(0, np.uint32), *parts])
    checksums = file.create_dataset(_CHECKSUMS, data=found)
    checksums.attrs["header"] = _header_checksum(_unchecked_header(values))


def _checksums(values: np.ndarray) -> np.ndarray:
    """CRC-32 of each galaxy's values, (n_galaxies,) uint32."""
    rows = np.ascontiguousarray(values, dtype="<f4")
    return np.array([zlib.crc32(row) for row in rows], dtype=np.uint32)


def _header_checksum(header: Header) -> int:
    """CRC-32 of what describes the values; attributes as text, whatever their type."""
    attributes = sorted((name, str(one)) for name, one in header.attributes.items())
    content = [header.shape, header.id_str, header.label_cols, attributes]
    return zlib.crc32(repr(content).encode())


def _header(path: str | Path, file: h5py.File, dataset: str) -> Header:
    """Read the header, and check that it is what was written."""
    header = _unchecked_header(file[dataset])
    checksum = _header_checksum(header)
    if _CHECKSUMS in file and file[_CHECKSUMS].attrs.get("header") != checksum:
        raise ValueError(
            f"{path}: found ids, columns or attributes that differ from what was "
            f"written, by their checksum; {MAKE_ANEW}"
        )
    return header


def _unchecked_header(values: h5py.Dataset) -> Header:
    file = values.file
    return Header(
        shape=values.shape,
        id_str=list(file["id_str"].asstr()[()]),
        label_cols=list(file["label_cols"].asstr()[()]),
        attributes=dict(file.attrs),
    )


def _values(
    path: str | Path, dataset: h5py.Dataset, rows: slice | np.ndarray
) -> np.ndarray:
    """Read values, and check that they are what was written."""
    values = dataset[rows]
    file = dataset.file
    if _CHECKSUMS in file:
        is_bad = file[_CHECKSUMS][()][rows] != _checksums(values)
        if is_bad.any():
            numbers = np.arange(len(file["id_str"]))[rows]
            galaxy = file["id_str"].asstr()[numbers[is_bad.argmax()]]
            raise ValueError(
                f"{path}: found values of {is_bad.sum()} galaxies that differ from "
                f"what was written, by their checksum, the first of {galaxy!r}; "
                f"{MAKE_ANEW}"
            )
    return values


@contextlib.contextmanager
def _opened(path: str | Path, dataset: str) -> Iterator[h5py.File]:
    try:
        check_seal(Path(path))
        with h5py.File(path, "r") as file:
            missing = {dataset, "id_str", "label_cols"} - set(file)
            if missing:
                raise ValueError(
                    f"{path}: expected datasets {dataset}, id_str and label_cols; "
                    f"{', '.join(sorted(missing))} not found"
                )
            try:
                check_plain(file, values=dataset, texts=("id_str", "label_cols"))
            except ValueError as error:
                raise ValueError(f"{path}: {error}; {MAKE_ANEW}") from None
            yield file
    except (OSError, RuntimeError, KeyError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: expected a complete HDF5 file; {error}; {MAKE_ANEW}"
        ) from error
