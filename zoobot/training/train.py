"""Train one member of the ensemble from shards, and store it as a model folder."""

from __future__ import annotations

import logging
import math
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoobot.data_utils import tfrecord_datasets
from zoobot.data_utils.untuned import untuned
from zoobot.dirichlet_multinomial import fit_constant_concentrations
from zoobot.estimators import define_model, model_card
from zoobot.estimators.augmentation import center_view, random_view
from zoobot.estimators.devices import use_threads
from zoobot.preprocess import PreprocessingConfig, preprocess_images, stack_labels
from zoobot.schemas import Schema, get_schema
from zoobot.settings.training import Train
from zoobot.training.compiling import compile_model
from zoobot.training.losses import get_multiquestion_loss
from zoobot.training.training_config import TrainConfig, train_estimator
from zoobot.versions import library_versions

__all__ = [
    "get_networks",
    "get_optimizer",
    "train_member",
    "training_batches",
    "validation_batches",
]

log = logging.getLogger(__name__)


def train_member(
    train_shards: Sequence[str | Path],
    *,
    val_shards: Sequence[str | Path],
    schema: str,
    member: int,
    model_folder: str | Path,
    tensorboard_folder: str | Path,
    settings: Train,
    threads: int | None = None,
) -> None:
    """Train one model and write its folder: encoder, head, card and history.

    Parameters
    ----------
    train_shards, val_shards : sequence of path
        TFRecords to train on, and to choose the best epoch.
    schema : str
        Decision tree, as `zoobot.schemas.get_schema` takes it.
    member : int
        Number of the model in the ensemble; added to the seed.
    model_folder : path
        Folder to write.
    tensorboard_folder : path
        Folder for the TensorBoard log.
    settings : Train
    threads : int, optional
        Threads to compute with, if not all cores; for a process that has not used
        TensorFlow yet.
    """
    if threads is not None:
        use_threads(threads)
    tree = get_schema(schema)
    seed = settings.seed + member
    keras.utils.set_random_seed(seed)
    _, votes = tfrecord_datasets.read_columns(train_shards, tree.label_cols)
    size = tfrecord_datasets.shard_image_size(train_shards)
    log.info("%d training galaxies, %d px, %s", len(votes), size, tree)

    encoder, head, model = get_networks(settings, schema=tree, votes=votes)
    steps = math.ceil(len(votes) / settings.batch_size)
    compile_model(
        model,
        optimizer=get_optimizer(settings, steps_per_epoch=steps),
        loss=get_multiquestion_loss(tree.question_index_groups),
    )
    with tempfile.TemporaryDirectory() as log_dir:
        history = train_estimator(
            model,
            TrainConfig(
                log_dir=log_dir, epochs=settings.epochs, patience=settings.patience
            ),
            training_batches(
                train_shards, tree.label_cols, settings=settings, seed=seed
            ),
            validation_batches(val_shards, tree.label_cols, settings=settings),
            steps_per_epoch=steps,
            n_galaxies=len(votes),
        ).history
        Path(model_folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(log_dir, "history.csv"), Path(model_folder, "history.csv"))
        shutil.copytree(
            Path(log_dir, "tensorboard"), tensorboard_folder, dirs_exist_ok=True
        )
    arrays = define_model.head_arrays(head)
    define_model.save_encoder(model_folder, encoder)
    model_card.save_head(model_folder, arrays)
    model_card.save_card(
        model_folder,
        model_card.ModelCard(
            schema=tree,
            architecture=settings.architecture,
            image_size_px=size,
            crop_size_px=settings.crop_size_px,
            input_size_px=settings.input_size_px,
            shift_max_px=settings.shift_max_px,
            greyscale=settings.greyscale,
            channels=encoder.input_shape[-1],
            n_features=encoder.output_shape[-1],
            dropout_rate=settings.dropout_rate,
            concentration_min=settings.concentration_min,
            concentration_max=settings.concentration_max,
            seed=seed,
            member=member,
            n_train=len(votes),
            best_epoch=int(np.nanargmin(history["val_loss"])) + 1,
            val_loss=float(np.nanmin(history["val_loss"])),
            weights_digest=define_model.weights_digest(encoder, arrays),
            versions=library_versions("tensorflow", "keras", "numpy"),
        ),
    )
    log.info(
        "wrote the model, best validation loss %.4f, to %s",
        np.nanmin(history["val_loss"]),
        model_folder,
    )


def get_optimizer(
    settings: Train, *, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """Adam or AdamW with the learning rate's warm-up and fall.

    Weight decay leaves out biases and batch normalisation.
    """
    warmup = round(settings.warmup_epochs * steps_per_epoch)
    rate: float | keras.optimizers.schedules.LearningRateSchedule = (
        settings.learning_rate
    )
    if settings.schedule == "cosine" or warmup:
        falls = settings.schedule == "cosine"
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else settings.learning_rate,
            warmup_target=settings.learning_rate if warmup else None,
            warmup_steps=warmup,
            decay_steps=max(1, settings.epochs * steps_per_epoch - warmup),
            alpha=0.0 if falls else 1.0,
        )
    if settings.optimizer == "adam":
        return keras.optimizers.Adam(rate)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def training_batches(
    shards: Sequence[str | Path],
    label_cols: Sequence[str],
    *,
    settings: Train,
    seed: int,
) -> tf.data.Dataset:
    """All epochs' batches, one after another: new order and new views in each.

    Returns
    -------
    tf.data.Dataset
        (images, votes): (batch, input_size, input_size, channels) float32 in 0-1, and
        (batch, n_answers) float32.
    """
    size = tfrecord_datasets.shard_image_size(shards)
    config = _preprocessing(label_cols, size, settings)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        galaxies = tfrecord_datasets.get_dataset(
            shards,
            label_cols,
            settings.batch_size,
            shuffle=True,
            seed=seed + epoch,
            image_size=size,
        )

        def view(batch: dict[str, tf.Tensor]):
            images = random_view(
                preprocess_images(batch["image"], config),
                id_str=batch["id_str"],
                epoch=epoch,
                seed=seed,
                shift_max=settings.shift_max_px,
                crop_size=settings.crop_size_px,
                input_size=settings.input_size_px,
            )
            return images, stack_labels(batch, label_cols)

        return galaxies.map(view, num_parallel_calls=tf.data.AUTOTUNE)

    epochs = untuned(tf.data.Dataset.range(settings.epochs))
    return epochs.flat_map(one_epoch).prefetch(tf.data.AUTOTUNE)


def validation_batches(
    shards: Sequence[str | Path], label_cols: Sequence[str], *, settings: Train
) -> tf.data.Dataset:
    """Batches of central views, in the order of the shards; shapes as in training."""
    size = tfrecord_datasets.shard_image_size(shards)
    config = _preprocessing(label_cols, size, settings)

    def view(batch: dict[str, tf.Tensor]):
        images = center_view(
            preprocess_images(batch["image"], config),
            crop_size=settings.crop_size_px,
            input_size=settings.input_size_px,
        )
        return images, stack_labels(batch, label_cols)

    galaxies = tfrecord_datasets.get_dataset(shards, label_cols, settings.batch_size)
    ids, _ = tfrecord_datasets.read_columns(shards, label_cols[:1])
    # Records do not say how many they are, and Keras warns of an end that it meets.
    n_batches = math.ceil(len(ids) / settings.batch_size)
    return (
        galaxies.map(view, num_parallel_calls=tf.data.AUTOTUNE)
        .apply(tf.data.experimental.assert_cardinality(n_batches))
        .prefetch(tf.data.AUTOTUNE)
    )


def _preprocessing(
    label_cols: Sequence[str], size: int, settings: Train
) -> PreprocessingConfig:
    return PreprocessingConfig(
        label_cols=label_cols, input_size=size, make_greyscale=settings.greyscale
    )


def get_networks(
    settings: Train, *, schema: Schema, votes: np.ndarray
) -> tuple[keras.Model, keras.Model, keras.Model]:
    """Encoder, head that starts at the best constant prediction, and both together.

    Parameters
    ----------
    settings : Train
    schema : Schema
        Its answers are the outputs.
    votes : (n_galaxies, n_answers) int
        Of the training galaxies, for which the constant is best.
    """
    encoder = define_model.get_encoder(
        settings.architecture,
        input_size=settings.input_size_px,
        channels=1 if settings.greyscale else 3,
        drop_connect_rate=settings.drop_connect_rate,
        batch_norm_momentum=settings.batch_norm_momentum,
        precision=settings.precision,
    )
    head = define_model.get_head(
        n_features=encoder.output_shape[-1],
        n_answers=len(schema.answers),
        dropout_rate=settings.dropout_rate,
        concentration_min=settings.concentration_min,
        concentration_max=settings.concentration_max,
        start_at=fit_constant_concentrations(votes, schema=schema),
    )
    return encoder, head, keras.Sequential([encoder, head])
