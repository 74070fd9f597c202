"""Environments and images: made of the lock files, and of all that a run needs.

No registry of images or of conda is needed: what a build would copy is copied, and the
entry point of the images is run there.
"""

from __future__ import annotations

import importlib.metadata
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from spython.main.parse.parsers import SingularityParser

from tests.workflow.workflow import ROOT

LOCKS = ("requirements.lock", "requirements-gpu.lock")
ENVIRONMENTS = {"zoobot.yaml": LOCKS[:1], "zoobot_gpu.yaml": LOCKS}
DOCKERFILE, DEFINITION = ROOT / "envs/Dockerfile", ROOT / "envs/zoobot.def"
INSIDE = "/opt/zoobot"


def pins(lock: str) -> dict[str, str]:
    """Versions in a lock file, each line of which is one, by name."""
    lines = (ROOT / lock).read_text().splitlines()
    found = [line.split("==") for line in lines if not line.startswith("#")]
    assert all(len(words) == 2 for words in found), lock
    return {name: version for name, version in found}


def instructions(name: str) -> list[list[str]]:
    """What follows one kind of instruction in the Dockerfile, as words."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    return [shlex.split(words) for words in re.findall(rf"^{name} (.+)$", text, re.M)]


def copied_by_docker() -> dict[str, str]:
    """Paths in the project, and where they come to lie."""
    copies = {}
    for *sources, target in instructions("COPY"):
        for source in sources:
            ends = target.endswith("/")
            copies[source] = f"{target}{source}" if ends else target
    return copies


@pytest.fixture(scope="module")
def definition():
    """The Apptainer definition, as a parser of such files reads it."""
    return SingularityParser(str(DEFINITION)).recipe["spython-base"]


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    """A folder that holds what an image would."""
    root = tmp_path_factory.mktemp("image")
    for source, target in copied_by_docker().items():
        path = root / target.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / source, path, ignore=ignored)
        else:
            shutil.copy(ROOT / source, path)
    return root


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_conda_environments_have_the_pins_of_the_lock_files(name: str):
    environment = yaml.safe_load((ROOT / "envs" / name).read_text())
    assert set(environment) == {"channels", "dependencies"}
    python, pip, listed = environment["dependencies"]
    assert pip == "pip"
    expected = [
        f"{n}=={v}" for lock in ENVIRONMENTS[name] for n, v in pins(lock).items()
    ]
    assert sorted(listed["pip"]) == sorted(expected)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = python.removeprefix("python=")
    assert version in SpecifierSet(project["requires-python"])
    assert {f"python:{version}-slim-bookworm"} == {
        words[0] for words in instructions("FROM") if words[0].startswith("python")
    }


def test_jobs_on_gpus_have_the_libraries_of_cuda():
    """Each rule has an environment, that for GPUs where it wants one."""
    for path in ROOT.glob("rules/*.smk"):
        for rule in re.split(r"^(?=rule|checkpoint)", path.read_text(), flags=re.M)[1:]:
            name = re.search(r'conda:\s+"\.\./envs/(.+)"', rule)
            assert name and name[1] in ENVIRONMENTS
            assert (name[1] == "zoobot_gpu.yaml") == ("gpu=" in rule), rule


def test_lock_file_for_gpus_is_what_tensorflow_asks_for():
    """All that its extra and-cuda lists, in a version that it takes; nothing else."""
    names = importlib.metadata.packages_distributions()["tensorflow"]
    installed = importlib.metadata.distribution(names[0])
    assert installed.version == pins("requirements.lock")["tensorflow"]
    asked = {
        requirement.name: requirement.specifier
        for requirement in map(Requirement, installed.requires or [])
        if requirement.marker
        and requirement.marker.evaluate({"extra": "and-cuda"})
        and not requirement.marker.evaluate({"extra": ""})
    }
    pinned = pins("requirements-gpu.lock")
    assert set(pinned) == set(asked)
    for name, version in pinned.items():
        assert version in asked[name], name


def test_dockerfile_has_no_faults():
    """As its linter sees it."""
    linter = Path(sys.executable).with_name("hadolint")
    result = subprocess.run(
        [linter, DOCKERFILE], text=True, capture_output=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_images_hold_the_same_files_all_of_them_tracked(definition):
    copied = copied_by_docker()
    assert dict(line.split() for line in definition.files) == copied
    for source, target in copied.items():
        assert (ROOT / source).exists(), source
        assert target == f"{INSIDE}/{source}"
    listed = subprocess.run(
        ["git", "ls-files", *copied],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout: its files cannot be listed")
    tracked = listed.stdout.split()
    for source in copied:
        assert any(path == source or path.startswith(f"{source}/") for path in tracked)


def test_images_install_the_lock_files(definition):
    """The one for GPUs in the image for them: Docker's can be built without."""
    commands = [
        f"pip install --no-cache-dir --requirement {INSIDE}/{lock}" for lock in LOCKS
    ]
    assert definition.install == commands
    assert [" ".join(words) for words in instructions("RUN")] == commands
    stages = re.split(r"^FROM ", DOCKERFILE.read_text(), flags=re.M)[1:]
    assert [stage.splitlines()[0] for stage in stages] == [
        f"{definition.fromHeader} AS cpu",
        "cpu AS gpu",
        "${KIND}",
    ]
    assert commands[0] in stages[0] and commands[1] in stages[1]
    assert ["KIND=cpu"] in instructions("ARG")


def test_what_images_run(definition):
    """The same command, of a library that both find."""
    text = DOCKERFILE.read_text()
    entry = yaml.safe_load(re.search(r"^ENTRYPOINT (.+)$", text, re.M)[1])
    assert definition.cmd == f'exec {" ".join(entry)} "$@"'
    assert entry[0] == "snakemake"
    assert f"PYTHONPATH={INSIDE}" in instructions("ENV")[0]
    assert f"PYTHONPATH={INSIDE}" in definition.environ


def test_what_images_run_is_all_there(image: Path, tmp_path: Path):
    """The demo is planned by the copy alone, in the folder of a user."""
    entry = yaml.safe_load(
        re.search(r"^ENTRYPOINT (.+)$", DOCKERFILE.read_text(), re.M)[1]
    )
    options = [word.replace(INSIDE, f"{image}{INSIDE}") for word in entry[1:]]
    result = subprocess.run(
        [sys.executable, "-m", entry[0], *options, "--cores", "2", "--dry-run"],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    assert "simulate_survey" in result.stdout
    for path in ROOT.glob("workflow_scripts/*.py"):
        assert (image / INSIDE.lstrip("/") / "workflow_scripts" / path.name).is_file()
