"""Where no Slurm answers there are no jobs to cancel; tests/slurm has a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.stale_jobs import cancel_stale_jobs


def test_without_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cancel_stale_jobs(tmp_path) == []


def test_slurm_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As on a machine that was a cluster's."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    squeue = tmp_path / "squeue"
    squeue.write_text("#!/bin/sh\necho cannot reach the controller >&2\nexit 1\n")
    squeue.chmod(0o755)
    assert cancel_stale_jobs(tmp_path) == []
