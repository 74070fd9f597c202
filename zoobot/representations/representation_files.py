"""Writing representations to HDF5 files."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from zoobot.data_utils import hdf5
from zoobot.estimators.model_card import ModelCard
from zoobot.versions import library_versions

__all__ = ["write_representations"]

log = logging.getLogger(__name__)


def write_representations(
    path: str | Path,
    *,
    id_str: Sequence[str],
    blocks: Iterable[np.ndarray],
    card: ModelCard,
) -> None:
    """Write an HDF5 file of representations.

    Parameters
    ----------
    path : path
        File to write: ``representations`` (n_galaxies, n_features) float32.
    id_str : (n_galaxies,) sequence of str
    blocks : iterable of (batch, n_features) float32
        In the order of the ids.
    card : ModelCard
        Of the model that made them.
    """
    with hdf5.create(
        path,
        dataset="representations",
        id_str=id_str,
        label_cols=[f"feat_{i}" for i in range(card.n_features)],
        attributes={
            "model_digest": card.weights_digest,
            "schema": card.schema.to_json(),
            "versions": json.dumps(library_versions("tensorflow", "keras")),
        },
    ) as values:
        start = 0
        for block in blocks:
            values[start : start + len(block)] = block
            start += len(block)
    log.info("wrote representations of %d galaxies to %s", len(id_str), path)
