from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.workflow import copy_project, snakemake


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the tiny survey has been run; do not change it."""
    project = copy_project(tmp_path_factory.mktemp("finished") / "project")
    result = snakemake(project)
    assert result.returncode == 0, result.stdout
    (project / "printed.txt").write_text(result.stdout)
    return project


@pytest.fixture
def edited_project(finished_project: Path, tmp_path: Path) -> Path:
    """A finished project to edit; its results are those of the original."""
    project = copy_project(tmp_path / "project")
    for name in ("results", ".snakemake"):
        (project / name).symlink_to(finished_project / name)
    return project
