"""Settings of the stages that make and compress representations."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from zoobot.settings.section import Positive, Section

__all__ = ["CompressRepresentations", "ExtractRepresentations"]


class ExtractRepresentations(Section):
    """The sweep of the encoder over all galaxies."""

    batch_size: int = Positive
    """Galaxies that go through the encoder together."""
    engine: Literal["tensorflow", "openvino"]
    """What computes; openvino is for CPUs and needs the pip package of that name."""


class CompressRepresentations(Section):
    """Incremental PCA of the representations of member 0."""

    n_components: int = Field(ge=1, le=998)
    """Principal components to keep; FITS tables hold no more, and the galaxies' ids."""
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
