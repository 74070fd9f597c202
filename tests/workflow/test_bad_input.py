"""Bad input stops the plan or the first job with one clear message."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.workflow.workflow import TINY, copy_project, snakemake

BAD_SETTINGS = {
    "unknown key": ({"epoch": 3}, ["epoch: unknown key (found 3)"]),
    "unknown key in a section": (
        {"train": {"epoch": 3}},
        ["train.epoch: unknown key (found 3)"],
    ),
    "number read as text": (
        {"train": {"learning_rate": "1e-4"}},
        ["train.learning_rate: found '1e-4', expected a valid number", "1.0e-4"],
    ),
    "text for a whole number": (
        {"predict": {"n_samples": "five"}},
        ["predict.n_samples: found 'five', expected a valid integer"],
    ),
    "fraction for a whole number": (
        {"n_models": 1.5},
        ["n_models: found 1.5, expected a valid integer"],
    ),
    "fractions that do not add up": (
        {"split_catalog": {"val": 0.2}},
        ["split_catalog: train + val + test: found 0.7 + 0.2 + 0.2 = 1.1, expected 1"],
    ),
    "out of range": (
        {"summarise_predictions": {"interval": 1.5}},
        ["summarise_predictions.interval: found 1.5, expected less than 1"],
    ),
    "unknown choice": (
        {"write_shards": {"encoding": "gif"}},
        ["write_shards.encoding: found 'gif', expected 'raw' or 'jpeg'"],
    ),
    "unknown schema": ({"schema": "gz3"}, ["gz3", "gz_decals, gz_decals_dr12, gz2"]),
    "crop larger than the image": (
        {"train": {"crop_size_px": 500}},
        ["train.crop_size_px: found 500", "write_shards.image_size_px, 40"],
    ),
    "a name that leads elsewhere": (
        {"run_name": "../../tmp"},
        ["run_name: found '../../tmp'"],
    ),
    "a name for a shell": ({"run_name": "$(id)"}, ["run_name: found '$(id)'"]),
    "a path with a wildcard": (
        {"data_folder": "/tmp/{index}"},
        ["/tmp/{index}: found braces, which rules take for wildcards"],
    ),
    "two problems at once": (
        {"n_models": 0, "run_name": "a b"},
        ["n_models: found 0", "run_name: found 'a b'"],
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("bad") / "project")


def run(project: Path, tmp_path: Path, changes: dict, *options: str):
    changed = tmp_path / "changed.yaml"
    changed.write_text(yaml.safe_dump(changes))
    return snakemake(project, *options, configfiles=(TINY, changed))


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_a_bad_setting_stops_the_plan(project: Path, tmp_path: Path, case: str):
    changes, expected = BAD_SETTINGS[case]
    result = run(project, tmp_path, changes, "-n")
    assert result.returncode != 0
    for text in expected:
        assert text in result.stdout, result.stdout
    assert "Traceback" not in result.stdout


def test_settings_with_code_run_none(project: Path, tmp_path: Path):
    config = tmp_path / "hostile.yaml"
    config.write_text(f"run_name: !!python/object/apply:os.mkdir [{tmp_path}/pwned]")
    result = snakemake(project, "-n", configfiles=(TINY, config))
    assert result.returncode != 0
    assert "not valid JSON or YAML" in result.stdout
    assert not (tmp_path / "pwned").exists()


def test_a_missing_catalogue_stops_the_plan(project: Path, tmp_path: Path):
    changes = {"prepare_catalog": {"labelled_catalogs": ["nowhere.csv"]}}
    result = run(project, tmp_path, changes, "-n")
    assert result.returncode != 0
    assert "nowhere.csv" in result.stdout


def test_a_missing_label_column_stops_the_first_job(project: Path, tmp_path: Path):
    catalog = tmp_path / "galaxies.csv"
    pd.DataFrame(
        {"id_str": ["a"], "file_loc": ["a.png"], "smooth-or-featured_smooth": [3]}
    ).to_csv(catalog, index=False)
    changes = {
        "prepare_catalog": {
            "labelled_catalogs": [str(catalog)],
            "unlabelled_catalogs": [],
        }
    }
    result = run(project, tmp_path, changes, "--until", "prepare_catalog")
    assert result.returncode != 0
    assert "galaxies.csv" in result.stdout
    assert "smooth-or-featured_featured-or-disk" in result.stdout
    log = (project / "results/logs/prepare_catalog.log").read_text()
    assert "ValueError" in log, "a failure's traceback is in its log"


def test_an_empty_image_folder_stops_the_first_job(project: Path, tmp_path: Path):
    folder = tmp_path / "no_images"
    folder.mkdir()
    changes = {
        "prepare_catalog": {
            "labelled_catalogs": [],
            "unlabelled_catalogs": [],
            "image_folders": [str(folder)],
        }
    }
    result = run(project, tmp_path, changes, "--until", "prepare_catalog")
    assert result.returncode != 0
    assert "no_images" in result.stdout
    assert "png" in result.stdout
