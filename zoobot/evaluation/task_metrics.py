"""How well predictions of a finetuned model agree with the labels of other galaxies.

Each kind of task has figures that suit it, with bootstrap intervals over galaxies.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.data_utils.tasks import Task
from zoobot.evaluation.agreement import evaluate
from zoobot.evaluation.bootstrap import bounds
from zoobot.evaluation.ranking import Ranked

__all__ = ["linear_probe", "task_metrics"]

_INTERVAL = 0.9
_N_RESAMPLES = 500
_SEED = 0
_LEAST_PROBABILITY = 1e-7  # as in the training loss

Figures = Callable[[np.ndarray], dict[str, float]]


def task_metrics(
    targets: np.ndarray, *, outputs: np.ndarray, task: Task, constant: np.ndarray
) -> dict:
    """Figures of predictions.

    Parameters
    ----------
    targets : (n_galaxies,) or (n_galaxies, n_outputs) float32
        Labels, from `zoobot.data_utils.tasks.targets_of`.
    outputs : (n_galaxies, n_outputs) float32
        Predictions.
    task : Task
        What they stand for.
    constant : (n_outputs,) float
        Best constant prediction for the training galaxies. A class counts as found, for
        the balanced accuracy and the confusion matrix, where its probability exceeds
        its share there most: where it would be likeliest if classes were equally
        frequent.

    Returns
    -------
    dict
        ``n``, ``loss`` (nats a galaxy: cross-entropy, or the Dirichlet-multinomial
        loss of votes), ``constant_loss``, that of the constant prediction, and figures
        of the kind of task; each ``x`` with the bounds of its 90% bootstrap interval,
        ``x_90pc_lower`` and ``x_90pc_upper``.

        - binary: n_positive, accuracy (probability above 0.5), balanced_accuracy,
          roc_auc, average_precision, brier_score; confusion_matrix (rows: truth no,
          yes; columns: found no, yes).
        - classes: accuracy, balanced_accuracy, roc_auc (mean over classes, each against
          all others), classes, confusion_matrix.
        - fraction: mean_absolute_error, root_mean_squared_error, bias (predicted less
          true, mean), r_squared.
        - votes: questions, each with n, loss, constant_loss and accuracy of the leading
          answer, as in `zoobot.evaluation.agreement.evaluate`, and answers, each with
          mean_absolute_error of the vote fraction.
    """
    outputs = np.asarray(outputs, np.float64)
    if task.kind == "votes":
        return _of_votes(targets, outputs, task, constant)
    kinds = {"binary": _of_binary, "classes": _of_classes, "fraction": _of_fractions}
    figures, others = kinds[task.kind](targets.astype(np.float64), outputs, constant)
    return {"n": len(targets)} | others | _with_intervals(figures, len(targets))


def _of_binary(
    labels: np.ndarray, outputs: np.ndarray, constant: np.ndarray
) -> tuple[Figures, dict]:
    probability = outputs[:, 0]
    is_yes = labels == 1
    found = probability > constant[0]
    is_right = (probability > 0.5) == is_yes
    squared = (probability - labels) ** 2
    loss, constant_loss = _cross_entropies(labels, probability, constant[0])
    ranked = Ranked(probability, labels=is_yes)

    def figures(weights: np.ndarray) -> dict[str, float]:
        found_yes, found_no = (
            _mean(found, weights * is_yes),
            _mean(~found, weights * ~is_yes),
        )
        return {
            "loss": _mean(loss, weights),
            "constant_loss": _mean(constant_loss, weights),
            "accuracy": _mean(is_right, weights),
            "balanced_accuracy": (found_yes + found_no) / 2,
            "roc_auc": ranked.roc_auc(weights),
            "average_precision": ranked.average_precision(weights),
            "brier_score": _mean(squared, weights),
        }

    matrix = metrics.confusion_matrix(is_yes, found, labels=[False, True])
    return figures, {
        "n_positive": int(is_yes.sum()),
        "confusion_matrix": matrix.tolist(),
    }


def _of_classes(
    targets: np.ndarray, outputs: np.ndarray, constant: np.ndarray
) -> tuple[Figures, dict]:
    truth = targets.argmax(axis=1)
    with np.errstate(divide="ignore"):
        found = (outputs / constant).argmax(axis=1)
    is_right = outputs.argmax(axis=1) == truth
    logs = [np.log(np.maximum(p, _LEAST_PROBABILITY)) for p in (outputs, constant)]
    loss, constant_loss = (-(targets * log).sum(axis=1) for log in logs)
    present = np.flatnonzero(targets.any(axis=0))
    ranked = [Ranked(outputs[:, k], labels=truth == k) for k in present]

    def figures(weights: np.ndarray) -> dict[str, float]:
        recalls = [_mean(found == k, weights * (truth == k)) for k in present]
        return {
            "loss": _mean(loss, weights),
            "constant_loss": _mean(constant_loss, weights),
            "accuracy": _mean(is_right, weights),
            "balanced_accuracy": float(np.mean(recalls)),
            "roc_auc": float(np.mean([one.roc_auc(weights) for one in ranked])),
        }

    numbers = np.arange(targets.shape[1])
    matrix = metrics.confusion_matrix(truth, found, labels=numbers)
    return figures, {"confusion_matrix": matrix.tolist()}


def _of_fractions(
    fractions: np.ndarray, outputs: np.ndarray, constant: np.ndarray
) -> tuple[Figures, dict]:
    error = outputs[:, 0] - fractions
    loss, constant_loss = _cross_entropies(fractions, outputs[:, 0], constant[0])

    def figures(weights: np.ndarray) -> dict[str, float]:
        squared = _mean(error**2, weights)
        around = fractions - _mean(fractions, weights)
        variance = _mean(around**2, weights)
        return {
            "loss": _mean(loss, weights),
            "constant_loss": _mean(constant_loss, weights),
            "mean_absolute_error": _mean(np.abs(error), weights),
            "root_mean_squared_error": squared**0.5,
            "bias": _mean(error, weights),
            "r_squared": 1 - squared / variance if variance > 0 else np.nan,
        }

    return figures, {}


def _of_votes(
    votes: np.ndarray, outputs: np.ndarray, task: Task, constant: np.ndarray
) -> dict:
    """From the tables of the evaluation of a survey."""
    assert task.schema
    ids = [str(i) for i in range(len(votes))]
    every = np.broadcast_to(constant, outputs.shape)
    rows = [
        GalaxyRows(one.astype(np.float32)[..., None], ids, task.label_cols, {})
        for one in (outputs, every)
    ]
    found = evaluate(
        rows[0],
        pd.DataFrame(votes, columns=task.label_cols).assign(id_str=ids),
        task.schema,
        baselines={"constant": rows[1]},
        interval=_INTERVAL,
        n_resamples=_N_RESAMPLES,
        seed=_SEED,
        votes_min=1,
    )
    table = found.metrics[found.metrics["galaxies"] == "all"]
    table = table.set_index(["question", "predictor"])
    errors = found.answers.set_index(["answer", "predictor"])

    def of_question(question: str) -> dict:
        row = table.loc[question, "model"]
        constant_loss = {"constant_loss": table.loc[question, "constant"]["loss"]}
        names = ("loss",) if question == "all" else ("loss", "accuracy")
        return {"n": int(row["n"])} | _picked(row, names) | _plain(constant_loss)

    return of_question("all") | {
        "questions": {q.text: of_question(q.text) for q in task.schema.questions},
        "answers": {
            answer: _picked(errors.loc[answer, "model"], ("mean_absolute_error",))
            for answer in task.label_cols
        },
    }


def _picked(row: pd.Series, names: tuple[str, ...]) -> dict[str, float | None]:
    """Some figures of a table's row, and their intervals."""
    keys = [key for key in row.index if key.startswith(names)]
    return _plain({key.replace("pc-", "pc_"): row[key] for key in keys})


def _with_intervals(figures: Figures, n_galaxies: int) -> dict[str, float | None]:
    rng = np.random.default_rng(_SEED)
    point = figures(np.ones(n_galaxies))
    resampled = []
    for _ in range(_N_RESAMPLES):
        drawn = rng.integers(n_galaxies, size=n_galaxies)
        resampled.append(
            figures(np.bincount(drawn, minlength=n_galaxies).astype(float))
        )
    percent = f"{100 * _INTERVAL:g}pc"
    result: dict[str, float | np.ndarray] = {}
    for name, value in point.items():
        samples = np.array([one[name] for one in resampled])
        lower, upper = bounds(samples, interval=_INTERVAL)
        result |= {
            name: value,
            f"{name}_{percent}_lower": lower,
            f"{name}_{percent}_upper": upper,
        }
    return _plain(result)


def _plain(figures: dict) -> dict[str, float | None]:
    """As JSON holds them: None for what no galaxy gives."""
    return {k: None if np.isnan(v) else float(v) for k, v in figures.items()}


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    total = weights.sum()
    return float((values * weights).sum() / total) if total > 0 else np.nan


def _cross_entropies(
    labels: np.ndarray, *probabilities: np.ndarray | float
) -> list[np.ndarray]:
    clipped = [
        np.clip(p, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY) for p in probabilities
    ]
    return [-labels * np.log(p) - (1 - labels) * np.log1p(-p) for p in clipped]


def linear_probe(features: np.ndarray, *, labels: np.ndarray, seed: int) -> dict:
    """How much of a yes-or-no answer lies open in the representations.

    A logistic regression, cross-validated in five parts over all galaxies with labels:
    less noisy than the few that are held out. The encoder never saw these labels, but
    did see the votes of its own training galaxies.

    Parameters
    ----------
    features : (n_galaxies, n_features) float
    labels : (n_galaxies,) int, 0 or 1
    seed : int
        Seed of the parts.

    Returns
    -------
    dict
        n, n_positive, and roc_auc with its 90% bootstrap interval.
    """
    n_parts = max(2, min(5, np.bincount(labels, minlength=2).min()))
    model = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000),
    )
    parts = StratifiedKFold(n_parts, shuffle=True, random_state=seed)
    score = cross_val_predict(
        model, features, labels, cv=parts, method="decision_function"
    )
    ranked = Ranked(score, labels=labels == 1)
    auc = _with_intervals(lambda w: {"roc_auc": ranked.roc_auc(w)}, len(labels))
    return {"n": len(labels), "n_positive": int(labels.sum())} | auc
