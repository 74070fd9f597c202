"""Settings of finetuning, for rings or any other task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import pydantic
from pydantic import Field

from zoobot.settings.section import Positive, Section, Seed

__all__ = ["TWO_STAGES", "USUAL", "Finetune", "finetune_settings"]


class Finetune(Section):
    """A new head on the representations of a trained model, and its encoder."""

    config_key: ClassVar[str] = "finetune_rings"

    hidden_units: int = Positive
    """Units in each of the head's two hidden layers."""
    dropout_rate: float = Field(ge=0, lt=1)
    """Share of the hidden units dropped, in training only."""
    batch_size: int = Positive
    """Galaxies in one training step."""
    epochs: int = Positive
    """Stage 1, head on frozen representations: most epochs."""
    patience: int = Positive
    """Stage 1: epochs without a lower validation loss after which it stops."""
    learning_rate: float = Positive
    """Stage 1: learning rate of Adam."""
    balance: Literal["repeats", "weights", "none"]
    """How classes are made to count the same in training: rarer galaxies repeat, or
    weigh more. Only where the task is binary or classes."""
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

    @property
    def n_gpus(self) -> int:
        """GPUs to compute on: none for a head alone, which is quicker without."""
        return 0 if self.unfreeze == "none" else 1


USUAL = Finetune(
    hidden_units=64,
    dropout_rate=0.75,
    batch_size=64,
    epochs=80,
    patience=13,
    learning_rate=1e-3,
    balance="repeats",
    unfreeze="none",
    unfreeze_blocks=1,
    unfreeze_epochs=3,
    unfreeze_learning_rate=1e-5,
    seed=42,
)
"""The head of Walmsley et al. 2022, arXiv 2110.12735, on a frozen encoder."""

TWO_STAGES = USUAL.model_copy(update={"unfreeze": "some"})
"""The same head, then with it the encoder's last block."""


def finetune_settings(changes: Finetune | Mapping[str, Any] | None = None) -> Finetune:
    """The usual settings with some changes.

    Parameters
    ----------
    changes : Finetune or mapping, optional
        All settings, or those that are not `USUAL`, as ``{"unfreeze": "some"}``.

    Raises
    ------
    ValueError
        If a setting is unknown, or its value is of another type or out of range.
    """
    if isinstance(changes, Finetune):
        return changes
    try:
        return Finetune(**USUAL.model_dump() | dict(changes or {}))
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        name = problem["loc"][0]
        if problem["type"] == "extra_forbidden":
            expected = f"an option of {', '.join(Finetune.model_fields)}"
            raise ValueError(
                f"settings: found unknown option {name!r}, expected {expected}"
            ) from None
        raise ValueError(
            f"settings: {name}: found {problem['input']!r}. {problem['msg']}"
        ) from None
