"""The workflow on a real Slurm, and what clusters do to it.

One survey, run to its end by the command of docs/cluster.md: on the way the workflow is
killed and started again, and jobs are cancelled, need more memory than they asked for,
and need more time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.slurm import pretend
from tests.workflow.workflow import TINY, copy_project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.faults,
    pytest.mark.timeout(2400),  # nearly all of it waiting
]

SETTINGS = "chunk_catalog: {galaxies_per_chunk: 150}\n"
"""More chunks to sweep than there are GPUs."""

# What two jobs need, whatever they ask for, and what they ask for in each attempt.
NEEDS_SECONDS = 95
NEEDS_MB = 700
REQUESTS = {
    "predict_baselines": "{mem_mb: 2000, runtime: 4 * attempt - 3}",
    "prepare_ring_catalog": "{mem_mb: 800 * attempt}",
}
BURDENS = {
    "predict_baselines": f"time.sleep({NEEDS_SECONDS})",
    "prepare_ring_catalog": f"held = b'x' * ({NEEDS_MB} << 20); time.sleep(5)",
}
NEED_A_GPU = {"train", "extract_representations", "finetune_rings", "find_rings"}
RUN_BY_THE_WORKFLOW = {"plot_evaluation", "report", "all"}
MOST_SECONDS = 1500


@dataclasses.dataclass(frozen=True)
class Story:
    """What was seen of the run."""

    folder: Path
    """Where it ran."""
    orphans: list[pretend.Job]
    """Jobs that ran when the workflow had been killed."""
    first: list[pretend.Job]
    """Jobs of the workflow that was killed, as they were in the end."""
    second: list[pretend.Job]
    """Jobs of the one that was started again."""
    cancelled: int
    """Number of the job that was cancelled."""
    printed: str
    """By the second workflow."""
    n_gpus: list[int]
    """In use, second by second."""
    others: list[pretend.Job]
    """Jobs that the workflow has nothing to do with."""


@contextlib.contextmanager
def workflow(folder: Path, name: str) -> Iterator[subprocess.Popen]:
    """The workflow, with profiles/slurm; killed if the test ends first.

    It runs in a folder of its own beside the project.
    """
    project = folder.with_name("project")
    command = [
        *(sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm"),
        *("--configfile", str(TINY), "more.yaml", "--directory", str(folder)),
        *("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5"),
    ]
    with (folder / name).open("w") as printed:
        process = subprocess.Popen(
            command, cwd=project, stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def running_job(
    folder: Path, rule: str, *, process: subprocess.Popen, but: set[int]
) -> pretend.Job:
    """The first job of a rule that runs, as soon as there is one, but some."""
    end = time.monotonic() + MOST_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, "the workflow ended before"
        for job in pretend.jobs(folder):
            if job.rule == rule and job.state == "RUNNING" and job.number not in but:
                return job
        time.sleep(0.5)
    raise AssertionError(f"none in {MOST_SECONDS} s: {pretend.jobs(folder)}")


def burden(project: Path) -> None:
    """Let some programs need more memory and time than they do."""
    for name, statement in BURDENS.items():
        path = project / f"workflow_scripts/{name}.py"
        text = path.read_text()
        begin = "def main(argv: list[str] | None = None) -> None:\n"
        assert text.count(begin) == 1
        text = text.replace("from pathlib", "import time\nfrom pathlib", 1)
        docstring = re.search(re.escape(begin) + r'    """.*?"""\n', text, re.S)[0]
        path.write_text(text.replace(docstring, f"{docstring}    {statement}\n"))


@pytest.fixture(scope="module")
def story(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> Story:
    project = copy_project(tmp_path_factory.mktemp("cluster") / "project")
    pretend.adapt_profile(project, requests=REQUESTS)
    burden(project)
    (project / "more.yaml").write_text(SETTINGS)
    folder = project.with_name("survey")
    folder.mkdir()
    with workflow(folder, "first.txt") as process:
        running_job(folder, "train", process=process, but=set())
        process.send_signal(signal.SIGKILL)
        process.wait()
    time.sleep(3.0)
    first = pretend.jobs(folder)
    numbers = {job.number for job in first}
    # A job of the same user, and one of a run in another folder.
    elsewhere = project.with_name("elsewhere")
    elsewhere.mkdir()
    others = [
        pretend.submit(elsewhere, name="mine"),
        pretend.submit(elsewhere, name=f"zoobot_{uuid.uuid4()}"),
    ]
    with workflow(folder, "second.txt") as process, pretend.Watch(folder) as watch:
        cancelled = running_job(folder, "train", process=process, but=numbers)
        time.sleep(5.0)
        subprocess.run(["scancel", str(cancelled.number)], check=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(MOST_SECONDS)
    printed = (folder / "second.txt").read_text()
    assert process.returncode == 0, printed
    jobs = pretend.jobs(folder)
    return Story(
        folder=folder,
        orphans=[job for job in first if job.state == "RUNNING"],
        first=[job for job in jobs if job.number in numbers],
        second=[job for job in jobs if job.number not in numbers],
        cancelled=cancelled.number,
        printed=printed,
        n_gpus=watch.n_gpus,
        others=[job for job in pretend.jobs(elsewhere) if job.number in others],
    )


def attempts(jobs: list[pretend.Job], rule: str) -> list[pretend.Job]:
    return [job for job in jobs if job.rule == rule]


def test_every_galaxy_is_in_every_table_once(story: Story):
    results = story.folder / "results"
    survey = pd.concat(
        pd.read_csv(results / f"survey/{name}.csv", dtype={"id_str": str})["id_str"]
        for name in ("labelled", "unlabelled")
    )
    for table in (
        "predictions/tiny_vote_fractions.parquet",
        "representations/tiny_pca5.parquet",
        "rings/tiny_rings.parquet",
    ):
        found = pd.read_parquet(results / table)["id_str"]
        assert sorted(found) == sorted(survey), table
    assert (results / "report.html").is_file()


def test_jobs_outlive_a_workflow_that_is_killed_and_the_next_cancels_them(story: Story):
    """None of its jobs, so that no two write one file; what was finished stays."""
    # What asks for too little may have ended by itself in the meantime.
    orphans = [job for job in story.orphans if job.rule not in REQUESTS]
    assert "train" in {job.rule for job in orphans}
    ended = {job.number: job for job in story.first}
    for job in orphans:
        assert ended[job.number].state == "CANCELLED", job
        assert re.search(rf"^Cancelled jobs of .*\b{job.number}\b", story.printed, re.M)
    finished = {job.rule for job in story.first if job.state == "COMPLETED"}
    assert "prepare_catalog" in finished
    assert not finished & {job.rule for job in story.second}


def test_jobs_of_others_are_left_alone(story: Story):
    assert [job.state for job in story.others] == ["RUNNING", "RUNNING"]


def test_a_cancelled_job_is_tried_again(story: Story):
    """The accounting says so; the queue would not know a reason."""
    seen = f"SLURM-job '{story.cancelled}' failed, SLURM status is: 'CANCELLED'. Reason"
    assert seen in story.printed
    states = {job.number: job.state for job in attempts(story.second, "train")}
    assert states.pop(story.cancelled) == "CANCELLED"
    assert list(states.values()) == ["COMPLETED"]


def test_more_memory_after_it_did_not_suffice(story: Story):
    failed, succeeded = attempts(story.first + story.second, "prepare_ring_catalog")
    assert failed.state in {"FAILED", "OUT_OF_MEMORY"}
    assert "exceeded memory limit" in failed.log.read_text()
    assert succeeded.state == "COMPLETED"
    assert (failed.memory_mb, succeeded.memory_mb) == (800, 1600)


def test_more_time_after_it_did_not_suffice(story: Story):
    tried = attempts(story.first + story.second, "predict_baselines")
    minutes = {job.state: job.minutes for job in tried}
    minutes.pop("CANCELLED", None)  # if one ran when the workflow was killed
    assert minutes == {"TIMEOUT": 1, "COMPLETED": 5}


def test_jobs_are_charged_to_the_account_of_the_profile(story: Story):
    recorded = pretend.accounting()
    for job in story.first + story.second:
        state, account = recorded[job.number]
        assert account == job.account == pretend.ACCOUNT, job
        assert state.split()[0] == job.state, job  # as in "CANCELLED by 0"
    # Which is not where jobs go that name none.
    assert pretend.ACCOUNT not in {job.account for job in story.others}


def test_an_account_that_is_not_the_users_stops_the_run(slurm: None, tmp_path: Path):
    """With what was found and what there is, and nothing is sent off."""
    project = copy_project(tmp_path / "project")
    pretend.adapt_profile(project, requests={})
    profile = project / "profiles/slurm/config.yaml"
    profile.write_text(profile.read_text().replace(pretend.ACCOUNT, "mistyped"))
    (project / "more.yaml").write_text(SETTINGS)
    folder = tmp_path / "survey"
    folder.mkdir()
    with workflow(folder, "run.txt") as process:
        assert process.wait(120) == 1
    printed = (folder / "run.txt").read_text()
    assert re.search(rf"account mistyped .* invalid.*\n.*{pretend.ACCOUNT}", printed)
    assert not pretend.jobs(folder)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        pretend.submit(tmp_path, name="mine", account="mistyped")
    assert "Invalid account" in refused.value.stderr


def test_only_jobs_that_need_a_gpu_ask_for_one(story: Story):
    for job in story.first + story.second:
        needed = job.rule in NEED_A_GPU
        assert job.n_gpus == int(needed), job
        assert job.partition == ("accelerated" if needed else "batch"), job
    assert {job.rule for job in story.second if job.n_gpus} == NEED_A_GPU


def test_no_more_gpus_are_in_use_than_there_are(story: Story):
    """And all of them are: more jobs want one than there are."""
    n_sweeps = len(attempts(story.second, "extract_representations"))
    assert n_sweeps > pretend.N_GPUS
    assert max(story.n_gpus) == pretend.N_GPUS


def test_no_job_asks_for_more_than_a_node_has(story: Story):
    """The rules that take all threads there are get the profile's cores."""
    n_cpus = {job.rule: job.n_cpus for job in story.first + story.second}
    assert n_cpus["train"] == n_cpus["prepare_catalog"] == pretend.CORES
    assert max(n_cpus.values()) == pretend.CORES
    assert max(job.minutes for job in story.second) <= 60


def test_small_jobs_go_together_or_stay_with_the_workflow(story: Story):
    logs = story.folder / "results/logs"
    for rule, group in (
        ("write_shards", "shards"),
        ("measure_images", "statistics"),
        ("predict", "predictions"),
        ("compress_representations", "components"),
    ):
        assert len(list(logs.glob(f"{rule}_*.log"))) > 1, rule
        sent = attempts(story.first + story.second, f"{group}_{rule}")
        assert [job.state for job in sent].count("COMPLETED") == 1, sent
    assert not RUN_BY_THE_WORKFLOW & {job.rule for job in story.second}


def test_then_there_is_nothing_to_do(story: Story):
    with workflow(story.folder, "third.txt") as process:
        process.wait(300)
    printed = (story.folder / "third.txt").read_text()
    assert process.returncode == 0, printed
    assert "Nothing to be done" in printed
    assert not list((story.folder / ".snakemake/incomplete").iterdir())
