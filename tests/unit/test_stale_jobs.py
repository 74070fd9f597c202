"""Where no Slurm answers there are no jobs to cancel; tests/slurm has a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules import stale_jobs
from rules.stale_jobs import cancel_stale_jobs


def test_without_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cancel_stale_jobs(tmp_path) == []


@pytest.mark.parametrize("does", ["echo cannot reach it >&2; exit 1", "exec sleep 60"])
def test_slurm_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str
):
    """As where it was taken away, or its controller is down."""
    monkeypatch.setattr(stale_jobs, "_SECONDS_TO_ANSWER", 0.2)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    squeue = tmp_path / "squeue"
    squeue.write_text(f"#!/bin/sh\n{does}\n")
    squeue.chmod(0o755)
    assert cancel_stale_jobs(tmp_path) == []
