"""Training a member: batches, learning rate, and the folder that it writes."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy.special import expit
from tensorflow.python.framework import op_def_registry

from tests import galaxies, networks
from zoobot.data_utils.image_datasets import get_image_dataset
from zoobot.data_utils.images import load_image
from zoobot.dirichlet_multinomial import fit_constant_concentrations, log_likelihood
from zoobot.estimators import define_model
from zoobot.estimators.augmentation import center_view
from zoobot.estimators.model_card import load_card, load_head
from zoobot.schemas import get_schema
from zoobot.training import train

SCHEMA = get_schema("gz_decals")
FIRST = SCHEMA.label_cols[0]
JUMPY = {"dropout_rate": 0.0, "learning_rate": 0.2, "seed": 0}


def train_small(folder: Path, shard: Path, *, member: int = 0, **changes) -> Path:
    """Train the small network on a shard; the same galaxies choose the epoch."""
    train.train_member(
        [shard],
        val_shards=[shard],
        schema="gz_decals",
        member=member,
        model_folder=folder / "model",
        tensorboard_folder=folder / "tensorboard",
        settings=networks.train_settings(**changes),
    )
    return folder / "model"


@pytest.fixture(scope="module")
def numbered(tmp_path_factory, write_shard) -> tuple[pd.DataFrame, Path]:
    """25 galaxies whose number stands in the first column of votes, and their shard."""
    folder = tmp_path_factory.mktemp("numbered")
    table = galaxies.write_galaxies(folder, n_galaxies=25)
    table[FIRST] = np.arange(25)
    return table, write_shard(table)


def epochs_of(shard: Path, *, seed: int = 0, **changes) -> tuple[np.ndarray, list[int]]:
    """Numbers of the galaxies, (n_epochs, n_galaxies), and the sizes of the batches."""
    settings = networks.train_settings(batch_size=8, **changes)
    batches = list(
        train.training_batches([shard], [FIRST], settings=settings, seed=seed)
    )
    numbers = np.concatenate([labels[:, 0] for _, labels in batches]).astype(int)
    return numbers.reshape(settings.epochs, -1), [len(images) for images, _ in batches]


def test_every_galaxy_once_an_epoch(numbered):
    """In an order of its own each time; the last batch of an epoch is not full."""
    order, sizes = epochs_of(numbered[1])
    assert sizes == [8, 8, 8, 1] * 3
    for epoch in order:
        assert sorted(epoch) == list(range(25))
    assert len({tuple(epoch) for epoch in order}) == 3
    assert tuple(range(25)) not in {tuple(epoch) for epoch in order}


def test_training_order_is_seeded(numbered):
    """The same seed, the same order; another, another."""
    np.testing.assert_array_equal(epochs_of(numbered[1])[0], epochs_of(numbered[1])[0])
    assert np.any(epochs_of(numbered[1])[0] != epochs_of(numbered[1], seed=1)[0])


def test_first_epochs_can_be_left_out(numbered):
    """The others are as they would be after them: images and votes."""
    settings = networks.train_settings(batch_size=8, shift_max_px=2.0)

    def batches(first_epoch: int) -> list:
        return list(
            train.training_batches(
                [numbered[1]],
                [FIRST],
                settings=settings,
                seed=3,
                first_epoch=first_epoch,
            )
        )

    everything = batches(0)
    for first_epoch in (1, 2, 3):
        rest = batches(first_epoch)
        assert len(rest) == 4 * (3 - first_epoch)
        for found, expected in zip(rest, everything[4 * first_epoch :], strict=True):
            np.testing.assert_array_equal(found[0], expected[0])
            np.testing.assert_array_equal(found[1], expected[1])


def test_no_operation_of_the_batches_keeps_a_state(numbered):
    """One that did would make deterministic reading serial, and twice as slow."""
    settings = networks.train_settings()
    in_training = train.training_batches(
        [numbered[1]], [FIRST], settings=settings, seed=3
    )
    in_validation = train.validation_batches([numbered[1]], [FIRST], settings=settings)
    paths = list(numbered[0]["file_loc"])
    from_files = get_image_dataset(paths, requested_img_size=32, batch_size=8)
    for dataset in (in_training, in_validation, from_files):
        graph = tf.compat.v1.GraphDef()
        graph.ParseFromString(dataset._as_serialized_graph().numpy())
        kept = {
            node.op
            for function in graph.library.function
            for node in function.node_def
            if op_def_registry.get(node.op).is_stateful
        }
        # Sources of data, a check that ends in an error, and what holds that check.
        assert kept <= {
            *("RangeDataset", "TensorSliceDataset", "TFRecordDataset"),
            *("TFRecordDatasetV2", "Assert", "If"),
        }


def test_each_epoch_has_its_own_views(numbered):
    """A galaxy's view differs between epochs and repeats with the seed."""
    settings = networks.train_settings(epochs=2, batch_size=25)

    def views() -> list[np.ndarray]:
        batches = train.training_batches(
            [numbered[1]], [FIRST], settings=settings, seed=3
        )
        return [
            images.numpy()[np.argsort(labels[:, 0])].copy()
            for images, labels in batches
        ]

    first, second = views()
    assert first.shape == (25, 32, 32, 1)
    assert first.dtype == np.float32
    # Turned noise differs by 6 grey levels of 255 and more, also on a round galaxy.
    assert np.all(np.abs(first - second).max(axis=(1, 2, 3)) > 6 / 255)
    np.testing.assert_array_equal(views()[0], first)


def test_validation_batches(numbered):
    """Central views in the shard's order; how many batches there are is known."""
    table, shard = numbered
    settings = networks.train_settings(batch_size=8, crop_size_px=24, input_size_px=16)
    dataset = train.validation_batches([shard], [FIRST], settings=settings)
    assert dataset.cardinality() == 4
    images, labels = (np.concatenate(part) for part in zip(*dataset, strict=True))
    np.testing.assert_array_equal(labels[:, 0], np.arange(25))
    pixels = np.stack([load_image(path, size_px=32) for path in table["file_loc"]])
    grey = tf.constant(pixels.mean(-1, keepdims=True) / 255, tf.float32)
    expected = center_view(grey, crop_size=24, input_size=16)
    # The mean over bands, in float32 or not.
    np.testing.assert_allclose(images, expected, rtol=0, atol=1e-6)


def rates(*, n_steps: int = 100, **changes) -> np.ndarray:
    """Learning rate at each step, 10 steps an epoch."""
    settings = networks.train_settings(epochs=10, learning_rate=0.5, **changes)
    rate = train.get_optimizer(settings, steps_per_epoch=10)._learning_rate
    if not callable(rate):
        return np.full(n_steps, float(rate))
    return np.array([float(rate(step)) for step in range(n_steps)])


def test_learning_rate_by_hand():
    """Constant, rising from 0, falling as a cosine to 0 at the last epoch's end."""
    # float32 of numbers up to 0.5.
    exact = {"rtol": 0, "atol": 1e-6}
    rise = 0.5 * np.arange(20) / 20
    fall = 0.25 * (1 + np.cos(np.pi * np.arange(80) / 80))
    np.testing.assert_allclose(rates(), 0.5, **exact)
    np.testing.assert_allclose(
        rates(warmup_epochs=2.0), np.concatenate([rise, np.full(80, 0.5)]), **exact
    )
    np.testing.assert_allclose(
        rates(warmup_epochs=2.0, schedule="cosine"),
        np.concatenate([rise, fall]),
        **exact,
    )
    np.testing.assert_allclose(
        rates(schedule="cosine"),
        0.25 * (1 + np.cos(np.pi * np.arange(100) / 100)),
        **exact,
    )
    assert np.all(np.isfinite(rates(warmup_epochs=20.0, schedule="cosine")))


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_weight_decay_leaves_out_biases_and_normalisation(optimizer):
    """Without a gradient only kernels shrink, by learning rate times decay."""
    settings = networks.train_settings(
        optimizer=optimizer, learning_rate=0.1, weight_decay=0.5
    )
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.DepthwiseConv2D(3),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )
    before = [v.numpy() + 1 for v in model.trainable_variables]
    for variable, value in zip(model.trainable_variables, before, strict=True):
        variable.assign(value)
    optimizer = train.get_optimizer(settings, steps_per_epoch=1)
    optimizer.apply([tf.zeros_like(v) for v in before], model.trainable_variables)
    shrunk = 0
    for variable, old in zip(model.trainable_variables, before, strict=True):
        decays = variable.name == "kernel" and settings.optimizer == "adamw"
        shrunk += decays
        np.testing.assert_allclose(
            variable, old * (0.95 if decays else 1), rtol=1e-6, atol=0
        )
    assert shrunk == (2 if settings.optimizer == "adamw" else 0)


def test_folder_is_complete(trained):
    """Encoder, head, card and history, and nothing that runs code on loading."""
    names = sorted(path.name for path in trained.iterdir())
    assert names == ["card.json", "encoder.keras", "head.npz", "history.csv"]
    for name in ("encoder.keras", "head.npz"):
        with zipfile.ZipFile(trained / name) as file:
            assert not [inner for inner in file.namelist() if inner.endswith("pkl")]
    assert list((trained.parent / "tensorboard").rglob("events*"))


def test_card_says_what_was_done(trained):
    """Sizes, counts, best epoch and digest are those of the run and its files."""
    card = load_card(trained)
    encoder, head = define_model.load_encoder(trained), load_head(trained)
    assert card.schema == SCHEMA
    assert (card.member, card.seed, card.n_train) == (1, 43, 24)
    assert (card.image_size_px, card.input_size_px, card.channels) == (32, 32, 1)
    assert card.n_features == encoder.output_shape[-1] == 1280
    assert card.weights_digest == define_model.weights_digest(encoder, head)
    losses = [float(row["val_loss"]) for row in history_of(trained)]
    assert card.val_loss == pytest.approx(min(losses), rel=1e-6)
    assert card.best_epoch == 1 + int(np.argmin(losses))
    versions = json.loads((trained / "card.json").read_text())["versions"]
    assert versions["keras"] == keras.__version__


def history_of(folder: Path) -> list[dict[str, str]]:
    """Rows of the history."""
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def test_loss_falls_on_planted_galaxies(trained, planted):
    """Clearly below the best prediction that is the same for all galaxies."""
    votes = planted[SCHEMA.label_cols].to_numpy()
    constant = fit_constant_concentrations(votes, schema=SCHEMA)
    blind = -log_likelihood(votes, concentrations=constant, schema=SCHEMA).sum(1).mean()
    losses = [float(row["loss"]) for row in history_of(trained)]
    assert losses[-1] < losses[0]
    assert losses[-1] < 0.9 * blind


@pytest.fixture(scope="module")
def small_model(tmp_path_factory, planted_shard, small_network) -> Path:
    """A small network trained at a rate that makes the loss jump, without dropout."""
    return train_small(tmp_path_factory.mktemp("small"), planted_shard, **JUMPY)


def test_stored_model_is_that_of_the_best_epoch(small_model, planted_shard):
    """Its files alone, without dropout, give the validation loss of the card."""
    val = train.validation_batches(
        [planted_shard], SCHEMA.label_cols, settings=networks.train_settings()
    )
    images, votes = (np.concatenate(part) for part in zip(*val, strict=True))
    features = define_model.load_encoder(small_model)(images, training=False).numpy()
    head = load_head(small_model)
    concentrations = 0.02 + 100 * expit(
        features.astype(float) @ head.kernel + head.bias
    )
    losses = -log_likelihood(votes, concentrations=concentrations, schema=SCHEMA)
    # Float32 on the one side, double precision on the other.
    assert losses.sum(axis=1).mean() == pytest.approx(
        load_card(small_model).val_loss, rel=0, abs=1e-4
    )


def test_seed_decides(small_model, tmp_path, planted_shard, small_network):
    """The same seed, here 0, gives the same weights, bit for bit, and the same card."""
    again = train_small(tmp_path, planted_shard, **JUMPY)
    assert load_card(again) == load_card(small_model)


def test_head_starts_at_the_constant_prediction(planted, small_network):
    """Before it has learnt anything the model says what is best for all galaxies."""
    votes = planted[SCHEMA.label_cols].to_numpy()
    _, head, _ = train.get_networks(
        networks.train_settings(), schema=SCHEMA, votes=votes
    )
    bias = define_model.head_arrays(head).bias.astype(float)
    # Ends of the range are left free, as a logit there would not move any more.
    expected = np.clip(fit_constant_concentrations(votes, schema=SCHEMA), 0.12, 99.92)
    # float32 logits up to 7.
    np.testing.assert_allclose(0.02 + 100 * expit(bias), expected, rtol=1e-5, atol=1e-4)
