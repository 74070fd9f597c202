"""Jobs side by side each take a GPU of their own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import tensorflow as tf

from zoobot.estimators import devices
from zoobot.estimators.gpu_locks import take_gpus

NAMES = ["0", "GPU-5f", "MIG-GPU-5f/1/0"]
PROGRAM = """
import sys
from zoobot.estimators.gpu_locks import take_gpus
names = sys.argv[3:]
print(*take_gpus(names, n_wanted=int(sys.argv[2]), folder=sys.argv[1]), flush=True)
sys.stdin.read()
"""


class Job:
    """Another process that takes GPUs, and has them until it is killed."""

    def __init__(self, folder: Path, n_wanted: int):
        options = [str(folder), str(n_wanted), *NAMES]
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def taken(self) -> list[int]:
        assert self.process.stdout
        return [int(number) for number in self.process.stdout.readline().split()]

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start(tmp_path: Path):
    """A function that starts a job, which is gone after the test."""
    jobs = []

    def start(n_wanted: int = 1) -> Job:
        jobs.append(Job(tmp_path / "locks", n_wanted))
        return jobs[-1]

    yield start
    for job in jobs:
        job.kill()


def test_jobs_started_together_take_different_gpus(start):
    jobs = [start() for _ in NAMES]
    assert sorted(number for job in jobs for number in job.taken()) == [0, 1, 2]


def test_a_killed_job_gives_its_gpus_back(start):
    first = start(2)
    assert first.taken() == [0, 1]
    second = start()
    assert second.taken() == [2]
    first.kill()
    assert start(2).taken() == [0, 1]


def test_if_none_is_free_one_is_shared(start, tmp_path, caplog):
    """As many as wanted in any case, the free ones among them; and the log says it."""
    assert start(2).taken() == [0, 1]
    with caplog.at_level(logging.WARNING):
        assert take_gpus(NAMES, n_wanted=2, folder=tmp_path / "locks") == [0, 2]
    assert "found 1 free of 3 GPUs, wanted 2: sharing 0" in caplog.text


def test_a_process_keeps_its_gpus(tmp_path):
    """Asked again it gives the same; none is none."""
    for _ in range(2):
        assert take_gpus(NAMES, n_wanted=1, folder=tmp_path) == [0]
    assert take_gpus(NAMES, n_wanted=0, folder=tmp_path) == []


def test_without_a_folder_for_locks(tmp_path, caplog):
    """Jobs run as if they were alone, which the log says."""
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING):
        taken = take_gpus(NAMES, n_wanted=2, folder=tmp_path / "file")
    assert taken == [0, 1]
    assert "no lock can be kept there" in caplog.text


@pytest.mark.parametrize(("n_gpus", "expected"), [(0, []), (1, ["b"]), (2, ["b", "c"])])
def test_tensorflow_sees_what_is_taken(
    tmp_path, monkeypatch, start, n_gpus: int, expected: list[str]
):
    """Of three pretend GPUs, named as Slurm does; another job has the first."""
    visible = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: list("abc"))
    monkeypatch.setattr(
        tf.config, "set_visible_devices", lambda some, kind: visible.append(some)
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(NAMES))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "locks").symlink_to(tmp_path / f"zoobot-gpus-{os.getuid()}")
    (tmp_path / f"zoobot-gpus-{os.getuid()}").mkdir()
    assert start().taken() == [0]
    devices.use_gpus(n_gpus)
    assert visible == [expected]


def test_all_gpus_that_there_are(monkeypatch):
    """No more than are wanted, as in a job of Slurm: nothing is to be chosen."""
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: list("ab"))
    monkeypatch.delattr(tf.config, "set_visible_devices")
    devices.use_gpus(2)
