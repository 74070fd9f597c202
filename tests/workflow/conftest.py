from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from tests.workflow.workflow import copy_project, snakemake


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the tiny survey has been run; do not change it.

    All processes that test side by side have the same one.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    project = shared / "finished_project"
    with (shared / "finished_project.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (project / "printed.txt").exists():
            shutil.rmtree(project, ignore_errors=True)
            result = snakemake(copy_project(project))
            assert result.returncode == 0, result.stdout
            (project / "printed.txt").write_text(result.stdout)
    return project


@pytest.fixture
def own_project(finished_project: Path, tmp_path: Path) -> Path:
    """A copy of the finished project to run on; its images are the original's."""
    return shutil.copytree(finished_project, tmp_path / "project", symlinks=True)


@pytest.fixture
def edited_project(finished_project: Path, tmp_path: Path) -> Path:
    """A finished project to edit; its results are those of the original."""
    project = copy_project(tmp_path / "project")
    for name in ("results", ".snakemake"):
        (project / name).symlink_to(finished_project / name)
    return project
