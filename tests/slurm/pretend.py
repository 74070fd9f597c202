"""A Slurm of one node on this machine, its jobs, and a user's profile for it."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import threading
from pathlib import Path
from types import TracebackType

from tests.workflow.workflow import ROOT

N_GPUS = 2
CORES = 4
"""Most of a job. The node has so many that GPUs, not CPUs, are what jobs wait for."""

ACCOUNT = "pretend_account"
"""What the user's jobs are charged to, if they ask for it."""

CANNOT = 77
"""Exit status of up.sh where no Slurm can be had."""

_OF_THE_USER = {
    "account: &account my_account": f"account: &account {ACCOUNT}",
    "gpu_type: &gpu_type a100": "gpu_type: &gpu_type pretend",
    "  cpu: {max_gpu: 0}": "  batch: {max_gpu: 0}",
    "  gpu: {max_gpu: 4}": "  accelerated: {max_gpu: 2}",
    "cores: 16": f"cores: {CORES}",
    "runtime: 2880}": "runtime: 60}",
}
"""What a user changes in the profile: the lines of its first part."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A job as Slurm knows it."""

    number: int
    comment: str
    """The rule or group and its wildcards."""
    state: str
    account: str
    n_gpus: int
    n_cpus: int
    memory_mb: int
    minutes: int
    partition: str
    log: Path

    @property
    def rule(self) -> str:
        """Name of the rule, or of the group that its jobs are in."""
        return re.sub(r"^(rule|group)_|_wildcards_.*$", "", self.comment)


def script(name: str) -> subprocess.CompletedProcess:
    """Run up.sh or down.sh; what it says is in standard error."""
    return subprocess.run(
        [str(ROOT / "tests/slurm" / name)],
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )


def jobs(folder: Path) -> list[Job]:
    """All jobs that runs in a folder have sent off, by their numbers."""
    shown = subprocess.run(
        ["scontrol", "show", "job", "--oneliner"],
        text=True,
        capture_output=True,
        check=True,
    )
    found = [_job(line) for line in shown.stdout.splitlines() if "JobId=" in line]
    own = [job for job in found if job.log.is_relative_to(folder.resolve())]
    return sorted(own, key=lambda job: job.number)


def accounting() -> dict[int, tuple[str, str]]:
    """What Slurm's database says of all jobs: their state and their account."""
    shown = subprocess.run(
        [
            *("sacct", "--allusers", "--allocations", "--starttime=now-1days"),
            *("--noheader", "--parsable2", "--format=JobIDRaw,State,Account"),
        ],
        text=True,
        capture_output=True,
        check=True,
    )
    found = [line.split("|") for line in shown.stdout.splitlines()]
    return {int(job): (state, account) for job, state, account in found}


def _job(line: str) -> Job:
    fields = dict(re.findall(r"(\S+?)=(\S*)", line))
    hours, minutes, _ = map(int, fields["TimeLimit"].split(":"))
    gpus = re.fullmatch(r"gres:gpu:(?:\w+:)?(\d+)", fields.get("TresPerJob", ""))
    return Job(
        number=int(fields["JobId"]),
        comment=fields.get("Comment", ""),
        state=fields["JobState"],
        account=fields["Account"],
        n_gpus=int(gpus[1]) if gpus else 0,
        n_cpus=int(fields["NumCPUs"]),
        memory_mb=_megabytes(fields["MinMemoryNode"]),
        minutes=60 * hours + minutes,
        partition=fields["Partition"],
        log=Path(fields["StdOut"]),
    )


def _megabytes(text: str) -> int:
    number, unit = re.fullmatch(r"([\d.]+)([MG]?)", text).groups()
    return round(float(number) * (1024 if unit == "G" else 1))


def adapt_profile(project: Path, *, requests: dict[str, str]) -> None:
    """Edit profiles/slurm as a user of this Slurm does, and what some rules ask for."""
    path = project / "profiles/slurm/config.yaml"
    text = path.read_text()
    for line, changed in _OF_THE_USER.items():
        assert text.count(line) == 1, line
        text = text.replace(line, changed)
    for rule, resources in requests.items():
        assert not re.search(rf"^  {rule}: {{mem_mb", text, re.M), rule
        text = text.replace(
            "set-resources:\n", f"set-resources:\n  {rule}: {resources}\n"
        )
    path.write_text(text)


def submit(folder: Path, *, name: str, account: str | None = None) -> int:
    """Send off a job of no workflow, which waits; its number."""
    options = [f"--job-name={name}", f"--output={folder}/%j.log", "--mem=100"]
    if account is not None:
        options.append(f"--account={account}")
    sent = subprocess.run(
        ["sbatch", "--parsable", *options, "--wrap", "sleep 1800"],
        text=True,
        capture_output=True,
        check=True,
    )
    return int(sent.stdout)


class Watch:
    """Looks every second at how many GPUs are in use, while it is open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.n_gpus: list[int] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(1.0):
            running = [job for job in jobs(self.folder) if job.state == "RUNNING"]
            self.n_gpus.append(sum(job.n_gpus for job in running))
