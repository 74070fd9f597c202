"""Blocks of code in a page of documentation, and how each kind is run."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from tests.workflow.workflow import ROOT, TINY
from zoobot import command_line
from zoobot.configuration import read_settings
from zoobot.schemas import get_schema

SURVEY = "/data/my_survey"
PUBLISHED = "https://example.org/my_survey/"
SHOWN = {"text", "csv", "bibtex"}
"""Languages of blocks that are not run."""

_TRAINS = {
    *("train", "train_model"),
    *("finetune_rings", "finetune_minimal", "finetune_advanced"),
}
_OF_A_CLUSTER = {"scancel", "sinfo", "squeue", "sshare", "tmux"}
_PLUGINS = {"snakemake-executor-plugin-slurm", "tensorflow"}


@dataclasses.dataclass(frozen=True)
class Block:
    """One block of code."""

    language: str
    """Empty where the block does not say it."""
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    """All blocks of a page but those that Sphinx reads as its own directives."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8"))
    return [
        Block(token.info.strip(), token.content, (token.map or [0])[0] + 1)
        for token in tokens
        if token.type in {"fence", "code_block"} and not token.info.startswith("{")
    ]


def as_tiny(text: str, *, survey: Path) -> str:
    """A block's text, of the tiny run and a survey that is there."""
    text = re.sub(r"(?<![a-z])demo(?=[_/])", "tiny", text.replace(SURVEY, str(survey)))
    return text.replace("pca40", "pca5").replace("n_components=10", "n_components=5")


class _Parsed(Exception):
    """The command line of a program was understood."""


class Reader:
    """Someone who does what a page says, in a folder with finished results."""

    def __init__(self, folder: Path, *, survey: Path):
        self.folder = folder
        self.survey = survey
        self.published = PUBLISHED
        """Where the web server is that has a survey."""
        self.names: dict[str, object] = {"__name__": "__main__"}
        self.planned: set[str] = set()

    def do(self, block: Block) -> None:
        """Run or check one block."""
        text = as_tiny(block.text, survey=self.survey)
        text = text.replace(PUBLISHED, self.published)
        kinds: dict[str, Callable[[str], None]] = {
            "python": self._python,
            "bash": self._bash,
            "yaml": self._yaml,
        }
        if block.language not in SHOWN:
            assert block.language in kinds, (
                f"line {block.line}: found a block of {block.language or 'nothing'}, "
                f"expected one of {', '.join([*kinds, *sorted(SHOWN)])}"
            )
            kinds[block.language](text)

    def _python(self, text: str) -> None:
        exec(compile(text, "<block>", "exec"), self.names)

    def _yaml(self, text: str) -> None:
        named = re.match(r"# (\S+\.ya?ml)\n", text)
        assert named, (
            f"expected the file's name in the first line, # name.yaml:\n{text}"
        )
        path = self.folder / named[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        # As text, since `yes` and `no` are answers.
        content = yaml.load(text, Loader=yaml.BaseLoader)
        if "questions" in content:
            get_schema(path)
        elif path.name == "config.yaml":
            _check_profile(content)
        elif content.get("kind") == "Job":
            self._job(content["spec"]["template"]["spec"])
        else:
            read_settings(_laid_over(yaml.safe_load(text)))

    def _job(self, pod: dict) -> None:
        """One of Kubernetes: the image starts the workflow in the mounted folder."""
        (container,) = pod["containers"]
        (mounted,), (volume,) = container["volumeMounts"], pod["volumes"]
        assert mounted["name"] == volume["name"]
        self._command(["snakemake", *container["args"]])

    def _bash(self, text: str) -> None:
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                self._command(words)

    def _command(self, words: list[str]) -> None:
        program, options = words[0].removeprefix(".venv/bin/"), words[1:]
        if program == "make":
            _make(options)
        elif program == "snakemake":
            self._workflow(options)
        elif program == "python":
            self._program(options)
        elif program == "pip":
            _pip(options)
        elif program == "pytest":
            _pytest(options)
        elif program in _OF_A_CLUSTER:
            _has_options(program, options)
        elif program in {"docker", "apptainer"}:
            self._image(options)
        elif program in {"tail", "ls", "cat", "head"}:
            subprocess.run([program, *options], cwd=self.folder, check=True)
        else:
            raise AssertionError(f"{' '.join(words)}: nobody can run this")

    def _workflow(self, options: list[str]) -> None:
        """Planned, not run; without plugins, which need not be installed."""
        if "--executor" in options:
            place = options.index("--executor")
            assert f"snakemake-executor-plugin-{options[place + 1]}" in _PLUGINS
            options = options[:place] + options[place + 2 :] + ["--cores", "2"]
        if "--software-deployment-method" in options:
            place = options.index("--software-deployment-method")
            assert options[place + 1] == "conda"
            options = options[:place] + options[place + 2 :]
        if "--configfile" not in options:
            options = [*options, "--configfile", str(TINY)]
        if "--directory" in options:
            place = options.index("--directory") + 1
            (self.folder / options[place]).mkdir(parents=True, exist_ok=True)
        options = [option for option in options if option != "-n"]
        if str(options) in self.planned:
            return
        self.planned.add(str(options))
        result = subprocess.run(
            [sys.executable, "-m", "snakemake", *options, "--dry-run"],
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert result.returncode == 0, result.stdout

    def _image(self, options: list[str]) -> None:
        """Not built; its definition is there, and what would run in it is planned."""
        if options[0] == "build":
            assert any((ROOT / word).is_file() for word in options), options
            return
        assert options[0] == "run"
        image = next(i for i, word in enumerate(options) if word.startswith("zoobot"))
        self._workflow(options[image + 1 :])

    def _program(self, options: list[str]) -> None:
        """A program of the workflow, in this process; one that trains is only read."""
        if options[0] == "-c":
            exec(compile(options[1], "<command>", "exec"), {})
            return
        path = " ".join(options[:2]).removeprefix("-m ")
        if path == "envs.write_pins":
            assert (ROOT / "envs/write_pins.py").is_file()
            return
        name = re.match(r"workflow_scripts[./](\w+)", path)
        assert name, f"python {' '.join(options)}: nobody can run this"
        argv = options[2:] if options[0] == "-m" else options[1:]
        program = importlib.import_module(f"workflow_scripts.{name[1]}")
        parse = command_line.parse

        def only_parse(*arguments):
            raise _Parsed(parse(*arguments))

        with pytest.MonkeyPatch.context() as patch:
            if name[1] in _TRAINS and "--help" not in argv:
                patch.setattr(command_line, "parse", only_parse)
            try:
                program.main(argv)
            except _Parsed:
                pass
            except SystemExit as end:
                assert not end.code, f"{name[1]} {' '.join(argv)}"


def _check_profile(profile: dict) -> None:
    """A profile for a cluster: it limits the rules that take all threads there are."""
    rules = "".join(path.read_text() for path in ROOT.glob("rules/*.smk"))
    assert int(profile["cores"]) > 0
    assert set(profile["set-resources"]) <= set(
        re.findall(r"^(?:rule|checkpoint) (\w+):", rules, re.M)
    )
    assert profile["max-checksum-file-size"] == "10GB"  # as profiles/default


def _laid_over(changes: dict) -> dict:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    settings = copy.deepcopy(config)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(settings.get(key), dict):
            settings[key] = settings[key] | value
        else:
            settings[key] = value
    return settings


def _make(targets: list[str]) -> None:
    result = subprocess.run(
        ["make", "--dry-run", *targets], cwd=ROOT, capture_output=True, check=False
    )
    assert result.returncode == 0, result.stderr.decode()


def _pip(options: list[str]) -> None:
    known = (ROOT / "requirements.lock").read_text().lower()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = {n for names in extras["optional-dependencies"].values() for n in names}
    assert options[0] == "install"
    for word in options[1:]:
        if word == "-r" or word.endswith(".lock"):
            assert word == "-r" or (ROOT / word).is_file(), word
            continue
        name = re.split(r"[\[=<>~]", word)[0].lower()
        assert name in _PLUGINS | optional or f"\n{name}==" in known, word


def _has_options(program: str, options: list[str]) -> None:
    """A command of a cluster: where there is a Slurm its help knows the options."""
    long = [option.split("=")[0] for option in options if option.startswith("--")]
    if long and shutil.which(program):
        shown = subprocess.run([program, "--help"], capture_output=True, check=False)
        if shown.returncode == 0:  # without its configuration it does not even help
            for option in long:
                assert option.encode() in shown.stdout + shown.stderr, option


def _pytest(options: list[str]) -> None:
    markers = (ROOT / "pyproject.toml").read_text()
    for option in options:
        if not option.startswith("-"):
            assert (ROOT / option).exists() or f'"{option}:' in markers, option


def start_reading(finished: Path, *, folder: Path) -> Reader:
    """A copy of a project with finished results, and a survey to try things on."""
    shutil.copytree(finished, folder, symlinks=True)
    shutil.copytree(ROOT / "examples", folder / "examples")
    survey = folder.with_name("my_survey")
    shutil.copytree(finished / "results/survey", survey)
    rows = (survey / "unlabelled.csv").read_text().splitlines(keepends=True)
    (survey / "unlabelled.csv").write_text("".join(rows[:-5]))
    (survey / "second_release.csv").write_text("".join(rows[:1] + rows[-5:]))
    return Reader(folder, survey=survey)
