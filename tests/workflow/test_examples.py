"""The settings in examples/ plan the whole workflow, and read the tables they name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.catalogs import draw_images
from tests.released_tables import image_names, write_table
from tests.workflow.workflow import ROOT, copy_project, snakemake

pytestmark = pytest.mark.slow


def tables_of(settings: dict) -> list[str]:
    """Every table that the settings name."""
    catalog = settings["prepare_catalog"]
    rings = settings["prepare_ring_catalog"]["catalogs"]
    return [*catalog["labelled_catalogs"], *catalog["unlabelled_catalogs"], *rings]


@pytest.mark.parametrize(
    "example", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.stem
)
def test_examples_plan_the_whole_workflow(example: Path, tmp_path: Path):
    for name in tables_of(yaml.safe_load(example.read_text())):
        (tmp_path / name).touch()
    result = snakemake(
        *(copy_project(tmp_path / "project"), "-n"),
        *("--config", f"data_folder={tmp_path}"),
        configfiles=(example,),
    )
    assert result.returncode == 0, result.stdout
    for rule in ("prepare_catalog", "prepare_ring_catalog", "summarise_rings"):
        assert f"rule {rule}:" in result.stdout


def test_released_table_of_gz_decals_through_the_workflow(tmp_path: Path):
    """The preset and other settings with names reach the program by its options."""
    table = write_table(tmp_path, "gz_decals")
    (tmp_path / "table.csv").rename(tmp_path / "gz_decals_volunteers_5.csv")
    (tmp_path / "example_ring_catalog_basic.csv").touch()
    images = image_names("gz_decals", table.index)
    for image in images:
        path = tmp_path / "my images" / f"{Path(image).name}"
        draw_images(path.parent, [path.name])
    changes = {
        "data_folder": str(tmp_path),
        "prepare_catalog": {
            "file_loc_folder": "my images",
            "file_loc_suffix": ".png",
            "columns": {"file_loc": "iauname"},
        },
    }
    (tmp_path / "changes.yaml").write_text(yaml.safe_dump(changes))
    project = copy_project(tmp_path / "project")
    example = ROOT / "examples/gz_decals.yaml"
    result = snakemake(
        *(project, "--until", "prepare_catalog"),
        configfiles=(example, tmp_path / "changes.yaml"),
    )
    assert result.returncode == 0, result.stdout
    labelled = pd.read_parquet(project / "results/catalog/labelled.parquet")
    assert list(labelled["id_str"]) == list(table.index)
    assert list(map(Path, labelled["file_loc"])) == [
        tmp_path / "my images" / Path(image).name for image in images
    ]
