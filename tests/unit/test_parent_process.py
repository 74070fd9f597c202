"""A job does not outlive what started it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(
        not hasattr(os, "pidfd_open"), reason="no descriptors of processes here"
    ),
]

ROOT = Path(__file__).resolve().parents[2]
JOB = (
    "import os, time; from zoobot.parent_process import end_with_parent; "
    "end_with_parent(); print(os.getpid(), flush=True); time.sleep(60)"
)


def started(shell: str) -> tuple[subprocess.Popen, int]:
    """A workflow, which runs a shell, which runs a job; and the job's number."""
    engine = (
        "import subprocess, sys; "
        "subprocess.run(['bash', '-c', sys.argv[1], *sys.argv[2:]])"
    )
    workflow = subprocess.Popen(
        [sys.executable, "-c", engine, shell, sys.executable, JOB],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    return workflow, int(workflow.stdout.readline())


def ends(process: int) -> bool:
    """Whether a process ends within some seconds."""
    for _ in range(500):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":  # it has, and nobody asked how
            return True
        time.sleep(0.01)
    return False


def test_a_job_ends_with_its_workflow():
    """Although the shell between them lives on."""
    workflow, job = started('export ZOOBOT_ENDS_WITH=$PPID; "$0" -c "$1"; sleep 0')
    workflow.kill()
    assert ends(job)
    workflow.communicate()


def test_a_job_ends_with_its_shell():
    """When only that is killed, the workflow takes the job for failed."""
    shell = 'export ZOOBOT_ENDS_WITH=$PPID; (sleep 0.3; kill -9 $$) & "$0" -c "$1"; :'
    workflow, job = started(shell)
    assert ends(job)
    workflow.communicate()


def test_a_program_by_itself_goes_on():
    """Started by hand, it may outlive the terminal."""
    workflow, job = started('"$0" -c "$1"; sleep 0')
    workflow.kill()
    time.sleep(0.3)
    os.kill(job, 9)
    workflow.communicate()


def test_a_workflow_that_ended_before_the_job_began():
    """The job does not even begin."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    result = subprocess.run(
        [sys.executable, "-c", JOB],
        cwd=ROOT,
        env=os.environ | {"ZOOBOT_ENDS_WITH": str(gone.pid)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stdout == ""
