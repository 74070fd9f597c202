"""Programs that the documents name, run as from a shell, on small galaxies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from tests import networks
from workflow_scripts import (
    compress_representations,
    extract_representations,
    make_predictions,
    make_predictions_loop,
    train_model,
)
from zoobot.data_utils import hdf5
from zoobot.estimators.model_card import load_card

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def shard_dir(tmp_path_factory, planted_shard: Path) -> Path:
    """Shards as create_shards.py lays them out; the same galaxies in both parts."""
    folder = tmp_path_factory.mktemp("shards")
    for part in ("train", "test"):
        (folder / part).mkdir()
        target = folder / part / "s32_shard_0.tfrecord"
        target.write_bytes(planted_shard.read_bytes())
    return folder


def train(shard_dir: Path, save_dir: Path, *options: str) -> None:
    """train_model.py with settings of seconds."""
    words = ["--shard-dir", str(shard_dir), "--save-dir", str(save_dir)]
    words += ["--epochs", "2", "--batch-size", "12", "--architecture", networks.SMALL]
    train_model.main([*words, *options])


@pytest.fixture(scope="module")
def model(shard_dir: Path, small_network, tmp_path_factory) -> Path:
    """What train_model.py writes."""
    folder = tmp_path_factory.mktemp("model") / "saved"
    train(shard_dir, folder)
    return folder


@pytest.fixture
def catalog(tmp_path: Path, planted: pd.DataFrame) -> Path:
    """The planted galaxies in a csv, one of them without an image."""
    table = planted[["id_str", "file_loc"]].copy()
    table.loc[5, "file_loc"] = "nowhere.png"
    table.to_csv(tmp_path / "catalog.csv", index=False)
    return tmp_path / "catalog.csv"


def test_train_model(model: Path):
    """75% of the image is seen, at 32 px at least; the rest is as config.yaml says."""
    card = load_card(model)
    assert (card.image_size_px, card.crop_size_px, card.input_size_px) == (32, 24, 32)
    assert card.shift_max_px == 4.0
    assert card.greyscale
    assert card.n_train == 24
    assert (model / "history.csv").read_text().count("\n") == 3
    assert not (model / "checkpoint").exists()


def test_train_model_takes_sizes(tmp_path, shard_dir, small_network):
    train(
        shard_dir,
        tmp_path,
        *("--crop-size", "30", "--resize-size", "36", "--shift-max", "0.5"),
        *("--greyscale", "false", "--dropout-rate", "0.4", "--epochs", "1"),
    )
    card = load_card(tmp_path)
    assert (card.crop_size_px, card.input_size_px, card.channels) == (30, 36, 3)
    assert (card.shift_max_px, card.dropout_rate) == (0.5, 0.4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard-img-size", "300"], "train: found shards of 32 px, expected s300_"),
        (["--crop-size", "64"], "crop_size: found 64, expected more than 0, and at"),
        (["--schema", "gz3"], "schema: found 'gz3'"),
    ],
)
def test_train_model_names_what_is_wrong(tmp_path, shard_dir, options, message):
    with pytest.raises(ValueError, match=message):
        train(shard_dir, tmp_path / "model", *options)
    with pytest.raises(ValueError, match=r"shards none, expected s.*create_shards"):
        train(tmp_path, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_predictions_and_representations(tmp_path, catalog, planted, model, shard_dir):
    """Of a table and of shards they are the same; the missing image is listed."""
    for name, source in (
        ("files", ["--catalog", catalog]),
        ("shards", ["--shards", shard_dir / "train/s32_shard_0.tfrecord"]),
    ):
        words = ["--model", model, "--n-samples", 2, "--batch-size", 10, *source]
        words += ["--save-loc", tmp_path / f"{name}.hdf5"]
        words += ["--representations", tmp_path / f"{name}_features.hdf5"]
        make_predictions.main([str(word) for word in words])
    ids = list(planted["id_str"].drop(5))
    for suffix, dataset, shape in (
        ("", "predictions", (23, 34, 2)),
        ("_features", "representations", (23, networks.N_FEATURES)),
    ):
        found = hdf5.read(tmp_path / f"files{suffix}.hdf5", dataset=dataset)
        assert found.id_str == ids
        assert found.values.shape == shape
        shards = hdf5.read(tmp_path / f"shards{suffix}.hdf5", dataset=dataset)
        rows = [shards.id_str.index(id_str) for id_str in ids]
        np.testing.assert_allclose(found.values, shards.values[rows], rtol=1e-4)
        rejected = pd.read_csv(tmp_path / f"files{suffix}_rejected.csv")
        assert list(rejected["id_str"]) == [planted["id_str"][5]]
        assert list(rejected["reason"]) == ["file does not exist"]


def test_extract_representations_of_any_table(tmp_path, planted, model):
    """Csv with paths that begin at its folder, FITS, or the workflow's parquet."""
    galaxies = planted[["id_str", "file_loc"]][:4]
    galaxies.to_parquet(tmp_path / "chunk.parquet")
    Table.from_pandas(galaxies).write(tmp_path / "chunk.fits")
    beside = [os.path.relpath(path, tmp_path) for path in galaxies["file_loc"]]
    galaxies.assign(file_loc=beside).to_csv(tmp_path / "chunk.csv", index=False)
    found = []
    for name in ("chunk.parquet", "chunk.fits", "chunk.csv"):
        written = tmp_path / f"{name}.hdf5"
        words = ["--chunk", str(tmp_path / name), "--model", str(model)]
        extract_representations.main([*words, "--representations", str(written)])
        found.append(hdf5.read(written, dataset="representations"))
    for rows in found:
        assert rows.id_str == list(galaxies["id_str"])
        np.testing.assert_array_equal(rows.values, found[0].values)
    assert np.ptp(found[0].values, axis=0).max() > 0


def test_a_loop_that_was_stopped_goes_on(tmp_path, catalog, planted, model):
    """Files that are there are kept; together they hold what one call predicts."""
    words = ["--catalog", str(catalog), "--model", str(model), "--run-name", "run"]
    words += ["--save-dir", str(tmp_path), "--galaxies-per-chunk", "10"]
    make_predictions_loop.main(words)
    paths = [tmp_path / f"run_{index}.hdf5" for index in range(3)]
    first = [path.read_bytes() for path in paths]
    parts = [hdf5.read(path, dataset="predictions") for path in paths]
    assert [len(part.id_str) for part in parts] == [9, 10, 4]
    before = paths[0].stat().st_mtime_ns
    paths[1].unlink()
    make_predictions_loop.main(words)
    assert paths[0].stat().st_mtime_ns == before
    again = [hdf5.read(path, dataset="predictions") for path in paths]
    np.testing.assert_array_equal(again[1].values, parts[1].values)
    assert len(first) == 3
    with pytest.raises(ValueError, match=r"run_0.hdf5: seed: found 42, expected 7"):
        make_predictions_loop.main([*words, "--seed", "7"])
    with pytest.raises(ValueError, match=r"run_0.hdf5: found galaxy .* not among"):
        make_predictions_loop.main([*words, "--galaxies-per-chunk", "3"])


def test_representations_in_a_loop_and_compressed(tmp_path, catalog, model):
    """make_predictions_loop.py writes what compress_representations.py takes."""
    words = ["--catalog", str(catalog), "--model", str(model), "--run-name", "run"]
    words += ["--save-dir", str(tmp_path), "--galaxies-per-chunk", "12"]
    make_predictions_loop.main([*words, "--kind", "representations"])
    paths = [str(tmp_path / f"run_{index}.hdf5") for index in range(2)]
    table = tmp_path / "compressed.parquet"
    words = ["--representations", *paths, "--compressed", str(table)]
    compress_representations.main([*words, "--n-components", "3"])
    found = pd.read_parquet(table)
    rows = [hdf5.read(path, dataset="representations") for path in paths]
    features = np.concatenate([row.values for row in rows]).astype(np.float64)
    assert list(found["id_str"]) == [id_str for row in rows for id_str in row.id_str]
    centred = features - features.mean(axis=0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    components = found[["pca_0", "pca_1", "pca_2"]].to_numpy()
    np.testing.assert_allclose(
        np.linalg.norm(components, axis=0), singular[:3], rtol=1e-4
    )
    np.testing.assert_allclose(
        np.abs(components), np.abs(centred @ axes[:3].T), atol=1e-4 * singular[0]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "galaxies: found none, expected one of images, catalog and shards"),
        (["--images", "a", "--catalog", "b"], "found images and catalog, expected one"),
        (["--images", "nowhere"], "nowhere: expected a folder of images"),
        (["--images", ".", "--save-loc", "a.txt"], "save_loc: found 'a.txt'"),
        (["--images", ".", "--schema", "gz2"], r"schema: found Schema\(gz2"),
    ],
)
def test_bad_options_of_predictions_are_named(model, options, message):
    with pytest.raises(ValueError, match=message):
        make_predictions.main(
            ["--model", str(model), "--save-loc", "found.csv", *options]
        )


def test_status_and_progress_in_a_shell(tmp_path, planted, model, capsys):
    """0 and a log of what was done; 1 and the reason; 2 for what no option is."""

    def run(program: str, *words: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", f"workflow_scripts.{program}", *map(str, words)],
            cwd=ROOT,
            text=True,
            capture_output=True,
            check=False,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    folder = Path(planted["file_loc"][0]).parent
    table = tmp_path / "found.csv"
    words = ["--images", folder, "--model", model, "--save-loc", table]
    done = run("make_predictions", *words)
    assert done.returncode == 0, done.stderr
    assert "found 24 images" in done.stderr
    assert "24 galaxies in " in done.stderr
    assert len(pd.read_csv(table)) == 24
    words = ["--representations", table, "--compressed", tmp_path / "pca.parquet"]
    failed = run("compress_representations", *words)
    assert failed.returncode == 1
    assert f"{table}: expected a complete HDF5 file" in failed.stderr
    with pytest.raises(SystemExit) as stopped:
        make_predictions.main(["--model", str(model), "--galaxies", "a"])
    assert stopped.value.code == 2
    assert "unrecognized arguments: --galaxies a" in capsys.readouterr().err
