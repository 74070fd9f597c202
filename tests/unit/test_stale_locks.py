"""Locks that a killed workflow left do not stop the next; those in use do."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rules import stale_locks
from rules.stale_locks import is_alone, remove_stale_locks

pytestmark = pytest.mark.faults

ROOT = Path(__file__).resolve().parents[2]
HOLD = (
    "import sys, pathlib; from rules.stale_locks import remove_stale_locks; "
    "held = remove_stale_locks(pathlib.Path(sys.argv[1])); print('held', flush=True); "
    "sys.stdin.read()"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workflow's own folder after its end, with files of locks."""
    (tmp_path / "locks").mkdir()
    for name in ("0.input.lock", "0.output.lock"):
        (tmp_path / "locks" / name).write_text("results/table.csv\n")
    return tmp_path


def n_locks(folder: Path) -> int:
    return len(list((folder / "locks").iterdir()))


def holder(folder: Path) -> subprocess.Popen:
    """Another process that runs the workflow."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_left_over(folder: Path):
    """Nobody runs: they go."""
    with remove_stale_locks(folder):
        assert n_locks(folder) == 0


def test_in_use(folder: Path):
    """One runs and has just locked: a second process leaves its locks alone."""
    with holder(folder) as first:
        assert n_locks(folder) == 0
        (folder / "locks/0.output.lock").touch()
        with remove_stale_locks(folder):
            assert n_locks(folder) == 1
        # Not even after a third, a dry run, came and went while the first runs.
        with remove_stale_locks(folder):
            assert n_locks(folder) == 1
        first.send_signal(signal.SIGKILL)
        first.wait()
    with remove_stale_locks(folder):
        assert n_locks(folder) == 0


def test_two_at_once(folder: Path):
    """The second holds on when the first has ended."""
    with holder(folder) as first, holder(folder) as second:
        (folder / "locks/0.output.lock").touch()
        first.kill()
        first.wait()
        with remove_stale_locks(folder):
            assert n_locks(folder) == 1
        second.kill()


def test_of_another_host(folder: Path):
    """Where it may still run: some file systems keep such locks to one host."""
    (folder / "running.lock").write_text("elsewhere")
    with remove_stale_locks(folder):
        assert n_locks(folder) == 2
    (folder / "running.lock").write_text(socket.gethostname())
    with remove_stale_locks(folder):
        assert n_locks(folder) == 0


def test_a_folder_that_cannot_be_made(tmp_path: Path):
    """The engine itself will say what is wrong with it."""
    (tmp_path / "file").touch()
    assert remove_stale_locks(tmp_path / "file" / "folder") is None


def test_alone_or_not(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Another that runs is waited for, in case that it only plans; it does not."""
    monkeypatch.setattr(stale_locks, "_SECONDS_FOR_A_PLAN", 0.3)
    with holder(folder) as other, remove_stale_locks(folder) as own:
        assert not is_alone(own)
        # Having asked, one still holds the lock that others see.
        with remove_stale_locks(folder) as third:
            other.kill()
            other.wait()
            assert not is_alone(third)
        assert is_alone(own)
    assert is_alone(None)
