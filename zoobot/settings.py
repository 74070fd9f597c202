"""Typed, strict settings: one section of config.yaml for each stage.

A section has the name of its rule and of its script; `zoobot.configuration` puts them
together.
"""

from __future__ import annotations

from typing import Literal, Self

import pydantic
from pydantic import Field, model_validator

__all__ = [
    "Calibrate",
    "ChunkCatalog",
    "CompressRepresentations",
    "Evaluate",
    "ExtractRepresentations",
    "FinetuneRings",
    "MeasureImages",
    "Predict",
    "PredictBaselines",
    "PrepareCatalog",
    "PrepareRingCatalog",
    "Section",
    "SimulateSurvey",
    "SplitCatalog",
    "SummarisePredictions",
    "Train",
    "WriteShards",
]

Fraction = Field(ge=0, le=1)
Positive = Field(gt=0)
Seed = Field(ge=0, lt=2**31)


class Section(pydantic.BaseModel):
    """What all sections share: strict types, no unknown key, no change once made."""

    model_config = pydantic.ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class SimulateSurvey(Section):
    """The demo's simulated galaxies and volunteers."""

    n_labelled: int = Positive
    """Galaxies that volunteers looked at."""
    n_unlabelled: int = Field(ge=0)
    """Galaxies that no volunteer saw."""
    image_size_px: int = Field(ge=32)
    """Side of the square images, in pixels."""
    file_format: Literal["png", "jpg"]
    """Format of the image files."""
    volunteers_min: int = Positive
    """Fewest volunteers who look at a galaxy."""
    volunteers_max: int = Positive
    """Most volunteers who look at a galaxy."""
    vote_concentration: float = Positive
    """Agreement of the volunteers: the sum of a question's concentrations, in votes."""
    ring_fraction: float = Fraction
    """Share of the face-on disks that have a ring."""
    seed: int = Seed
    """Seed of the galaxies and of their votes."""

    @model_validator(mode="after")
    def _check_volunteers(self) -> Self:
        if self.volunteers_max < self.volunteers_min:
            raise ValueError(
                f"volunteers_max: found {self.volunteers_max}, expected at least "
                f"volunteers_min, {self.volunteers_min}"
            )
        return self


class PrepareCatalog(Section):
    """The tables of galaxies that go in."""

    labelled_catalogs: list[str]
    """Tables (csv or parquet) with id_str, file_loc and a column of votes an answer."""
    unlabelled_catalogs: list[str]
    """Tables (csv or parquet) with id_str and file_loc, of galaxies only to predict."""
    image_folders: list[str]
    """Folders of png and jpg images only to predict; a file's stem is its id_str."""

    @model_validator(mode="after")
    def _check_anything(self) -> Self:
        if not (
            self.labelled_catalogs or self.unlabelled_catalogs or self.image_folders
        ):
            raise ValueError(
                "labelled_catalogs, unlabelled_catalogs and image_folders are all "
                "empty, expected at least one table or folder"
            )
        return self


class SplitCatalog(Section):
    """Which galaxies train, choose the best epoch, and are held out."""

    train: float = Fraction
    """Share of the labelled galaxies that train the model."""
    val: float = Fraction
    """Share that chooses the best epoch."""
    test: float = Fraction
    """Share held out for the evaluation."""
    seed: int = Seed
    """Seed of the hash of id_str that decides."""
    galaxies_per_shard: int = Positive
    """Galaxies in one TFRecord shard (one job each)."""

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(
                f"train + val + test: found {self.train} + {self.val} + {self.test} = "
                f"{total:.6g}, expected 1"
            )
        return self


class ChunkCatalog(Section):
    """How the survey is cut for the sweep of the encoder."""

    galaxies_per_chunk: int = Positive
    """Galaxies that one job predicts."""


class WriteShards(Section):
    """How images are stored for training."""

    image_size_px: int = Field(ge=16)
    """Side to which images are resized, in pixels."""
    encoding: Literal["raw", "jpeg"]
    """raw: uint8, exact and fastest to read; jpeg: about ten times smaller."""
    jpeg_quality: int = Field(ge=1, le=100)
    """Quality of the jpeg encoding."""


class Train(Section):
    """The model and its training."""

    architecture: str
    """Encoder: an EfficientNet of keras.applications, by name."""
    crop_size_px: int = Field(ge=16)
    """Side of the part of the stored image that the network sees, in pixels."""
    input_size_px: int = Field(ge=16)
    """Side to which that part is resized for the network, in pixels."""
    shift_max_px: float = Field(ge=0)
    """How far views in training lie off the image's centre at most, along x and y, in
    pixels of the stored image."""
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
    """Galaxies in one training step."""
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


class ExtractRepresentations(Section):
    """The sweep of the encoder over all galaxies."""

    batch_size: int = Positive
    """Galaxies that go through the encoder together."""


class Predict(Section):
    """Dropout passes of the head over the representations."""

    n_samples: int = Positive
    """Dropout passes of each member."""
    seed: int = Seed
    """Seed of the dropped units."""


class SummarisePredictions(Section):
    """The tables of vote fractions."""

    interval: float = Field(gt=0, lt=1)
    """Probability that the interval of a vote fraction holds."""
    asked_fraction_min: float = Fraction
    """Friendly table: fractions are left empty where a smaller share of volunteers
    would be asked."""
    next_votes: int = Positive
    """Entropies are of this many next votes of a question."""


class CompressRepresentations(Section):
    """Incremental PCA of the representations of member 0."""

    n_components: int = Positive
    """Principal components to keep."""
    batch_size: int = Positive
    """Galaxies held in memory at once; at least n_components."""

    @model_validator(mode="after")
    def _check_batch(self) -> Self:
        if self.batch_size < self.n_components:
            raise ValueError(
                f"batch_size: found {self.batch_size}, expected at least n_components, "
                f"{self.n_components}"
            )
        return self


class PrepareRingCatalog(Section):
    """Which galaxies are rings, and which surely not."""

    catalogs: list[str]
    """Tables (csv or parquet) with id_str and the columns that the kind needs."""
    kind: Literal["basic", "advanced"]
    """basic: a ring column; advanced: rare-features_ring_fraction with two cuts."""
    ring_fraction_min: float = Fraction
    """advanced: a ring if more than this share of volunteers said ring."""
    ring_fraction_max: float = Fraction
    """advanced: no ring if less than this share did; between the two: left out."""
    featured_fraction_min: float = Fraction
    """Only galaxies with a featured-or-disk fraction above this."""
    face_on_fraction_min: float = Fraction
    """Only galaxies with a not-edge-on fraction above this."""
    no_spiral_fraction_min: float = Fraction
    """basic: only galaxies with a no-spiral-arms fraction above this."""

    @model_validator(mode="after")
    def _check_cuts(self) -> Self:
        if self.ring_fraction_max > self.ring_fraction_min:
            raise ValueError(
                f"ring_fraction_max: found {self.ring_fraction_max}, expected at most "
                f"ring_fraction_min, {self.ring_fraction_min}"
            )
        return self


class FinetuneRings(Section):
    """A ring finder on the representations of member 0."""

    hidden_units: int = Positive
    """Units in each of the head's two hidden layers."""
    dropout_rate: float = Field(ge=0, lt=1)
    """Dropout behind each hidden layer, in training only."""
    batch_size: int = Positive
    """Galaxies in one training step."""
    epochs: int = Positive
    """Stage 1, head on frozen representations: most epochs."""
    patience: int = Positive
    """Stage 1: epochs without a lower validation loss after which it stops."""
    learning_rate: float = Positive
    """Stage 1: learning rate of Adam."""
    unfreeze: Literal["none", "some", "all"]
    """Stage 2: which of the encoder's blocks train on images; none leaves it out."""
    unfreeze_blocks: int = Field(ge=1, le=7)
    """Stage 2, some: how many of the encoder's last blocks train."""
    unfreeze_epochs: int = Positive
    """Stage 2: most epochs."""
    unfreeze_learning_rate: float = Positive
    """Stage 2: learning rate of Adam."""
    seed: int = Seed
    """Seed of weights, shuffling, augmentation and dropout."""


class MeasureImages(Section):
    """Simple statistics of the images, for a baseline."""

    image_size_px: int = Field(ge=16)
    """Side at which the images are measured, in pixels."""


class PredictBaselines(Section):
    """What a network must beat: a constant, and a linear model on the statistics."""

    ridge: float = Positive
    """Penalty on the linear model's weights, in nats for a squared weight of 1; the
    statistics are in standard deviations."""


class Evaluate(Section):
    """The comparison with the votes of held-out galaxies."""

    asked_fraction_min: float = Fraction
    """A question counts for a galaxy if this share of its volunteers was asked."""
    confident_fraction_min: float = Fraction
    """Confident galaxies: one answer has more than this share of a question's votes."""
    votes_min: int = Field(ge=10)
    """Errors of vote fractions count galaxies with this many votes for the question."""
    interval: float = Field(gt=0, lt=1)
    """Probability inside the bootstrap intervals."""
    n_resamples: int = Positive
    """Bootstrap resamples of the galaxies."""
    seed: int = Seed
    """Seed of the resamples."""


class Calibrate(Section):
    """Whether the stated probabilities come true."""

    asked_fraction_min: float = Fraction
    """The leading answer counts for a galaxy if this share of its volunteers was
    asked."""
    n_bins: int = Field(ge=2)
    """Bins of the histograms and of the expected calibration error."""
    n_draws: int = Positive
    """Simulated votes of each galaxy, for the probability of its leading answer."""
    interval: float = Field(gt=0, lt=1)
    """Probability inside the bootstrap intervals."""
    n_resamples: int = Positive
    """Bootstrap resamples of the galaxies."""
    seed: int = Seed
    """Seed of the randomised transform, the simulated votes and the resamples."""
