"""A galaxy's prediction is its own: neither batch-mates, batch nor chunk change it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from zoobot.data_utils import hdf5
from zoobot.predictions import dropout_passes
from zoobot.representations.extract import extract_representations
from zoobot.settings.predictions import Predict
from zoobot.settings.representations import ExtractRepresentations

ENGINES = [
    "tensorflow",
    pytest.param(
        "openvino",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("openvino") is None,
            reason="openvino is not installed",
        ),
    ),
]


def predicted(
    table: pd.DataFrame, model: Path, folder: Path, *, batch_size: int, engine: str
) -> dict[str, np.ndarray]:
    """Concentrations, (n_answers, n_passes), of the galaxies of one chunk."""
    folder.mkdir()
    table[["id_str", "file_loc"]].to_parquet(folder / "chunk.parquet", index=False)
    extract_representations(
        folder / "chunk.parquet",
        model_folder=model,
        representations=folder / "representations.hdf5",
        settings=ExtractRepresentations(batch_size=batch_size, engine=engine),
    )
    dropout_passes.predict(
        [folder / "representations.hdf5"],
        models=[model],
        predictions=folder / "predictions.hdf5",
        settings=Predict(n_samples=3, seed=1),
    )
    rows = hdf5.read(folder / "predictions.hdf5", dataset="predictions")
    return dict(zip(rows.id_str, rows.values, strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_neither_mates_nor_batch_nor_chunk_matter(planted, trained, tmp_path, engine):
    """From image file to concentrations, in chunks of other sizes and orders."""
    expected = predicted(
        planted, trained, tmp_path / "all", batch_size=24, engine=engine
    )
    spread = np.std(list(expected.values()), axis=0) / np.mean(
        list(expected.values()), axis=0
    )
    assert spread.max() > 0.1, "predictions should differ between galaxies"
    order = np.random.default_rng(0).permutation(24)
    for batch_size, rows in ((1, order[:2]), (5, order[2:13]), (16, order[1:])):
        found = predicted(
            planted.iloc[rows],
            trained,
            tmp_path / str(batch_size),
            batch_size=batch_size,
            engine=engine,
        )
        assert list(found) == list(planted["id_str"].iloc[rows])
        for id_str, concentrations in found.items():
            # Convolutions of another batch size add up in another order.
            np.testing.assert_allclose(
                concentrations, expected[id_str], rtol=1e-5, atol=0
            )


@pytest.mark.parametrize("engine", ENGINES)
def test_other_mates_in_a_batch_of_the_same_size_change_no_bit(
    planted, trained, tmp_path, engine
):
    """The same sums in the same order."""
    first, second = (
        predicted(
            planted.iloc[rows], trained, tmp_path / name, batch_size=4, engine=engine
        )
        for name, rows in (("first", [0, 1, 2, 3]), ("second", [9, 1, 14, 20]))
    )
    id_str = planted["id_str"].iloc[1]
    np.testing.assert_array_equal(first[id_str], second[id_str])
