"""Train one member of the ensemble from shards, and store it as a model folder."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoobot.data_utils import tfrecord_datasets
from zoobot.data_utils.shard_digests import content_digest
from zoobot.data_utils.untuned import untuned
from zoobot.dirichlet_multinomial import fit_constant_concentrations
from zoobot.estimators import device_memory, encoders, heads
from zoobot.estimators.augmentation import center_view, random_view
from zoobot.estimators.devices import be_deterministic, use_threads
from zoobot.preprocess import PreprocessingConfig, preprocess_images, stack_labels
from zoobot.schemas import Schema, get_schema
from zoobot.settings.training import Train
from zoobot.training.checkpoint import Checkpoint
from zoobot.training.compiling import compile_model
from zoobot.training.losses import get_multiquestion_loss
from zoobot.training.model_folder import write_model_folder
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


@device_memory.says_what_to_set("train")
def train_member(
    train_shards: Sequence[str | Path],
    *,
    val_shards: Sequence[str | Path],
    schema: str,
    member: int,
    model_folder: str | Path,
    tensorboard_folder: str | Path,
    settings: Train,
    checkpoint_folder: str | Path | None = None,
    code: str = "",
    threads: int | None = None,
    recipe: str = "",
) -> None:
    """Train one model and write its folder: encoder, head, card and history.

    The same seed gives the same weights to the bit on one machine, killed or not.

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
        Folder for the TensorBoard log, and the history as far as it goes.
    settings : Train
    checkpoint_folder : path, optional
        For the state at each epoch's end, from which a training of the same settings,
        galaxies, versions and code goes on; removed at the end.
    code, recipe : str, optional
        Version of the code, if it changes within a version of the library; and what the
        model is made by, apart from the galaxies, for its card.
    threads : int, optional
        Threads to compute with, if not all cores; not once TensorFlow was used.

    Raises
    ------
    FloatingPointError
        If the loss becomes NaN; the message says where and what to do.
    """
    if threads is not None:
        use_threads(threads)
    tree = get_schema(schema)
    seed = settings.seed + member
    be_deterministic(seed)
    _, votes = tfrecord_datasets.read_columns(train_shards, tree.label_cols)
    size = tfrecord_datasets.shard_image_size(train_shards)
    log.info("%d training galaxies, %d px, %s", len(votes), size, tree)
    val = validation_batches(val_shards, tree.label_cols, settings=settings)

    encoder, head, model = get_networks(settings, schema=tree, votes=votes)
    steps = math.ceil(len(votes) / settings.batch_size)
    compile_model(
        model,
        optimizer=get_optimizer(settings, steps_per_epoch=steps),
        loss=get_multiquestion_loss(tree.question_index_groups),
    )
    checkpoint = Checkpoint(
        checkpoint_folder,
        belongs_to=settings.model_dump()
        | library_versions("tensorflow", "keras", "numpy")
        | {
            "code": code,
            "member": member,
            "schema": tree.to_json(),
            "training galaxies": content_digest(train_shards),
            "validation galaxies": content_digest(val_shards),
        },
    )
    checkpoint.restore(model)
    train = training_batches(
        train_shards,
        tree.label_cols,
        settings=settings,
        seed=seed,
        first_epoch=len(checkpoint.record.rows),
    )
    train_estimator(
        model,
        TrainConfig(
            log_dir=tensorboard_folder,
            epochs=settings.epochs,
            patience=settings.patience,
        ),
        train,
        val,
        steps_per_epoch=steps,
        n_galaxies=len(votes),
        checkpoint=checkpoint,
    )
    write_model_folder(
        model_folder,
        encoder=encoder,
        head=head,
        record=checkpoint.record,
        schema=tree,
        member=member,
        image_size_px=size,
        n_train=len(votes),
        settings=settings,
        recipe=recipe,
    )
    checkpoint.remove()


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
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Epochs' batches, one after another: new order and new views in each.

    Parameters
    ----------
    shards : sequence of path
    label_cols : sequence of str
        Vote columns, in the order of the model's answers.
    settings : Train
    seed : int
    first_epoch : int
        Number of the first epoch, from 0; those before it are left out.

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

    epochs = untuned(tf.data.Dataset.range(first_epoch, settings.epochs))
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
    encoder = encoders.get_encoder(
        settings.architecture,
        input_size=settings.input_size_px,
        channels=1 if settings.greyscale else 3,
        drop_connect_rate=settings.drop_connect_rate,
        batch_norm_momentum=settings.batch_norm_momentum,
        precision=settings.precision,
    )
    head = heads.get_head(
        n_features=encoder.output_shape[-1],
        n_answers=len(schema.answers),
        dropout_rate=settings.dropout_rate,
        concentration_min=settings.concentration_min,
        concentration_max=settings.concentration_max,
        start_at=fit_constant_concentrations(votes, schema=schema),
    )
    return encoder, head, keras.Sequential([encoder, head])
