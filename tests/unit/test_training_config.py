"""Fitting: when it stops, what it keeps, and what it writes."""

from __future__ import annotations

import csv
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoobot.training.checkpoint import Checkpoint
from zoobot.training.training_config import TrainConfig, train_estimator

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 3)).astype(np.float32)
Y = (X @ np.float32([[1], [2], [3]])).astype(np.float32)


def batches(x=X, y=Y) -> tf.data.Dataset:
    """Batches of eight."""
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(8)


def line(*, learning_rate=0.05, weights=None) -> keras.Model:
    """A compiled linear model."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    if weights is not None:
        model.set_weights([np.float32(weights).reshape(3, 1)])
    model.compile(keras.optimizers.SGD(learning_rate), "mse", jit_compile=False)
    return model


def fit(model, folder, *, train=None, val=None, epochs=5, patience=10, **options):
    """Fit on the line, or on other batches."""
    config = TrainConfig(log_dir=folder, epochs=epochs, patience=patience)
    return train_estimator(
        model, config, train or batches(), val or batches(), **options
    )


def test_loss_falls_and_history_is_written(tmp_path):
    """A row an epoch: loss, validation loss, learning rate and seconds."""
    history = fit(line(), tmp_path / "new" / "folder").history
    assert history["val_loss"][-1] < 0.5 * history["val_loss"][0]
    with (tmp_path / "new" / "folder" / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2, 3, 4]
    assert [float(row["val_loss"]) for row in rows] == history["val_loss"]
    assert all(float(row["learning_rate"]) == pytest.approx(0.05) for row in rows)
    assert all(float(row["seconds"]) > 0 for row in rows)
    assert list((tmp_path / "new" / "folder").rglob("events*"))


@pytest.mark.parametrize("patience", [2, 10])
def test_best_weights_are_kept(tmp_path, patience):
    """Training leads away from what the validation wants; its first epoch was best.

    So also if all epochs run, without an early stop.
    """
    model = line(weights=[-1, -2, -3], learning_rate=0.01)
    history = fit(model, tmp_path, val=batches(X, -Y), patience=patience).history
    assert len(history["val_loss"]) == min(5, 1 + patience)
    assert np.argmin(history["val_loss"]) == 0
    found = model.evaluate(batches(X, -Y), verbose=0)
    assert found == pytest.approx(history["val_loss"][0], rel=1e-6)


def test_early_stopping_goes_on_counting(tmp_path):
    """Epochs since the best, and its weights, outlive the process."""
    options = {"train": batches().repeat(), "val": batches(X, -Y), "steps_per_epoch": 4}

    def harmed() -> keras.Model:
        return line(weights=[-1, -2, -3], learning_rate=0.01)

    undisturbed = harmed()
    history = fit(undisturbed, tmp_path / "a", epochs=9, patience=3, **options).history
    assert len(history["val_loss"]) == 4
    for epochs in (2, 3, 9, 9):
        model = harmed()
        checkpoint = Checkpoint(tmp_path / "checkpoint", belongs_to={})
        checkpoint.restore(model)
        found = fit(
            model,
            tmp_path / "b",
            epochs=epochs,
            patience=3,
            checkpoint=checkpoint,
            **options,
        ).history
        assert len(found["val_loss"]) == min(epochs, 4)
    assert found["val_loss"] == history["val_loss"]
    np.testing.assert_array_equal(model.get_weights(), undisturbed.get_weights())
    with (tmp_path / "b" / "history.csv").open() as file:
        rows = [float(row["val_loss"]) for row in csv.DictReader(file)]
    assert rows == history["val_loss"]


def test_steps_per_epoch(tmp_path):
    """A dataset of several epochs in a row is cut into them without a warning."""
    model = line()
    fit(model, tmp_path, train=batches().repeat(3), epochs=3, steps_per_epoch=4)
    assert int(model.optimizer.iterations) == 12


def test_speed_is_logged(tmp_path, caplog):
    """A line an epoch, with galaxies per second if it is known how many there are."""
    with caplog.at_level("INFO"):
        fit(line(), tmp_path, epochs=2, n_galaxies=len(X))
    lines = [text for text in caplog.messages if text.startswith("epoch ")]
    assert len(lines) == 2
    assert all(re.search(r"training [\d.]+ galaxies/s$", text) for text in lines)
    caplog.clear()
    with caplog.at_level("INFO"):
        fit(line(), tmp_path, epochs=1)
    assert "galaxies/s" not in caplog.text


def test_not_a_number_at_once(tmp_path):
    """A loss that is no number ends with an error that names the step."""
    bad = X.copy()
    bad[20, 0] = np.nan
    with pytest.raises(
        FloatingPointError, match=r"^epoch 1 of 5, step 3 of 4: the loss is nan\. No"
    ):
        fit(line(), tmp_path, train=batches(bad))


def test_not_a_number_later(tmp_path):
    """The best epoch before it is kept, in the model and in the checkpoint.

    So it is each time, as the checkpoint leads to the same loss again.
    """
    bad = X.copy()
    bad[20, 0] = np.nan
    late = batches().concatenate(batches()).concatenate(batches(bad))
    for n_resumed in (0, 2):
        model = line()
        checkpoint = Checkpoint(tmp_path / "checkpoint", belongs_to={})
        checkpoint.restore(model)
        assert len(checkpoint.record.rows) == n_resumed
        with pytest.raises(
            FloatingPointError,
            match=r"^epoch 3 of 5, step 3 of 4: the loss is nan\. The state after "
            rf"epoch 2 and the best weights, of epoch 2, are kept in {tmp_path}/check"
            r"point\. The same settings would end here again\. Try a lower learn",
        ):
            fit(
                model,
                tmp_path,
                train=late.skip(4 * n_resumed),
                steps_per_epoch=4,
                checkpoint=checkpoint,
            )
        assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == [
            "state.npz"
        ]
        found = model.evaluate(batches(), verbose=0)
        assert found == pytest.approx(checkpoint.record.rows[1]["val_loss"], rel=1e-6)


def test_validation_is_not_a_number(tmp_path):
    """Weights that the last step of an epoch has spoilt are not kept as a state."""
    checkpoint = Checkpoint(tmp_path / "checkpoint", belongs_to={})
    with pytest.raises(
        FloatingPointError, match="epoch 1 of 5, after its last step: the validation"
    ):
        fit(
            line(),
            tmp_path,
            val=batches(X * np.float32(np.inf)),
            checkpoint=checkpoint,
        )
    assert not (tmp_path / "checkpoint").exists()


def test_without_a_checkpoint_the_model_keeps_the_best_weights(tmp_path):
    """And the error says so."""
    late = batches().concatenate(batches(X * np.float32(np.nan)))
    model = line()
    with pytest.raises(FloatingPointError, match="weights of its best epoch, 1"):
        fit(model, tmp_path, train=late, steps_per_epoch=4)
    assert np.isfinite(model.get_weights()[0]).all()
