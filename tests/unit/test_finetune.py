"""Finetuning: balance, prior, which layers train, and what is kept."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from tests import networks
from tests.galaxies import kind_of
from zoobot.data_utils.tasks import Task
from zoobot.estimators import define_model
from zoobot.estimators.finetuning_head import get_finetuning_head
from zoobot.settings.finetuning import Finetune
from zoobot.training import class_balance, finetune, finetune_views
from zoobot.training.finetune import Labelled
from zoobot.training.keep_best import fit_keeping_best

RING = Task("binary", "ring")

CARD = networks.model_card()


@pytest.mark.parametrize(
    ("n_no", "n_yes"), [(1, 1), (10, 3), (3, 10), (7, 7), (100, 1)]
)
def test_balance(n_no, n_yes):
    """Both classes alike, every galaxy at least once and none much more than others."""
    labels = np.repeat([0, 1], [n_no, n_yes])
    rows = class_balance.balance(labels, rng=np.random.default_rng(0))
    most = max(n_no, n_yes)
    assert len(rows) == 2 * most
    np.testing.assert_array_equal(np.bincount(labels[rows]), [most, most])
    counts = np.bincount(rows, minlength=len(labels))
    for label in (0, 1):
        of_class = counts[labels == label]
        assert of_class.min() >= 1
        assert of_class.max() - of_class.min() <= 1


def test_balance_is_shuffled_and_seeded():
    """The order is random and repeats with the seed."""
    labels = np.repeat([0, 1], [50, 20])
    first, again, other = (
        class_balance.balance(labels, rng=np.random.default_rng(seed))
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)
    assert len(np.unique(labels[first][:20])) == 2


@pytest.mark.parametrize("label", [0, 1])
def test_balance_of_one_class(label):
    """Without one of the classes there is nothing to tell apart."""
    with pytest.raises(
        ValueError, match=rf"labels: found only \[{label}\], expected each of 0 to 1"
    ):
        class_balance.balance(np.full(5, label), rng=np.random.default_rng(0))


def binary_head(
    n_features: int = 4, *, scale: float = 1.0, undecided: bool = False
) -> keras.Model:
    """A new head on features around 0; undecided says 0.5 to all."""
    keras.utils.set_random_seed(1)
    head = get_finetuning_head(
        RING,
        n_features=n_features,
        hidden_units=8,
        dropout_rate=0.2,
        mean=np.zeros(n_features),
        variance=np.full(n_features, scale**2),
        start_at=np.array([0.5]),
    )
    if undecided:
        head.layers[-1].set_weights([np.zeros((8, 1)), np.zeros(1)])
    return head


@pytest.mark.parametrize(("n_no", "n_yes"), [(90, 10), (5, 5), (1, 3)])
def test_correct_prior_is_the_theorem_of_bayes(n_no, n_yes):
    """From equal classes, p = P(x|1) / (P(x|1) + P(x|0)), to their real frequencies."""
    head = binary_head()
    x = np.random.default_rng(0).normal(0, 3, size=(50, 4)).astype(np.float32)
    balanced = head.predict(x, verbose=0)[:, 0].astype(float)
    class_balance.correct_prior(head, labels=np.repeat([0, 1], [n_no, n_yes]))
    prior = n_yes / (n_no + n_yes)
    expected = balanced * prior / (balanced * prior + (1 - balanced) * (1 - prior))
    # float32 probabilities.
    np.testing.assert_allclose(
        head.predict(x, verbose=0)[:, 0], expected, rtol=0, atol=1e-6
    )


def test_correct_prior_on_simulated_classes():
    """A tenth are rings: after the correction the mean probability is a tenth."""
    rng = np.random.default_rng(0)
    labels = (rng.random(3000) < 0.1).astype(int)
    x = (rng.normal(size=(3000, 4)) + labels[:, None]).astype(np.float32)
    head = head_of(
        {"train": (x, labels), "val": (x[:300], labels[:300])},
        settings=networks.finetune_settings(epochs=3, batch_size=128),
    )
    assert head.predict(x, verbose=0).mean() > 0.2
    class_balance.correct_prior(head, labels=labels)
    assert head.predict(x, verbose=0).mean() == pytest.approx(0.1, rel=0, abs=0.04)


def head_of(galaxies: dict, *, settings: Finetune) -> keras.Model:
    """Stage 1 of (representations, labels) of each part."""
    parts = {
        part: Labelled(labels.astype(np.float32), x)
        for part, (x, labels) in galaxies.items()
    }
    return finetune.train_head(parts, task=RING, card=CARD, settings=settings)


def trainable_layers(encoder: keras.Model) -> set[str]:
    """Names of the layers that have weights to train."""
    return {layer.name for layer in encoder.layers if layer.trainable_variables}


def blocks_of(names: set[str]) -> set[str]:
    """Blocks 1 to 7, stem and top, of which a layer trains."""
    return {name[:6] if name.startswith("block") else name[:4] for name in names}


@pytest.mark.parametrize(
    ("which", "n_blocks", "expected"),
    [
        ("none", 1, set()),
        ("some", 1, {"top_", "block7"}),
        ("some", 3, {"top_", "block5", "block6", "block7"}),
        ("some", 7, {"top_", *(f"block{i}" for i in range(1, 8))}),
        ("all", 1, {"stem", "top_", *(f"block{i}" for i in range(1, 8))}),
    ],
)
def test_unfreeze(efficientnet, which, n_blocks, expected):
    """The last blocks and what follows; batch normalisation never."""
    finetune.unfreeze(efficientnet, which=which, n_blocks=n_blocks)
    try:
        names = trainable_layers(efficientnet)
        assert blocks_of(names) == expected
        assert not [name for name in names if "bn" in name]
    finally:
        for layer in efficientnet.layers:
            layer.trainable = True


def test_unfreeze_a_network_of_fewer_blocks(small_network):
    """One block is the last there is, whatever its number."""
    encoder = define_model.get_encoder(networks.SMALL, input_size=32, channels=1)
    finetune.unfreeze(encoder, which="some", n_blocks=1)
    assert trainable_layers(encoder) == {"block2a_expand_conv", "top_conv"}


def clusters(n: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two clusters 3 standard deviations apart in 10 dimensions, a fifth in one."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.2).astype(int)
    x = rng.normal(size=(n, 10)) + 1.5 * labels[:, None] * (np.arange(10) < 4)
    return (1e-3 * x + 5e-3).astype(np.float32), labels


@pytest.mark.parametrize("balance", ["repeats", "weights", "none"])
def test_stage_1_separates_planted_clusters(balance):
    """The best possible area under the curve is 0.983, for a distance of 3."""
    (x, labels), (x_val, labels_val) = clusters(300, seed=0), clusters(100, seed=1)
    head = head_of(
        {"train": (x, labels), "val": (x_val, labels_val)},
        settings=networks.finetune_settings(balance=balance),
    )
    x_test, labels_test = clusters(500, seed=2)
    probability = head.predict(x_test, verbose=0)[:, 0]
    assert roc_auc_score(labels_test, probability) > 0.95


def fit(
    head: keras.Model,
    *,
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    batch_size: int = 25,
    epochs: int = 3,
    learning_rate: float = 0.1,
) -> None:
    """Fit a binary head to features and labels."""
    fit_keeping_best(
        head,
        tf.data.Dataset.from_tensor_slices(train).batch(batch_size),
        val=tf.data.Dataset.from_tensor_slices(val).batch(batch_size),
        loss="binary_crossentropy",
        epochs=epochs,
        patience=epochs,
        learning_rate=learning_rate,
        n_galaxies=len(train[0]),
    )


def test_fit_keeps_the_first_weights_if_training_harms():
    """What validation contradicts is not kept."""
    x, labels = clusters(100, seed=0)
    y = labels[:, None].astype(np.float32)
    head = binary_head(10, undecided=True)
    before = [w.copy() for w in head.get_weights()]
    fit(head, train=(x * 1000, y), val=(x * 1000, 1 - y))
    for old, new in zip(before, head.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_fit_keeps_the_best_epoch():
    """A learning rate that is too high passes by good weights: they are kept."""
    x, labels = clusters(100, seed=0)
    y = labels[:, None].astype(np.float32)
    head = binary_head(10)
    losses = []

    class Record(keras.callbacks.Callback):
        """What the fit sees."""

        def on_epoch_end(self, epoch, logs=None):
            losses.append(logs["val_loss"])

    original = keras.Model.fit

    def recorded(self, *args, callbacks, **kwargs):
        return original(self, *args, callbacks=[*callbacks, Record()], **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "fit", recorded)
        same = (x * 1000, y)
        fit(head, train=same, val=same, batch_size=10, epochs=6, learning_rate=0.3)
    assert len(losses) == 6
    found = head.evaluate(x * 1000, y, verbose=0)
    assert found == pytest.approx(min(losses), rel=1e-5)


@pytest.fixture
def ring_galaxies(planted) -> dict[str, Labelled]:
    """Planted galaxies with a label: is it a ring."""
    labels = (kind_of(planted["id_str"]) == "ring").astype(np.float32)
    every = Labelled(labels, np.empty((24, 0)), list(planted["file_loc"]))
    return {"train": every, "val": every}


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("some", {"block2a_expand_conv", "top_conv"}),
        (
            "all",
            {"stem_conv", "block1a_expand_conv", "block2a_expand_conv", "top_conv"},
        ),
    ],
)
def test_stage_2_trains_what_is_unfrozen_and_the_head(
    small_network, ring_galaxies, which, expected
):
    """Exactly those layers change, among them never batch normalisation."""
    keras.utils.set_random_seed(0)
    encoder = define_model.get_encoder(
        networks.SMALL, input_size=32, channels=1, batch_norm_momentum=0.1
    )
    encoder(networks.drawn_images(12, seed=0), training=True)
    head = binary_head(networks.N_FEATURES, scale=0.01, undecided=True)
    before = {layer.name: layer.get_weights() for layer in encoder.layers}
    head_before = head.get_layer("hidden_1").get_weights()
    finetune.train_encoder(
        encoder,
        head=head,
        galaxies=ring_galaxies,
        task=RING,
        card=CARD,
        settings=networks.finetune_settings(
            unfreeze=which, unfreeze_learning_rate=0.01
        ),
    )
    changed = {
        layer.name
        for layer in encoder.layers
        for old, new in zip(before[layer.name], layer.get_weights(), strict=True)
        if not np.array_equal(old, new)
    }
    assert changed == expected
    for old, new in zip(
        head_before, head.get_layer("hidden_1").get_weights(), strict=True
    ):
        assert np.any(old != new)


def test_views_of_stage_2(ring_galaxies):
    """Copies of a galaxy within an epoch differ; validation sees the centre, twice."""
    galaxies = ring_galaxies["val"]
    settings = networks.finetune_settings(batch_size=3)
    views = finetune_views.random_views(
        [galaxies.file_loc[0]] * 5,
        targets=[np.arange(5.0), np.arange(10).reshape(5, 2)],
        card=CARD,
        settings=settings,
    )
    batches = list(views)
    images = np.concatenate([images for images, *_ in batches])
    assert [len(one) for _, one, _ in batches] == [3, 2] * settings.unfreeze_epochs
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)
    for first, (_, one, two) in zip([0, 3] * 2, batches, strict=True):
        np.testing.assert_array_equal(one, np.arange(first, first + len(one)))
        np.testing.assert_array_equal(two[:, 1], 2 * np.asarray(one) + 1)
    val = finetune_views.central_views_of(
        galaxies.file_loc,
        targets=[galaxies.targets],
        card=dataclasses.replace(CARD, input_size_px=16),
        batch_size=10,
    )
    assert val.cardinality() == 3
    first, second = (np.concatenate([x for x, *_ in val]) for _ in range(2))
    assert first.shape == (24, 16, 16, 1)
    np.testing.assert_array_equal(first, second)
    labels = np.concatenate([labels for _, labels in val])
    np.testing.assert_array_equal(labels, galaxies.targets)


@pytest.mark.parametrize("n_of_classes", [(10, 3), (3, 10, 40), (7, 7)])
def test_weights_make_classes_count_the_same(n_of_classes):
    """Each class has the same sum, and the mean is 1."""
    labels = np.repeat(np.arange(len(n_of_classes)), n_of_classes)
    weights = class_balance.balancing_weights(labels)
    assert weights.mean() == pytest.approx(1, rel=1e-6)
    sums = np.bincount(labels, weights)
    np.testing.assert_allclose(sums, sums[0], rtol=1e-6)


def test_correct_prior_of_three_classes_is_the_theorem_of_bayes():
    """From P(x|k) / sum P(x|j) to P(x|k) n_k / sum P(x|j) n_j."""
    task = Task("classes", "kind", classes=("a", "b", "c"))
    keras.utils.set_random_seed(1)
    head = get_finetuning_head(
        task,
        n_features=4,
        hidden_units=8,
        dropout_rate=0.2,
        mean=np.zeros(4),
        variance=np.ones(4),
        start_at=np.full(3, 1 / 3),
    )
    x = np.random.default_rng(0).normal(0, 3, size=(50, 4)).astype(np.float32)
    balanced = head.predict(x, verbose=0).astype(float)
    counts = np.array([70, 10, 20])
    labels = np.repeat(np.arange(3), counts)
    class_balance.correct_prior(head, labels=labels, n_classes=3)
    expected = balanced * counts
    expected /= expected.sum(axis=1, keepdims=True)
    # float32 probabilities.
    np.testing.assert_allclose(head.predict(x, verbose=0), expected, rtol=0, atol=1e-6)


def test_nan_ends_stage_1():
    """The error says where, and what to change; the head stays as it was.

    The hidden layers turn NaN into 0, so that the loss stays a number.
    """
    x, labels = clusters(100, seed=0)
    y = labels[:, None].astype(np.float32)
    bad = x * 1000
    bad[60] = np.nan
    head = binary_head(10)
    before = head.get_weights()
    with pytest.raises(
        FloatingPointError,
        match=r"^finetuning: epoch 1 of 3, .*(loss is nan|weights are NaN).*; nothing "
        r"is written.*try a lower learning_rate$",
    ):
        fit(head, train=(bad, y), val=(x * 1000, y))
    for old, new in zip(before, head.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_representations_that_are_no_numbers():
    """They are at fault, not the learning rate."""
    x, labels = clusters(100, seed=0)
    bad = x.copy()
    bad[7, 3] = np.inf
    with pytest.raises(
        FloatingPointError, match=r"infinite numbers in 1 of 100 galaxies of 'val'"
    ):
        head_of(
            {"train": (x, labels), "val": (bad, labels)},
            settings=networks.finetune_settings(),
        )


def test_nan_in_stage_2_names_its_learning_rate(small_network, ring_galaxies):
    """Both stages have one."""
    encoder = define_model.get_encoder(networks.SMALL, input_size=32, channels=1)
    with pytest.raises(
        FloatingPointError,
        match=r"loss is (nan|inf); .*try a lower unfreeze_learning_rate$",
    ):
        finetune.train_encoder(
            encoder,
            head=binary_head(networks.N_FEATURES, scale=0.01),
            galaxies=ring_galaxies,
            task=RING,
            card=CARD,
            settings=networks.finetune_settings(unfreeze_learning_rate=1e38),
        )
