"""What all sections of the settings share."""

from __future__ import annotations

import re
from typing import ClassVar

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

    config_key: ClassVar[str] = ""
    """Name of the section in config.yaml, if it is not that of the class."""

    of_machine: ClassVar[frozenset[str]] = frozenset()
    """Fields that say what computes; but for rounding, no result depends on them."""

    @classmethod
    def keys_of(cls, name: str) -> list[str]:
        """Sections of config.yaml that may state a field, its own before its bases'."""
        kinds = [
            kind
            for kind in cls.__mro__
            if issubclass(kind, Section) and name in kind.model_fields
        ]
        return [
            kind.config_key
            or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()
            for kind in kinds
        ]
