"""Kill a job of a finished project at some moment, or the workflow, or both."""

from __future__ import annotations

import base64
import contextlib
import csv
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.workflow.workflow import TINY

KINDS = ("job", "workflow", "power")
"""What is killed: the job's process, the engine's, or both and all between them."""

_MOST_SECONDS = 120.0


@dataclasses.dataclass(frozen=True)
class Job:
    """One job of the workflow, and how long it worked."""

    rule: str
    outputs: tuple[str, ...]
    cpu_seconds: float
    """Of all its threads; unlike the clock's, the same on a busy machine."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was seen when a job was killed."""

    was_running: bool
    left: tuple[str, ...]
    """Outputs that were there under their final names."""
    printed: str
    """By the run that was killed."""


def jobs_of(project: Path) -> dict[str, Job]:
    """The first job of each rule, from the engine's own notes."""
    metadata = project / ".snakemake/metadata"
    outputs = defaultdict(list)
    rules = {}
    for note in metadata.rglob("*"):
        if note.is_file():
            parts = note.relative_to(metadata).parts
            name = "".join(part.removeprefix("@") for part in parts)
            record = json.loads(note.read_text())
            log = record["log"][0]
            outputs[log].append(base64.urlsafe_b64decode(name).decode())
            rules[log] = record["rule"]
    jobs: dict[str, Job] = {}
    for log in sorted(outputs):
        times = project / log.replace("/logs/", "/benchmarks/").replace(".log", ".tsv")
        rows = csv.DictReader(times.read_text().splitlines(), delimiter="\t")
        cpu_seconds = float(next(rows)["cpu_time"])
        job = Job(rules[log], tuple(sorted(outputs[log])), cpu_seconds)
        jobs.setdefault(job.rule, job)
    return jobs


def kill(project: Path, job: Job, *, kind: str, moment: float) -> Outcome:
    """Run one job again, and kill it after a share of its work."""
    for name in job.outputs:
        remove(project / name)
    with _started(project, job) as workflow:
        process = _process_of(workflow, job.rule)
        if process is not None:
            _wait_for_work(process, cpu_seconds=moment * job.cpu_seconds)
        was_running = process is not None and process.is_running()
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if kind == "job" and process is not None:
                process.kill()
            elif kind == "workflow":
                workflow.kill()
            else:
                os.killpg(workflow.pid, signal.SIGKILL)
        printed, _ = workflow.communicate(timeout=_MOST_SECONDS)
    _wait_for_orphans(project)
    left = tuple(name for name in job.outputs if (project / name).exists())
    return Outcome(was_running, left, printed)


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _started(project: Path, job: Job) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *job.outputs]
    workflow = subprocess.Popen(
        [*command, "--configfile", str(TINY)],
        cwd=project,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
        start_new_session=True,
    )
    try:
        yield workflow
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(workflow.pid, signal.SIGKILL)
        workflow.wait()


def _process_of(workflow: subprocess.Popen, rule: str) -> psutil.Process | None:
    """The job's program, as soon as it runs; None if the workflow ends before."""
    engine = psutil.Process(workflow.pid)
    while workflow.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in engine.children(recursive=True):
                words = process.cmdline()
                if words[1:3] == ["-m", f"workflow_scripts.{rule}"]:
                    return process
        time.sleep(0.02)
    return None


def _wait_for_work(process: psutil.Process, *, cpu_seconds: float) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.is_running() and sum(process.cpu_times()[:2]) < cpu_seconds:
            time.sleep(0.02)


def _wait_for_orphans(project: Path) -> None:
    """A job does not outlive its workflow by more than some moments."""
    end = time.monotonic() + 10.0
    while running := [p for p in psutil.process_iter() if _works_in(p, project)]:
        assert time.monotonic() < end, [process.cmdline() for process in running]
        time.sleep(0.05)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()) == folder
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False
