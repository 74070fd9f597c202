"""The tutorial's pictures: of the demo if it was run here, else of a smaller survey.

Without the demo's results a few hundred of its galaxies are simulated, and in the place
of the network the linear model on image statistics predicts them, which takes seconds.
The figures are drawn by the same functions from real predictions; the tutorial says
which of the two they show.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from zoobot.configuration import Settings, read_settings
from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.data_utils.image_statistics import STATISTICS
from zoobot.data_utils.measure_images import measure_images
from zoobot.data_utils.splits import assign_parts
from zoobot.demo.survey import simulate_survey
from zoobot.evaluation import (
    calibrate,
    calibration_figures,
    equivalent_volunteers,
    evaluate,
    figures,
)
from zoobot.evaluation.baselines import constant_prediction, linear_prediction
from zoobot.representations.similarity import draw_similar, find_similar
from zoobot.schemas import get_schema

__all__ = ["make_pictures"]

_N_GALAXIES = 400
_EVALUATION = ("metrics", "confusion", "volunteers", "coverage")
_NAMES = ("examples", *_EVALUATION, "similar")
_MADE_OF = "made_of.txt"
_OF_THE_DEMO = (
    "The pictures are those of the demo that was run in this checkout before these "
    "pages were built."
)
_OF_A_STAND_IN = (
    "These pages were built where the demo had not been run, so the pictures show "
    f"{_N_GALAXIES} of its galaxies, *model* in the figures is the linear model on "
    "image statistics, and galaxies are similar by these statistics; in yours it is "
    "the network, and its representations."
)


def make_pictures(folder: Path, *, results: Path) -> str:
    """Make those of the pictures that are not there yet.

    Parameters
    ----------
    folder : Path
        Gets ``examples.png``, ``metrics.png``, ``confusion.png``, ``volunteers.png``,
        ``coverage.png`` and ``similar.png``.
    results : Path
        The demo's results, if it was run.

    Returns
    -------
    str
        One sentence that says what the pictures show.
    """
    config = yaml.safe_load((results.parent / "config.yaml").read_text("utf-8"))
    settings = read_settings(config)
    report = results / "report.html"
    is_demo = report.is_file() and settings.run_name in report.read_text("utf-8")
    said = _OF_THE_DEMO if is_demo else _OF_A_STAND_IN
    # Of which they are; a demo that runs again makes them again.
    made_of = f"{said}\n{report.stat().st_mtime_ns if is_demo else ''}"
    stamp = folder / _MADE_OF
    are_there = all((folder / f"{name}.png").is_file() for name in _NAMES)
    if are_there and stamp.is_file() and stamp.read_text("utf-8") == made_of:
        return said
    folder.mkdir(parents=True, exist_ok=True)
    if is_demo:
        _copy(results, folder, settings=settings)
    else:
        _draw_stand_in(folder, settings=settings)
    stamp.write_text(made_of, "utf-8")
    return said


def _copy(results: Path, folder: Path, *, settings: Settings) -> None:
    run_name = settings.run_name
    shutil.copyfile(results / "survey/examples.png", folder / "examples.png")
    for name in _EVALUATION:
        source = results / f"evaluation/{run_name}_{name}.png"
        shutil.copyfile(source, folder / f"{name}.png")
    n_components = settings.compress_representations.n_components
    compressed = results / f"representations/{run_name}_pca{n_components}.parquet"
    galaxies = pd.read_parquet(results / "catalog/labelled.parquet")
    _draw_similar(compressed, galaxies, path=folder / "similar.png", n_components=10)


def _draw_stand_in(folder: Path, *, settings: Settings) -> None:
    options = {"n_labelled": _N_GALAXIES, "n_unlabelled": 0}
    with tempfile.TemporaryDirectory() as temporary:
        survey = Path(temporary)
        simulate_survey(
            survey, settings=settings.simulate_survey.model_copy(update=options)
        )
        shutil.copyfile(survey / "examples.png", folder / "examples.png")
        galaxies = pd.read_csv(survey / "labelled.csv", dtype={"id_str": str})
        galaxies["file_loc"] = [str(survey / path) for path in galaxies["file_loc"]]
        galaxies.to_parquet(survey / "galaxies.parquet")
        measure_images(
            survey / "galaxies.parquet",
            statistics=survey / "statistics.parquet",
            settings=settings.measure_images,
        )
        measured = pd.read_parquet(survey / "statistics.parquet")
        statistics = measured[list(STATISTICS)].to_numpy()
        _draw_evaluation(folder, galaxies, statistics, settings=settings)
        compressed = survey / "pca.parquet"
        _compress(measured, statistics).to_parquet(compressed)
        _draw_similar(compressed, galaxies, path=folder / "similar.png", n_components=5)


def _draw_evaluation(
    folder: Path, galaxies: pd.DataFrame, statistics: np.ndarray, *, settings: Settings
) -> None:
    schema = get_schema(settings.schema_name)
    # Twice as many held out as in the demo, as there are so few.
    split = settings.split_catalog.model_copy(
        update={"train": 0.6, "val": 0.0, "test": 0.4}
    )
    is_test = assign_parts(list(galaxies["id_str"]), settings=split) == "test"
    votes = galaxies[schema.label_cols].to_numpy()
    linear = linear_prediction(
        statistics[~is_test],
        votes[~is_test],
        test_statistics=statistics[is_test],
        schema=schema,
        ridge=settings.predict_baselines.ridge,
    )
    constant = constant_prediction(
        votes[~is_test], n_galaxies=int(is_test.sum()), schema=schema
    )
    held_out = galaxies[is_test].reset_index(drop=True)
    ids = list(held_out["id_str"])

    def rows(concentrations: np.ndarray) -> GalaxyRows:
        return GalaxyRows(
            values=np.asarray(concentrations, np.float32),
            id_str=ids,
            label_cols=schema.label_cols,
            attributes={},
        )

    model = rows(linear)
    found = evaluate(model, held_out, schema, baselines={"constant": rows(constant)})
    figures.plot_metrics(found.metrics, path=folder / "metrics.png")
    figures.plot_confusion(found.confusion, path=folder / "confusion.png")
    worth = equivalent_volunteers(model, held_out, schema)
    figures.plot_volunteers(worth.numbers, worth.errors, path=folder / "volunteers.png")
    coverage = calibrate(model, held_out, schema).coverage
    calibration_figures.plot_coverage(coverage, path=folder / "coverage.png")


def _compress(measured: pd.DataFrame, statistics: np.ndarray) -> pd.DataFrame:
    """Principal components of the standardised statistics, as of representations."""
    standard = (statistics - statistics.mean(axis=0)) / statistics.std(axis=0)
    u, s, _ = np.linalg.svd(standard, full_matrices=False)
    components = pd.DataFrame((u * s)[:, :5]).add_prefix("pca_")
    components.insert(0, "id_str", measured["id_str"])
    return components


def _draw_similar(
    compressed: Path, galaxies: pd.DataFrame, *, path: Path, n_components: int
) -> None:
    """Neighbours of the clearest galaxy of each answer to the first question."""
    first = get_schema("gz_decals").questions[0]
    votes = galaxies[[answer.label_col for answer in first.answers]].to_numpy()
    # Five more votes for none of them: a unanimous one of many votes comes first.
    clear = votes / (votes.sum(axis=1, keepdims=True) + 5)
    queries = list(galaxies["id_str"].to_numpy()[clear.argmax(axis=0)])
    similar = find_similar(
        compressed, to=queries, n_similar=30, n_components=n_components
    )
    # Only galaxies whose images are at hand.
    similar = similar[similar["id_str"].isin(galaxies["id_str"])]
    nearest = similar.groupby("query", sort=False).head(6)
    draw_similar(nearest, images=galaxies, path=path, size_px=110)
