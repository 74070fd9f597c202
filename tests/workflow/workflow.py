"""Run the workflow from tests: in a copy of the project, on tiny data."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TINY = Path(__file__).with_name("tiny.yaml")
PARTS = (
    "Snakefile",
    "config.yaml",
    "rules",
    "workflow_scripts",
    "zoobot",
    "envs",
    "profiles",
)
BY_HAND = {
    "create_shards",
    "crossmatch",
    "finetune_advanced",
    "finetune_minimal",
    "make_predictions",
    "make_predictions_loop",
    "train_model",
}
"""Programs for a shell, which no rule runs."""
NOT_IN_TINY = {"fetch_file", "unpack_images"}
"""Rules that the tiny survey has no use for."""
RULE_LINE = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):$", re.MULTILINE)


def copy_project(folder: Path) -> Path:
    """A copy of the project's code that a test may edit."""
    ignore = shutil.ignore_patterns("__pycache__")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=ignore)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / part)
    return folder


def snakemake(
    project: Path,
    *options: str,
    configfiles: tuple[Path, ...] = (TINY,),
    cores: int | None = 2,
) -> subprocess.CompletedProcess:
    """Run the workflow of a project; standard error is part of the output."""
    command = [sys.executable, "-m", "snakemake", *options]
    if cores is not None:  # else the profile says it
        command += ["--cores", str(cores)]
    if configfiles:
        command += ["--configfile", *map(str, configfiles)]
    return subprocess.run(
        command,
        cwd=project,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
        check=False,
    )


def planned_rules(
    project: Path, *options: str, configfiles: tuple[Path, ...] = (TINY,)
) -> set[str]:
    """The rules that the workflow would run now, without the target rule."""
    result = snakemake(project, "-n", *options, configfiles=configfiles)
    assert result.returncode == 0, result.stdout
    return set(RULE_LINE.findall(result.stdout)) - {"all"}
