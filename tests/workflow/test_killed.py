"""kill -9 of a job, of the workflow, or of both, in every rule at a random moment.

Whatever dies, the same command run again ends in the results of a run that nobody
disturbed: tables and weights are the same to the bit.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.workflow import killing
from tests.workflow.same_results import assert_same
from tests.workflow.test_conventions import BODIES
from tests.workflow.workflow import NOT_IN_TINY, snakemake

pytestmark = [
    pytest.mark.slow,
    pytest.mark.faults,
    pytest.mark.timeout(1800),  # the first test waits for rules that come before
]

RULES = sorted(set(BODIES) - NOT_IN_TINY)
SEED = 5
MODELS = {"train", "fit_pca", "finetune_rings"}


def plan() -> dict[str, tuple[str, float]]:
    """What is killed in each rule, in turn, and after which share of its time."""
    rng = np.random.default_rng(SEED)
    kinds = rng.permutation(np.resize(killing.KINDS, len(RULES)))
    moments = rng.uniform(0.0, 0.7, len(RULES))
    return {
        rule: (str(kind), float(moment))
        for rule, kind, moment in zip(RULES, kinds, moments, strict=True)
    }


def kill_and_run_again(
    finished: Path, job: killing.Job, folder: Path
) -> killing.Outcome:
    """Kill a job in a copy of a finished project, and run the same command again."""
    project = folder / job.rule
    shutil.copytree(finished, project, symlinks=True)
    roots = (project, finished)
    kind, moment = plan()[job.rule]
    outcome = killing.kill(project, job, kind=kind, moment=moment)
    for name in outcome.left:
        assert_same(project / name, finished / name, roots=roots, whole=False)
    # A model that was complete is kept, and no rule makes its files: ask for all.
    is_kept = job.rule in MODELS and set(outcome.left) == set(job.outputs)
    result = snakemake(project, *(() if is_kept else job.outputs))
    assert result.returncode == 0, result.stdout
    for name in job.outputs:
        assert_same(project / name, finished / name, roots=roots)
        assert list((project / name).parent.glob(".*.*-[0-9]*")) == []
    shutil.rmtree(project)
    return outcome


@pytest.fixture(scope="module")
def outcomes(
    finished_project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[killing.Outcome]]]:
    """All rules, two side by side, the longest first."""
    folder = tmp_path_factory.mktemp("killed")
    jobs = killing.jobs_of(finished_project).values()
    with ThreadPoolExecutor(2) as pool:
        yield {
            job.rule: pool.submit(kill_and_run_again, finished_project, job, folder)
            for job in sorted(jobs, key=lambda job: -job.cpu_seconds)
        }


@pytest.mark.parametrize("rule", RULES)
def test_killed_and_run_again(rule: str, outcomes: dict[str, Future]):
    outcomes[rule].result()


def test_most_were_killed_before_their_end(outcomes: dict[str, Future]):
    """The moment is a share of the job's work the first time."""
    was_running = [future.result().was_running for future in outcomes.values()]
    assert np.mean(was_running) > 0.7
