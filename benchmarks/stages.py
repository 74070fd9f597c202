"""The workflow's own scripts run one after another on a survey of stand-ins.

Each runs in a process of its own, whose peak memory and time are kept.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from benchmarks import large_survey
from benchmarks.large_survey import SCHEMA
from zoobot.command_line import option_string
from zoobot.configuration import Settings, read_settings

__all__ = [
    "Cost",
    "Runner",
    "cost_of",
    "run_catalogs",
    "run_chunk",
    "run_evaluation",
    "run_joins",
    "run_ring_catalog",
    "run_rings",
    "run_shard",
    "run_training",
]

ROOT = Path(__file__).resolve().parents[1]
_ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "CUDA_VISIBLE_DEVICES": "-1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # as the rules have it
}
_SMALL = {
    "prepare_catalog": {
        "labelled_catalogs": ["labelled.csv"],
        "unlabelled_catalogs": ["unlabelled.csv"],
    },
    "write_shards": {"image_size_px": 32},
    "train": {
        "crop_size_px": 32,
        "input_size_px": 32,
        "shift_max_px": 0.0,
        "epochs": 1,
    },
    "prepare_ring_catalog": {"catalogs": ["ring_fractions.csv"]},
    "finetune_rings": {"epochs": 2, "unfreeze": "none"},
}
_SECTIONS = {"fit_pca": "compress_representations", "find_rings": "finetune_rings"}
# A process starts with the memory of the one that starts it, and counts that as its
# peak: so another one, which imported nothing, stands between.
_LAUNCHER = (
    "import resource, subprocess, sys; "
    "status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode; "
    "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
    "print(used.ru_maxrss, used.ru_utime + used.ru_stime); sys.exit(status)"
)


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a process took."""

    peak_mib: float
    seconds: float
    core_seconds: float
    """Time of processors, however busy the machine was with other things."""


def cost_of(command: Sequence[str], *, folder: Path) -> Cost:
    """Run a command in a folder, on this checkout's library.

    Raises
    ------
    RuntimeError
        If it fails; with the end of what it said.
    """
    start = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-S", "-c", _LAUNCHER, *command],
        cwd=folder,
        env=os.environ | _ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{result.stderr[-4000:]}")
    peak_kib, core_seconds = result.stdout.split()
    seconds = time.monotonic() - start
    return Cost(int(peak_kib) / 2**10, seconds, float(core_seconds))


class Runner:
    """Runs scripts in a folder and keeps what each took.

    Parameters
    ----------
    folder : Path
        Where results and stand-ins are.
    galaxies_per_chunk : int
        Most galaxies of a chunk; other settings are those of the demo, with tiny
        images.
    """

    def __init__(self, folder: Path, *, galaxies_per_chunk: int) -> None:
        content = yaml.safe_load((ROOT / "config.yaml").read_text())
        chunks = {"chunk_catalog": {"galaxies_per_chunk": galaxies_per_chunk}}
        for section, values in (_SMALL | chunks).items():
            content[section] |= values
        self.folder = folder
        self.settings: Settings = read_settings(content)
        self.costs: dict[str, Cost] = {}

    def __call__(self, stage: str, *options: str, note: str = "") -> None:
        """Run a stage with the options given and its section of the settings.

        What `note` says is added to the stage's name.
        """
        section = getattr(self.settings, _SECTIONS.get(stage, stage), None)
        words = shlex.split(option_string(section)) if section else []
        # Of an option that comes twice the last counts.
        script = [sys.executable, "-m", f"workflow_scripts.{stage}", *words, *options]
        cost = cost_of(script, folder=self.folder)
        self.costs[stage + note] = cost
        print(f"{stage}{note}: {cost}", file=sys.stderr, flush=True)

    def files(self, pattern: str) -> list[str]:
        """Files in the folder, by name."""
        found = self.folder.glob(pattern)
        return sorted(str(path.relative_to(self.folder)) for path in found)


def _options(**values: str) -> list[str]:
    """Options of a command line: file names by what they are."""
    pairs = ((f"--{name.replace('_', '-')}", value) for name, value in values.items())
    return [word for pair in pairs for word in pair]


def run_catalogs(run: Runner) -> None:
    """Prepare, split and cut the catalogues."""
    lists = {"labelled": "labelled.parquet", "unlabelled": "unlabelled.parquet"}
    run(
        "prepare_catalog",
        *_options(schema=SCHEMA, data_folder=".", **lists, rejected="rejected.csv"),
        *_options(threads="2"),
    )
    catalogs = {
        f"{part}_catalog": f"{part}.parquet" for part in ("train", "val", "test")
    }
    run(
        "split_catalog",
        *_options(labelled="labelled.parquet", **catalogs, shards_folder="shards"),
    )
    run("chunk_catalog", *_options(**lists, chunks_folder="chunks"))
    run_ring_catalog(run, catalog="rings.csv", rejected="no_rings.csv")


def run_ring_catalog(run: Runner, *options: str, note: str = "", **files: str) -> None:
    """Choose galaxies with labels; options may differ from the settings."""
    split = run.settings.split_catalog
    run(
        "prepare_ring_catalog",
        *("--survey", "labelled.parquet", "unlabelled.parquet"),
        *("--split-train", str(split.train), "--split-val", str(split.val)),
        *("--split-seed", str(split.seed), *_options(data_folder=".", **files)),
        *options,
        note=note,
    )


def run_shard(run: Runner) -> None:
    """Measure the images of one chunk, and write one shard."""
    chunk = run.files("chunks/labelled_*.parquet")[0]
    run("measure_images", *_options(galaxies=chunk, statistics="one.parquet"))
    shard = run.files("shards/train_*.parquet")[0]
    run("write_shards", *_options(catalog=shard, shard="one.tfrecord", threads="2"))


def run_training(run: Runner, model: str, *, n_shards: int | None = None) -> None:
    """Train on one shard so often, or as often as the survey has shards."""
    n_shards = n_shards or len(run.files("shards/train_*.parquet"))
    run(
        "train",
        *("--train-shards", *["one.tfrecord"] * n_shards),
        *_options(val_shards="one.tfrecord", schema=SCHEMA, model=model),
        *_options(tensorboard="tensorboard", checkpoint="checkpoint"),
        *_options(image_size="32", threads="2"),
    )


def run_chunk(run: Runner) -> None:
    """Represent and predict one chunk."""
    chunk = run.files("chunks/labelled_*.parquet")[0]
    run(
        "extract_representations",
        *_options(chunk=chunk, representations="one.hdf5", model="model"),
    )
    files = _options(representations="one.hdf5", predictions="predicted.hdf5")
    run("predict", *files, "--models", "model")


def run_joins(run: Runner, *, n_to_fit: int | None = None) -> None:
    """Join the chunks' results to tables of all galaxies.

    Principal components are fitted to so many chunks, or to all.
    """
    folder = run.folder
    large_survey.draw_representations(
        folder / "chunks", folder / "representations", like=folder / "one.hdf5"
    )
    large_survey.repeat_predictions(
        folder / "chunks", folder / "predictions", like=folder / "predicted.hdf5"
    )
    tables = {
        f"{kind}{suffix}": f"{kind}fractions.{suffix}"
        for kind in ("", "friendly_")
        for suffix in ("parquet", "csv", "fits")
    }
    run(
        "summarise_predictions",
        *("--predictions", *run.files("predictions/*")),
        *_options(**tables, threads="2"),
    )
    run(
        "fit_pca",
        *("--representations", *run.files("representations/*")[:n_to_fit]),
        *_options(model="pca.npz", variance="run_variance.csv"),
        *_options(figure="run_variance.png"),
    )
    run(
        "compress_representations",
        *_options(representations=run.files("representations/*")[0]),
        *_options(model="pca.npz", compressed="one_pca.parquet"),
    )
    large_survey.repeat_components(
        folder / "chunks", folder / "components", like=folder / "one_pca.parquet"
    )
    run(
        "summarise_representations",
        *("--tables", *run.files("components/*")),
        *_options(compressed="pca.parquet", fits="pca.fits"),
    )
    run(
        "tabulate_representations",
        *("--representations", *run.files("representations/*")),
        *_options(features="cnn_features.parquet"),
    )


def run_rings(run: Runner) -> None:
    """Finetune on the ring catalogue, rate one chunk, join all."""
    folder = run.folder
    chunk = Path(run.files("chunks/labelled_*.parquet")[0])
    run(
        "finetune_rings",
        *("--representations", *run.files("representations/*")),
        *_options(catalog="rings.csv", label="ring", task="binary"),
        *_options(model="model", rings="rings"),
    )
    run(
        "find_rings",
        *_options(chunk=str(chunk)),
        *_options(representations=f"representations/{chunk.stem}.hdf5"),
        *_options(rings="rings", table="one_rings.parquet"),
    )
    large_survey.draw_ring_tables(folder / "chunks", folder / "ring_tables")
    run(
        "summarise_rings",
        *("--tables", *run.files("ring_tables/*")),
        *_options(parquet="rings.parquet", csv="all_rings.csv", fits="rings.fits"),
    )


def run_evaluation(run: Runner) -> None:
    """Baselines, evaluation, figures and report."""
    folder = run.folder
    large_survey.draw_statistics(folder / "chunks", folder / "statistics")
    baselines = {"constant": "constant.hdf5", "linear": "linear.hdf5"}
    run(
        "predict_baselines",
        *("--statistics", *run.files("statistics/*")),
        *_options(train="train.parquet", test="test.parquet", schema=SCHEMA),
        *_options(**baselines),
    )
    held_out = ("--predictions", *run.files("predictions/*"), "--test", "test.parquet")
    names = ("metrics", "answers", "confusion", "volunteers", "volunteer_errors")
    run(
        "evaluate",
        *(*held_out, "--baselines", *baselines.values()),
        *_options(**{name: f"run_{name}.csv" for name in names}),
    )
    names = ("coverage", "pit", "reliability", "calibration_error")
    run(
        "calibrate", *held_out, *_options(**{name: f"run_{name}.csv" for name in names})
    )
    run("plot_evaluation", "--evaluation", "run", "--histories", "model/history.csv")
    run(
        "report",
        *_options(run_name="run", evaluation="run", variance="run_variance.csv"),
        *_options(variance_figure="run_variance.png", rings="rings.parquet"),
        *_options(ring_metrics="rings/metrics.json", rejected="rejected.csv"),
        *("--survey", "labelled.parquet", "unlabelled.parquet"),
        *_options(card="model/card.json", train="train.parquet"),
        *_options(html="report.html", headline="headline.txt"),
    )
