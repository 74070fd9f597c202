"""One page of headline figures and pictures, and the same figures as text."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from PIL import Image

from zoobot.data_utils.images import load_image
from zoobot.evaluation.report_template import HEADLINE, PAGE
from zoobot.files import written_whole
from zoobot.tables.parquet_pieces import n_rows, opened

__all__ = ["ReportInputs", "write_report"]

log = logging.getLogger(__name__)

_N_RINGS_SHOWN = 16
_ROWS = 8192  # in memory at once
_THUMBNAIL_PX = 96
_FIGURES = (
    "metrics",
    "answers",
    "confusion",
    "volunteers",
    "coverage",
    "pit",
    "reliability",
    "training",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """The files that the report reads, all results of earlier stages."""

    evaluation: Path
    """How the paths of the evaluation's tables (csv) and figures (png) begin."""
    variance: Path
    """Explained variance of the principal components, csv."""
    variance_figure: Path
    ring_metrics: Path
    """json: ``task``, ``label``, ``stage_1`` and ``final``; of rings or others."""
    rings: Path
    """Every galaxy's ring probability, parquet, most likely first, or of another task
    its predictions, highest first."""
    survey: Sequence[Path]
    """Tables of the galaxies with and without labels, parquet."""
    rejected: Path
    """Rows that were left out, csv."""
    card: Path
    """Of a trained model, json: how many galaxies it was trained on."""
    train: Path
    """Galaxies that a model trained now would be trained on, parquet."""


def write_report(
    inputs: ReportInputs, *, run_name: str, html: str | Path, headline: str | Path
) -> None:
    """Write the report.

    Parameters
    ----------
    inputs : ReportInputs
    run_name : str
        Said in the title.
    html : path
        Page to write; its pictures are inside it.
    headline : path
        Text to write.
    """
    figures = _figures(inputs, run_name=run_name, results=Path(html).resolve().parent)
    with written_whole(headline) as path:
        path.write_text(_render(HEADLINE, figures, escape=False))
    pictures = {
        name: _embed(Path(f"{inputs.evaluation}_{name}.png").read_bytes())
        for name in _FIGURES
    }
    pictures["variance"] = _embed(Path(inputs.variance_figure).read_bytes())
    pictures["rings"] = _embed(_ring_gallery(inputs))
    with written_whole(html) as path:
        path.write_text(_render(PAGE, figures | {"pictures": pictures}, escape=True))
    log.info("wrote %s and %s", html, headline)


def _figures(inputs: ReportInputs, *, run_name: str, results: Path) -> dict:
    variance = pd.read_csv(inputs.variance)
    labelled, unlabelled = map(n_rows, inputs.survey)
    rejected = pd.read_csv(inputs.rejected, usecols=["reason"], chunksize=_ROWS)
    metrics = pd.read_csv(f"{inputs.evaluation}_metrics.csv")
    metrics = metrics.set_index(["question", "galaxies", "predictor"]).sort_index()
    found = json.loads(Path(inputs.ring_metrics).read_text())
    is_ring = found["label"] == "ring"
    return {
        "run_name": run_name,
        "results": results,
        "n_labelled": labelled,
        "n_unlabelled": unlabelled,
        "n_rejected": sum(map(len, rejected)),
        "n_trained_on": json.loads(Path(inputs.card).read_text())["n_train"],
        "n_to_train_on": n_rows(inputs.train),
        "overall": _by_predictor(metrics.loc["all", "all"]),
        "questions": _questions(inputs.evaluation, metrics),
        "n_components": len(variance),
        "variance_kept": variance["cumulative"].iloc[-1],
        "rings": found,
        "finder": "Rings" if is_ring else found["label"],
        "positives": "rings" if is_ring else "of label 1",
        "first_column": opened(inputs.rings).schema_arrow.names[1],
    }


def _questions(evaluation: Path, metrics: pd.DataFrame) -> list[dict]:
    """All figures of each question."""
    volunteers, errors, coverage = (
        pd.read_csv(f"{evaluation}_{name}.csv").set_index("question")
        for name in ("volunteers", "calibration_error", "coverage")
    )
    coverage = coverage[coverage["answer"] == "all"]
    worth = volunteers.set_index("predictor", append=True)
    return [
        {
            "name": name,
            "all": _by_predictor(metrics.loc[name, "all"]),
            "confident": _by_predictor(metrics.loc[name, "confident"]),
            "volunteers": _by_predictor(worth.loc[name]),
            "calibration": _with_bounds(errors.loc[name]),
            "coverage": coverage.loc[name].set_index("level")["coverage"].to_dict(),
        }
        for name in errors.index
    ]


def _by_predictor(metrics: pd.DataFrame) -> dict[str, dict]:
    return {str(name): _with_bounds(row) for name, row in metrics.iterrows()}


def _with_bounds(row: pd.Series) -> dict:
    """A row's values, intervals as ``{name}_lower`` and ``{name}_upper``."""
    return {re.sub(r"_[0-9.]+pc-", "_", str(key)): row[key] for key in row.index}


def _ring_gallery(inputs: ReportInputs) -> bytes:
    """The most likely rings of the survey, side by side, as png."""
    first = next(opened(inputs.rings).iter_batches(_N_RINGS_SHOWN)).to_pandas()
    among_them = [("id_str", "in", list(first["id_str"]))]
    galaxies = pd.concat(
        [
            pd.read_parquet(path, columns=["id_str", "file_loc"], filters=among_them)
            for path in inputs.survey
        ]
    )
    shown = first.merge(galaxies, on="id_str")
    tiles = [load_image(path, size_px=_THUMBNAIL_PX) for path in shown["file_loc"]]
    rows = [
        np.concatenate(tiles[i : i + 8], axis=1)
        for i in range(0, len(tiles) // 8 * 8, 8)
    ]
    picture = np.concatenate(rows or [np.concatenate(tiles, axis=1)], axis=0)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def _embed(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _render(template: str, values: dict, *, escape: bool) -> str:
    environment = jinja2.Environment(
        autoescape=escape,  # ids and names come from strangers' catalogues
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["worth"] = _worth
    return environment.from_string(template).render(values)


def _number(value: float, digits: int = 3) -> str:
    """A figure, or a dash where no galaxy gives one."""
    return "-" if value is None or np.isnan(value) else f"{value:.{digits}f}"


def _worth(row: dict) -> str:
    """The equivalent number of volunteers, as a bound where it is one."""
    if row["is_below_one"]:
        return "<1"
    number = _number(row["volunteers"], 1)
    return f">{number}" if row["is_lower_bound"] else number
