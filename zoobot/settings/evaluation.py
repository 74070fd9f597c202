"""Settings of the baselines, the evaluation and the calibration."""

from __future__ import annotations

from pydantic import Field

from zoobot.settings.section import Fraction, Positive, Section, Seed

__all__ = ["Calibrate", "Evaluate", "MeasureImages", "PredictBaselines"]


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
