"""Peak memory of each stage, for surveys of two sizes.

Each stage's own script runs in a process of its own, on stand-ins for the results of
the stages before it. Stages of one shard or one chunk get one of the same size in both.

Run it from the project's folder: ``python -m benchmarks.memory``
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from benchmarks import large_survey
from benchmarks.large_survey import CHUNK, SCHEMA
from benchmarks.side_by_side import HEADER, Row
from zoobot.command_line import option_string
from zoobot.configuration import Settings, read_settings

__all__ = ["main", "measure"]

ROOT = Path(__file__).resolve().parents[1]
KIB = 2**10
_SMALL = {
    "prepare_catalog": {
        "labelled_catalogs": ["labelled.csv"],
        "unlabelled_catalogs": ["unlabelled.csv"],
    },
    "chunk_catalog": {"galaxies_per_chunk": CHUNK},
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
_ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "CUDA_VISIBLE_DEVICES": "-1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # as the rules have it
}
_SECTIONS = {"fit_pca": "compress_representations", "find_rings": "finetune_rings"}
# A process starts with the memory of the one that starts it, and counts that as its
# peak: so another one, which imported nothing, stands between.
_LAUNCHER = (
    "import resource, subprocess, sys; "
    "status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode; "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(status)"
)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--few", type=int, default=10_000, help="galaxies")
    parser.add_argument("--many", type=int, default=100_000, help="galaxies")
    args = parser.parse_args(argv)
    print(HEADER, *measure(args.few, args.many), sep="\n")


def measure(few: int = 10_000, many: int = 100_000) -> list[Row]:
    """Run every stage for a survey of few galaxies and for one of many.

    Stages that know one shard or one chunk only run once; their peaks are printed.
    """
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        small = peaks_of_stages(Path(one), few)
        large = peaks_of_stages(Path(other), many, parts_from=Path(one))
    of_parts = [f"{stage} {small[stage]:.0f}" for stage in small if stage not in large]
    print(f"Peak memory, MiB, of one shard or chunk: {', '.join(of_parts)}.\n")
    return [_row(stage, small[stage], large[stage], few, many) for stage in large]


def _row(stage: str, less: float, more: float, few: int, many: int) -> Row:
    growth = (more - less) * KIB * KIB / (many - few)
    return Row(
        what=f"peak memory of {stage}, {many} galaxies ({more:.0f} MiB)",
        against=f"{few} galaxies ({less:.0f} MiB; {growth:+.0f} bytes a galaxy)",
        measured=more / less,
        least=more / less,
        most=more / less,
        bar=1.1,
        better="less",
    )


def peaks_of_stages(
    folder: Path, n_galaxies: int, *, parts_from: Path | None = None
) -> dict[str, float]:
    """Peak memory of each stage, MiB, for a survey of so many galaxies.

    Parameters
    ----------
    folder : Path
        An empty folder to work in.
    n_galaxies : int
        Four of five have votes.
    parts_from : Path, optional
        Where this ran before: stages of one shard or chunk are not run again.
    """
    content = yaml.safe_load((ROOT / "config.yaml").read_text())
    for section, values in _SMALL.items():
        content[section] |= values
    settings = read_settings(content)
    large_survey.draw_catalogs(folder, n_galaxies)
    run = _Runner(folder, settings)
    _run_catalogs(run, settings)
    if parts_from:
        for name in ("one.tfrecord", "model", "one.hdf5", "predicted.hdf5"):
            (folder / name).symlink_to(parts_from / name)
        _run_training(run, "another_model")
    else:
        _run_shard(run)
        _run_training(run, "model")
        _run_chunk(run)
    large_survey.draw_representations(
        folder / "chunks", folder / "representations", like=folder / "one.hdf5"
    )
    _run_predictions(run)
    _run_rings(run)
    _run_evaluation(run)
    return run.peaks


class _Runner:
    """Runs scripts in a folder and keeps their peak memory."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings
        self.peaks: dict[str, float] = {}

    def __call__(self, stage: str, *options: str) -> None:
        """Run a stage with the options given and its section of the settings."""
        section = getattr(self.settings, _SECTIONS.get(stage, stage), None)
        words = shlex.split(option_string(section)) if section else []
        script = [sys.executable, "-m", f"workflow_scripts.{stage}", *options, *words]
        start = time.monotonic()
        result = subprocess.run(
            [sys.executable, "-S", "-c", _LAUNCHER, *script],
            cwd=self.folder,
            env=os.environ | _ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise RuntimeError(f"{stage} failed:\n{result.stderr[-4000:]}")
        self.peaks[stage] = int(result.stdout) / KIB
        seconds = time.monotonic() - start
        print(f"{stage}: {self.peaks[stage]:.0f} MiB, {seconds:.0f} s", file=sys.stderr)

    def files(self, pattern: str) -> list[str]:
        """Files in the folder, by name."""
        found = self.folder.glob(pattern)
        return sorted(str(path.relative_to(self.folder)) for path in found)


def _options(**values: str) -> list[str]:
    """Options of a command line: file names by what they are."""
    pairs = ((f"--{name.replace('_', '-')}", value) for name, value in values.items())
    return [word for pair in pairs for word in pair]


def _run_catalogs(run: _Runner, settings: Settings) -> None:
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
    split = settings.split_catalog
    run(
        "prepare_ring_catalog",
        *("--survey", *lists.values(), "--split-train", str(split.train)),
        *("--split-val", str(split.val), "--split-seed", str(split.seed)),
        *_options(data_folder=".", catalog="rings.csv", rejected="no_rings.csv"),
    )


def _run_shard(run: _Runner) -> None:
    chunk = run.files("chunks/labelled_*.parquet")[0]
    run("measure_images", *_options(galaxies=chunk, statistics="one.parquet"))
    shard = run.files("shards/train_*.parquet")[0]
    run("write_shards", *_options(catalog=shard, shard="one.tfrecord", threads="2"))


def _run_training(run: _Runner, model: str) -> None:
    """Train on one shard as often as the survey has shards."""
    n_shards = len(run.files("shards/train_*.parquet"))
    run(
        "train",
        *("--train-shards", *["one.tfrecord"] * n_shards),
        *_options(val_shards="one.tfrecord", schema=SCHEMA, model=model),
        *_options(tensorboard="tensorboard", checkpoint="checkpoint"),
        *_options(image_size="32", threads="2"),
    )


def _run_chunk(run: _Runner) -> None:
    """Represent and predict one chunk."""
    chunk = run.files("chunks/labelled_*.parquet")[0]
    run(
        "extract_representations",
        *_options(chunk=chunk, representations="one.hdf5", model="model"),
    )
    files = _options(representations="one.hdf5", predictions="predicted.hdf5")
    run("predict", *files, "--models", "model")


def _run_predictions(run: _Runner) -> None:
    folder = run.folder
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
        *("--representations", *run.files("representations/*")),
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


def _run_rings(run: _Runner) -> None:
    folder = run.folder
    run(
        "finetune_rings",
        *("--representations", *run.files("representations/*")),
        *_options(catalog="rings.csv", label="ring", task="binary"),
        *_options(model="model", rings="rings"),
    )
    run(
        "find_rings",
        *_options(chunk=run.files("chunks/labelled_*.parquet")[0]),
        *_options(representations="one.hdf5"),
        *_options(rings="rings", table="one_rings.parquet"),
    )
    large_survey.draw_ring_tables(folder / "chunks", folder / "ring_tables")
    run(
        "summarise_rings",
        *("--tables", *run.files("ring_tables/*")),
        *_options(parquet="rings.parquet", csv="all_rings.csv", fits="rings.fits"),
    )


def _run_evaluation(run: _Runner) -> None:
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


if __name__ == "__main__":
    main()
