"""A full or read-only disk and a damaged file, done to the workflow itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow import killing
from tests.workflow.same_results import assert_same
from tests.workflow.workflow import snakemake

pytestmark = [pytest.mark.slow, pytest.mark.faults]


@pytest.fixture
def project_on_a_disk(finished_project: Path, tmp_path: Path) -> Iterator[Path]:
    """A finished project whose results lie on a disk of their own."""
    if os.geteuid() != 0:
        pytest.skip("not root: a file system cannot be mounted")
    project = tmp_path / "project"
    ignore = shutil.ignore_patterns("results")
    shutil.copytree(finished_project, project, ignore=ignore, symlinks=True)
    results = project / "results"
    results.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", str(results)]
    if subprocess.run(command, check=False).returncode:
        pytest.skip("root, but a file system cannot be mounted, as in some containers")
    shutil.copytree(finished_project / "results", results, dirs_exist_ok=True)
    yield project
    subprocess.run(["umount", str(results)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def test_full_then_read_only_then_neither(
    finished_project: Path, project_on_a_disk: Path
):
    """The error names the file and the reason; then the same command succeeds."""
    project, results = project_on_a_disk, project_on_a_disk / "results"
    job = killing.jobs_of(finished_project)["write_shards"]
    (name,) = job.outputs
    size = (project / name).stat().st_size
    killing.remove(project / name)
    status = os.statvfs(results)
    used = (status.f_blocks - status.f_bfree) * status.f_frsize
    remount(results, f"size={used + size // 2}")
    full = snakemake(project, name)
    assert full.returncode != 0
    remedy = "free some space and run the workflow again"
    assert f"No space left on device ({remedy}): '{name}'" in full.stdout
    assert list((project / name).parent.glob(f".{Path(name).stem}*")) == []
    assert not (project / name).exists()
    remount(results, "ro,size=1g")
    read_only = snakemake(project, name)
    assert read_only.returncode != 0
    assert "Read-only file system" in read_only.stdout
    remount(results, "rw")
    freed = snakemake(project, name)
    assert freed.returncode == 0, freed.stdout
    roots = (project, finished_project)
    assert_same(project / name, finished_project / name, roots=roots)


def test_a_damaged_file_is_named_and_made_anew_once_deleted(
    finished_project: Path, tmp_path: Path
):
    """As the error says: no other command is needed."""
    project = tmp_path / "project"
    shutil.copytree(finished_project, project, symlinks=True)
    (damaged,) = (project / "results/predictions/tiny").glob("tiny_labelled_*.hdf5")
    content = damaged.read_bytes()
    damaged.write_bytes(content[: len(content) // 2] + bytes(len(content) // 2))
    table = "results/evaluation/tiny_coverage.csv"
    (project / table).unlink()
    refused = snakemake(project, table)
    assert refused.returncode != 0
    assert f"ValueError: {damaged.relative_to(project)}: " in refused.stdout
    assert "delete it and run the workflow again" in refused.stdout
    damaged.unlink()
    mended = snakemake(project, table)
    assert mended.returncode == 0, mended.stdout
    roots = (project, finished_project)
    for path in (damaged.relative_to(project), table):
        assert_same(project / path, finished_project / path, roots=roots)
