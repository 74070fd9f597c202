"""How long it takes to plan a large survey, and to start its jobs.

The rules are the project's own, in a copy of it; the scripts are replaced by one that
only creates the files that it is told to write, so that what is left is the cost of the
workflow itself. The parts of the survey are empty files. A million galaxies are planned
from a synthetic catalogue without images, which the project's own scripts split and
cut into chunks: how many jobs there are is known once these have run.

Run it from the project's folder: ``python -m benchmarks.planning``
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import large_survey
from benchmarks.side_by_side import HEADER, Row
from benchmarks.stages import Cost, cost_of

__all__ = ["main", "measure"]

ROOT = Path(__file__).resolve().parents[1]
_PROJECT = ("Snakefile", "config.yaml", "rules", "profiles", "envs", "zoobot")
_SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}

_STAND_IN = '''\
"""Create the results that are named on the command line."""
import sys
from pathlib import Path

for path in map(Path, sys.argv[1:]):
    if path.parts[:1] == ("results",) and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else path.mkdir()
'''
_PART_WRITER = """
folder = Path(sys.argv[sys.argv.index("{option}") + 1])
for name in {names}:
    (folder / f"{{name}}.parquet").touch()
(folder / "order.txt").write_text("\\n".join({names}))
"""
_GIVEN = """
for name in ("labelled", "unlabelled"):
    given = Path("given", f"{name}.parquet")
    option = Path(sys.argv[sys.argv.index(f"--{name}") + 1])
    option.write_bytes(given.read_bytes())
"""
_SETTINGS = """\
chunk_catalog: {galaxies_per_chunk: 10000}
prepare_catalog: {labelled_catalogs: [survey.csv], unlabelled_catalogs: []}
prepare_ring_catalog: {catalogs: [survey.csv]}
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shards", type=int, default=1000, help="and as many chunks")
    parser.add_argument("--galaxies", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="dry runs")
    parser.add_argument("--jobs", type=int, default=200, help="jobs that are run")
    args = parser.parse_args(argv)
    rows = measure(
        args.shards, n_galaxies=args.galaxies, rounds=args.rounds, n_jobs=args.jobs
    )
    print(HEADER, *rows, sep="\n")


def measure(
    n_shards: int = 1000,
    *,
    n_galaxies: int = 1_000_000,
    rounds: int = 3,
    n_jobs: int = 200,
) -> list[Row]:
    """Time dry runs, and the first jobs of a run.

    Parameters
    ----------
    n_shards : int
        Shards of the survey, and chunks.
    n_galaxies : int
        Galaxies of another survey, which is only planned; four of five have votes.
    rounds : int
        How often the survey is planned.
    n_jobs : int
        Jobs that are run, out of several thousand that are ready or wait.
    """
    with tempfile.TemporaryDirectory() as folder:
        project = _project_with_parts(Path(folder), n_shards)
        planned = [_cost_of_plan(project).seconds for _ in range(rounds)]
        finished = _seconds_of_jobs(project, n_jobs)
    step = max(1, n_jobs // 5)
    each = [
        (finished[i + step] - finished[i]) / step
        for i in range(0, len(finished) - step, step)
    ]
    return [
        Row(
            what=f"dry run of a survey of {n_shards} shards and {n_shards} chunks",
            against="-",
            measured=statistics.median(planned),
            least=min(planned),
            most=max(planned),
            bar=20,
            better="less",
            unit=" s",
        ),
        Row(
            what=f"running a job that does nothing, {len(finished) - 1} jobs of it",
            against="-",
            measured=(finished[-1] - finished[0]) / (len(finished) - 1),
            least=min(each),
            most=max(each),
            bar=0.6,
            better="less",
            unit=" s",
        ),
        *_rows_of_galaxies(n_galaxies, rounds),
    ]


def _rows_of_galaxies(n_galaxies: int, rounds: int) -> list[Row]:
    """Time and memory of planning a survey of so many galaxies."""
    with tempfile.TemporaryDirectory() as folder:
        project = _project_with_galaxies(Path(folder), n_galaxies)
        costs = [_cost_of_plan(project) for _ in range(rounds)]
        parts = project / "results/catalog"
        n_chunks, n_shards = (
            len(list(parts.glob(f"{kind}/*.parquet"))) for kind in ("chunks", "shards")
        )
    survey = f"{n_galaxies} galaxies, {n_chunks} chunks and {n_shards} shards"
    figures = {
        f"dry run of a survey of {survey}": ([c.seconds for c in costs], 60, " s"),
        f"peak memory of planning {survey}": ([c.peak_mib for c in costs], 954, " MiB"),
    }
    return [
        Row(
            what=what,
            against="-",
            measured=statistics.median(found),
            least=min(found),
            most=max(found),
            bar=bar,
            better="less",
            unit=unit,
        )
        for what, (found, bar, unit) in figures.items()
    ]


def _project_with_galaxies(project: Path, n_galaxies: int) -> Path:
    """A copy of the project, with a catalogue that its own scripts have cut."""
    large_survey.draw_prepared(project / "given", n_galaxies)
    scripts = _copy_project(project, {"prepare_catalog": _GIVEN})
    for name in ("split_catalog", "chunk_catalog"):
        shutil.copy2(ROOT / "workflow_scripts" / f"{name}.py", scripts)
    _run_catalogs(project)
    return project


def _project_with_parts(project: Path, n_shards: int) -> Path:
    """A copy of the project, run up to the tables of its shards and chunks."""
    n_of = {part: round(share * n_shards) for part, share in _SHARES.items()}
    shards = [f"{part}_{i:012x}" for part in n_of for i in range(n_of[part])]
    chunks = [f"labelled_{i:012x}" for i in range(n_shards)]
    parts = {
        "split_catalog": _PART_WRITER.format(option="--shards-folder", names=shards),
        "chunk_catalog": _PART_WRITER.format(option="--chunks-folder", names=chunks),
    }
    _copy_project(project, parts)
    _run_catalogs(project)
    return project


def _copy_project(project: Path, parts: Mapping[str, str]) -> Path:
    """Copy the project, with stand-ins for its scripts; give the folder of these."""
    for name in _PROJECT:
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, project / name, ignore=ignore)
        else:
            shutil.copy2(source, project / name)
    scripts = project / "workflow_scripts"
    scripts.mkdir()
    for script in (ROOT / "workflow_scripts").glob("*.py"):
        text = _STAND_IN + parts.get(script.stem, "")
        (scripts / script.name).write_text(text)
    (project / "survey.csv").touch()
    (project / "survey.yaml").write_text(_SETTINGS)
    return scripts


def _run_catalogs(project: Path) -> None:
    command = _snakemake("--quiet", "all", "--until", "split_catalog", "chunk_catalog")
    subprocess.run(command, cwd=project, check=True, capture_output=True)


def _snakemake(*options: str) -> list[str]:
    command = [sys.executable, "-m", "snakemake", "--cores", str(os.cpu_count())]
    return [*command, *options, "--configfile", "survey.yaml"]


def _cost_of_plan(project: Path) -> Cost:
    return cost_of(_snakemake("--dry-run"), folder=project)


def _seconds_of_jobs(project: Path, n_jobs: int) -> list[float]:
    """Times at which the first jobs of the run finished, one more than n_jobs."""
    run = subprocess.Popen(
        _snakemake(),
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    finished = []
    assert run.stderr is not None
    for line in run.stderr:
        if line.startswith("Finished jobid"):
            finished.append(time.perf_counter())
        if len(finished) > n_jobs:
            break
    # Asked to stop, it would wait for jobs that are running; nothing here is kept.
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    run.stderr.close()
    if len(finished) <= n_jobs:
        raise RuntimeError(f"the run ended after {len(finished)} jobs of {n_jobs}")
    return finished


if __name__ == "__main__":
    main()
