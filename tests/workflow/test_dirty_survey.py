"""The whole workflow on a survey in which everything is wrong that can be."""

from __future__ import annotations

import csv
import html
from pathlib import Path

import pandas as pd
import pytest
import yaml
from astropy.table import Table

from tests import dirty_images
from tests.workflow.workflow import ROOT, TINY, copy_project, snakemake
from zoobot.demo.survey import simulate_survey
from zoobot.settings.catalog import SimulateSurvey

pytestmark = pytest.mark.slow

GOOD_IDS = (
    "000123",
    "123",
    "587722981742084144",
    "587722981742084145",
    "1e5",
    "NA",
    "nan",
    "None",
    "галактика ñ 星系",
    "J0123, +4",
    'it\'s "quoted"',
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "../../../pwned",
    "$(touch pwned)`touch pwned`; touch pwned",
    "{run_name} %s *",
    "x" * 300,
)
BAD_IDS = ("", " ", "123", "two\nlines", "a\rb", "a\0b", "caf\udce9")
BAD_VOTES = ("-1", "2.5", "nan", "inf", "1" + "0" * 40, "", "many", "\udcb9")


def dirty_rows(good: pd.DataFrame, folder: Path) -> tuple[list[list[str]], set[str]]:
    """A row for each thing that can be wrong; and the ids of those that are good."""
    values = iter(good.to_numpy().tolist() * 2)
    rows, good_ids = [], set(GOOD_IDS)

    def add(**changes: str) -> None:
        rows.append([str(value) for value in next(values)])
        for column, value in changes.items():
            rows[-1][list(good.columns).index(column)] = value

    for galaxy in (*GOOD_IDS, *BAD_IDS):
        add(id_str=galaxy)
    for votes in BAD_VOTES:
        add(id_str=f"votes {votes}", **{good.columns[2]: votes})
    for name, (file_loc, plant) in dirty_images.GOOD.items():
        plant(folder / file_loc)
        add(id_str=f"image {name}", file_loc=file_loc)
        good_ids.add(f"image {name}")
    for name, (file_loc, plant, _) in dirty_images.BAD.items():
        plant(folder / file_loc)
        add(id_str=f"image {name}", file_loc=file_loc)
    add(id_str="short")
    del rows[-1][-3:]
    add(id_str="long")
    rows[-1].append("7")
    return rows, good_ids


def write_settings(folder: Path, **changes: object) -> Path:
    """Tiny settings for the dirty catalogue."""
    tiny = yaml.safe_load(TINY.read_text())
    tiny["prepare_catalog"] = {
        "labelled_catalogs": ["it's dirty.csv"],
        "unlabelled_catalogs": [],
        **changes,
    }
    tiny["data_folder"] = str(folder)
    tiny["prepare_ring_catalog"]["catalogs"] = ["it's dirty.csv"]
    tiny["finetune_rings"]["unfreeze"] = "none"
    tiny["train"]["epochs"] = 1
    tiny["split_catalog"]["galaxies_per_shard"] = 1000  # the fewest jobs
    tiny["chunk_catalog"]["galaxies_per_chunk"] = 1000
    path = folder.parent / "dirty.yaml"
    path.write_text(yaml.safe_dump(tiny))
    return path


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory):
    """A folder with a dirty catalogue, its number of rows, and the ids of good ones."""
    folder = tmp_path_factory.mktemp("dirty") / "a $(touch pwned) 'b'"
    folder.mkdir()
    config = yaml.safe_load((ROOT / "config.yaml").read_text())["simulate_survey"]
    settings = SimulateSurvey(
        **config | {"n_labelled": 160, "n_unlabelled": 0, "image_size_px": 48}
    )
    images = tmp_path_factory.mktemp("survey")
    simulate_survey(images, settings=settings)
    good = pd.read_csv(images / "labelled.csv", dtype=str)
    good["file_loc"] = [str(images / path) for path in good["file_loc"]]
    rows, good_ids = dirty_rows(good, folder)
    rows += good.to_numpy().tolist()
    with (folder / "it's dirty.csv").open(
        "w", newline="", encoding="utf-8", errors="surrogateescape"
    ) as file:
        csv.writer(file).writerows([list(good.columns), *rows])
    return folder, len(rows), good_ids | set(good["id_str"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("x") / "it's $(touch pwned)")


def test_too_many_rejected_rows_stop_the_first_job(project: Path, survey):
    folder, n_rows, good_ids = survey
    config = write_settings(folder)
    result = snakemake(
        project, "--until", "prepare_catalog", configfiles=(config,), cores=2
    )
    assert result.returncode != 0
    n_bad = n_rows - len(good_ids)
    for text in (
        f"prepare_catalog.rejected_share_max: {n_bad} of {n_rows} rows rejected, ",
        "expected at most 10.0%",
        "raise this setting",
        "results/catalog/rejected_by_failed_run.csv",
        "file does not exist: ",
    ):
        assert text in result.stdout, result.stdout
    listed = project / "results/catalog/rejected_by_failed_run.csv"
    assert len(pd.read_csv(listed, dtype=str)) == n_bad
    assert not (listed.parent / "labelled.parquet").exists()


def test_the_workflow_finishes_on_the_rest(project: Path, survey):
    folder, n_rows, good_ids = survey
    config = write_settings(folder, rejected_share_max=0.5)
    result = snakemake(project, configfiles=(config,), cores=2)
    assert result.returncode == 0, result.stdout

    catalog = project / "results/catalog"
    rejected = pd.read_csv(catalog / "rejected.csv", dtype=str, keep_default_na=False)
    assert (rejected["reason"] != "").all()
    assert len(rejected) == n_rows - len(good_ids)
    kept = pd.concat(
        [
            pd.read_parquet(catalog / f"{name}.parquet")
            for name in ("labelled", "unlabelled")
        ]
    )
    assert len(kept) + len(rejected) == n_rows
    assert set(kept["id_str"]) == good_ids
    paths = kept.set_index("id_str")["file_loc"]
    for name, (file_loc, _) in dirty_images.GOOD.items():
        assert paths[f"image {name}"] == str(folder / file_loc)

    for table in (
        "predictions/tiny_vote_fractions",
        "representations/tiny_pca5",
        "rings/tiny_rings",
    ):
        stem = project / "results" / table
        found = pd.read_parquet(f"{stem}.parquet")["id_str"]
        assert sorted(found) == sorted(good_ids), table
        if Path(f"{stem}.csv").exists():
            found = pd.read_csv(f"{stem}.csv", dtype=str, keep_default_na=False)
            assert sorted(found["id_str"]) == sorted(good_ids), table
    fits = Table.read(project / "results/predictions/tiny_vote_fractions.fits")
    assert len(set(fits["id_str"])) == len(good_ids)

    page = (project / "results/report.html").read_text()
    assert "<script" not in page
    assert html.escape(str(project)) in page or str(project) not in page
    for place in (project, folder, folder.parent):
        assert not list(place.rglob("pwned"))
