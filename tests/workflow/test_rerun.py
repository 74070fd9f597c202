"""Only what a change invalidates runs again."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.workflow.workflow import (
    BY_HAND,
    ROOT,
    RULE_LINE,
    TINY,
    planned_rules,
    snakemake,
)
from zoobot.data_utils import hdf5
from zoobot.estimators.model_card import load_card

pytestmark = pytest.mark.slow

# What comes from what, from the table of stages; not read from the rules.
READERS = {
    "simulate_survey": {"prepare_catalog", "prepare_ring_catalog"},
    "prepare_catalog": {
        "split_catalog",
        "chunk_catalog",
        "prepare_ring_catalog",
        "report",
    },
    "split_catalog": {
        "write_shards",
        "train",
        "predict_baselines",
        "evaluate",
        "calibrate",
        "report",
    },
    "chunk_catalog": {"extract_representations", "find_rings", "measure_images"},
    "write_shards": {"train"},
    "train": {
        "extract_representations",
        "predict",
        "finetune_rings",
        "plot_evaluation",
        "report",
    },
    "extract_representations": {
        "predict",
        "fit_pca",
        "compress_representations",
        "tabulate_representations",
        "finetune_rings",
        "find_rings",
    },
    "predict": {"summarise_predictions", "evaluate", "calibrate"},
    "measure_images": {"predict_baselines"},
    "predict_baselines": {"evaluate"},
    "fit_pca": {"compress_representations", "report"},
    "compress_representations": {"summarise_representations"},
    "summarise_representations": set(),
    "tabulate_representations": set(),
    "prepare_ring_catalog": {"finetune_rings"},
    "finetune_rings": {"find_rings", "report"},
    "find_rings": {"summarise_rings"},
    "summarise_rings": {"report"},
    "evaluate": {"plot_evaluation", "report"},
    "calibrate": {"plot_evaluation", "report"},
    "plot_evaluation": {"report"},
    "summarise_predictions": set(),
    "report": set(),
}


# Models, and the stages that only they need.
MODELS = {
    "train",
    "fit_pca",
    "finetune_rings",
    "write_shards",
    "prepare_ring_catalog",
}

# Of shards or chunks, which are not known before the catalogue is cut again.
OF_PIECES = {
    "write_shards",
    "measure_images",
    "extract_representations",
    "predict",
    "compress_representations",
    "find_rings",
}


def with_readers(
    rules: set[str], *, kept: frozenset[str] | set[str] = frozenset()
) -> set[str]:
    """Rules and all that read their results, directly or not, but for some."""
    while (more := rules.union(*(READERS[rule] for rule in rules)) - kept) != rules:
        rules = more
    return rules


def change_settings(
    tmp_path: Path, section: str, **values: object
) -> tuple[Path, Path]:
    """The tiny settings, and a file that changes some of them."""
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump({section: values}))
    return TINY, path


def n_passes(project: Path) -> int:
    path = next((project / "results/predictions/tiny").glob("tiny_labelled_*.hdf5"))
    return hdf5.read(path, dataset="predictions").values.shape[-1]


def test_second_run_does_nothing(finished_project: Path):
    assert planned_rules(finished_project) == set()


@pytest.mark.parametrize(
    ("section", "values", "changed"),
    [
        ("predict", {"n_samples": 3}, {"predict"}),
        ("prepare_ring_catalog", {"ring_fraction_min": 0.2}, {"prepare_ring_catalog"}),
        (
            "compress_representations",
            {"batch_size": 60},
            {"fit_pca", "compress_representations"},
        ),
        ("finetune_rings", {"hidden_units": 8}, {"finetune_rings", "find_rings"}),
        ("evaluate", {"asked_fraction_min": 0.4}, {"evaluate"}),
        ("calibrate", {"n_bins": 8}, {"calibrate"}),
        ("predict_baselines", {"ridge": 4.0}, {"predict_baselines"}),
        ("train", {"epochs": 3}, {"train"}),
        ("summarise_predictions", {"interval": 0.8}, {"summarise_predictions"}),
    ],
)
def test_a_changed_setting_reruns_its_rule_and_what_follows(
    finished_project: Path,
    tmp_path: Path,
    section: str,
    values: dict,
    changed: set[str],
):
    configfiles = change_settings(tmp_path, section, **values)
    planned = planned_rules(finished_project, configfiles=configfiles)
    assert planned == with_readers(changed)


def test_without_shards_the_same_model_is_trained(own_project: Path, tmp_path: Path):
    """Run it: no shard is asked for or read, and the weights are equal to the bit."""
    model = own_project / "results/models/tiny/0"
    before = load_card(model)
    shutil.rmtree(own_project / "results/shards")
    configfiles = change_settings(tmp_path, "train", shards="none", cache="file")
    planned = planned_rules(own_project, configfiles=configfiles)
    assert planned == with_readers({"train"})
    result = snakemake(
        own_project, "results/models/tiny/0/card.json", configfiles=configfiles
    )
    assert result.returncode == 0, result.stdout
    assert RULE_LINE.findall(result.stdout) == ["train"]
    assert not (own_project / "results/shards").exists()
    assert load_card(model).weights_digest == before.weights_digest
    more = tmp_path / "quality.yaml"
    more.write_text("write_shards: {encoding: jpeg, jpeg_quality: 50}\n")
    again = planned_rules(own_project, configfiles=(*configfiles, more))
    assert not {"train", "write_shards"} & again


def test_two_settings_that_swap_their_values_are_a_change(
    finished_project: Path, tmp_path: Path
):
    """The engine compares parameters as a set of values; ours carry their names."""
    swapped = {"epochs": 16, "batch_size": 2}  # tiny: 2 and 16
    configfiles = change_settings(tmp_path, "train", **swapped)
    planned = planned_rules(finished_project, configfiles=configfiles)
    assert planned == with_readers({"train"})


def test_another_ensemble_member_is_trained_beside_the_first(
    own_project: Path, tmp_path: Path
):
    """Run it: twice the passes, and the first member's weights as they were."""
    path = tmp_path / "members.yaml"
    path.write_text("n_models: 2\n")
    encoder = own_project / "results/models/tiny/0/encoder.keras"
    before = encoder.stat()
    result = snakemake(own_project, configfiles=(TINY, path))
    assert result.returncode == 0, result.stdout
    assert n_passes(own_project) == 4
    digests = [
        load_card(own_project / f"results/models/tiny/{i}").weights_digest
        for i in range(2)
    ]
    assert digests[0] != digests[1]
    assert encoder.stat().st_mtime_ns == before.st_mtime_ns
    back = snakemake(own_project)
    assert back.returncode == 0, back.stdout
    assert n_passes(own_project) == 2


def test_a_changed_n_samples_really_runs_without_training(
    own_project: Path, tmp_path: Path
):
    """Run it, and change it back: the models are the same files as before."""
    encoder = own_project / "results/models/tiny/0/encoder.keras"
    before = encoder.stat()
    assert n_passes(own_project) == 2
    result = snakemake(
        own_project, configfiles=change_settings(tmp_path, "predict", n_samples=4)
    )
    assert result.returncode == 0, result.stdout
    assert n_passes(own_project) == 4
    result = snakemake(own_project)
    assert result.returncode == 0, result.stdout
    assert n_passes(own_project) == 2
    after = encoder.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_galaxy_appended_is_predicted_by_the_kept_models(
    own_project: Path, finished_project: Path, tmp_path: Path
):
    """Run it: the twin of a galaxy, with the same image, gets the same results."""
    results = own_project / "results"
    models = [*results.glob("**/*.keras"), *results.glob("**/*_model.npz")]
    before = [path.stat().st_mtime_ns for path in models]
    tables = []
    for name in ("labelled.csv", "unlabelled.csv"):
        table = pd.read_csv(results / "survey" / name, dtype={"id_str": str})
        images = finished_project / "results/survey"  # where they were, and are
        table["file_loc"] = [str(images / one) for one in table["file_loc"]]
        table.to_csv(results / "survey" / name, index=False)
        tables.append(table)
    twin = tables[0].iloc[0]["id_str"]
    tables[0][:1].assign(id_str="more").to_csv(tmp_path / "more.csv", index=False)
    catalogs = ["results/survey/labelled.csv", str(tmp_path / "more.csv")]
    configfiles = change_settings(
        tmp_path, "prepare_catalog", labelled_catalogs=catalogs
    )
    result = snakemake(own_project, configfiles=configfiles)
    assert result.returncode == 0, result.stdout
    ran = Counter(RULE_LINE.findall(result.stdout))
    assert not MODELS & set(ran)
    for rule in ("extract_representations", "predict", "compress_representations"):
        assert ran[rule] == 1, "the chunk of labelled galaxies"
    assert [path.stat().st_mtime_ns for path in models] == before
    for name in ("predictions/tiny_vote_fractions", "representations/tiny_pca5"):
        found = pd.read_parquet(results / f"{name}.parquet").set_index("id_str")
        numbers = found.select_dtypes("number")
        # Float32 of another place in the batch.
        np.testing.assert_allclose(
            numbers.loc["more"], numbers.loc[twin], rtol=1e-4, atol=1e-5
        )
    assert (
        "galaxies of an earlier catalogue, which now"
        in (results / "headline.txt").read_text()
    )


@pytest.fixture(scope="session")
def modules_of_rules() -> dict[str, set[str]]:
    """Library files that each script loads when really imported: a second way."""
    loaded = {}
    program = (
        "import importlib, sys; importlib.import_module(sys.argv[1]); "
        "print([m.__file__ for n, m in sys.modules.items() if n.startswith('zoobot')])"
    )
    scripts = sorted((ROOT / "workflow_scripts").glob("[a-z]*.py"))
    for script in (one for one in scripts if one.stem not in BY_HAND):
        result = subprocess.run(
            [sys.executable, "-c", program, f"workflow_scripts.{script.stem}"],
            cwd=ROOT,
            text=True,
            capture_output=True,
            check=True,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        files = ast.literal_eval(result.stdout.splitlines()[-1])
        loaded[script.stem] = {str(Path(f).relative_to(ROOT)) for f in files}
    return loaded


@pytest.mark.parametrize(
    "module",
    [
        "zoobot/training/losses.py",
        "zoobot/evaluation/metrics.py",
        "zoobot/evaluation/linear_model.py",
        "zoobot/settings/evaluation.py",
        "zoobot/predictions/vote_fractions.py",
        "zoobot/representations/compress_representations.py",
        "zoobot/training/finetune.py",
        "zoobot/evaluation/report_template.py",
    ],
)
def test_an_edited_module_reruns_exactly_the_rules_that_import_it(
    edited_project: Path, modules_of_rules: dict[str, set[str]], module: str
):
    path = edited_project / module
    path.write_text(path.read_text() + "\n\nEDITED = True\n")
    importers = {rule for rule, files in modules_of_rules.items() if module in files}
    assert importers
    assert planned_rules(edited_project) == with_readers(importers)


@pytest.mark.parametrize("is_asked", [False, True])
def test_another_way_to_read_catalogues_trains_only_if_asked(
    edited_project: Path, tmp_path: Path, is_asked: bool
):
    """What is read of catalogues are data, like the catalogues themselves."""
    path = edited_project / "zoobot/data_utils/catalogs.py"
    path.write_text(path.read_text() + "\n\nEDITED = True\n")
    asked = tmp_path / "asked.yaml"
    asked.write_text(f"retrain_on_new_data: {str(is_asked).lower()}\n")
    planned = planned_rules(edited_project, configfiles=(TINY, asked))
    kept = set() if is_asked else MODELS
    assert planned == with_readers({"prepare_catalog"}, kept=kept) - OF_PIECES


def test_another_demo_is_another_survey(finished_project: Path, tmp_path: Path):
    """It is made by settings alone, so that its models are made anew."""
    configfiles = change_settings(tmp_path, "simulate_survey", seed=7)
    planned = planned_rules(finished_project, configfiles=configfiles)
    assert planned == with_readers({"simulate_survey"}) - OF_PIECES


def test_comments_docstrings_and_layout_rerun_nothing(edited_project: Path):
    for path in edited_project.glob("zoobot/**/*.py"):
        text = path.read_text().replace('"""', '"""In other words: ', 1)
        path.write_text(f"# A comment.\n{text}\n\n# Another.\n")
    assert planned_rules(edited_project) == set()


def test_touching_every_file_reruns_nothing(edited_project: Path):
    for path in edited_project.glob("**/*.py"):
        path.touch()
    assert planned_rules(edited_project) == set()
