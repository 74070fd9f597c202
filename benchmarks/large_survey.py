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
    "SCHEMA",
    "draw_catalogs",
    "draw_prepared",
    "draw_representations",
    "draw_ring_tables",
    "draw_statistics",
    "repeat_predictions",
]

SCHEMA = "gz_decals"
_IMAGES = 64
_DRAWN = 5000  # galaxies whose representations differ
_RINGS = 1000  # and as many galaxies without, however large the survey
_RING_COLUMNS = (
    "smooth-or-featured_featured-or-disk_fraction",
    "disk-edge-on_no_fraction",
    "rare-features_ring_fraction",
)


def draw_catalogs(folder: Path, n_galaxies: int, *, labelled: float = 0.8) -> None:
    """Write images, labelled.csv, unlabelled.csv, ring_fractions.csv, own_labels.csv.

    So large a share of the galaxies has votes and fractions; all have labels of one's
    own.
    """
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for i in range(_IMAGES):
        pixels = rng.integers(256, size=(32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"images/{i}.png")
    with_votes, without = _draw_galaxies(n_galaxies, labelled)
    with_votes.to_csv(folder / "labelled.csv", index=False)
    without.to_csv(folder / "unlabelled.csv", index=False)
    ids = pd.concat([with_votes["id_str"], without["id_str"]])
    own = pd.DataFrame({"id_str": ids, "merger": np.arange(n_galaxies) % 2})
    own.to_csv(folder / "own_labels.csv", index=False)
    n_labelled = len(with_votes)
    fractions = np.full((n_labelled, len(_RING_COLUMNS)), 0.9)
    fractions[:, 2] = 0.1  # neither a ring nor none
    fractions[:_RINGS, 2] = 0.5
    fractions[_RINGS : 2 * _RINGS, 2] = 0.0
    rings = pd.DataFrame(fractions, columns=list(_RING_COLUMNS))
    rings.insert(0, "id_str", with_votes["id_str"])
    rings.to_csv(folder / "ring_fractions.csv", index=False)


def draw_prepared(folder: Path, n_galaxies: int, *, labelled: float = 0.8) -> None:
    """Write labelled.parquet and unlabelled.parquet as prepare_catalog would."""
    folder.mkdir()
    tables = _draw_galaxies(n_galaxies, labelled)
    for name, table in zip(("labelled", "unlabelled"), tables, strict=True):
        table.insert(2, "image_digest", table["id_str"].str.zfill(32))
        table.to_parquet(folder / f"{name}.parquet", index=False)


def _draw_galaxies(
    n_galaxies: int, labelled: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Galaxies with votes, and without."""
    rng = np.random.default_rng(4)
    ids = np.array([f"galaxy_{i:09d}" for i in range(n_galaxies)])
    files = np.array([f"images/{i % _IMAGES}.png" for i in range(n_galaxies)])
    galaxies = pd.DataFrame({"id_str": ids, "file_loc": files})
    n_labelled = int(labelled * n_galaxies)
    answers = get_schema(SCHEMA).label_cols
    votes = pd.DataFrame(
        rng.poisson(5, size=(n_labelled, len(answers))), columns=answers
    )
    return pd.concat([galaxies[:n_labelled], votes], axis=1), galaxies[n_labelled:]


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
    drawn = rng.normal(size=(_DRAWN, len(spread))) * spread
    for name, ids in _ids_of(chunks):
        values = np.resize(drawn, (len(ids), len(spread)))
        with hdf5.create(
            folder / f"{name}.hdf5",
            dataset="representations",
            id_str=ids,
            label_cols=one.label_cols,
            attributes=one.attributes,
        ) as dataset:
            dataset[...] = values


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
