"""The documents' guide to training, run as it stands there, on drawn galaxies."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests import networks
from zoobot import preprocess, schemas
from zoobot.data_utils import tfrecord_datasets
from zoobot.estimators import define_model
from zoobot.predictions import predict_on_images
from zoobot.training import losses, training_config

schema = schemas.get_schema("gz_decals")
initial_size = 32
resize_size = 40
batch_size = 8


@pytest.fixture(scope="module", autouse=True)
def _quick_efficientnet():
    """A quick network of the same parts in place of EfficientNetB0."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "EfficientNetB0", networks.small_efficientnet)
        yield


@pytest.fixture
def datasets(planted_shard: Path) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Training and test galaxies: the same, so that learning can be seen."""
    config = preprocess.PreprocessingConfig(
        label_cols=schema.label_cols, input_size=initial_size
    )
    raw_train_dataset, raw_test_dataset = (
        tfrecord_datasets.get_dataset(
            [planted_shard], schema.label_cols, batch_size, shuffle=shuffle
        )
        for shuffle in (True, False)
    )
    return (
        preprocess.preprocess_dataset(raw_train_dataset, config),
        preprocess.preprocess_dataset(raw_test_dataset, config),
    )


def test_train_a_model(tmp_path, planted: pd.DataFrame, datasets):
    """It learns, its best weights are in log_dir, and from there it predicts."""
    train_dataset, test_dataset = datasets
    checkpoint_dir = tmp_path / "save/model/here"

    model = define_model.get_model(
        output_dim=len(schema.label_cols),
        input_size=initial_size,
        crop_size=int(initial_size * 0.75),
        resize_size=resize_size,
        seed=0,
    )

    # dirichlet-multinomial log-likelihood per answer - see the paper for more
    loss = losses.get_multiquestion_loss(schema.question_index_groups)

    model.compile(loss=loss, optimizer=tf.keras.optimizers.Adam(0.03))

    train_config = training_config.TrainConfig(
        log_dir=checkpoint_dir,
        epochs=8,
        patience=10,
    )

    history = training_config.train_estimator(
        model,
        train_config,  # parameters for how to train e.g. epochs, patience
        train_dataset,
        test_dataset,
    )

    val_loss = history.history["val_loss"]
    assert min(val_loss) < 0.9 * val_loss[0]

    again = define_model.get_model(
        output_dim=len(schema.label_cols),
        input_size=initial_size,
        crop_size=int(initial_size * 0.75),
        resize_size=resize_size,
        weights_loc=checkpoint_dir,
    )
    again.compile(loss=loss)
    # Of 24 galaxies, dropout moves the mean loss by a few per cent.
    assert again.evaluate(test_dataset, verbose=0) == pytest.approx(
        min(val_loss), rel=0.2
    )
    (images, _), *_ = test_dataset
    np.testing.assert_array_equal(
        again.encoder(again.views(images)), model.encoder(model.views(images))
    )

    folder_to_predict = Path(planted["file_loc"][0]).parent
    save_loc = tmp_path / "predictions.csv"
    predict_on_images.predict(
        schema=schema,
        file_format="png",
        folder_to_predict=folder_to_predict,
        checkpoint_dir=checkpoint_dir,
        save_loc=save_loc,
        n_samples=5,
        batch_size=batch_size,
        initial_size=initial_size,
        crop_size=int(initial_size * 0.75),
        final_size=resize_size,
    )
    predictions = pd.read_csv(save_loc, dtype={"id_str": str})
    assert len(predictions) == len(planted)


def test_the_older_readme(tmp_path, planted_shard: Path):
    """get_run_config trains on shards in one call; its weights are saved and used."""
    shard_img_size = 32
    train_records = eval_records = [str(planted_shard)]
    save_dir, save_loc = tmp_path / "run", tmp_path / "weights"

    run_config = training_config.get_run_config(
        initial_size=shard_img_size,
        final_size=40,  # size after augmentations
        crop_size=int(shard_img_size * 0.75),  # 75% zoom
        log_dir=save_dir,
        train_records=train_records,  # shards to train on
        eval_records=eval_records,  # shards to validate on
        epochs=2,
        schema=schema,  # decision tree schema from schemas.py
        batch_size=batch_size,
    )

    trained_model = run_config.run_estimator()  # train!
    trained_model.save_weights(save_loc)

    again = define_model.load_galaxy_model(save_loc)
    assert again.schema == schema
    images = networks.drawn_images(6, seed=1)
    np.testing.assert_array_equal(
        again.encoder(again.views(images)),
        define_model.load_encoder(save_dir)(trained_model.views(images)),
    )
    predictions = again.predict(images, verbose=0)
    assert predictions.shape == (6, len(schema.label_cols))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initial_size": 64}, r"initial_size: found 64, expected 32"),
        ({"crop_size": 33}, r"crop_size: found 33, expected more than 0, and at most"),
        ({"shift_max": 9.0}, r"shift_max: found 9.0, expected 0 to 4.0"),
        ({"epochs": 0}, r"epochs: found 0"),
        ({"learning_rates": 0.1}, r"learning_rates: found 0.1"),
        ({"schema": "gz3"}, r"schema: found 'gz3'"),
        ({"train_records": []}, r"train_records: found none"),
    ],
)
def test_bad_run_configs_are_named(tmp_path, planted_shard: Path, changes, message):
    """Nothing is trained with a setting that is wrong."""
    options = {
        "initial_size": 32,
        "final_size": 32,
        "crop_size": 24,
        "log_dir": tmp_path / "run",
        "train_records": [planted_shard],
        "eval_records": [planted_shard],
        "epochs": 1,
        "schema": schema,
        "batch_size": 8,
    }
    with pytest.raises(ValueError, match=message):
        training_config.get_run_config(**options | changes).run_estimator()
    assert not (tmp_path / "run").exists()
