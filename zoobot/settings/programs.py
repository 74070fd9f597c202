"""Settings of programs that do the work of several stages, outside the workflow."""

from __future__ import annotations

from zoobot.settings.catalog import ChunkCatalog
from zoobot.settings.predictions import Predict
from zoobot.settings.representations import ExtractRepresentations

__all__ = ["MakePredictions", "MakePredictionsLoop"]


class MakePredictions(Predict, ExtractRepresentations):
    """The encoder's sweep over images, and the head's passes."""


class MakePredictionsLoop(MakePredictions, ChunkCatalog):
    """The same, a file at a time."""
