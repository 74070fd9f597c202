"""Tables and images that lie elsewhere, and queues other than Slurm."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import boto3
import pandas as pd
import pytest
import yaml
from moto.server import ThreadedMotoServer

from tests.workflow.remote_survey import (
    FILES,
    N_LABELLED,
    web_server,
    write_settings,
    write_survey,
)
from tests.workflow.workflow import ROOT, TINY, copy_project, planned_rules, snakemake
from tests.workflow.zenodo import RECORD, zenodo
from zoobot.data_utils.images import check_and_digest

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).with_name("task_spooler")
QSTAT = """\
Job Id: 13.server
    Job_Name = zoobot_train
    job_state = {state}
    queue = gpu
    {exit_status}
    Resource_List.walltime = 01:00:00
"""


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_survey(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("elsewhere") / "project")


def assert_prepared(run: Path, survey: Path) -> None:
    """All galaxies are there, with their votes and their own images."""
    labelled = pd.read_parquet(run / "results/catalog/labelled.parquet")
    unlabelled = pd.read_parquet(run / "results/catalog/unlabelled.parquet")
    published = pd.read_csv(survey / "labelled.csv", dtype={"id_str": str})
    votes = [*published.columns[2:]]
    assert len(labelled) == N_LABELLED
    pd.testing.assert_frame_equal(
        labelled[["id_str", *votes]], published[["id_str", *votes]], check_dtype=False
    )
    galaxies = pd.concat([labelled, unlabelled])
    assert len(galaxies) == len(list((survey / "images/dr5").iterdir()))
    for galaxy in galaxies.itertuples():
        mine = survey / f"images/dr5/{galaxy.id_str}.png"
        assert Path(galaxy.file_loc) == run / f"results/images/dr5/{galaxy.id_str}.png"
        assert Path(galaxy.file_loc).read_bytes() == mine.read_bytes()
        assert galaxy.image_digest == check_and_digest(mine)


def test_tables_and_archives_are_fetched_once_and_only_when_asked(
    project: Path, survey: Path, tmp_path: Path
):
    until = ("--until", "prepare_catalog")
    with web_server(survey) as (start, asked):
        configs = (TINY, write_settings(tmp_path / "web.yaml", start))
        planned = planned_rules(project, *until, configfiles=configs)
        assert planned == {"fetch_file", "unpack_images", "prepare_catalog"}
        assert {line.split()[0] for line in asked} == {"HEAD"}
        result = snakemake(project, *until, configfiles=configs)
        assert result.returncode == 0, result.stdout
        got = sorted(line for line in asked if line.startswith("GET"))
        assert got == sorted(f"GET /{name}" for name in FILES)
        host = start.removeprefix("http://").replace(":", "_")
        for name in FILES:
            fetched = project / f"results/fetched/{host}{name}"
            assert fetched.read_bytes() == (survey / name).read_bytes()
        # Once unpacked, an archive may go; what its server says of its time is nothing.
        (project / f"results/fetched/{host}part1.zip").unlink()
        os.utime(survey / "part1.zip", (time.time() + 1e5,) * 2)
        assert planned_rules(project, *until, configfiles=configs) == set()
    assert_prepared(project, survey)


def test_what_was_fetched_needs_no_server(project: Path, survey: Path, tmp_path: Path):
    start = "http://127.0.0.1:9/"
    for name in FILES:
        kept = tmp_path / "results/fetched/127.0.0.1_9" / name
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(survey / name, kept)
    configs = (TINY, write_settings(tmp_path / "web.yaml", start))
    options = ("--until", "unpack_images", "--directory", str(tmp_path))
    assert planned_rules(project, *options, configfiles=configs) == {"unpack_images"}


def test_object_storage(
    project: Path, survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"SNAKEMAKE_STORAGE_S3_{name}", "testing")
    monkeypatch.setenv("SNAKEMAKE_STORAGE_S3_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        endpoint = "http://{}:{}".format(*server.get_host_and_port())
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            region_name="us-east-1",
        )
        client.create_bucket(Bucket="survey")
        for name in FILES:
            client.upload_file(str(survey / name), "survey", f"dr1/{name}")
        settings = write_settings(tmp_path / "s3.yaml", "s3://survey/dr1/")
        options = ("--storage-s3-endpoint-url", endpoint, "--directory", str(tmp_path))
        result = snakemake(
            project,
            "--until",
            "prepare_catalog",
            *options,
            configfiles=(TINY, settings),
        )
    finally:
        server.stop()
    assert result.returncode == 0, result.stdout
    assert_prepared(tmp_path, survey)


def test_records_of_zenodo(
    project: Path, survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """By its plugin, from a server that answers as zenodo.org does."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate for the server")
    settings = write_settings(tmp_path / "a.yaml", f"zenodo://record/{RECORD}/")
    names = FILES[:2]  # The plugin asks once a second.
    fetched = [f"results/fetched/record/{RECORD}/{name}" for name in names]
    monkeypatch.setenv("SNAKEMAKE_STORAGE_ZENODO_ACCESS_TOKEN", "token")
    with zenodo(survey, tmp_path) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        run = ("--directory", str(tmp_path))
        result = snakemake(project, *fetched, *run, configfiles=(TINY, settings))
    assert result.returncode == 0, result.stdout
    for name, path in zip(names, fetched, strict=True):
        assert (tmp_path / path).read_bytes() == (survey / name).read_bytes()


def test_a_file_that_is_not_there_stops_the_plan(
    project: Path, survey: Path, tmp_path: Path
):
    with web_server(survey) as (start, _):
        archives = {"archives": [f"{start}part3.zip"]}
        settings = write_settings(tmp_path / "a.yaml", start, unpack_images=archives)
        run = ("--directory", str(tmp_path))
        result = snakemake(project, "-n", *run, configfiles=(TINY, settings))
    assert result.returncode != 0
    assert f"archives: found {start}part3.zip, where there is no file" in result.stdout


@pytest.fixture(scope="module")
def prepared(
    project: Path, survey: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder whose catalogue was made of files in it that are gone since."""
    run = tmp_path_factory.mktemp("prepared")
    for name in FILES:
        shutil.copy(survey / name, run)
    settings = write_settings(run / "settings.yaml", "")
    options = ("--until", "prepare_catalog", "--directory", str(run))
    result = snakemake(project, *options, configfiles=(TINY, settings))
    assert result.returncode == 0, result.stdout
    for name in FILES[1:]:  # the first is of two sections; the ring finder's is not run
        (run / name).unlink()
    return run


def test_files_that_were_used_may_go(project: Path, prepared: Path):
    configs = (TINY, prepared / "settings.yaml")
    planned = planned_rules(project, "--directory", str(prepared), configfiles=configs)
    assert "train" in planned
    assert not planned & {"prepare_catalog", "unpack_images"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"prepare_catalog": {"labelled_catalogs": ["typo.csv"]}},
            "prepare_catalog.labelled_catalogs: found typo.csv, where",
        ),
        (
            {"unpack_images": {"archives": ["typo.zip"]}},
            "unpack_images.archives: found typo.zip, where",
        ),
        (
            {"prepare_catalog": {"rejected_share_max": 0.5}},
            "prepare_catalog.unlabelled_catalogs: found unlabelled.parquet, where",
        ),
        (
            {"unpack_images": {"archives": ["http://127.0.0.1:9/typo.zip"]}},
            "unpack_images.archives: found http://127.0.0.1:9/typo.zip, which cannot",
        ),
    ],
    ids=["a table", "an archive", "another setting", "an address"],
)
def test_files_that_are_needed_may_not_be_missing(
    project: Path, prepared: Path, tmp_path: Path, changes: dict, expected: str
):
    """Also where results are there, from which the engine alone would go on."""
    settings = write_settings(tmp_path / "settings.yaml", "", **changes)
    run = ("-n", "--directory", str(prepared))
    result = snakemake(project, *run, configfiles=(TINY, settings))
    assert result.returncode != 0
    assert expected in result.stdout


def test_results_in_storage_are_refused(project: Path):
    """As an executor for machines that share no files wants them."""
    storage = ("--default-storage-provider", "s3", "--default-storage-prefix", "s3://b")
    result = snakemake(project, "-n", *storage)
    assert result.returncode != 0
    assert "default-storage-provider: found s3, expected none" in result.stdout


def profile_for_tsp(folder: Path) -> Path:
    """The profile for PBS, of another queue that has a qsub."""
    profile = yaml.safe_load((ROOT / "profiles/pbs/config.yaml").read_text())
    profile |= {
        "cluster-generic-status-cmd": "status.sh",
        "cluster-generic-cancel-cmd": "cancel.sh",
        "latency-wait": 5,
        "retries": 0,
    }
    shutil.copytree(SCRIPTS, folder)
    (folder / "config.yaml").write_text(yaml.safe_dump(profile))
    return folder


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A queue of its own, of two jobs at once, and a profile that submits to it."""
    if shutil.which("tsp") is None:
        pytest.skip("tsp is not installed (apt-get install task-spooler)")
    monkeypatch.setenv("TS_SOCKET", str(tmp_path / "socket"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PATH", f"{SCRIPTS}:{os.environ['PATH']}")
    subprocess.run(["tsp", "-S", "2"], check=True, stdout=subprocess.DEVNULL)
    yield profile_for_tsp(tmp_path / "profile")
    subprocess.run(["tsp", "-K"], check=True)


def listed() -> str:
    return subprocess.run(["tsp"], check=True, text=True, capture_output=True).stdout


def test_jobs_go_through_a_queue(
    project: Path, survey: Path, queue: Path, tmp_path: Path
):
    """The files come with the workflow, all else through the queue."""
    run = tmp_path / "run"
    options = ("--workflow-profile", str(queue), "--directory", str(run))
    until = ("--until", "prepare_catalog")
    with web_server(survey) as (start, _):
        configs = (TINY, write_settings(tmp_path / "web.yaml", start))
        result = snakemake(project, *until, *options, configfiles=configs)
    assert result.returncode == 0, result.stdout
    assert_prepared(run, survey)
    jobs = listed()
    for rule in ("unpack_images", "prepare_catalog"):
        assert jobs.count(f"[zoobot_{rule}]") == 1, jobs
    assert "fetch_file" not in jobs
    assert jobs.count("finished") == 2, jobs
    prepare = (tmp_path / "socket.submitted").read_text().splitlines()[-1]
    assert prepare.startswith("-A my_account -N zoobot_prepare_catalog -q batch ")
    assert " -l select=1:ncpus=2:mem=16000mb:ngpus=0 -l walltime=28800 " in prepare


@pytest.mark.parametrize(("gpu", "name"), [(0, "batch"), (1, "gpu"), (4, "gpu")])
def test_jobs_with_gpus_go_to_their_queue(tmp_path: Path, gpu: int, name: str):
    profile = yaml.safe_load((ROOT / "profiles/pbs/config.yaml").read_text())
    asked = profile["default-resources"] | {"gpu": gpu, "mem_mb": 100, "runtime": 9}
    command = profile["cluster-generic-submit-cmd"].format(
        resources=SimpleNamespace(**asked), threads=8, rule="train"
    )
    result = subprocess.run(
        ["bash", "-c", f'qsub() {{ echo "$*"; }}; {command} job.sh'],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=True,
    )
    assert result.stdout == (
        f"-A my_account -N zoobot_train -q {name} "
        f"-l select=1:ncpus=8:mem=100mb:ngpus={gpu} -l walltime=540 "
        "-j oe -o results/logs/pbs job.sh\n"
    )


def test_a_job_that_fails_in_a_queue_is_shown(
    project: Path, survey: Path, queue: Path, tmp_path: Path
):
    """Here: an archive that lacks images."""
    archive = shutil.make_archive(
        str(tmp_path / "votes"), "zip", survey, base_dir="labelled.csv"
    )
    settings = write_settings(
        tmp_path / "a.yaml", f"{survey}/", unpack_images={"archives": [archive]}
    )
    options = ("--workflow-profile", str(queue), "--directory", str(tmp_path / "run"))
    until = ("--until", "prepare_catalog")
    result = snakemake(project, *until, *options, configfiles=(TINY, settings))
    assert result.returncode != 0
    assert "votes.zip: expected png, jpg or FITS files" in result.stdout
    assert not (tmp_path / "run/results/images").exists()


@pytest.mark.parametrize("name", ["lsf", "pbs"])
def test_profiles_ask_for_what_that_of_slurm_does(name: str):
    """All but what only Slurm has: groups, and what its plugin reads."""
    slurm, mine = (
        yaml.safe_load((ROOT / f"profiles/{one}/config.yaml").read_text())
        for one in ("slurm", name)
    )
    only_slurm = {"cluster", "partitions", "executor", "groups", "group-components"}
    for key in {k for k in slurm if not k.startswith(("slurm", "__"))} - only_slurm:
        if key not in ("set-resources", "default-resources"):
            assert mine[key] == slurm[key], key
    for rule, asks in slurm["set-resources"].items():
        for resource in asks.keys() & {"mem_mb", "runtime"}:
            assert mine["set-resources"][rule][resource] == asks[resource], rule
    default = mine["default-resources"]
    assert (
        default.items()
        >= {
            resource: slurm["default-resources"][resource]
            for resource in ("mem_mb", "runtime")
        }.items()
    )
    assert mine["set-resources"].keys() == slurm["set-resources"].keys()


@pytest.mark.parametrize("name", ["lsf", "pbs"])
def test_profiles_plan(project: Path, name: str):
    """By the executor of the profile, with its plugin; nothing is submitted."""
    profile = yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text())
    plugin = f"snakemake_executor_plugin_{profile['executor']}".replace("-", "_")
    if importlib.util.find_spec(plugin) is None:
        pytest.skip(f"{plugin} is not installed")
    command = [sys.executable, "-m", "snakemake", "-n", "--configfile", str(TINY)]
    result = subprocess.run(
        [*command, "--workflow-profile", f"profiles/{name}"],
        cwd=project,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    prepare = result.stdout.partition("rule prepare_catalog:")[2].partition("Shell")[0]
    assert "mem_mb=16000" in prepare
    assert "runtime=480" in prepare
    assert "threads: 16" in prepare


@pytest.mark.parametrize(
    ("printed", "code", "expected"),
    [
        (QSTAT.format(state="Q", exit_status=""), 0, "running"),
        (QSTAT.format(state="R", exit_status=""), 0, "running"),
        (QSTAT.format(state="E", exit_status="Exit_status = 0"), 0, "running"),
        (QSTAT.format(state="F", exit_status="Exit_status = 0"), 0, "success"),
        (QSTAT.format(state="F", exit_status="Exit_status = 271"), 0, "failed"),
        (QSTAT.format(state="F", exit_status=""), 0, "failed"),
        (QSTAT.format(state="C", exit_status="exit_status = 0"), 0, "success"),
        (QSTAT.format(state="C", exit_status="exit_status = -11"), 0, "failed"),
        ("qstat: Unknown Job Id 13.server", 153, "failed"),
        ("Connection refused\nqstat: cannot connect to server", 255, "running"),
    ],
)
def test_state_of_a_pbs_job(tmp_path: Path, printed: str, code: int, expected: str):
    """Of what PBS Pro (F) and Torque (C) print of a job, as their manuals have it."""
    (tmp_path / "printed").write_text(printed)
    qstat = tmp_path / "qstat"
    qstat.write_text(f"#!/bin/sh\ncat {tmp_path}/printed >&2\nexit {code}\n")
    if not code:
        qstat.write_text(f"#!/bin/sh\ncat {tmp_path}/printed\n")
    qstat.chmod(qstat.stat().st_mode | stat.S_IXUSR)
    result = subprocess.run(
        [ROOT / "profiles/pbs/status.sh", "13.server"],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=True,
        text=True,
        capture_output=True,
    )
    assert result.stdout.split() == [expected]
