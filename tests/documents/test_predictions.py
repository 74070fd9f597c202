"""The documents' predictions on a folder of images, on drawn galaxies."""

from __future__ import annotations

import logging
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests import fits_files, networks
from zoobot import preprocess, schemas
from zoobot.data_utils import hdf5, image_datasets
from zoobot.data_utils.fits_images import DEFAULT_RENDERING
from zoobot.data_utils.images import load_image
from zoobot.estimators import define_model
from zoobot.estimators.model_card import load_card
from zoobot.predictions import dropout_passes, predict_on_images, vote_fraction_tables
from zoobot.representations import extract
from zoobot.settings.predictions import Predict, SummarisePredictions
from zoobot.settings.representations import ExtractRepresentations
from zoobot.tables.table_notes import has_notes, notes_of
from zoobot.training import training_config

schema = schemas.get_schema("gz_decals")
initial_size, crop_size, final_size = 32, 24, 40
n_samples, batch_size = 3, 7


@pytest.fixture(scope="module")
def checkpoint_dir(tmp_path_factory, planted_shard: Path) -> Path:
    """A model that was trained a little, with a quick network."""
    folder = tmp_path_factory.mktemp("model") / "checkpoint"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "EfficientNetB0", networks.small_efficientnet)
        training_config.get_run_config(
            initial_size=initial_size,
            final_size=final_size,
            crop_size=crop_size,
            log_dir=folder,
            train_records=[planted_shard],
            eval_records=[planted_shard],
            epochs=2,
            schema=schema,
            batch_size=12,
            learning_rate=0.01,
            batch_norm_momentum=0.5,
        ).run_estimator()
    return folder


@pytest.fixture
def folder_to_predict(planted: pd.DataFrame) -> Path:
    return Path(planted["file_loc"][0]).parent


def predict(folder_to_predict: Path, checkpoint_dir: Path, save_loc: Path, **changes):
    """The documents' call, with some changes."""
    options = {
        "schema": schema,
        "file_format": "png",
        "folder_to_predict": folder_to_predict,
        "checkpoint_dir": checkpoint_dir,
        "save_loc": save_loc,
        "n_samples": n_samples,
        "batch_size": batch_size,
        "initial_size": initial_size,
        "crop_size": crop_size,
        "final_size": final_size,
    }
    predict_on_images.predict(**options | changes)


def names(galaxies: pd.DataFrame) -> list[str]:
    """What a folder's galaxies are called."""
    return [Path(path).stem for path in galaxies["file_loc"]]


def of_the_workflow(galaxies: pd.DataFrame, model: Path, folder: Path) -> Path:
    """What the workflow's own stages predict of the same galaxies."""
    galaxies = galaxies[["file_loc"]].assign(id_str=names(galaxies))
    galaxies.to_parquet(folder / "chunk.parquet")
    extract.extract_representations(
        folder / "chunk.parquet",
        model_folder=model,
        representations=folder / "representations.hdf5",
        settings=ExtractRepresentations(batch_size=5, engine="tensorflow"),
    )
    dropout_passes.predict(
        [folder / "representations.hdf5"],
        models=[model],
        predictions=folder / "workflow.hdf5",
        settings=Predict(n_samples=n_samples, seed=42),
    )
    return folder / "workflow.hdf5"


def test_predict_a_folder(tmp_path, planted, folder_to_predict, checkpoint_dir):
    """The call of the guide gives what the workflow gives, as its files are."""
    file_format = "png"  # jpg or png supported
    save_loc = tmp_path / "predictions.hdf5"

    predict_on_images.predict(
        schema=schema,
        file_format=file_format,
        folder_to_predict=folder_to_predict,
        checkpoint_dir=checkpoint_dir,
        save_loc=save_loc,
        n_samples=n_samples,  # number of dropout forward passes
        batch_size=batch_size,
        initial_size=initial_size,
        crop_size=crop_size,
        final_size=final_size,
    )

    found = hdf5.read(save_loc, dataset="predictions")
    workflow = of_the_workflow(planted, checkpoint_dir, tmp_path)
    expected = hdf5.read(workflow, dataset="predictions")
    order = [found.id_str.index(id_str) for id_str in expected.id_str]
    # Batches of another size: convolutions add up in another order.
    np.testing.assert_allclose(found.values[order], expected.values, rtol=1e-4)
    assert found.id_str == sorted(names(planted))
    assert found.label_cols == schema.label_cols
    for name in ("schema", "model_digest", "n_samples", "seed"):
        assert found.attributes[name] == expected.attributes[name]
    assert found.values.std(axis=-1).max() > 0
    assert found.values.std(axis=0).max() > 0


def test_tables_are_of_vote_fractions(
    tmp_path, planted, folder_to_predict, checkpoint_dir
):
    """The columns of the workflow's table, exact in parquet and rounded in csv."""
    for suffix in ("csv", "parquet", "hdf5"):
        predict(folder_to_predict, checkpoint_dir, tmp_path / f"found.{suffix}")
    rows = hdf5.read(tmp_path / "found.hdf5", dataset="predictions")
    expected = vote_fraction_tables.advanced_table(
        rows,
        settings=SummarisePredictions(
            interval=0.9, asked_fraction_min=0.5, next_votes=1
        ),
    )
    exact = pd.read_parquet(tmp_path / "found.parquet")
    pd.testing.assert_frame_equal(exact, expected, check_dtype=False)
    stored = pq.read_schema(tmp_path / "found.parquet")
    assert has_notes(stored)
    assert set(notes_of(stored).columns) == set(expected)
    rounded = pd.read_csv(tmp_path / "found.csv", dtype={"id_str": str})
    assert list(rounded) == list(expected)
    fraction = f"{schema.label_cols[0]}_fraction"
    np.testing.assert_allclose(rounded[fraction], expected[fraction], atol=1e-5)


def test_fits_images_are_drawn_as_they_were_for_training(tmp_path, checkpoint_dir):
    """With settings of one's own: what the same pictures give as png files."""
    folders = {name: tmp_path / name for name in ("fits", "png")}
    darker = DEFAULT_RENDERING.model_copy(update={"band_scales": [0.05, 0.1, 0.2]})
    for folder in folders.values():
        folder.mkdir()
    for seed in range(3):
        path = folders["fits"] / f"{seed}.fits"
        fits_files.cube(path, fits_files.fluxes(32, seed=seed))
        picture = load_image(path, size_px=32, rendering=darker)
        Image.fromarray(picture).save(folders["png"] / f"{seed}.png")
    found = {}
    for name, file_format, rendering in (
        ("png", "png", None),
        ("drawn", "fits", darker),
        ("drawn as usual", "fits", None),
    ):
        save_loc = tmp_path / f"{name}.hdf5"
        predict(
            folders[file_format],
            checkpoint_dir,
            save_loc,
            file_format=file_format,
            rendering=rendering,
        )
        rows = hdf5.read(save_loc, dataset="predictions")
        assert rows.id_str == ["0", "1", "2"]
        found[name] = rows.values
    np.testing.assert_array_equal(found["drawn"], found["png"])
    assert not np.allclose(found["drawn as usual"], found["png"], rtol=1e-3)


def test_jpg_is_found_under_both_names(tmp_path, planted, checkpoint_dir):
    """Folders mix .jpg and .JPEG; other files are left alone."""
    from PIL import Image

    folder = tmp_path / "images"
    folder.mkdir()
    for name, path in zip(("a.jpg", "b.JPEG"), planted["file_loc"], strict=False):
        Image.open(path).save(folder / name, "JPEG")
    (folder / "notes.txt").write_text("no image")
    (folder / "c.png").write_text("of another format")
    for file_format in ("jpg", "jpeg", ".JPG"):
        save_loc = tmp_path / "found.csv"
        predict(folder, checkpoint_dir, save_loc, file_format=file_format)
        assert list(pd.read_csv(save_loc)["id_str"]) == ["a", "b"]


def test_a_bad_image_is_listed(tmp_path, planted, checkpoint_dir, caplog):
    """It has no prediction; the others have the one they always had."""
    folder = tmp_path / "images"
    folder.mkdir()
    for path in planted["file_loc"][:5]:
        (folder / Path(path).name).write_bytes(Path(path).read_bytes())
    predict(folder, checkpoint_dir, tmp_path / "before.parquet")
    (folder / "0-torn.png").write_bytes(Path(planted["file_loc"][5]).read_bytes()[:300])
    (folder / "z-empty.png").touch()
    save_loc = tmp_path / "after.parquet"
    with caplog.at_level(logging.WARNING):
        predict(folder, checkpoint_dir, save_loc)
    rejected = pd.read_csv(tmp_path / "after_rejected.csv")
    assert list(rejected["id_str"]) == ["0-torn", "z-empty"]
    assert "does not decode completely" in rejected["reason"][0]
    assert rejected["reason"][1] == "file is empty (0 bytes)"
    assert "2 images cannot be read and have no prediction; they are listed in" in (
        caplog.text
    )
    pd.testing.assert_frame_equal(
        pd.read_parquet(save_loc),
        pd.read_parquet(tmp_path / "before.parquet"),
        rtol=1e-4,
    )
    for name in ("0-torn.png", "z-empty.png"):
        (folder / name).unlink()
    predict(folder, checkpoint_dir, save_loc)
    assert not (tmp_path / "after_rejected.csv").exists()


def test_none_but_bad_images_is_an_error(tmp_path, checkpoint_dir):
    """Nothing is written but the list."""
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.png").write_text("no image")
    message = r"a\.png: file is no PNG, JPEG or FITS.*; none of 1 images can be read"
    with pytest.raises(ValueError, match=message):
        predict(folder, checkpoint_dir, tmp_path / "found.csv")
    assert not (tmp_path / "found.csv").exists()
    assert (tmp_path / "found_rejected.csv").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initial_size": 300}, r"initial_size: found 300, expected 32 px"),
        ({"crop_size": 25}, r"crop_size: found 25, expected 24 px"),
        ({"final_size": 224}, r"final_size: found 224, expected 40 px"),
        (
            {"schema": schemas.get_schema("gz2")},
            r"schema: found Schema\(gz2.*gz_decals",
        ),
        ({"file_format": "tiff"}, r"file_format: found 'tiff', expected one of png"),
        ({"file_format": "jpg"}, r"expected images \(.jpg, .jpeg\) in this folder"),
        ({"folder_to_predict": "nowhere"}, r"nowhere: expected a folder of images"),
        ({"save_loc": "found.txt"}, r"save_loc: found 'found.txt', expected"),
        ({"n_samples": 0}, r"n_samples"),
    ],
)
def test_bad_arguments_are_named(
    tmp_path, folder_to_predict, checkpoint_dir, changes, message
):
    with pytest.raises(ValueError, match=message):
        predict(
            **{
                "folder_to_predict": folder_to_predict,
                "checkpoint_dir": checkpoint_dir,
                "save_loc": tmp_path / "found.csv",
            }
            | changes
        )


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (None, "found nothing of that name"),
        ([], "found an empty folder"),
        (["a.txt", "b.txt"], "found a.txt, b.txt"),
        (
            ["checkpoint", "x.index", "x.data-00000-of-00001"],
            "found a checkpoint of TensorFlow 2, of an earlier release",
        ),
    ],
)
def test_a_checkpoint_folder_without_a_model(
    tmp_path, folder_to_predict, there, message
):
    """It says what a model folder holds, and what was found instead."""
    folder = tmp_path / "checkpoint_dir"
    if there is not None:
        folder.mkdir()
        for name in there:
            (folder / name).touch()
    expected = f"expected a model folder, with encoder.keras, head.npz .*{message}"
    with pytest.raises(ValueError, match=expected):
        predict(folder_to_predict, folder, tmp_path / "found.csv")


def test_an_ensemble_of_the_workflow(tmp_path, folder_to_predict, checkpoint_dir):
    """Members' passes stand one after another; equal members give equal passes."""
    for member in ("0", "1", "10"):
        target = tmp_path / "models" / member
        target.mkdir(parents=True)
        for name in ("card.json", "head.npz", "encoder.keras"):
            (target / name).write_bytes((checkpoint_dir / name).read_bytes())
    (tmp_path / "models" / "notes").mkdir()
    predict(folder_to_predict, tmp_path / "models", tmp_path / "three.hdf5")
    predict(folder_to_predict, checkpoint_dir, tmp_path / "one.hdf5")
    three = hdf5.read(tmp_path / "three.hdf5", dataset="predictions").values
    one = hdf5.read(tmp_path / "one.hdf5", dataset="predictions").values
    np.testing.assert_array_equal(three, np.concatenate([one] * 3, axis=-1))


def test_model_predict(planted, checkpoint_dir):
    """model.predict takes a preprocessed dataset; its mean is that of many passes."""
    model = define_model.load_galaxy_model(checkpoint_dir)
    raw_pred_dataset = image_datasets.get_image_dataset(
        list(planted["file_loc"]),
        requested_img_size=initial_size,
        batch_size=batch_size,
    )
    preprocess_config = preprocess.PreprocessingConfig(
        label_cols=[], input_size=initial_size, make_greyscale=True
    )
    pred_dataset = preprocess.preprocess_dataset(raw_pred_dataset, preprocess_config)

    predictions = model.predict(pred_dataset)

    assert predictions.shape == (len(planted), len(schema.label_cols))
    card = load_card(checkpoint_dir)
    assert predictions.min() > card.concentration_min
    assert predictions.max() < card.concentration_max
    again = model.predict(pred_dataset)
    assert not np.array_equal(predictions, again), "dropout is always on"
