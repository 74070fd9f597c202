"""Settings of the ring finder."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from zoobot.settings.section import Fraction, Positive, Section, Seed

__all__ = ["FinetuneRings", "PrepareRingCatalog"]


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
