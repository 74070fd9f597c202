"""Figures of the evaluation; each takes tables as made or as read back from csv."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoobot.files import written_whole

__all__ = [
    "plot_answers",
    "plot_confusion",
    "plot_metrics",
    "plot_training",
    "plot_volunteers",
]

_MODEL, _OTHER = "#0b5394", "#e69138"
_STYLES: dict[str, dict[str, Any]] = {
    "model": {"color": _MODEL, "marker": "o", "zorder": 4},
    "linear": {"color": _OTHER, "marker": "s", "zorder": 3},
    "constant": {"color": "#888888", "marker": "D", "zorder": 2},
}
_LABELS = {
    "model": "model",
    "linear": "linear model of image statistics",
    "constant": "same prediction for every galaxy",
}
_NO_GALAXY = "no galaxy"
_WIDTH_IN = 11.0
_ON_WHITE = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1}


def plot_metrics(metrics: pd.DataFrame, *, path: str | Path) -> None:
    """Draw accuracy and loss of each question, the model beside the baselines.

    Parameters
    ----------
    metrics : DataFrame
        Of `zoobot.evaluation.agreement.Evaluation`.
    path : path
        Image file to write.
    """
    questions = metrics[metrics["question"] != "all"]
    names = list(questions["question"].unique())
    figure = Figure(figsize=(_WIDTH_IN, 1.7 + 0.5 * len(names)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    shown = (
        ("accuracy", "all", "accuracy: all galaxies"),
        ("accuracy", "confident", "accuracy: confident galaxies"),
        ("loss", "all", "loss: all galaxies"),
    )
    for axes, (figure_name, galaxies, title) in zip(panels, shown, strict=True):
        rows = questions[questions["galaxies"] == galaxies]
        _compare(axes, rows, name=figure_name, subject="question", order=names)
        axes.set_title(title, fontsize="medium")
    for axes in panels[:2]:
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("accuracy (share of galaxies)")
    panels[2].set_xlim(left=0)
    panels[2].set_xlabel("nats a galaxy, less is better")
    n = questions.pivot_table(
        index="question", columns="galaxies", values="n", aggfunc="first"
    )
    labels = [
        f"{name}\nn = {n.loc[name, 'all']:,}, confident {n.loc[name, 'confident']:,}"
        for name in names
    ]
    panels[0].set_yticks(range(len(names)), labels, fontsize=8.5)
    panels[0].set_ylim(len(names) - 0.5, -0.5)  # the first question on top
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=len(handles[0]))
    _save(figure, path)


def plot_answers(answers: pd.DataFrame, *, path: str | Path) -> None:
    """Draw the error of each answer's vote fraction, the model beside the baselines.

    Parameters
    ----------
    answers : DataFrame
        Of `zoobot.evaluation.agreement.Evaluation`.
    path : path
        Image file to write.
    """
    order: list[str] = []  # a question, then its answers
    labels: list[str] = []
    for question, rows in answers.groupby("question", sort=False):
        order += [str(question), *rows["answer"].unique()]
        labels.append(f"{question} (n = {rows['n_errors'].iloc[0]:,})")
        labels += [_short(answer, question) for answer in rows["answer"].unique()]
    figure = Figure(figsize=(8, 1.5 + 0.21 * len(order)), layout="constrained")
    axes = figure.subplots()
    _compare(axes, answers, name="mean_absolute_error", subject="answer", order=order)
    axes.set_yticks(range(len(order)), labels, fontsize=8)
    questions = set(answers["question"])
    for place, (name, tick) in enumerate(
        zip(order, axes.get_yticklabels(), strict=True)
    ):
        if name in questions:
            tick.set_fontweight("bold")
            axes.axhline(place - 0.5, color="#cccccc", linewidth=0.8)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("mean absolute error of the vote fraction, less is better")
    handles = axes.get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=len(handles[0]))
    _save(figure, path)


def plot_confusion(confusion: pd.DataFrame, *, path: str | Path) -> None:
    """Draw the model's confusion matrix of each question, all galaxies.

    Parameters
    ----------
    confusion : DataFrame
        Of `zoobot.evaluation.agreement.Evaluation`.
    path : path
        Image file to write.
    """
    shown = confusion.query("predictor == 'model' and galaxies == 'all'")
    questions = list(shown["question"].unique())
    figure, panels = _grid(len(questions), n_columns=3, height_in=3.2)
    for axes, question in zip(panels, questions, strict=True):
        rows = shown[shown["question"] == question]
        answers = list(rows["volunteers"].unique())
        counts = rows.pivot(index="volunteers", columns="predicted", values="n")
        _draw_matrix(axes, counts.loc[answers, answers].to_numpy())
        texts = [_short(answer, question) for answer in answers]
        axes.set_xticks(range(len(answers)), texts, rotation=35, ha="right", fontsize=8)
        axes.set_yticks(range(len(answers)), texts, fontsize=8)
        axes.set_title(f"{question} (n = {rows['n'].sum():,})", fontsize=10)
    figure.supxlabel("the model's leading answer")
    figure.supylabel("the volunteers' leading answer")
    figure.suptitle(
        "Numbers: galaxies. Colour: share of the volunteers' answer (row), "
        "white 0, dark 1.",
        fontsize=10,
    )
    _save(figure, path)


def plot_volunteers(
    numbers: pd.DataFrame, errors: pd.DataFrame, *, path: str | Path
) -> None:
    """Draw where drawn volunteers become as good as the model, question by question.

    Parameters
    ----------
    numbers, errors : DataFrame
        Of `zoobot.evaluation.volunteers.Volunteers`.
    path : path
        Image file to write.
    """
    figure, panels = _grid(len(numbers), n_columns=4, height_in=2.4)
    lower, upper = _bounds_of(numbers, "volunteers")
    for axes, (_, row) in zip(panels, numbers.iterrows(), strict=True):
        curve = errors[errors["question"] == row["question"]]
        axes.set_title(f"{row['question']} (n = {row['n']:,})", fontsize=9)
        axes.tick_params(labelsize=8)
        if not row["n"]:
            _say_empty(axes)
            continue
        x = curve["n_volunteers"]
        axes.plot(x, curve["volunteers_error"], color=_OTHER, label="n volunteers")
        axes.plot(x, curve["model_error"], color=_MODEL, label="model")
        axes.axvspan(row[lower], row[upper], color=_MODEL, alpha=0.15, linewidth=0)
        if not (row["is_lower_bound"] or row["is_below_one"]):
            axes.axvline(row["volunteers"], color=_MODEL, linewidth=1, linestyle=":")
        axes.set_xlim(0, x.max() + 0.5)
        axes.set_ylim(0, 1.05 * curve[["volunteers_error", "model_error"]].max().max())
        worth = _worth(row, ends=(row[lower], row[upper]), largest=x.max())
        text = axes.text(0.97, 0.05, worth, ha="right", transform=axes.transAxes)
        text.set(fontsize=9, bbox=_ON_WHITE)
    handles = next((h for p in panels if (h := p.get_legend_handles_labels())[0]), None)
    if handles:
        figure.legend(*handles, loc="outside upper center", ncols=2)
    percent = lower.removeprefix("volunteers_").removesuffix("pc-lower")
    figure.supxlabel(
        "n, volunteers drawn from each galaxy's own (dotted: as good as the model, "
        f"with its {percent}% interval)",
        fontsize=10,
    )
    figure.supylabel(
        "mean absolute error of vote fractions,\njudged by the other volunteers",
        fontsize=10,
    )
    _save(figure, path)


def plot_training(histories: Sequence[str | Path], *, path: str | Path) -> None:
    """Draw training and validation loss by epoch, one pair of lines a member.

    Parameters
    ----------
    histories : sequence of path
        csv tables with epoch (from 0), loss and val_loss, nats a galaxy.
    path : path
        Image file to write.
    """
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for member, table in enumerate(histories):
        history = pd.read_csv(table)
        epoch, color = history["epoch"] + 1, f"C{member}"
        axes.plot(epoch, history["loss"], ":", color=color)
        label = f"member {member}: validation (dotted: training)"
        axes.plot(epoch, history["val_loss"], color=color, label=label)
        best = history["val_loss"].idxmin()
        axes.plot(epoch[best], history["val_loss"][best], "o", color=color)
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss (nats a galaxy)")
    axes.set_title("The weights of the marked epochs are kept", fontsize="medium")
    axes.legend()
    _save(figure, path)


def _compare(
    axes: Axes, table: pd.DataFrame, *, name: str, subject: str, order: list[str]
) -> None:
    """Draw a figure of each subject in its row, predictors just above each other."""
    predictors = list(table["predictor"].unique())
    lower, upper = _bounds_of(table, name)
    offsets = 0.22 * (np.arange(len(predictors)) - (len(predictors) - 1) / 2)
    for offset, predictor in zip(offsets, predictors, strict=True):
        rows = table[table["predictor"] == predictor].set_index(subject)
        rows = rows.reindex(order)
        style = _STYLES.get(predictor, {"color": "#6aa84f", "marker": "^"})
        y = np.arange(len(order)) + offset
        axes.hlines(y, rows[lower], rows[upper], color=style["color"], linewidth=1.5)
        label = _LABELS.get(predictor, predictor)
        axes.scatter(rows[name], y, s=22, label=label, **style)
    is_empty = table[name].isna().groupby(table[subject]).all()
    for place, of in enumerate(order):
        if is_empty.get(of, False):
            axes.text(0.02, place, _NO_GALAXY, va="center", fontsize=8, color="#666666")
    axes.grid(axis="x", color="#eeeeee")
    axes.set_axisbelow(True)


def _draw_matrix(axes: Axes, counts: np.ndarray) -> None:
    """Draw a (n_answers, n_answers) matrix of counts, colour by share of the row."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if not counts.sum():
        _say_empty(axes)
        return
    for (row, column), n in np.ndenumerate(counts):
        color = "white" if shares[row, column] > 0.55 else "black"
        text = axes.text(column, row, f"{n:,}", ha="center", va="center")
        text.set(color=color, fontsize=8)


def _grid(
    n_panels: int, *, n_columns: int, height_in: float
) -> tuple[Figure, list[Axes]]:
    n_rows = -(-n_panels // n_columns)
    figure = Figure(figsize=(_WIDTH_IN, 0.9 + height_in * n_rows), layout="constrained")
    every = figure.subplots(n_rows, n_columns, squeeze=False).flatten()
    for spare in every[n_panels:]:
        spare.set_visible(False)
    return figure, list(every[:n_panels])


def _worth(row: pd.Series, *, ends: tuple[float, float], largest: int) -> str:
    if row["is_below_one"]:
        return "less than one volunteer"
    if row["is_lower_bound"]:
        return f"at least {largest} volunteers"
    lower = "<1" if ends[0] < 1 else f"{ends[0]:.1f}"
    upper = f">{largest}" if ends[1] >= largest else f"{ends[1]:.1f}"
    return f"{row['volunteers']:.1f} ({lower} to {upper}) volunteers"


def _say_empty(axes: Axes) -> None:
    axes.text(0.5, 0.5, _NO_GALAXY, ha="center", va="center", transform=axes.transAxes)


def _short(answer: str, question: object) -> str:
    return answer.removeprefix(f"{question}_")


def _bounds_of(table: pd.DataFrame, name: str) -> tuple[str, str]:
    """Names of the columns of a figure's interval, whatever its probability."""
    lower = next(c for c in table if c.startswith(f"{name}_") and c.endswith("-lower"))
    return lower, lower.removesuffix("lower") + "upper"


def _save(figure: Figure, path: str | Path) -> None:
    with written_whole(path) as beside:
        figure.savefig(beside, dpi=120)
