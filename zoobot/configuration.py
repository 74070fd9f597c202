"""All of config.yaml, checked.

Unknown keys, wrong types and values out of range are errors that name the key, what was
found and what was expected.
"""

from __future__ import annotations

from typing import Any, Self

import pydantic
from pydantic import Field, field_validator, model_validator

from zoobot.schemas import get_schema
from zoobot.settings.catalog import (
    ChunkCatalog,
    PrepareCatalog,
    SimulateSurvey,
    SplitCatalog,
    UnpackImages,
    WriteShards,
)
from zoobot.settings.evaluation import (
    Calibrate,
    Evaluate,
    MeasureImages,
    PredictBaselines,
)
from zoobot.settings.finetuning import Finetune
from zoobot.settings.images import RenderFits
from zoobot.settings.predictions import Predict, SummarisePredictions
from zoobot.settings.representations import (
    CompressRepresentations,
    ExtractRepresentations,
)
from zoobot.settings.rings import PrepareRingCatalog
from zoobot.settings.section import Section
from zoobot.settings.training import Train

__all__ = ["Settings", "read_settings"]


class Settings(Section):
    """All of config.yaml."""

    run_name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """Name of this run in file names: letters, digits, and _ . - after the first."""
    schema_name: str = Field(alias="schema")
    """Decision tree: gz_decals, gz_decals_dr12, gz2, or a YAML file of your own."""
    data_folder: str
    """Folder from which relative paths of tables and image folders are taken."""
    n_models: int = Field(gt=0)
    """Members of the ensemble, each trained in its own job."""
    retrain_on_new_data: bool
    """Whether galaxies that come or go, votes and images that change, train all models
    anew: network, principal components and ring finder; else stored ones are kept."""
    simulate_survey: SimulateSurvey
    unpack_images: UnpackImages
    prepare_catalog: PrepareCatalog
    render_fits: RenderFits
    split_catalog: SplitCatalog
    chunk_catalog: ChunkCatalog
    write_shards: WriteShards
    train: Train
    extract_representations: ExtractRepresentations
    predict: Predict
    summarise_predictions: SummarisePredictions
    compress_representations: CompressRepresentations
    prepare_ring_catalog: PrepareRingCatalog
    finetune_rings: Finetune
    measure_images: MeasureImages
    predict_baselines: PredictBaselines
    evaluate: Evaluate
    calibrate: Calibrate

    @field_validator("schema_name")
    @classmethod
    def _check_schema(cls, name: str) -> str:
        get_schema(name)
        return name

    @model_validator(mode="after")
    def _check_across_sections(self) -> Self:
        label_cols = get_schema(self.schema_name).label_cols
        bands = self.render_fits.bands
        self.prepare_catalog.check_names(label_cols=label_cols, bands=bands)
        if self.train.crop_size_px > self.write_shards.image_size_px:
            raise ValueError(
                f"train.crop_size_px: found {self.train.crop_size_px}, expected at "
                f"most write_shards.image_size_px, {self.write_shards.image_size_px}"
            )
        margin = (self.write_shards.image_size_px - self.train.crop_size_px) / 2
        if self.train.shift_max_px > margin:
            raise ValueError(
                f"train.shift_max_px: found {self.train.shift_max_px}, expected at "
                f"most {margin}, (write_shards.image_size_px - train.crop_size_px) / 2"
            )
        return self


def read_settings(config: dict[str, Any]) -> Settings:
    """Check a whole configuration.

    Parameters
    ----------
    config : dict
        What config.yaml holds, overrides merged in.

    Raises
    ------
    ValueError
        One line for each problem: the key, what was found, what was expected.
    """
    try:
        return Settings.model_validate(config)
    except pydantic.ValidationError as error:
        lines = [_describe(problem) for problem in error.errors()]
        raise ValueError(
            "settings:\n" + "\n".join(f"  {line}" for line in lines)
        ) from None


def _describe(problem: Any) -> str:
    """One problem found by pydantic, as: key: found this, expected that."""
    key = ".".join(str(part) for part in problem["loc"])
    found = problem["input"]
    if problem["type"] == "missing":
        return f"{key}: not there, expected this key"
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key (found {found!r}), expected one of config.yaml's"
    if problem["type"] == "value_error":
        message = str(problem["ctx"]["error"])
        return f"{key}: {message}" if key else message
    expected = problem["msg"].removeprefix("Input should be ")
    hint = ""
    if isinstance(found, str) and problem["type"] in {"float_type", "int_type"}:
        hint = " (YAML reads 1e-4 as text: write 1.0e-4)"
    return f"{key}: found {found!r}, expected {expected}{hint}"
