"""Settings of the predictions and their tables."""

from __future__ import annotations

from pydantic import Field

from zoobot.settings.section import Fraction, Positive, Section, Seed

__all__ = ["Predict", "SummarisePredictions"]


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
