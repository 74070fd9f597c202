"""Train on shards in one call, outside the workflow."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from zoobot.data_utils.tfrecord_datasets import shard_image_size
from zoobot.estimators.define_model import GalaxyModel, load_galaxy_model
from zoobot.estimators.view_layers import shift_to_edge
from zoobot.schemas import Schema, get_schema
from zoobot.settings.training import Train, Training
from zoobot.training.train import train_member

__all__ = ["RunConfig", "get_run_config", "train_on_shards"]

log = logging.getLogger(__name__)

# W+22a, section 3; the range of concentrations and Adam's rate are this project's.
_AS_IN_THE_PAPER = {
    "shards": "tfrecords",
    "cache": "none",
    "architecture": "EfficientNetB0",
    "greyscale": True,
    "dropout_rate": 0.2,
    "drop_connect_rate": 0.2,
    "concentration_min": 0.02,
    "concentration_max": 100.02,
    "n_gpus": 1,
    "precision": "float32",
    "patience": 10,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "constant",
    "warmup_epochs": 0.0,
    "weight_decay": 0.0,
    "batch_norm_momentum": 0.99,
    "seed": 42,
}
_CROP_SHARE = 0.75
_STRIDE = 32  # of EfficientNets, from pixels to the last map, whose side is whole then
_SHARD = re.compile(r"s([0-9]+)_shard_.+\.tfrecord")
_VALIDATION = ("val", "test")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """A training that is ready to run; `get_run_config` makes it.

    Parameters
    ----------
    train_records, eval_records : sequence of path
        TFRecords to train on, and to choose the best epoch.
    schema : Schema
        Decision tree.
    initial_size : int
        Side of the images in the shards, pixels.
    log_dir : path
        Model folder to write, with the TensorBoard log in it.
    settings : Train
    member : int
        Number of the model in an ensemble, from 0; added to the seed.
    """

    train_records: Sequence[str | Path]
    eval_records: Sequence[str | Path]
    schema: Schema
    initial_size: int
    log_dir: str | Path
    settings: Train
    member: int = 0

    def run_estimator(self) -> GalaxyModel:
        """Train, write the model folder, and give the model with its best weights.

        A training that was killed goes on after its last finished epoch, if it is run
        with the same settings, galaxies and versions again.

        Raises
        ------
        ValueError
            If the shards do not hold such galaxies, or images of another size.
        FloatingPointError
            If the loss becomes NaN; the message says where and what to do.
        """
        found = shard_image_size(self.train_records)
        if found != self.initial_size:
            raise ValueError(
                f"initial_size: found {self.initial_size}, expected {found}, the side "
                f"of the images in {self.train_records[0]}"
            )
        train_member(
            self.train_records,
            val_shards=self.eval_records,
            schema=self.schema,
            member=self.member,
            model_folder=self.log_dir,
            tensorboard_folder=Path(self.log_dir, "tensorboard"),
            checkpoint_folder=Path(self.log_dir, "checkpoint"),
            settings=self.settings,
        )
        return load_galaxy_model(self.log_dir)


def get_run_config(
    *,
    initial_size: int,
    final_size: int,
    crop_size: int,
    log_dir: str | Path,
    train_records: Sequence[str | Path],
    eval_records: Sequence[str | Path],
    epochs: int,
    schema: Schema | str | Path,
    batch_size: int,
    shift_max: float | None = None,
    member: int = 0,
    **settings: Any,
) -> RunConfig:
    """Prepare a training on shards, as ``get_run_config(...).run_estimator()``.

    Parameters
    ----------
    initial_size : int
        Side of the images in the shards, pixels.
    final_size : int
        Side of what the network takes, pixels, 32 or more.
    crop_size : int
        Side of the part of the image that is resized to it, pixels.
    log_dir : path
        Folder for the model, its history and its log.
    train_records, eval_records : sequence of path
        TFRecords to train on, and to choose the best epoch.
    epochs : int
        Most epochs.
    schema : Schema, str or path
        Decision tree, or what `zoobot.schemas.get_schema` takes.
    batch_size : int
        Galaxies in one training step.
    shift_max : float, optional
        How far views in training lie off the centre at most, pixels of the image; by
        default as far as the crop stays on it.
    member : int
        Number of the model in an ensemble, from 0.
    **settings
        Other fields of `zoobot.settings.training.Train`, as ``learning_rate``; those
        left out are as W+22a trained.

    Raises
    ------
    ValueError
        If a setting is unknown or out of range, or there is no shard.
    """
    for name, records in (("train", train_records), ("eval", eval_records)):
        if not records:
            raise ValueError(f"{name}_records: found none, expected one shard or more")
    given = settings | {"epochs": epochs, "batch_size": batch_size}
    view = {
        "crop_size_px": crop_size,
        "input_size_px": final_size,
        "shift_max_px": shift_to_edge(
            crop_size, image_size=initial_size, shift_max=shift_max
        ),
    }
    try:
        checked = Train.model_validate(_AS_IN_THE_PAPER | given | view)
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0]) if problem["loc"] else "settings"
        raise ValueError(
            f"{name}: found {problem['input']!r}. {problem['msg']}"
        ) from None
    return RunConfig(
        train_records=train_records,
        eval_records=eval_records,
        schema=schema if isinstance(schema, Schema) else get_schema(schema),
        initial_size=initial_size,
        log_dir=log_dir,
        settings=checked,
        member=member,
    )


def train_on_shards(
    shard_dir: str | Path,
    *,
    save_dir: str | Path,
    schema: str,
    settings: Training,
    shard_img_size: int | None = None,
    crop_size: int | None = None,
    resize_size: int | None = None,
    shift_max: float | None = None,
    member: int = 0,
) -> None:
    """Train one model on a folder of shards.

    Parameters
    ----------
    shard_dir : path
        With the shards in its folders ``train``, and ``val`` or else ``test``, the
        galaxies that choose the best epoch.
    save_dir : path
        Model folder to write.
    schema : str
        As `zoobot.schemas.get_schema` takes it.
    settings : Training
    shard_img_size : int, optional
        Side of the stored images, pixels, if there are shards of several sizes.
    crop_size : int, optional
        Side of the part that the network sees, pixels; 75% of the image's by default.
    resize_size : int, optional
        Side to which it is resized, pixels; by default the crop's, rounded down to a
        multiple of 32, and 32 at least.
    shift_max : float, optional
        As `get_run_config` takes it.
    member : int
        Number of the model in an ensemble, from 0.

    Raises
    ------
    ValueError
        If there are no shards, or shards of several sizes of which none is chosen.
    """
    shard_dir = Path(shard_dir)
    train_records, size = _shards_in(shard_dir / "train", size=shard_img_size)
    part = next((name for name in _VALIDATION if (shard_dir / name).is_dir()), "val")
    eval_records, _ = _shards_in(shard_dir / part, size=size)
    if part == "test":
        log.info(
            "%s has no folder val: the galaxies in test choose the best epoch, and are "
            "no test of this model any more",
            shard_dir,
        )
    crop = round(_CROP_SHARE * size) if crop_size is None else crop_size
    final = max(_STRIDE, crop // _STRIDE * _STRIDE)
    get_run_config(
        initial_size=size,
        crop_size=crop,
        final_size=final if resize_size is None else resize_size,
        shift_max=shift_max,
        log_dir=save_dir,
        train_records=train_records,
        eval_records=eval_records,
        schema=schema,
        member=member,
        **settings.model_dump(),
    ).run_estimator()


def _shards_in(folder: Path, *, size: int | None) -> tuple[list[Path], int]:
    """Shards in a folder, by number, and the side of their images."""
    found: dict[int, list[Path]] = {}
    for path in folder.glob("*.tfrecord"):
        match = _SHARD.fullmatch(path.name)
        if match:
            found.setdefault(int(match[1]), []).append(path)
    if size is None and len(found) == 1:
        size = next(iter(found))
    if size is None or size not in found:
        sizes = f"of {', '.join(map(str, sorted(found)))} px" if found else "none"
        raise ValueError(
            f"{folder}: found shards {sizes}, expected s{size or '*'}_shard_*.tfrecord "
            "of one size, as create_shards.py makes them"
        )
    return sorted(found[size], key=lambda path: (len(path.name), path.name)), size
