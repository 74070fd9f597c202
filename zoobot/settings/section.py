"""What all sections of the settings share."""

from __future__ import annotations

import pydantic
from pydantic import Field

__all__ = ["Fraction", "Positive", "Section", "Seed"]

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
