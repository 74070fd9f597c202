"""Trainings on one and on several devices, in a process that divides its CPU.

    python -m tests.mirrored FOLDER SHARD

writes what it finds into FOLDER/found.npz, under the names that tests ask for.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tests import networks
from zoobot.estimators import heads
from zoobot.estimators.devices import be_deterministic, strategy_for
from zoobot.estimators.encoders import get_encoder
from zoobot.schemas import get_schema
from zoobot.training import fitting
from zoobot.training.compiling import compile_model
from zoobot.training.losses import get_multiquestion_loss
from zoobot.training.mirrored import in_parts, joined
from zoobot.training.train import train_member

N_DEVICES = 3
BATCHES = (7, 8, 1)
"""Galaxies in each: no number that divides into two or three parts of equal size."""
LEARNING_RATE = 0.01
EPOCHS = 2
SETTINGS = {"batch_size": 10, "epochs": 3, "shift_max_px": 2.0, "learning_rate": 1e-3}
"""Of a training on 24 galaxies: an epoch's last batch has 4 of them."""

_SCHEMA = get_schema("gz_decals")


class _Killed(BaseException):
    """What ends a training."""


class _Steps(keras.callbacks.Callback):
    """All weights after each step, averages of batch normalisation among them."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[list[np.ndarray]] = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.weights.append(self.model.get_weights())


def steps(n_devices: int) -> dict[str, np.ndarray]:
    """Some steps of gradient descent, with both kinds of dropout."""
    be_deterministic(3)
    strategy = strategy_for(n_devices)
    with strategy.scope():
        encoder = get_encoder(
            networks.SMALL, input_size=32, channels=1, drop_connect_rate=0.4
        )
        head = heads.get_head(
            n_features=networks.N_FEATURES,
            n_answers=len(_SCHEMA.answers),
            dropout_rate=0.3,
            concentration_min=0.02,
            concentration_max=100.02,
        )
        model = joined(encoder, head)
        compile_model(
            model,
            optimizer=keras.optimizers.SGD(LEARNING_RATE),
            loss=get_multiquestion_loss(_SCHEMA.question_index_groups),
        )
    n_galaxies = sum(BATCHES)
    shape = (n_galaxies, len(_SCHEMA.answers))
    votes = np.random.default_rng(0).integers(0, 5, shape).astype(np.float32)
    images = networks.drawn_images(n_galaxies, seed=1)
    ends = np.cumsum(BATCHES)[:-1]
    # Not from a generator: TensorFlow may write into arrays that Python gives it there.
    batches = map(
        tf.data.Dataset.from_tensors,
        zip(np.split(images, ends), np.split(votes, ends), strict=True),
    )
    dataset = in_parts(
        functools.reduce(tf.data.Dataset.concatenate, batches),
        n_replicas=strategy.num_replicas_in_sync,
    )
    before, seen = model.get_weights(), _Steps()
    history = model.fit(
        dataset,
        validation_data=dataset,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
        callbacks=[seen],
    ).history
    found = {name: np.array(values) for name, values in history.items()}
    for step, weights in enumerate([before, *seen.weights]):
        found |= {f"{step}/{i}": values for i, values in enumerate(weights)}
    return found


def member(folder: Path, shard: Path, n_devices: list[int]) -> dict[str, np.ndarray]:
    """A whole training, killed as many times as the number of devices changes."""
    for i, n_gpus in enumerate(n_devices):
        keep = fitting._Keeper.on_epoch_end

        def on_epoch_end(self, epoch, logs=None, *, last=i, keep=keep):
            keep(self, epoch, logs)
            if epoch == last:
                raise _Killed

        is_last = i == len(n_devices) - 1
        fitting._Keeper.on_epoch_end = keep if is_last else on_epoch_end
        try:
            train_member(
                [shard],
                val_shards=[shard],
                schema="gz_decals",
                member=0,
                model_folder=folder / "model",
                tensorboard_folder=folder / "tensorboard",
                checkpoint_folder=folder / "checkpoint",
                settings=networks.train_settings(**SETTINGS, n_gpus=n_gpus),
            )
        except _Killed:
            pass
        finally:
            fitting._Keeper.on_epoch_end = keep
    table = np.genfromtxt(folder / "model/history.csv", delimiter=",", names=True)
    return {name: table[name] for name in ("loss", "val_loss")}


def main(folder: Path, shard: Path) -> None:
    """Compare nothing: write it all down."""
    found = {}
    for n_devices in (1, 2):
        found |= {f"{n_devices}/{k}": v for k, v in steps(n_devices).items()}
    for name, n_devices in {"alone": [1], "changing": [N_DEVICES, 2]}.items():
        for key, values in member(folder / name, shard, n_devices).items():
            found[f"{name}/{key}"] = values
    np.savez(folder / "found.npz", **found)


if __name__ == "__main__":
    setattr(keras.applications, networks.SMALL, networks.small_efficientnet)
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * N_DEVICES,
    )
    main(*map(Path, sys.argv[1:]))
