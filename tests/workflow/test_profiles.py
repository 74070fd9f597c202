"""What the profiles make of the rules: what jobs ask for, and how many run at once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflow.test_conventions import BODIES
from tests.workflow.workflow import ROOT, TINY, copy_project, snakemake

PROFILES = ROOT / "profiles"
SLURM = ("--workflow-profile", "profiles/slurm")
ANEW = (
    *("-R", "prepare_ring_catalog", "write_shards", "measure_images", "train"),
    *("--config", "retrain_on_new_data=True"),
)
NEED_A_GPU = {"train", "extract_representations", "finetune_rings", "find_rings"}
JOB = re.compile(r"^(local)?(?:rule|checkpoint) (\w+):\n((?:    .*\n)*)", re.M)
Asked = dict[str, dict[str, int]]


def profile(name: str) -> dict:
    return yaml.safe_load((PROFILES / name / "config.yaml").read_text())


def asked(project: Path, *options: str) -> Asked:
    """What the first job of each rule asks for on Slurm, in numbers; none is run."""
    result = snakemake(project, *SLURM, *ANEW, *options, "-n", cores=None)
    assert result.returncode == 0, result.stdout
    found: Asked = {}
    for is_local, rule, lines in JOB.findall(result.stdout):
        numbers = dict(re.findall(r"(threads|\w+)[=:] ?(\d+)(?=,|$)", lines, re.M))
        if not is_local:
            found.setdefault(rule, {k: int(v) for k, v in numbers.items()})
    return found


@pytest.fixture(scope="module")
def first_attempt(finished_project: Path) -> Asked:
    return asked(finished_project)


@pytest.mark.slow
def test_every_job_says_what_it_needs(first_attempt: Asked):
    cores = profile("slurm")["cores"]
    assert len(first_attempt) > 12
    for rule, numbers in first_attempt.items():
        assert numbers["mem_mb"] >= 2000, "the engine itself takes 300 in each"
        assert numbers["runtime"] >= 10, rule
        assert numbers.get("threads", 1) <= cores, rule
    assert first_attempt["train"]["threads"] == cores
    assert {rule for rule, n in first_attempt.items() if n.get("gpu")} == NEED_A_GPU


@pytest.mark.slow
def test_each_attempt_asks_for_more_but_not_for_what_no_node_has(
    finished_project: Path, first_attempt: Asked
):
    """Nor for longer than partitions allow: such jobs would wait for ever."""
    most = profile("slurm")["resources"]
    second = asked(finished_project, "--attempt", "2")
    tenth = asked(finished_project, "--attempt", "10")
    assert set(second) == set(tenth) == set(first_attempt)
    for rule, numbers in first_attempt.items():
        for name in ("mem_mb", "runtime"):
            doubled = min(2 * numbers[name], most[name])
            assert second[rule][name] == doubled > numbers[name], rule
            assert tenth[rule][name] == min(10 * numbers[name], most[name]), rule
        assert tenth[rule].get("gpu") == numbers.get("gpu"), rule


@pytest.mark.slow
def test_a_ring_finder_that_is_only_a_head_needs_no_gpu(
    finished_project: Path, tmp_path: Path
):
    settings = tmp_path / "head.yaml"
    settings.write_text("finetune_rings: {unfreeze: none}")
    project = finished_project
    result = snakemake(
        project, *SLURM, *ANEW, "-n", cores=None, configfiles=(TINY, settings)
    )
    assert result.returncode == 0, result.stdout
    found = {rule: "gpu=1" in lines for _, rule, lines in JOB.findall(result.stdout)}
    assert found["extract_representations"]
    assert not found["finetune_rings"]
    assert not found["find_rings"]


def test_the_profile_for_slurm_is_of_these_rules():
    """And has what the other profile has, whose place it takes."""
    slurm, default = profile("slurm"), profile("default")
    assert set(slurm["set-resources"]) <= set(BODIES)
    assert set(slurm["groups"]) | set(slurm["set-threads"]) <= set(BODIES)
    assert set(slurm["groups"].values()) == set(slurm["group-components"])
    own = {"__use_yte__", "__definitions__", "cores", "max-threads", "resources"}
    for key in set(default) - own:
        assert slurm[key] == default[key], key
    in_rules = {rule for rule, body in BODIES.items() if "gpu=" in body}
    assert in_rules == NEED_A_GPU
    with_type = {r for r, asks in slurm["set-resources"].items() if "gpu_model" in asks}
    assert with_type == NEED_A_GPU


def test_the_page_shows_the_lines_to_change():
    """Those before the options of the workflow engine."""
    text = (PROFILES / "slurm/config.yaml").read_text()
    first = text[text.index("cluster:") : text.index("set-resource-scopes:")]
    assert f"```text\n{first}```" in (ROOT / "docs/cluster.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("visible", "at_once"), [("", 1), ("0,1", 2), ("0,1,2", 3)])
def test_as_many_jobs_use_a_gpu_at_once_as_there_are(
    finished_project: Path, tmp_path: Path, visible: str, at_once: int
):
    """By the default profile, which no option asks for; one where there is no GPU."""
    if not visible and list(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("this machine has GPUs of its own, which would be counted")
    project = copy_project(tmp_path / "project")
    stand_in = Path(__file__).with_name("stand_in.py")
    shutil.copy(stand_in, project / "workflow_scripts/train.py")
    for name in ("results/catalog", "results/survey", ".snakemake/metadata"):
        shutil.copytree(finished_project / name, project / name)
    (project / "three.yaml").write_text("n_models: 3\ntrain: {shards: none}\n")
    command = [sys.executable, "-m", "snakemake", "--until", "train", "-R", "train"]
    result = subprocess.run(  # cores for all
        [*command, "--cores", "64", "--configfile", str(TINY), "three.yaml"],
        cwd=project,
        text=True,
        capture_output=True,
        check=False,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": visible},
    )
    assert result.returncode == 0, result.stderr
    begun = [int(n) for n in re.findall(r"^Execute (\d) jobs", result.stderr, re.M)]
    assert sum(begun) >= 3
    assert max(begun) == at_once, result.stderr
