"""Stand-ins for the results of a large survey, drawn in seconds.

A stage's memory does not depend on what its numbers are, only on how many there are:
galaxies share a few images of 32 pixels, and files of one chunk repeat under other ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from PIL import Image

from zoobot.data_utils import hdf5
from zoobot.data_utils.image_statistics import STATISTICS
from zoobot.schemas import get_schema

__all__ = [
    "CHUNK",
    "SCHEMA",
    "draw_catalogs",
    "draw_representations",
    "draw_ring_tables",
    "draw_statistics",
    "repeat_predictions",
]

SCHEMA = "gz_decals"
CHUNK = 5000
_LABELLED = 0.8
_IMAGES = 64
_RINGS = 1000  # and as many galaxies without, however large the survey
_RING_COLUMNS = (
    "smooth-or-featured_featured-or-disk_fraction",
    "disk-edge-on_no_fraction",
    "rare-features_ring_fraction",
)


def draw_catalogs(folder: Path, n_galaxies: int) -> None:
    """Write images, labelled.csv, unlabelled.csv and ring_fractions.csv."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for i in range(_IMAGES):
        pixels = rng.integers(256, size=(32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"images/{i}.png")
    ids = np.array([f"galaxy_{i:09d}" for i in range(n_galaxies)])
    files = np.array([f"images/{i % _IMAGES}.png" for i in range(n_galaxies)])
    catalog = pd.DataFrame({"id_str": ids, "file_loc": files})
    n_labelled = int(_LABELLED * n_galaxies)
    answers = get_schema(SCHEMA).label_cols
    votes = rng.poisson(5, size=(n_labelled, len(answers)))
    labelled = pd.concat(
        [catalog[:n_labelled], pd.DataFrame(votes, columns=answers)], axis=1
    )
    labelled.to_csv(folder / "labelled.csv", index=False)
    catalog[n_labelled:].to_csv(folder / "unlabelled.csv", index=False)
    fractions = np.full((n_labelled, len(_RING_COLUMNS)), 0.9)
    fractions[:, 2] = 0.1  # neither a ring nor none
    fractions[:_RINGS, 2] = 0.5
    fractions[_RINGS : 2 * _RINGS, 2] = 0.0
    rings = pd.DataFrame(fractions, columns=list(_RING_COLUMNS))
    rings.insert(0, "id_str", ids[:n_labelled])
    rings.to_csv(folder / "ring_fractions.csv", index=False)


def draw_statistics(chunks: Path, folder: Path) -> None:
    """Write a table of image statistics for each chunk of labelled galaxies."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    for path in chunks.glob("labelled_*.parquet"):
        ids = pd.read_parquet(path, columns=["id_str"])
        values = rng.normal(size=(len(ids), len(STATISTICS))).astype(np.float32)
        table = pd.DataFrame(values, columns=list(STATISTICS))
        table.insert(0, "id_str", ids["id_str"].to_numpy())
        table.to_parquet(folder / path.name, index=False)


def draw_representations(chunks: Path, folder: Path, *, like: Path) -> None:
    """Write a file of representations for each chunk, by the model of the file `like`.

    The values of `like` are those of an encoder that saw nothing, almost the same for
    all galaxies: they are drawn anew.
    """
    folder.mkdir()
    one = hdf5.read(like, dataset="representations")
    rng = np.random.default_rng(2)
    spread = np.geomspace(1, 0.01, one.values.shape[1])
    values = (rng.normal(size=(CHUNK, len(spread))) * spread).astype(np.float32)
    for name, ids in _ids_of(chunks):
        with hdf5.create(
            folder / f"{name}.hdf5",
            dataset="representations",
            id_str=ids,
            label_cols=one.label_cols,
            attributes=one.attributes,
        ) as dataset:
            dataset[...] = values[: len(ids)]


def repeat_predictions(chunks: Path, folder: Path, *, like: Path) -> None:
    """Write a file of predictions for each chunk, with the numbers of `like`."""
    folder.mkdir()
    with h5py.File(like) as file:
        n_passes = file["predictions"].shape[2]
    one = hdf5.read(like, dataset="predictions")
    for name, ids in _ids_of(chunks):
        with hdf5.create(
            folder / f"{name}.hdf5",
            dataset="predictions",
            id_str=ids,
            label_cols=one.label_cols,
            n_passes=n_passes,
            attributes=one.attributes,
        ) as dataset:
            dataset[...] = np.resize(one.values, (len(ids), *one.values.shape[1:]))


def repeat_components(chunks: Path, folder: Path, *, like: Path) -> None:
    """Write a table of principal components for each chunk, numbers as in `like`."""
    folder.mkdir()
    one = pd.read_parquet(like)
    for name, ids in _ids_of(chunks):
        table = one.iloc[np.resize(np.arange(len(one)), len(ids))]
        table.assign(id_str=ids).to_parquet(folder / f"{name}.parquet", index=False)


def draw_ring_tables(chunks: Path, folder: Path) -> None:
    """Write a table of ring probabilities for each chunk."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    for name, ids in _ids_of(chunks):
        probability = rng.random(len(ids)).astype(np.float32)
        table = pd.DataFrame({"id_str": ids, "ring_probability": probability})
        table.to_parquet(folder / f"{name}.parquet")


def _ids_of(chunks: Path) -> Iterator[tuple[str, list[str]]]:
    for name in (chunks / "order.txt").read_text().split():
        table = pd.read_parquet(chunks / f"{name}.parquet", columns=["id_str"])
        yield name, list(table["id_str"])
