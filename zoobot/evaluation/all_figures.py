"""Every figure of the evaluation, from the tables that `evaluate` and others wrote."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from zoobot.evaluation import calibration_figures, figures

__all__ = ["plot_evaluation"]

log = logging.getLogger(__name__)


def plot_evaluation(evaluation: str | Path, *, histories: Sequence[str | Path]) -> None:
    """Draw the figures beside their tables.

    Parameters
    ----------
    evaluation : path
        How all paths begin: ``{evaluation}_metrics.csv`` and so on are read,
        ``{evaluation}_metrics.png`` and so on are written.
    histories : sequence of path
        Training history of each member, csv.
    """

    def table(name: str) -> pd.DataFrame:
        return pd.read_csv(f"{evaluation}_{name}.csv")

    def png(name: str) -> Path:
        log.info("drawing %s_%s.png", evaluation, name)
        return Path(f"{evaluation}_{name}.png")

    figures.plot_training(histories, path=png("training"))
    figures.plot_metrics(table("metrics"), path=png("metrics"))
    figures.plot_confusion(table("confusion"), path=png("confusion"))
    figures.plot_answers(table("answers"), path=png("answers"))
    numbers, errors = table("volunteers"), table("volunteer_errors")
    figures.plot_volunteers(
        numbers[numbers["predictor"] == "model"],
        errors[errors["predictor"] == "model"],
        path=png("volunteers"),
    )
    calibration_figures.plot_coverage(table("coverage"), path=png("coverage"))
    calibration_figures.plot_pit(table("pit"), path=png("pit"))
    calibration_figures.plot_reliability(
        table("reliability"), table("calibration_error"), path=png("reliability")
    )
