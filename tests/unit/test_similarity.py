"""Galaxies that look alike are found, and each mistake in asking is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.spatial import KDTree

from tests import galaxies
from zoobot.representations.pca import FittedPca, project
from zoobot.representations.similarity import draw_similar, find_similar

N_GALAXIES, N_COMPONENTS = 300, 6


@pytest.fixture(scope="module")
def components() -> np.ndarray:
    """Components whose spread falls, as that of principal components does."""
    spread = 3.0 / np.arange(1, N_COMPONENTS + 1)
    values = np.random.default_rng(3).normal(size=(N_GALAXIES, N_COMPONENTS)) * spread
    return values.astype(np.float32)


@pytest.fixture(scope="module")
def table(components: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("similar") / "pca.parquet"
    names = [f"pca_{i}" for i in range(N_COMPONENTS)]
    frame = pd.DataFrame(components, columns=names)
    frame.insert(0, "id_str", [f"G{i}" for i in range(N_GALAXIES)])
    frame.to_parquet(path, index=False)
    return path


def test_neighbours_are_those_of_a_tree(table: Path, components: np.ndarray):
    """SciPy's tree of the same points, without the galaxy itself, says the same."""
    asked = [17, 4, 250]
    found = find_similar(
        table, to=[f"G{i}" for i in asked], n_similar=5, n_components=4
    )
    points = components[:, :4].astype(np.float64)
    distances, rows = KDTree(points).query(points[asked], k=6)
    assert list(found["id_str"]) == [f"G{i}" for i in rows[:, 1:].ravel()]
    # Rounding of float64.
    np.testing.assert_allclose(found["distance"], distances[:, 1:].ravel(), atol=1e-12)
    assert list(found["query"]) == [f"G{i}" for i in asked for _ in range(5)]
    assert list(found["rank"]) == [1, 2, 3, 4, 5] * 3


def test_a_new_galaxy_finds_its_twin(table: Path, components: np.ndarray):
    """Any galaxy goes in by its components; more of them than count do no harm."""
    rotation = np.linalg.qr(np.random.default_rng(5).normal(size=(9, 9)))[0]
    pca = FittedPca(
        components=rotation[:N_COMPONENTS],
        mean=np.arange(9.0),
        explained_variance=np.ones(N_COMPONENTS),
        explained_variance_ratio=np.ones(N_COMPONENTS) / 9,
        n_samples=N_GALAXIES,
        model_digest="",
    )
    representation = components[[123, 7]] @ pca.components + pca.mean
    new = project(representation, pca=pca)
    found = find_similar(table, to=new, n_similar=1, n_components=3)
    assert list(found["id_str"]) == ["G123", "G7"]
    assert list(found["query"]) == [0, 1]
    assert (found["distance"] < 1e-5).all()  # float32 components of about 3


def test_copies_of_a_galaxy_are_its_neighbours_and_it_is_not(tmp_path: Path):
    """However many have the very same components."""
    copies = pd.DataFrame({"id_str": list("abcdefg"), "pca_0": np.float32(1.5)})
    copies.to_parquet(tmp_path / "pca.parquet")
    for id_str in "abcdefg":
        found = find_similar(
            tmp_path / "pca.parquet", to=[id_str], n_similar=3, n_components=1
        )
        assert len(found) == 3
        assert id_str not in set(found["id_str"])
        assert (found["distance"] == 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": ["G1", "M31"]}, "no galaxy 'M31'"),
        ({"to": ["G1"], "n_components": 7}, "expected pca_6"),
        ({"to": ["G1"], "n_similar": 300}, "found 300, expected 1 to 299"),
        ({"to": ["G1"], "n_similar": 0}, "found 0, expected 1 to 299"),
        ({"to": np.zeros((2, 3))}, r"shape \(2, 3\), expected .* 6 components"),
        ({"to": np.zeros(6)}, r"shape \(6,\)"),
    ],
)
def test_mistakes_are_named(table: Path, options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        find_similar(table, **({"n_components": 6} | options))


def test_a_component_that_is_no_number_is_named(tmp_path: Path):
    path = tmp_path / "pca.parquet"
    pd.DataFrame({"id_str": ["a", "b"], "pca_0": [0.0, np.nan]}).to_parquet(path)
    with pytest.raises(ValueError, match=r"pca\.parquet: galaxy 'b': .* not finite"):
        find_similar(path, to=["a"], n_similar=1, n_components=1)


def test_the_sheet_shows_each_query_with_its_neighbours(tmp_path: Path):
    """Its size is that of one row of three images for each of two queries."""
    images = galaxies.write_galaxies(tmp_path, n_galaxies=4)
    first, second, third, fourth = images["id_str"]
    similar = pd.DataFrame(
        {
            "query": [first, first, second, second],
            "rank": [1, 2, 1, 2],
            "id_str": [third, fourth, fourth, third],
            "distance": [0.5, 1.0, 0.25, 2.0],
        }
    )
    path = tmp_path / "sheet.png"
    draw_similar(similar, images=images, path=path, size_px=100)
    with Image.open(path) as sheet:
        assert sheet.size == (300, 250)
        assert len(sheet.convert("L").getcolors()) > 50  # galaxies, not blank
    with pytest.raises(ValueError, match=f"found no '{fourth}'"):
        draw_similar(similar, images=images[:3], path=path)
