"""What all tests share: a quiet TensorFlow, small networks, and drawn galaxies."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# Before the first import of TensorFlow or Matplotlib, which read them only then.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

import pandas as pd
import pytest

import zoobot
from tests import galaxies
from zoobot.settings.catalog import WriteShards

if TYPE_CHECKING:
    import keras

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_sessionstart() -> None:
    """Refuse to test another zoobot, such as an installed release."""
    found = Path(zoobot.__file__).resolve()
    assert found.is_relative_to(REPOSITORY), (
        f"zoobot: found {found}, expected the package of {REPOSITORY}"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow tests, so that no process ends long after the others."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo what a program's start of logging does to the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """24 galaxies of known votes, of three kinds in turn, their images written."""
    folder = tmp_path_factory.mktemp("planted")
    return galaxies.write_galaxies(folder, n_galaxies=24)


@pytest.fixture(scope="session")
def write_shard(tmp_path_factory: pytest.TempPathFactory) -> Callable:
    """A function that writes a catalogue as a raw shard of 32 px and gives its path."""
    from zoobot.data_utils import shard_writer

    def write(table: pd.DataFrame) -> Path:
        folder = tmp_path_factory.mktemp("shard")
        table.to_parquet(folder / "galaxies.parquet", index=False)
        shard_writer.write_shard(
            folder / "galaxies.parquet",
            shard=folder / "galaxies.tfrecord",
            settings=WriteShards(image_size_px=32, encoding="raw", jpeg_quality=95),
            threads=2,
        )
        return folder / "galaxies.tfrecord"

    return write


@pytest.fixture(scope="session")
def planted_shard(planted: pd.DataFrame, write_shard: Callable) -> Path:
    """The planted galaxies as a shard."""
    return write_shard(planted)


@pytest.fixture(scope="session")
def small_network() -> Iterator[None]:
    """One more name in keras.applications, of a network that is fast."""
    import keras

    from tests import networks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            keras.applications,
            networks.SMALL,
            networks.small_efficientnet,
            raising=False,
        )
        yield


@pytest.fixture(scope="session")
def efficientnet() -> keras.Model:
    """EfficientNetB0 whose normalisation has seen galaxies, so that features differ.

    Untrained averages shrink features to 1e-7, where any two images look alike. Built
    once: its weights must stay as they are.
    """
    import keras

    from tests import networks
    from zoobot.estimators import define_model

    keras.utils.set_random_seed(0)
    model = define_model.get_encoder(
        "EfficientNetB0",
        input_size=32,
        channels=1,
        drop_connect_rate=0.1,
        batch_norm_momentum=0.1,
    )
    for seed in (1, 2):
        model(networks.drawn_images(12, seed=seed), training=True)
    return model


@pytest.fixture(scope="session")
def trained(planted_shard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model folder of an EfficientNetB0 after a short training on planted galaxies."""
    from tests import networks
    from zoobot.training.train import train_member

    folder = tmp_path_factory.mktemp("trained")
    train_member(
        [planted_shard],
        val_shards=[planted_shard],
        schema="gz_decals",
        member=1,
        model_folder=folder / "model",
        tensorboard_folder=folder / "tensorboard",
        settings=networks.train_settings(architecture="EfficientNetB0", epochs=10),
    )
    return folder / "model"
