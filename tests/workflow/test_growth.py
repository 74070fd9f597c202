"""A survey of ten chunks grows and is corrected: what must run again does, no more.

The catalogue, its splits and chunks are made by the project's own scripts; all others
are replaced by a stand-in, which is quick and writes what depends on what it reads.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from tests.workflow.workflow import copy_project, planned_rules, snakemake
from zoobot.data_utils.splits import part_of
from zoobot.representations.pca import load_pca
from zoobot.schemas import get_schema

pytestmark = pytest.mark.slow

REAL = {"prepare_catalog", "split_catalog", "chunk_catalog"}
VOTES = get_schema("gz_decals").label_cols
SIZE = 40  # of a chunk, at most
SETTINGS = {
    "run_name": "tiny",
    "prepare_catalog": {
        "labelled_catalogs": ["survey/labelled.csv"],
        "unlabelled_catalogs": ["survey/unlabelled.csv"],
    },
    "prepare_ring_catalog": {"catalogs": ["survey/labelled.csv"]},
    "split_catalog": {"galaxies_per_shard": SIZE},
    "chunk_catalog": {"galaxies_per_chunk": SIZE},
}
# Whatever changes in the catalogue: where it is cut is found out anew.
CATALOG = {"prepare_catalog", "split_catalog", "chunk_catalog", "report"}
TABLES = {
    "summarise_predictions_tiny",
    "summarise_representations_tiny_40",
    "tabulate_representations_tiny",
    "summarise_rings_tiny",
}
EVALUATION = {"evaluate_tiny", "calibrate_tiny", "plot_evaluation_tiny"}
MODELS = {"train", "fit_pca", "finetune_rings"}


class Survey:
    """A finished survey, to change and to run again."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.settings = project / "survey.yaml"

    def run(self, *options: str, **changes: object) -> set[str]:
        """Run the workflow; the jobs that ran, named as their logs."""
        logs = self.project / "results/logs"
        shutil.rmtree(logs, ignore_errors=True)
        result = snakemake(
            self.project, *options, configfiles=self.configfiles(changes), cores=4
        )
        assert result.returncode == 0, result.stdout
        return {path.stem for path in logs.glob("*.log")}

    def planned(self, *options: str, **changes: object) -> set[str]:
        """Plan the workflow, with some settings changed; the rules."""
        configfiles = self.configfiles(changes)
        return planned_rules(self.project, *options, configfiles=configfiles)

    def configfiles(self, changes: dict) -> tuple[Path, ...]:
        changed = self.project / "changed.yaml"
        changed.write_text(yaml.safe_dump(changes))
        return (self.settings, changed) if changes else (self.settings,)

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.project / f"survey/{name}.csv", dtype={"id_str": str})

    def write(self, name: str, table: pd.DataFrame) -> None:
        table.to_csv(self.project / f"survey/{name}.csv", index=False)

    @property
    def chunks(self) -> dict[str, list[str]]:
        """Ids of the galaxies in each chunk, in the order of the catalogue."""
        folder = self.project / "results/catalog/chunks"
        names = (folder / "order.txt").read_text().split()
        tables = [pd.read_parquet(folder / f"{name}.parquet") for name in names]
        ids = [list(table["id_str"]) for table in tables]
        return dict(zip(names, ids, strict=True))

    def held_out(self, *, is_held_out: bool) -> str:
        """Give a labelled galaxy in the middle of a chunk that may lose a galaxy."""
        for name, ids in list(self.chunks.items())[:-1]:
            if name.startswith("labelled") and SIZE / 2 < len(ids) < SIZE:
                for galaxy in ids[1:-1]:
                    if (part(galaxy) == "test") == is_held_out:
                        return galaxy
        raise AssertionError("no such galaxy")

    def chunk_of(self, galaxy: str) -> str:
        return next(name for name, ids in self.chunks.items() if galaxy in ids)


def part(galaxy: str) -> str:
    return part_of(galaxy, train=0.7, val=0.1, seed=42)


def galaxies(folder: Path, names: list[str], *, seed: int = 0) -> pd.DataFrame:
    """A catalogue of galaxies, each with an image of its own."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        pixels = rng.integers(256, size=(8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    files = [f"{folder.name}/{name}.png" for name in names]
    return pd.DataFrame({"id_str": names, "file_loc": files})


def with_votes(table: pd.DataFrame) -> pd.DataFrame:
    """Every volunteer said the first answer, and was asked nothing else."""
    return table.assign(**dict.fromkeys(VOTES, 0) | {VOTES[0]: 20})


def jobs_of(chunk: str) -> set[str]:
    """Jobs of one chunk, from the sweep to the tables' parts."""
    measured = {f"measure_images_{chunk}"} if chunk.startswith("labelled") else set()
    return measured | {
        f"extract_representations_tiny_0_{chunk}",
        f"predict_tiny_{chunk}",
        f"compress_representations_tiny_40_{chunk}",
        f"find_rings_tiny_{chunk}",
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """A survey of ten chunks that has been run."""
    project = copy_project(tmp_path_factory.mktemp("growth") / "project")
    stand_in = Path(__file__).with_name("stand_in.py").read_text()
    for script in (project / "workflow_scripts").glob("*.py"):
        if script.stem not in REAL:
            script.write_text(stand_in)
    survey = Survey(project)
    survey.settings.write_text(yaml.safe_dump(SETTINGS))
    images = project / "survey/images"
    labelled = galaxies(images, [f"l{i:03d}" for i in range(175)])
    survey.write("labelled", with_votes(labelled))
    survey.write("unlabelled", galaxies(images, [f"u{i:03d}" for i in range(60)]))
    survey.run()
    assert len(survey.chunks) == 10
    return survey


@pytest.fixture
def survey(finished: Survey, tmp_path: Path) -> Iterator[Survey]:
    """The finished survey; what a test changes is undone, times and all."""
    kept = tmp_path / "kept"
    shutil.copytree(finished.project, kept, symlinks=True)
    yield finished
    shutil.rmtree(finished.project)
    shutil.copytree(kept, finished.project, symlinks=True)


def test_a_finished_survey_has_nothing_to_do(finished: Survey):
    assert finished.planned() == set()


def test_unlabelled_galaxies_appended_run_their_chunk_alone(survey: Survey):
    new = galaxies(survey.project / "survey/images", ["new0", "new1"], seed=1)
    survey.write("unlabelled", pd.concat([survey.table("unlabelled"), new]))
    before = survey.chunks
    jobs = survey.run()
    changed = [name for name, ids in survey.chunks.items() if before.get(name) != ids]
    assert {survey.chunk_of("new0"), survey.chunk_of("new1")} == set(changed)
    assert jobs == CATALOG | TABLES | set().union(*map(jobs_of, changed))
    assert survey.planned() == set()


def test_a_labelled_galaxy_appended_trains_nothing(survey: Survey):
    """Between two catalogues: what comes after it is where it was."""
    new = galaxies(survey.project / "survey/images", ["more"], seed=1)
    table = pd.concat([survey.table("labelled"), with_votes(new)])
    survey.write("labelled", table)
    jobs = survey.run()
    ran = jobs_of(survey.chunk_of("more"))
    assert jobs == CATALOG | TABLES | EVALUATION | ran | {"predict_baselines"}
    assert "train" in survey.planned(retrain_on_new_data=True)
    assert survey.planned() == set()


@pytest.mark.parametrize("is_held_out", [True, False])
def test_a_galaxy_removed_reruns_its_chunk(survey: Survey, is_held_out: bool):
    galaxy = survey.held_out(is_held_out=is_held_out)
    chunk = survey.chunk_of(galaxy)
    table = survey.table("labelled")
    survey.write("labelled", table[table["id_str"] != galaxy])
    jobs = survey.run()
    ran = jobs_of(chunk)
    assert jobs == CATALOG | TABLES | EVALUATION | ran | {"predict_baselines"}


def test_a_corrected_vote_reruns_no_prediction(survey: Survey):
    galaxy = survey.held_out(is_held_out=True)
    table = survey.table("labelled")
    table.loc[table["id_str"] == galaxy, VOTES[0]] += 1
    survey.write("labelled", table)
    jobs = survey.run()
    assert jobs == CATALOG | EVALUATION | {"predict_baselines"}


def test_a_replaced_image_reruns_its_chunk_once_asked_to_look(survey: Survey):
    """The workflow does not look at all images each time; a touched one is no other."""
    galaxy = survey.chunks[list(survey.chunks)[-2]][1]
    image = survey.project / f"survey/images/{galaxy}.png"
    image.touch()
    jobs = survey.run("-R", "prepare_catalog")
    assert {"prepare_catalog"} <= jobs <= CATALOG
    galaxies(image.parent, [galaxy], seed=2)
    assert survey.planned() == set()
    jobs = survey.run("-R", "prepare_catalog")
    assert jobs == CATALOG | TABLES | jobs_of(survey.chunk_of(galaxy))


def test_a_model_that_is_lost_is_trained_again_and_what_follows(survey: Survey):
    """On the galaxies that there are now; the PCA and the rings follow the model."""
    card = survey.project / "results/models/tiny/0/card.json"
    before = json.loads(card.read_text())
    new = galaxies(survey.project / "survey/images", ["more"], seed=1)
    assert part("more") == "train"
    survey.write("labelled", pd.concat([survey.table("labelled"), with_votes(new)]))
    (card.parent / "encoder.keras").unlink()
    jobs = survey.run()
    assert {"train_tiny_0", "fit_pca_tiny_40", "finetune_rings_tiny"} <= jobs
    assert set().union(*map(jobs_of, survey.chunks)) <= jobs | {
        f"measure_images_{chunk}" for chunk in survey.chunks
    }
    after = json.loads(card.read_text())
    assert before["recipe"] == after["recipe"]
    assert before["weights_digest"] != after["weights_digest"]
    model = survey.project / "results/representations/tiny_pca40_model.npz"
    assert load_pca(model).model_digest == after["weights_digest"]
    assert survey.planned() == set()


@pytest.mark.parametrize(
    ("lost", "made"),
    [
        ("models/tiny/0/card.json", {"train", "fit_pca", "finetune_rings"}),
        ("representations/tiny_pca40_model.npz", {"fit_pca"}),
        ("representations/tiny_pca40_variance.csv", {"fit_pca"}),
        ("rings/tiny/metrics.json", {"finetune_rings"}),
    ],
)
def test_a_lost_file_is_made_again(survey: Survey, lost: str, made: set[str]):
    """As of a job that was killed; when it is needed."""
    (survey.project / "results" / lost).unlink()
    assert survey.planned("-R", "prepare_catalog") & MODELS == made


def test_a_training_that_was_asked_for_and_killed_is_asked_for_still(survey: Survey):
    """Before it began, or with the old model gone; and no longer if no longer asked."""
    more = galaxies(survey.project / "survey/images", ["more"], seed=1)
    survey.write("labelled", pd.concat([survey.table("labelled"), with_votes(more)]))
    first = ["split_catalog", "chunk_catalog"]
    jobs = survey.run("--until", *first, retrain_on_new_data=True)
    assert jobs == {"prepare_catalog", *first}
    assert survey.planned(retrain_on_new_data=True) >= MODELS
    assert not survey.planned() & MODELS
    shutil.rmtree(survey.project / "results/models/tiny/0")
    assert survey.planned(retrain_on_new_data=True) >= MODELS


def test_of_a_larger_ensemble_only_the_new_members_are_trained(finished: Survey):
    result = snakemake(
        finished.project, "-n", configfiles=finished.configfiles({"n_models": 3})
    )
    trained = re.findall(
        r"\nrule train:(?:\n .*)*?wildcards: .*member=(\d)", result.stdout
    )
    assert sorted(trained) == ["1", "2"]
    assert "rule fit_pca:" not in result.stdout


def test_the_user_is_told_what_is_kept(finished: Survey):
    result = snakemake(finished.project, "-n", configfiles=finished.configfiles({}))
    assert (
        "Kept as they are: trained members 0, principal components, ring finder"
        in result.stdout
    )
    changes = {"retrain_on_new_data": True}
    result = snakemake(
        finished.project, "-n", configfiles=finished.configfiles(changes)
    )
    assert "Kept as they are" not in result.stdout
