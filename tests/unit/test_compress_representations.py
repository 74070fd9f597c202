"""Compressed representations: against exact algebra, and safe to load."""

import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.decomposition import PCA

from workflow_scripts import compress_representations as script
from workflow_scripts import fit_pca as fit_script
from workflow_scripts import summarise_representations as summary_script
from zoobot.data_utils import hdf5
from zoobot.representations.compress_representations import (
    compress_representations,
    load_pca,
    project,
    summarise_representations,
)
from zoobot.representations.fit_pca import fit_pca
from zoobot.settings.representations import CompressRepresentations

# Representations are float32 of size 10; projections are stored as float32.
FLOAT32 = 2e-5


def draw(n=300, n_features=24, *, noise=0.05, seed=0):
    """Draw representations of which the first few directions have most variance."""
    rng = np.random.default_rng(seed)
    scale = np.where(np.arange(n_features) < 6, 3 * 0.7 ** np.arange(n_features), noise)
    turn, _ = np.linalg.qr(rng.normal(size=(n_features, n_features)))
    values = rng.normal(size=(n, n_features)) * scale @ turn + rng.normal(
        size=n_features
    )
    return values.astype(np.float32)


def write(folder, values, *, sizes=None, digest="m"):
    """Write representations to several files, of the given numbers of galaxies."""
    sizes = [len(values)] if sizes is None else sizes
    paths = []
    for i, start in enumerate(np.cumsum([0, *sizes[:-1]])):
        rows = values[start : start + sizes[i]]
        paths.append(folder / f"demo_{i}.hdf5")
        with hdf5.create(
            paths[-1],
            dataset="representations",
            id_str=[f"J{start + j:05d}" for j in range(len(rows))],
            label_cols=[f"feat_{j}" for j in range(values.shape[1])],
            n_passes=values.shape[2] if values.ndim == 3 else None,
            attributes={"model_digest": digest},
        ) as dataset:
            dataset[:] = rows
    return paths


def compress(folder, paths, *, n_components, batch_size=64):
    """Compress; return the projected table, the PCA and the table of variance."""
    settings = CompressRepresentations(n_components=n_components, batch_size=batch_size)
    fit_pca(
        paths,
        model=folder / "model.npz",
        variance=folder / "variance.csv",
        figure=folder / "variance.png",
        settings=settings,
    )
    tables = [folder / f"{path.stem}.parquet" for path in paths]
    for path, table in zip(paths, tables, strict=True):
        compress_representations(
            path, model=folder / "model.npz", compressed=table, settings=settings
        )
    summarise_representations(
        tables, compressed=folder / "pca.parquet", fits_table=folder / "pca.fits"
    )
    table = pd.read_parquet(folder / "pca.parquet").set_index("id_str")
    return table, load_pca(folder / "model.npz"), pd.read_csv(folder / "variance.csv")


def exact(values):
    """Principal components by a singular value decomposition of everything."""
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    _, singular, components = np.linalg.svd(centred, full_matrices=False)
    variance = singular**2 / (len(values) - 1)
    return components, variance, variance / variance.sum()


def same_sign(found, expected):
    """Turn rows of expected so that each points the way of found: signs are free."""
    return expected * np.sign((found * expected).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("sizes", [[300], [150, 150], [1, 7, 292], [299, 0, 1]])
def test_all_components_are_exact(tmp_path, sizes):
    """With as many components as features nothing is lost on the way."""
    values = draw(n_features=8)
    paths = write(tmp_path, values, sizes=sizes)
    table, pca, variance = compress(tmp_path, paths, n_components=8, batch_size=50)
    components, expected_variance, ratio = exact(values)
    components = same_sign(pca.components, components)
    np.testing.assert_allclose(pca.components, components, atol=1e-9)
    np.testing.assert_allclose(pca.mean, values.mean(0, dtype=float), atol=1e-9)
    np.testing.assert_allclose(pca.explained_variance, expected_variance, atol=1e-9)
    np.testing.assert_allclose(pca.explained_variance_ratio, ratio, atol=1e-9)
    expected = (values - pca.mean) @ components.T
    np.testing.assert_allclose(table, expected, atol=FLOAT32)
    # The csv has eight decimals.
    np.testing.assert_allclose(variance["cumulative"], ratio.cumsum(), atol=1e-8)
    assert list(variance["component"]) == list(range(8))
    assert pca.n_samples == 300


def test_few_components_agree_with_sklearn(tmp_path):
    """In blocks, the leading components are those of scikit-learn's PCA of all."""
    values = draw(2000, 40)
    paths = write(tmp_path, values, sizes=[700, 700, 600])
    table, pca, _ = compress(tmp_path, paths, n_components=6, batch_size=100)
    whole = PCA(6, svd_solver="full").fit(values.astype(np.float64))
    # What a block drops is noise of 0.05 beside directions of 0.5 and more: 1% or less.
    expected = same_sign(pca.components, whole.components_)
    np.testing.assert_allclose(pca.components, expected, atol=0.01)
    np.testing.assert_allclose(
        pca.explained_variance_ratio, whole.explained_variance_ratio_, atol=1e-3
    )
    assert table.shape == (2000, 6)
    np.testing.assert_allclose(table.to_numpy().mean(axis=0), 0, atol=1e-4)


def test_one_block_is_exact(tmp_path):
    """If all galaxies fit in memory, few components are exact too."""
    values = draw()
    _, pca, _ = compress(
        tmp_path, write(tmp_path, values), n_components=4, batch_size=300
    )
    components, _, ratio = exact(values)
    expected = same_sign(pca.components, components[:4])
    np.testing.assert_allclose(pca.components, expected, atol=1e-9)
    np.testing.assert_allclose(pca.explained_variance_ratio, ratio[:4], atol=1e-9)


def test_files_do_not_matter(tmp_path):
    """Blocks run across files: however galaxies are spread, the result is the same."""
    values = draw()
    whole, _, _ = compress(tmp_path, write(tmp_path, values), n_components=5)
    sizes = [1, 90, 0, 63, 146]
    parts, _, _ = compress(
        tmp_path, write(tmp_path, values, sizes=sizes), n_components=5
    )
    pd.testing.assert_frame_equal(whole, parts)


@pytest.mark.parametrize("n", [20, 21, 39, 40, 41, 59, 60, 61, 79])
def test_a_short_last_block_joins_the_one_before(tmp_path, n):
    """Any number of galaxies works, whatever is left for the last block."""
    values = draw(n)
    table, _, variance = compress(
        tmp_path, write(tmp_path, values), n_components=20, batch_size=20
    )
    assert table.shape == (n, 20)
    assert list(table.index) == [f"J{i:05d}" for i in range(n)]
    assert variance["cumulative"].iloc[-1] <= 1 + 1e-8


def test_a_reloaded_pca_projects_the_same(tmp_path):
    """Projecting the same galaxies after a reload gives the stored table."""
    values = draw()
    table, pca, _ = compress(tmp_path, write(tmp_path, values), n_components=5)
    found = project(values, pca=pca)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, table, atol=FLOAT32)
    assert pca.model_digest == "m"
    assert list(table.columns) == [f"pca_{i}" for i in range(5)]
    assert set(table.dtypes) == {np.dtype("float32")}


def test_views_are_averaged(tmp_path):
    """A third axis of views gives what their mean gives."""
    views = np.stack([draw(seed=1), draw(seed=2), draw(seed=3)], axis=2)
    averaged, _, _ = compress(tmp_path, write(tmp_path, views.mean(2)), n_components=4)
    table, pca, _ = compress(tmp_path, write(tmp_path, views), n_components=4)
    np.testing.assert_allclose(table, averaged, atol=FLOAT32)
    np.testing.assert_allclose(project(views, pca=pca), table, atol=FLOAT32)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((9, 24), "n_components: found 10, expected at most 9, the number of galaxies"),
        ((30, 8), "n_components: found 10, expected at most 8, the number of features"),
    ],
)
def test_too_many_components(tmp_path, shape, message):
    """The error names the setting, what was found and what is possible."""
    with pytest.raises(ValueError, match=message):
        compress(tmp_path, write(tmp_path, draw(*shape)), n_components=10)


@pytest.mark.parametrize("n", [1, 5])
def test_equal_representations(tmp_path, n):
    """A single galaxy, or equal ones, have no components."""
    with pytest.raises(ValueError, match=f"found {n} galaxies without any difference"):
        compress(tmp_path, write(tmp_path, np.ones((n, 4))), n_components=1)


def test_values_that_are_not_finite(tmp_path):
    """A NaN is named with its file and galaxy."""
    values = draw()
    values[77, 3] = np.nan
    with pytest.raises(ValueError, match=r"demo_1\.hdf5: representation of 'J00077'"):
        compress(tmp_path, write(tmp_path, values, sizes=[50, 250]), n_components=3)


def test_files_of_different_models(tmp_path):
    """Representations of two models, or of two sizes, are not mixed."""
    first, second = tmp_path / "a", tmp_path / "b"
    paths = [*write(first, draw(), digest="x"), *write(second, draw(), digest="y")]
    with pytest.raises(
        ValueError, match="found representations of model y, expected x"
    ):
        compress(tmp_path, paths, n_components=3)
    paths = [*write(first, draw(30, 8)), *write(second, draw(30, 9))]
    with pytest.raises(ValueError, match="found 9 features, expected 8 as in"):
        compress(tmp_path, paths, n_components=3)
    with pytest.raises(ValueError, match="expected at least one HDF5 file"):
        compress(tmp_path, [], n_components=3)


def test_a_pca_of_another_model_is_refused(tmp_path):
    """Or of another length or number of components: the error says what helps."""
    compress(tmp_path, write(tmp_path, draw()), n_components=3)
    others = {
        "model: found m, expected y": (draw(5), "y", 3),
        "features: found 24, expected 9": (draw(5, 9), "m", 3),
        "components: found 3, expected 4": (draw(5), "m", 4),
    }
    for message, (values, digest, n_components) in others.items():
        (path,) = write(tmp_path / "other", values, digest=digest)
        with pytest.raises(
            ValueError, match=rf"model\.npz: {message}.*is fitted again"
        ):
            compress_representations(
                path,
                model=tmp_path / "model.npz",
                compressed=tmp_path / "never.parquet",
                settings=CompressRepresentations(
                    n_components=n_components, batch_size=8
                ),
            )
    assert not (tmp_path / "never.parquet").exists()


def test_projecting_other_features(tmp_path):
    """Representations of another length are refused."""
    _, pca, _ = compress(tmp_path, write(tmp_path, draw()), n_components=3)
    with pytest.raises(ValueError, match=r"found shape \(5, 7\), expected .* 24 feat"):
        project(np.zeros((5, 7)), pca=pca)


def test_loading_runs_no_code(tmp_path):
    """Pickles, other arrays and damaged files are refused with the file's name."""
    compress(tmp_path, write(tmp_path, draw()), n_components=3)
    damaged = (tmp_path / "model.npz").read_bytes()[:-100]
    (tmp_path / "damaged.npz").write_bytes(damaged)
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps({"components": 1}))
    np.savez(tmp_path / "object.npz", components=np.array([{}], dtype=object))
    np.savez(tmp_path / "other.npz", mean=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    names = ["damaged.npz", "pickle.npz", "object.npz", "other.npz", "array.npy", "no"]
    for name in names:
        with pytest.raises(ValueError, match=f"{name}: expected a stored PCA"):
            load_pca(tmp_path / name)


def test_scripts(tmp_path):
    """The programs write their files, the same bytes each time."""
    paths = write(tmp_path, draw(), sizes=[100, 200])
    names = ["model.npz", "variance.csv", "figure.png"]
    files = [f"--{name.split('.')[0]} {tmp_path}/{name}" for name in names]
    settings = "--n-components 10 --batch-size 128"
    fit = f"--representations {paths[0]} {paths[1]} {' '.join(files)} --recipe r"
    compression = (
        f"--representations {paths[0]} --model {tmp_path}/model.npz "
        f"--compressed {tmp_path}/one.parquet {settings}"
    )
    tables = f"--tables {tmp_path}/one.parquet --compressed {tmp_path}/all.parquet "
    tables += f"--fits {tmp_path}/all.fits"
    contents = []
    for _ in range(2):
        fit_script.main(f"{fit} {settings}".split())
        script.main(compression.split())
        summary_script.main(tables.split())
        written = [*names, "one.parquet", "all.parquet"]
        contents.append([(tmp_path / name).read_bytes() for name in written])
    assert contents[0] == contents[1]
    assert load_pca(tmp_path / "model.npz").recipe == "r"
    with Image.open(tmp_path / "figure.png") as figure:
        assert figure.width > 400
