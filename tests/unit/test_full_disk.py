"""A full disk, or one that is read-only: which file, nothing half, and then it works.

Each writer writes to a small file system of its own in memory, which only root may
mount; others see the same error from the device /dev/full.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.figure import Figure

from zoobot.data_utils import hdf5, shard_writer
from zoobot.estimators import define_model, model_card
from zoobot.files import written_whole
from zoobot.representations.pca import FittedPca, save_pca
from zoobot.settings.catalog import WriteShards
from zoobot.tables import table_writers
from zoobot.tables.fits_tables import write_fits_from_parquet
from zoobot.tables.parquet_pieces import write_table

pytestmark = pytest.mark.faults

N_ROWS = 4000
NUMBERS = np.random.default_rng(0).random((N_ROWS, 64), dtype=np.float32)  # 1 MB
FRAME = pd.DataFrame(NUMBERS).rename(columns="n{}".format)


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file system of 200 kB."""
    if os.geteuid() != 0:
        pytest.skip("not root: a file system cannot be mounted")
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)], check=False
    )
    if made.returncode:
        pytest.skip("root, but a file system cannot be mounted, as in some containers")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def write_text(path: Path) -> None:
    with written_whole(path) as beside:
        beside.write_text("words " * 200_000)


def write_hdf5(path: Path) -> None:
    with hdf5.create(
        path,
        dataset="representations",
        id_str=[str(i) for i in range(N_ROWS)],
        label_cols=list(FRAME),
        attributes={},
    ) as dataset:
        for start in range(0, N_ROWS, 100):
            dataset[start : start + 100] = NUMBERS[start : start + 100]


def write_parquet(path: Path) -> None:
    schema = pa.schema([(name, pa.float32()) for name in FRAME])
    with table_writers.parquet_writer(path, schema=schema) as write:
        for start in range(0, N_ROWS, 100):
            write(FRAME[start : start + 100])


def write_whole_parquet(path: Path) -> None:
    write_table(pa.Table.from_pandas(FRAME), path)


def write_csv(path: Path) -> None:
    with table_writers.csv_writer(path, columns=list(FRAME)) as write:
        write(FRAME)


def write_fits(path: Path) -> None:
    source = path.parent.parent / "table.parquet"
    FRAME.to_parquet(source, index=False)
    write_fits_from_parquet(source, fits_table=path)


def write_pca(path: Path) -> None:
    ones = np.ones(64)
    pca = FittedPca(
        components=NUMBERS.astype(float),
        mean=ones,
        explained_variance=ones,
        explained_variance_ratio=ones,
        n_samples=3,
        model_digest="digest",
    )
    save_pca(pca, path)


def write_head(path: Path) -> None:
    head = model_card.Head(kernel=NUMBERS, bias=np.ones(64, np.float32))
    model_card.save_head(path.parent, head)


def write_encoder(path: Path) -> None:
    network = define_model.get_head(
        n_features=4000,
        n_answers=64,
        dropout_rate=0.2,
        concentration_min=1,
        concentration_max=101,
    )
    define_model.save_encoder(path.parent, network)


def write_figure(path: Path) -> None:
    figure = Figure()
    figure.add_subplot().imshow(NUMBERS[:2000].reshape(400, 320))
    with written_whole(path) as beside:
        figure.savefig(beside, dpi=300)


@pytest.fixture
def write_tfrecord(planted: pd.DataFrame) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        catalog = path.parent.parent / "galaxies.parquet"
        planted.to_parquet(catalog, index=False)
        settings = WriteShards(image_size_px=96, encoding="raw", jpeg_quality=95)
        shard_writer.write_shard(catalog, shard=path, settings=settings, threads=2)

    return write


WRITERS = {
    "text.txt": write_text,
    "rows.hdf5": write_hdf5,
    "table.parquet": write_parquet,
    "whole.parquet": write_whole_parquet,
    "table.csv": write_csv,
    "table.fits": write_fits,
    "pca.npz": write_pca,
    "head.npz": write_head,
    "encoder.keras": write_encoder,
    "figure.png": write_figure,
    "shard.tfrecord": None,  # needs images
}


@pytest.mark.parametrize("name", WRITERS)
def test_full_then_freed(
    name: str, small_disk: Path, write_tfrecord: Callable[[Path], None]
):
    """No file, not even a temporary one, is left; with space the file is complete."""
    write = WRITERS[name] or write_tfrecord
    path = small_disk / name
    with pytest.raises(OSError, match=r"No space left on device .*free some") as error:
        write(path)
    assert error.value.filename == str(path)
    assert list(small_disk.iterdir()) == []
    mount("-o", "remount,size=20m", small_disk)
    write(path)
    assert list(small_disk.iterdir()) == [path]
    assert path.stat().st_size > 200_000


@pytest.mark.parametrize("name", WRITERS)
def test_read_only_then_not(
    name: str, small_disk: Path, write_tfrecord: Callable[[Path], None]
):
    """The same for a folder that cannot be written to, whoever asks."""
    write = WRITERS[name] or write_tfrecord
    path = small_disk / name
    mount("-o", "remount,ro,size=20m", small_disk)
    with pytest.raises(OSError, match=r"Read-only file system .*make it wri") as error:
        write(path)
    assert error.value.filename == str(path)
    mount("-o", "remount,rw", small_disk)
    assert list(small_disk.iterdir()) == []
    write(path)
    assert list(small_disk.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device /dev/full")
@pytest.mark.parametrize("name", ["text.txt", "table.csv", "whole.parquet", "pca.npz"])
def test_full_without_being_root(name: str, tmp_path: Path):
    """The temporary file leads to a device that takes no byte."""
    path = tmp_path / "results" / name
    path.parent.mkdir()
    beside = f".{path.stem}.{socket.gethostname()}-{os.getpid()}{path.suffix}"
    (path.parent / beside).symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device .*free some") as error:
        WRITERS[name](path)
    assert error.value.filename == str(path)
    assert list(path.parent.iterdir()) == []
