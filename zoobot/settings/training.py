"""Settings of the model and its training."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from zoobot.settings.section import Positive, Section, Seed

__all__ = ["Train", "Training", "View"]


class View(Section):
    """Where images come from, and what of them the network sees."""

    shards: Literal["tfrecords", "none"]
    """tfrecords: images are stored in shards first; none: their files are read."""
    cache: Literal["none", "memory", "file"]
    """shards none: where decoded images are kept, 3 bytes a pixel: nowhere, in memory,
    or in a file in the folder that TMPDIR names, gone when training ends."""
    crop_size_px: int = Field(ge=16)
    """Side of the part of the stored image that the network sees, in pixels."""
    input_size_px: int = Field(ge=16)
    """Side to which that part is resized for the network, in pixels."""
    shift_max_px: float = Field(ge=0)
    """How far views in training lie off the image's centre at most, along x and y, in
    pixels of the stored image."""

    @model_validator(mode="after")
    def _check_cache(self) -> Self:
        if self.cache != "none" and self.shards != "none":
            raise ValueError(
                f"cache: found {self.cache} with shards {self.shards}, expected none, "
                "as shards hold decoded images"
            )
        return self


class Training(Section):
    """The network and its training, whatever the size of the images."""

    config_key: ClassVar[str] = "train"
    of_machine: ClassVar[frozenset[str]] = frozenset({"n_gpus"})

    architecture: str
    """Encoder: an EfficientNet of keras.applications, by name."""
    greyscale: bool
    """Average the three bands into one channel."""
    dropout_rate: float = Field(ge=0, lt=1)
    """Share of the representation dropped in front of the dense layer, at all times."""
    drop_connect_rate: float = Field(ge=0, lt=1)
    """Share of branches dropped in the encoder's last block, in training only."""
    concentration_min: float = Field(ge=0)
    """Lower end of the predicted concentrations, in votes."""
    concentration_max: float = Positive
    """Upper end of the predicted concentrations, in votes."""
    batch_size: int = Positive
    """Galaxies in one training step, of all GPUs together."""
    n_gpus: int = Field(ge=0)
    """GPUs that train one member together, a part of each batch each; with 1, the CPU
    where there is none; 0: the CPU. But for rounding, results do not depend on it, and
    a change trains nothing anew."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]
    """Arithmetic of the encoder; weights, head and loss are float32 in all of them."""
    epochs: int = Positive
    """Most passes over the training galaxies."""
    patience: int = Positive
    """Epochs without a lower validation loss after which training stops."""
    optimizer: Literal["adam", "adamw"]
    """adamw adds decoupled weight decay."""
    learning_rate: float = Positive
    """Learning rate after the warm-up."""
    schedule: Literal["constant", "cosine"]
    """Learning rate after the warm-up: unchanged, or falling to 0 at the last epoch."""
    warmup_epochs: float = Field(ge=0)
    """Epochs over which the learning rate rises from 0."""
    weight_decay: float = Field(ge=0)
    """Decoupled weight decay of adamw."""
    batch_norm_momentum: float = Field(gt=0, lt=1)
    """Momentum of batch normalisation's moving averages; lower suits fewer steps."""
    seed: int = Seed
    """Seed of weights, order, views and dropout; each member adds its number."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        if self.concentration_max <= self.concentration_min:
            raise ValueError(
                f"concentration_max: found {self.concentration_max}, expected more "
                f"than concentration_min, {self.concentration_min}"
            )
        return self


class Train(Training, View):
    """The model and its training."""
