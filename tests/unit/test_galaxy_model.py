"""Whole models: what they compute, and that files keep all of it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import networks
from zoobot.estimators import define_model, model_card
from zoobot.estimators.unnamed_schemas import is_unnamed, unnamed_schema
from zoobot.schemas import get_schema
from zoobot.training.fitting import TrainConfig, train_estimator
from zoobot.training.losses import MultiquestionLoss, get_multiquestion_loss

pytestmark = pytest.mark.usefixtures("small_network")

SCHEMA = get_schema("gz_decals")
N_ANSWERS = len(SCHEMA.label_cols)
IMAGES = np.random.default_rng(0).random((5, 40, 40, 1), dtype=np.float32)


def get_model(**changes) -> define_model.GalaxyModel:
    options = {
        "output_dim": N_ANSWERS,
        "input_size": 40,
        "crop_size": 30,
        "resize_size": 32,
        "architecture": networks.SMALL,
    }
    return define_model.get_model(**options | changes)


def features(model: define_model.GalaxyModel) -> np.ndarray:
    """What dropout has not touched."""
    return np.asarray(model.encoder(model.views(IMAGES)))


def compiled(**changes) -> define_model.GalaxyModel:
    model = get_model(**changes)
    loss = get_multiquestion_loss(SCHEMA.question_index_groups)
    model.compile(loss=loss, optimizer=keras.optimizers.Adam(0.01))
    return model


def votes(n_galaxies: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.integers(0, 20, (n_galaxies, N_ANSWERS)).astype(np.float32)


@pytest.fixture(scope="module")
def model(small_network) -> define_model.GalaxyModel:
    """One with a decision tree; not to be changed."""
    return get_model(schema=SCHEMA, seed=0)


def test_it_is_views_then_encoder_then_head(model):
    """Without dropout, concentrations are those of the stored head's formula."""
    head = define_model.head_arrays(model.head)
    x = features(model) @ head.kernel + head.bias
    without = get_model(dropout_rate=0.0)
    without.set_weights(model.get_weights())
    np.testing.assert_allclose(
        without(IMAGES), 0.02 + 100 / (1 + np.exp(-x)), rtol=1e-4
    )
    assert not np.array_equal(model(IMAGES), model(IMAGES)), "dropout is always on"


def test_same_seed_same_model(model):
    """Weights, dropout and views are all drawn from the seed."""
    first, second = (get_model(schema=SCHEMA, seed=1) for _ in range(2))
    np.testing.assert_array_equal(features(first), features(second))
    np.testing.assert_array_equal(
        first(IMAGES, training=True), second(IMAGES, training=True)
    )
    assert not np.array_equal(features(first), features(model))


def test_keras_own_file_is_loaded_in_safe_mode(tmp_path):
    """It is read without being told of any class, and trains on."""
    model = compiled(schema=SCHEMA)
    model.fit(IMAGES, votes(5), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(features(again), features(model))
    assert (again.schema, again.architecture) == (SCHEMA, networks.SMALL)
    assert isinstance(again.loss, MultiquestionLoss)
    expected = again.evaluate(IMAGES, votes(5), verbose=0)
    assert again.fit(IMAGES, votes(5), verbose=0).history["loss"][0] < 1.5 * expected


@pytest.mark.parametrize("name", ["folder", "weights/file.weights.h5"])
def test_weights_go_through_a_file(tmp_path, model, name):
    """A folder or Keras' own file, named as Keras wants it."""
    model.save_weights(tmp_path / name)
    again = get_model(weights_loc=tmp_path / name)
    np.testing.assert_array_equal(features(again), features(model))
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)  # the head's are rescaled
    if name == "folder":
        assert again.schema == SCHEMA
        whole = define_model.load_galaxy_model(tmp_path / name)
        np.testing.assert_array_equal(features(whole), features(model))
        card = model_card.load_card(tmp_path / name)
        assert (card.image_size_px, card.crop_size_px, card.input_size_px) == (
            40,
            30,
            32,
        )
        assert card.shift_max_px == 5.0


def test_what_is_not_said_is_taken_over(tmp_path):
    """Channels, dropout and the range of the concentrations, of a stored model."""
    special = get_model(
        schema=SCHEMA, channels=3, dropout_rate=0.5, concentration_max=30.0
    )
    special.save_weights(tmp_path)
    again = define_model.get_model(
        output_dim=N_ANSWERS,
        input_size=40,
        crop_size=30,
        resize_size=32,
        weights_loc=tmp_path,
    )
    assert again.input_shape == (None, 40, 40, 3)
    assert again.architecture == networks.SMALL
    assert again.head.get_layer("dropout").rate == 0.5
    assert again.head.get_layer("concentrations").high == 30.0


def test_without_a_top(tmp_path, model):
    """The map before the mean, and the mean of it, to finetune or to keep."""
    model.save_weights(tmp_path)
    options = {"include_top": False, "output_dim": None, "weights_loc": tmp_path}
    whole_map = np.asarray(get_model(**options)(IMAGES))
    assert whole_map.shape == (5, 15, 15, networks.N_FEATURES)
    mean = np.asarray(get_model(**options, pooling="avg")(IMAGES))
    np.testing.assert_allclose(mean, whole_map.mean((1, 2)), atol=1e-5)
    np.testing.assert_array_equal(mean, features(model))
    new_top = keras.Sequential([keras.layers.GlobalAveragePooling2D()])
    both = keras.Sequential([get_model(**options), new_top])
    np.testing.assert_allclose(both.predict(IMAGES, verbose=0), mean, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_size": 44}, "input_size: found a model with 40, expected 44"),
        ({"crop_size": 32}, "crop_size: found a model with 30, expected 32"),
        ({"resize_size": 40}, "resize_size: found a model with 32, expected 40"),
        ({"channels": 3}, "channels: found a model with 1, expected 3"),
        ({"output_dim": 2}, "output_dim: found a model with 34, expected 2"),
        (
            {"output_dim": 30, "schema": get_schema("gz2")},
            "output_dim: found a model with 34, expected 30",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, model, changes, message):
    """Else galaxies would be seen at another scale."""
    model.save_weights(tmp_path)
    with pytest.raises(ValueError, match=message):
        get_model(weights_loc=tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop_size": 41}, "crop_size: found 41, expected more than 0, and at most"),
        ({"crop_size": 0}, "crop_size: found 0"),
        ({"shift_max": 5.5}, r"shift_max: found 5.5, expected 0 to 5.0"),
        ({"output_dim": None}, "output_dim: found None, expected the number of"),
        ({"schema": SCHEMA, "output_dim": 3}, "output_dim: found 3, expected 34"),
        ({"architecture": "VGG16"}, "architecture: found 'VGG16', expected one of"),
        ({"use_imagenet_weights": True}, "found True with channels 1, expected 3"),
        ({"weights_loc": "nowhere"}, "nowhere: expected a model folder, .* nothing"),
    ],
)
def test_bad_options_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        get_model(**changes)


def test_weights_of_photographs(monkeypatch):
    """0-1 through the encoder is 0-255 through the original, normalised inside."""
    built = []

    def with_weights(*, weights, input_shape, **options):
        layers = keras.layers
        inputs = keras.Input(input_shape)
        x = layers.Rescaling(1 / 255, name="rescaling")(inputs)
        x = layers.Normalization(axis=3, name="normalization")(x)
        if weights == "imagenet":
            scale = [1 / np.sqrt(one) for one in (0.229, 0.224, 0.225)]
            x = layers.Rescaling(scale, name="rescaling_1")(x)
        x = layers.Conv2D(8, 3, name="stem_conv")(x)
        x = layers.BatchNormalization(name="stem_bn")(x)
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        model = keras.Model(inputs, x)
        statistics = [np.float32([0.485, 0.456, 0.406]), np.float32([0.3, 0.2, 0.1])]
        values = [*statistics, np.int32(0)]
        model.get_layer("normalization").load_own_variables(
            {str(i): value for i, value in enumerate(values)}
        )
        built.append(model)
        return model

    monkeypatch.setattr(keras.applications, networks.SMALL, with_weights)
    encoder = define_model.get_encoder(
        networks.SMALL, input_size=32, channels=3, use_imagenet_weights=True
    )
    images = np.random.default_rng(2).random((4, 32, 32, 3), dtype=np.float32)
    expected = built[0](255 * images)
    np.testing.assert_allclose(encoder(images), expected, rtol=1e-4, atol=1e-5)


def test_a_tree_without_words():
    """Its shape is that of the loss; it is told from one with words."""
    shape = unnamed_schema(SCHEMA.question_index_groups)
    assert shape.question_index_groups == SCHEMA.question_index_groups
    assert is_unnamed(shape)
    assert not is_unnamed(SCHEMA)


def test_train_estimator_keeps_the_best_weights(tmp_path):
    """In the model, and as a model folder; without a tree, with its shape."""
    model = compiled(seed=0)
    batches = tf.data.Dataset.from_tensor_slices((IMAGES, votes(5))).batch(5)
    config = TrainConfig(log_dir=tmp_path, epochs=3, patience=3)
    history = train_estimator(model, config, batches, batches).history
    card = model_card.load_card(tmp_path)
    assert is_unnamed(card.schema)
    assert card.best_epoch == 1 + int(np.argmin(history["val_loss"]))
    assert card.val_loss == min(history["val_loss"])
    again = get_model(schema=SCHEMA, weights_loc=tmp_path)
    assert again.schema == SCHEMA
    np.testing.assert_array_equal(features(again), features(model))


def test_train_estimator_of_another_model(tmp_path):
    """One with a head of one's own is kept as Keras' file of weights."""
    base = get_model(include_top=False, pooling="avg", output_dim=None)
    model = keras.Sequential([base, keras.layers.Dense(1, activation="sigmoid")])
    model.build((None, 40, 40, 1))
    model.compile(loss="binary_crossentropy", optimizer="adam", jit_compile=False)
    labels = np.float32([[0], [1], [0], [1], [1]])
    batches = tf.data.Dataset.from_tensor_slices((IMAGES, labels)).batch(5)
    config = TrainConfig(log_dir=tmp_path, epochs=2, patience=3)
    train_estimator(model, config, batches, batches)
    expected = model.predict(IMAGES, verbose=0)
    model.set_weights([0 * weight for weight in model.get_weights()])
    model.load_weights(tmp_path / "best.weights.h5")
    np.testing.assert_array_equal(model.predict(IMAGES, verbose=0), expected)


def test_a_folder_needs_to_know_the_questions(tmp_path):
    with pytest.raises(ValueError, match="nothing says which answers belong to which"):
        get_model().save_weights(tmp_path / "folder")
    with pytest.raises(ValueError, match="without its own head"):
        get_model(include_top=False).save_weights(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()
