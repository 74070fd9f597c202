"""Stored representations, file by file, a few galaxies in memory at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from zoobot.data_utils import hdf5
from zoobot.representations.pca import mean_over_views

__all__ = ["DATASET", "StoredRepresentations", "describe", "describe_all", "pieces"]

DATASET = "representations"


@dataclasses.dataclass(frozen=True)
class StoredRepresentations:
    """One file of representations."""

    path: Path
    n_galaxies: int
    n_features: int
    model_digest: str
    """Of the model that made them."""


def describe_all(
    representations: Sequence[str | Path],
) -> list[StoredRepresentations]:
    """Describe files that belong together.

    Parameters
    ----------
    representations : sequence of path
        HDF5, (galaxy, feature) or (galaxy, feature, view).

    Raises
    ------
    ValueError
        If there is none, or they are of different models or sizes.
    """
    if not representations:
        raise ValueError("representations: expected at least one HDF5 file, found none")
    sources = [describe(path) for path in representations]
    first = sources[0]
    for source in sources[1:]:
        if source.n_features != first.n_features:
            raise ValueError(
                f"{source.path}: found {source.n_features} features, expected "
                f"{first.n_features} as in {first.path}"
            )
        if source.model_digest != first.model_digest:
            raise ValueError(
                f"{source.path}: found representations of model {source.model_digest}, "
                f"expected {first.model_digest} as in {first.path}"
            )
    return sources


def describe(path: str | Path) -> StoredRepresentations:
    """Describe one file."""
    path = Path(path)
    header = hdf5.read_header(path, dataset=DATASET)
    return StoredRepresentations(
        path,
        n_galaxies=header.shape[0],
        n_features=header.shape[1],
        model_digest=str(header.attributes.get("model_digest", "")),
    )


def pieces(
    sources: Sequence[StoredRepresentations], *, step: int
) -> Iterator[np.ndarray]:
    """Read all representations, some galaxies at a time; views are averaged.

    Parameters
    ----------
    sources : sequence of StoredRepresentations
    step : int
        Most galaxies at a time.

    Yields
    ------
    (n_galaxies, n_features) float64

    Raises
    ------
    ValueError
        If a value is not finite; the message names the file and the galaxy.
    """
    for source in sources:
        start = 0
        for rows in hdf5.read_blocks(source.path, dataset=DATASET, n_rows=step):
            values = mean_over_views(rows)
            bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
            if len(bad):
                ids = hdf5.read_ids(source.path, dataset=DATASET)
                raise ValueError(
                    f"{source.path}: representation of {ids[start + int(bad[0])]!r}: "
                    "found a value that is not finite, expected numbers"
                )
            yield values
            start += len(values)
