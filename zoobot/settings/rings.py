"""Settings of the ring catalogue, or of any other that takes its place."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from zoobot.label_metadata import (
    FACE_ON_FRACTION,
    FEATURED_FRACTION,
    NO_SPIRAL_FRACTION,
    RING_FRACTION,
)
from zoobot.schemas import get_schema
from zoobot.settings.catalog import ColumnMap, check_column_map
from zoobot.settings.section import Fraction, Section

__all__ = ["PrepareRingCatalog", "TaskKind"]

TaskKind = Literal["binary", "classes", "fraction", "votes"]
_OTHER_COLUMNS = {"id_str", "file_loc", "part", "reason", "rejected_as"}


class PrepareRingCatalog(Section):
    """Which galaxies are rings and which surely not, or other labels to learn."""

    catalogs: list[str]
    """Tables (csv, csv.gz, parquet, FITS, VOTable): id_str and what the kind needs."""
    columns: ColumnMap
    """What the tables call a column, where it is not as here: id_str: iauname."""
    kind: Literal["basic", "advanced", "own"]
    """basic: a ring column; advanced: rare-features_ring_fraction with two cuts; own:
    labels of your own, without cuts."""
    label: str
    """own: column of the labels; where the task is votes, the decision tree (gz_decals,
    gz_decals_dr12, gz2, or a YAML file of your own) whose columns hold them."""
    task: TaskKind
    """own: binary (0 or 1), classes (names), fraction (0 to 1) or votes (counts)."""
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

    @property
    def label_cols(self) -> list[str]:
        """Columns of the labels, by their names here."""
        if self.task == "votes":
            return get_schema(self.label).label_cols
        return [self.label]

    @property
    def column_names(self) -> list[str]:
        """All columns that a table of this kind must have, by their names here."""
        cuts = {
            "own": [],
            "basic": [FEATURED_FRACTION, FACE_ON_FRACTION, NO_SPIRAL_FRACTION],
            "advanced": [FEATURED_FRACTION, FACE_ON_FRACTION],
        }
        is_cut = self.kind == "advanced"
        labels = [RING_FRACTION] if is_cut else self.label_cols
        return ["id_str", *cuts[self.kind], *labels]

    @model_validator(mode="after")
    def _check_cuts(self) -> Self:
        if self.ring_fraction_max > self.ring_fraction_min:
            raise ValueError(
                f"ring_fraction_max: found {self.ring_fraction_max}, expected at most "
                f"ring_fraction_min, {self.ring_fraction_min}"
            )
        return self

    @model_validator(mode="after")
    def _check_label(self) -> Self:
        if self.kind != "own" and (self.label, self.task) != ("ring", "binary"):
            raise ValueError(
                f"kind: found {self.kind}, whose label is ring and task binary; "
                f"expected own for label {self.label!r} and task {self.task}"
            )
        if self.label in _OTHER_COLUMNS:
            raise ValueError(
                f"label: found {self.label!r}, which is another column of the prepared "
                "catalogue; expected another name"
            )
        check_column_map(self.columns, known=self.column_names, key="columns")
        return self
