"""Figures of the calibration, one panel a question."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binom

from zoobot.files import written_whole

__all__ = ["plot_coverage", "plot_pit", "plot_reliability"]

_N_COLUMNS = 4
_COLOR, _BAND, _RIGHT = "#0b5394", "#9fc5e8", "#666666"
_BAND_PERCENT = 90


def plot_coverage(coverage: pd.DataFrame, *, path: str | Path) -> None:
    """Draw how far from their levels the coverages of the intervals are.

    Parameters
    ----------
    coverage : DataFrame
        Of `zoobot.evaluation.calibration.Calibration`, or read back from csv.
    path : path
        Image file to write.
    """
    percent = _percent(coverage, "coverage")
    figure, panels = _panels(coverage)
    reach = 100 * (coverage["coverage"] - coverage["level"]).abs().max()
    for axes, rows in panels:
        pooled = rows[rows["answer"] == "all"]
        axes.axhline(0, color=_RIGHT, linewidth=1, linestyle="--")
        for _, answer in rows[rows["answer"] != "all"].groupby("answer", sort=False):
            axes.plot(100 * answer["level"], _excess(answer), color="#bbbbbb", lw=0.8)
        band = [
            _excess(pooled, f"coverage_{percent}pc-{side}")
            for side in ("lower", "upper")
        ]
        axes.fill_between(100 * pooled["level"], *band, color=_BAND, alpha=0.6, lw=0)
        axes.plot(
            100 * pooled["level"], _excess(pooled), color=_COLOR, marker="o", ms=3
        )
        axes.set_xlim(0, 100)
        axes.set_ylim(-1.1 * max(5, reach), 1.1 * max(5, reach))
    _describe(
        figure,
        title="Do the intervals hold the volunteers' counts as often as they say?\n"
        "Above the dashed line too wide, below it too narrow. Blue: all answers "
        f"together, with its {percent}% interval; grey: each answer.",
        x="probability inside the predicted interval (%)",
        y="share of counts inside, minus that probability (percentage points)",
    )
    _save(figure, path)


def plot_pit(pit: pd.DataFrame, *, path: str | Path) -> None:
    """Draw where counts fall in their predicted distributions.

    Parameters
    ----------
    pit : DataFrame
        Of `zoobot.evaluation.calibration.Calibration`, or read back from csv.
    path : path
        Image file to write.
    """
    n_bins = pit["bin_lower"].nunique()
    highest = 1.4 * max(1.6, n_bins * pit["share"].max())  # room for the legend
    figure, panels = _panels(pit, row_height=2.5)
    for axes, rows in panels:
        n = int(rows["n"].iloc[0])
        lower, upper = binom.interval(_BAND_PERCENT / 100, n, 1 / n_bins)
        axes.axhspan(lower / n * n_bins, upper / n * n_bins, color="#eeeeee", zorder=0)
        axes.axhline(1, color=_RIGHT, linewidth=1, linestyle="--", zorder=1)
        question = rows["question"].iloc[0]
        for answer, of_answer in rows.groupby("answer", sort=False):
            edges = [*of_answer["bin_lower"], of_answer["bin_upper"].iloc[-1]]
            label = str(answer).removeprefix(f"{question}_")
            axes.stairs(
                of_answer["share"] * n_bins, edges, label=label, lw=1.3, baseline=None
            )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, highest)
        axes.legend(
            fontsize=6.5, ncols=2, loc="upper center", frameon=False, handlelength=1
        )
    _describe(
        figure,
        title="Where do the volunteers' counts fall in the predicted distributions?\n"
        f"Right predictions are flat: {_BAND_PERCENT}% of steps in the grey band. "
        "U: too sure. Hump: not sure enough. Slope: too few or too many votes.",
        x="probability of fewer votes than were counted (randomised for ties)",
        y="galaxies, relative to a right prediction",
    )
    _save(figure, path)


def plot_reliability(
    reliability: pd.DataFrame, calibration_error: pd.DataFrame, *, path: str | Path
) -> None:
    """Draw how often the predicted answer is right against how often it should be.

    Parameters
    ----------
    reliability, calibration_error : DataFrame
        Of `zoobot.evaluation.calibration.Calibration`, or read back from csv.
    path : path
        Image file to write.
    """
    percent = _percent(reliability, "accuracy")
    errors = calibration_error.set_index("question")
    n_galaxies = reliability.groupby("question")["n"].transform("sum")
    figure, panels = _panels(
        reliability.assign(n_all=n_galaxies), n="n_all", row_height=2.5
    )
    for axes, rows in panels:
        rows = rows[rows["n"] > 0]
        error = errors.loc[rows["question"].iloc[0]]
        axes.plot([0, 1], [0, 1], color=_RIGHT, linewidth=1, linestyle="--")
        axes.vlines(
            rows["confidence"],
            rows[f"accuracy_{percent}pc-lower"],
            rows[f"accuracy_{percent}pc-upper"],
            color=_COLOR,
            linewidth=1,
        )
        axes.scatter(rows["confidence"], rows["accuracy"], s=14, color=_COLOR, zorder=3)
        axes.axhline(0, color="#dddddd", linewidth=0.8, zorder=1)
        for place, (x, n) in enumerate(zip(rows["confidence"], rows["n"], strict=True)):
            height = -0.1 - 0.1 * (place % 2)  # neighbours do not overlap
            axes.text(x, height, str(n), fontsize=6.5, color="#444444", ha="center")
        axes.set_title(
            f"{axes.get_title()}\nECE {error['expected_calibration_error']:.3f} "
            f"(noise alone {error['error_if_calibrated']:.3f})",
            fontsize=9,
        )
        axes.set_xlim(0, 1.05)
        axes.set_ylim(-0.24, 1.05)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    _describe(
        figure,
        title="How often is the predicted answer the volunteers' first choice?\n"
        "Above the dashed line more often than predicted, below it less often. Small "
        f"numbers: galaxies. Bars: {percent}% intervals. ECE: expected calibration "
        "error.",
        x="predicted probability that this answer gets most votes",
        y="how often it does",
    )
    _save(figure, path)


def _excess(rows: pd.DataFrame, column: str = "coverage") -> pd.Series:
    return 100 * (rows[column] - rows["level"])


def _panels(
    table: pd.DataFrame, *, n: str = "n", row_height: float = 2.3
) -> tuple[Figure, Iterator[tuple[Axes, pd.DataFrame]]]:
    """A figure, and the panel and rows of each question that has galaxies."""
    questions = list(table["question"].unique())
    n_columns = min(_N_COLUMNS, len(questions))
    n_rows = -(-len(questions) // n_columns)
    figure = Figure(
        figsize=(2.75 * _N_COLUMNS, 1.3 + row_height * n_rows), layout="constrained"
    )
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)

    def each() -> Iterator[tuple[Axes, pd.DataFrame]]:
        for axes in grid.flat[len(questions) :]:
            axes.set_visible(False)
        for axes, question in zip(grid.flat, questions, strict=False):
            rows = table[table["question"] == question]
            n_galaxies = int(rows[n].iloc[0])
            axes.set_title(f"{question} (n = {n_galaxies:,})", fontsize=9)
            axes.tick_params(labelsize=8, labelbottom=True)
            axes.grid(color="#f3f3f3")
            axes.set_axisbelow(True)
            if n_galaxies:
                yield axes, rows
            else:
                axes.text(0.5, 0.5, "no galaxy", transform=axes.transAxes, ha="center")

    return figure, each()


def _percent(table: pd.DataFrame, name: str) -> str:
    """What the interval of a column holds, in per cent, from the columns' names."""
    found = [c for c in table.columns if c.startswith(f"{name}_")]
    return found[0].removeprefix(f"{name}_").removesuffix("pc-lower")


def _describe(figure: Figure, *, title: str, x: str, y: str) -> None:
    figure.suptitle(title, fontsize=10)
    figure.supxlabel(x, fontsize=10)
    figure.supylabel(y, fontsize=10)


def _save(figure: Figure, path: str | Path) -> None:
    with written_whole(path) as beside:
        figure.savefig(beside, dpi=120)
