"""Train one member of the ensemble, and store it as a model folder."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from zoobot.dirichlet_multinomial import fit_constant_concentrations
from zoobot.estimators import device_memory, encoders, heads
from zoobot.estimators.devices import (
    be_deterministic,
    strategy_for,
    use_gpus,
    use_threads,
)
from zoobot.schemas import Schema, get_schema
from zoobot.settings.training import Train
from zoobot.training.batches import (
    get_galaxies,
    training_batches,
    validation_batches,
)
from zoobot.training.checkpoint import Checkpoint
from zoobot.training.compiling import compile_model
from zoobot.training.fitting import TrainConfig, train_estimator
from zoobot.training.losses import get_multiquestion_loss
from zoobot.training.mirrored import in_parts, joined
from zoobot.training.model_folder import write_model_folder
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
    schema: str | Schema,
    member: int,
    model_folder: str | Path,
    tensorboard_folder: str | Path,
    settings: Train,
    checkpoint_folder: str | Path | None = None,
    code: str = "",
    threads: int | None = None,
    recipe: str = "",
    image_size: int | None = None,
) -> None:
    """Train one model and write its folder: encoder, head, card and history.

    The same seed gives the same weights to the bit on one machine, killed or not. On
    another number of GPUs they are the same but for rounding, which grows from step to
    step; a training may go on with another number.

    Parameters
    ----------
    train_shards, val_shards : sequence of path
        TFRecords to train on, and to choose the best epoch; parquet tables whose image
        files are read where the settings say ``shards: none``.
    schema : str or Schema
        Decision tree, or what `zoobot.schemas.get_schema` takes.
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
    code : str, optional
        Version of the code, if it changes within a version of the library.
    threads : int, optional
        Threads to compute with, if not all cores; not once TensorFlow was used.
    recipe : str, optional
        What the model is made by, apart from the galaxies, for its card.
    image_size : int, optional
        Side of the stored images, pixels. Needed without shards: image files are
        resized to it, and a model takes galaxies at this scale.

    Raises
    ------
    ValueError
        If the files are not what the settings say, or not whole.
    FloatingPointError
        If the loss becomes NaN; the message says where and what to do.
    """
    if threads is not None:
        use_threads(threads)
    use_gpus(settings.n_gpus)
    tree = schema if isinstance(schema, Schema) else get_schema(schema)
    seed = settings.seed + member
    be_deterministic(seed)
    galaxies = get_galaxies(train_shards, settings=settings, image_size=image_size)
    votes, size = galaxies.labels(tree.label_cols), galaxies.image_size
    log.info("%d training galaxies, %d px, %s", len(votes), size, tree)
    val_galaxies = get_galaxies(val_shards, settings=settings, image_size=size)
    val = validation_batches(val_galaxies, tree.label_cols, settings=settings)

    steps = math.ceil(len(votes) / settings.batch_size)
    strategy = strategy_for(settings.n_gpus)
    with strategy.scope():
        encoder, head, model = get_networks(settings, schema=tree, votes=votes)
        compile_model(
            model,
            optimizer=get_optimizer(settings, steps_per_epoch=steps),
            loss=get_multiquestion_loss(tree.question_index_groups),
        )
    checkpoint = Checkpoint(
        checkpoint_folder,
        belongs_to=settings.model_dump(exclude={"cache", *settings.of_machine})
        | library_versions("tensorflow", "keras", "numpy")
        | {
            "code": code,
            "member": member,
            "schema": tree.to_json(),
            "training galaxies": galaxies.digest(),
            "validation galaxies": val_galaxies.digest(),
        },
    )
    checkpoint.restore(model)
    train = training_batches(
        galaxies,
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
        in_parts(train, n_replicas=strategy.num_replicas_in_sync),
        in_parts(val, n_replicas=strategy.num_replicas_in_sync),
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
    return encoder, head, joined(encoder, head)
