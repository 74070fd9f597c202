"""Figures of the evaluation."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoobot.files import written_whole

__all__ = ["plot_histories", "plot_metrics"]

_MODEL: dict[str, Any] = {"color": "#0b5394", "marker": "o", "s": 45, "zorder": 3}
_CONSTANT: dict[str, Any] = {"color": "#999999", "marker": "D", "s": 30, "zorder": 2}


def plot_metrics(metrics: pd.DataFrame, *, path: str | Path) -> None:
    """Draw accuracy and loss of each question, the model against the constant.

    Parameters
    ----------
    metrics : DataFrame
        From `zoobot.evaluation.evaluate.metrics_table`.
    path : path
        Image file to write.
    """
    questions = metrics.drop(index="all")[::-1]  # the first question on top
    figure = Figure(figsize=(10, 1.6 + 0.42 * len(questions)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _compare(left, questions["accuracy"], questions["constant_accuracy"])
    left.set_xlabel("accuracy (share of galaxies)")
    left.set_xlim(-0.02, 1.02)
    labels = [
        f"{name} (n = {n})"
        for name, n in zip(questions.index, questions["n"], strict=True)
    ]
    left.set_yticks(np.arange(len(questions)), labels)
    _compare(right, questions["loss"], questions["constant_loss"])
    right.set_xlabel("loss (nats a galaxy)")
    right.set_xlim(left=0)
    whole = metrics.loc["all"]
    right.set_title(
        f"all questions: {whole['loss']:.3f}, constant {whole['constant_loss']:.3f}",
        fontsize="medium",
    )
    left.set_title("where enough volunteers were asked", fontsize="medium")
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside upper center", ncols=2
    )
    with written_whole(path) as beside:
        figure.savefig(beside, dpi=120)


def _compare(axes: Axes, model: pd.Series, constant: pd.Series) -> None:
    rows = np.arange(len(model))
    axes.hlines(rows, constant, model, color="#cccccc", linewidth=2, zorder=1)
    axes.scatter(model, rows, label="model", **_MODEL)
    axes.scatter(constant, rows, label="same prediction for every galaxy", **_CONSTANT)
    axes.grid(axis="x", color="#eeeeee")
    axes.set_axisbelow(True)


def plot_histories(histories: Sequence[str | Path]) -> bytes:
    """Draw training and validation loss by epoch, one pair of lines a member.

    Parameters
    ----------
    histories : sequence of path
        csv tables with epoch (from 0), loss and val_loss, nats a galaxy.

    Returns
    -------
    bytes
        The figure as png.
    """
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for member, path in enumerate(histories):
        history = pd.read_csv(path)
        color = f"C{member}"
        axes.plot(history["epoch"] + 1, history["loss"], ":", color=color)
        axes.plot(
            history["epoch"] + 1,
            history["val_loss"],
            color=color,
            label=f"member {member}: validation (dotted: training)",
        )
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss (nats a galaxy)")
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
