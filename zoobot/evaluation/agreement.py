"""How well predictions agree with the votes of held-out galaxies, beside baselines."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from zoobot.evaluation import metrics
from zoobot.evaluation.bootstrap import Bootstrap
from zoobot.evaluation.galaxy_sums import (
    Compared,
    compare,
    error_sums,
    loss_sums,
    question_sums,
)
from zoobot.evaluation.matching import Predictions
from zoobot.schemas import Question, Schema

__all__ = ["Evaluation", "evaluate"]

_MODEL = "model"
_SELECTIONS = ("all", "confident")


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Tidy tables, one row a figure's subject; intervals stand behind their figure."""

    metrics: pd.DataFrame
    """question (and ``all``), galaxies, predictor, n, loss, mixture_loss, accuracy,
    precision, recall, f1."""
    answers: pd.DataFrame
    """question, answer, predictor, n, support, precision, recall, f1, n_errors,
    mean_absolute_error, root_mean_squared_error."""
    confusion: pd.DataFrame
    """question, galaxies, predictor, volunteers, predicted, n."""


def evaluate(
    predictions: Predictions,
    catalog: pd.DataFrame,
    schema: Schema,
    *,
    baselines: Mapping[str, Predictions] | None = None,
    asked_fraction_min: float = 0.5,
    confident_fraction_min: float = 0.8,
    votes_min: int = 20,
    interval: float = 0.9,
    n_resamples: int = 1000,
    seed: int = 42,
) -> Evaluation:
    """Compare predictions with votes, question by question and answer by answer.

    A galaxy counts for a question if enough of its volunteers were asked
    (`zoobot.evaluation.metrics.answered_enough`). Its leading answer is the one with
    most votes, the predicted one that with the largest posterior mean fraction, the
    first of equals.

    Parameters
    ----------
    predictions : GalaxyRows or StoredGalaxies
        Concentrations, (n, n_answers, n_passes), of all galaxies of the catalogue; the
        predictor ``model``.
    catalog : DataFrame
        ``id_str`` and the votes of held-out galaxies.
    schema : Schema
        The decision tree of both.
    baselines : mapping of str to GalaxyRows or StoredGalaxies, optional
        More predictors of the same galaxies, by name.
    asked_fraction_min : float
        Least share of a galaxy's volunteers who were asked the question.
    confident_fraction_min : float
        Confident galaxies: one answer has more than this share of a question's votes.
    votes_min : int
        Errors of vote fractions count galaxies with this many votes for the question.
    interval : float
        Probability inside the bootstrap intervals.
    n_resamples : int
        Resamples of the galaxies, the same for all predictors.
    seed : int
        Seed of the resamples.

    Returns
    -------
    Evaluation
        Figures without a galaxy are NaN. In `metrics`, losses of a question are means
        over the `n` galaxies that count; those of ``all`` are means over all galaxies
        of the sum over questions, as in training. Precision, recall and F1 of a
        question are means over answers weighted by support.

    Raises
    ------
    ValueError
        As `zoobot.evaluation.matching.match` does, or if a baseline is called
        ``model``.

    References
    ----------
    Walmsley et al. 2022, MNRAS 509, 3966, section 5 and Table 1.
    """
    if baselines and _MODEL in baselines:
        raise ValueError(f"baselines: found the name {_MODEL}, expected another one")
    by_name = {_MODEL: predictions, **(baselines or {})}
    sums = (
        _sums_of_galaxies(
            compared,
            asked_fraction_min=asked_fraction_min,
            confident_fraction_min=confident_fraction_min,
            votes_min=votes_min,
        )
        for compared in compare(by_name, catalog=catalog, schema=schema)
    )
    bootstrap = Bootstrap(interval, n_resamples, seed)
    overall, errors, *of_questions = bootstrap.totals(sums, n_galaxies=len(catalog))
    metrics_parts, answers_parts, confusion_parts = [], [], []
    for i, question in enumerate(schema.questions):
        loss, confusion = of_questions[2 * i : 2 * i + 2]
        rows = _Rows(question, list(by_name), bootstrap)
        metrics_parts.append(rows.of_metrics(loss, confusion))
        error = errors[:, :, question.columns]
        answers_parts.append(rows.of_answers(confusion[:, 0], error))
        confusion_parts.append(rows.of_confusion(confusion[0]))
    means = overall / len(catalog)
    metrics_parts.append(
        pd.DataFrame(
            {
                "question": "all",
                **_combinations(galaxies=["all"], predictor=list(by_name)),
                "n": len(catalog),
                **bootstrap.columns(
                    {"loss": means[..., 0], "mixture_loss": means[..., 1]}
                ),
            }
        )
    )
    return Evaluation(
        metrics=pd.concat(metrics_parts, ignore_index=True),
        answers=pd.concat(answers_parts, ignore_index=True),
        confusion=pd.concat(confusion_parts, ignore_index=True),
    )


def _sums_of_galaxies(
    compared: Compared,
    *,
    asked_fraction_min: float,
    confident_fraction_min: float,
    votes_min: int,
) -> list[np.ndarray]:
    """Sums of losses, of errors, then those of each question."""
    enough = metrics.answered_enough(
        compared.votes, schema=compared.schema, asked_fraction_min=asked_fraction_min
    )
    sure = metrics.confident(
        compared.votes,
        schema=compared.schema,
        confident_fraction_min=confident_fraction_min,
    )
    sums = [loss_sums(compared), error_sums(compared, votes_min=votes_min)]
    for i in range(len(compared.schema.questions)):
        selected = np.stack([enough[:, i], enough[:, i] & sure[:, i]], axis=1)
        sums += question_sums(compared, question_index=i, selected=selected)
    return sums


@dataclasses.dataclass(frozen=True)
class _Rows:
    """Makes one question's rows of totals, whose first axis is the resample."""

    question: Question
    predictors: list[str]
    bootstrap: Bootstrap

    def of_metrics(self, loss: np.ndarray, confusion: np.ndarray) -> pd.DataFrame:
        """Of (..., selection, predictor, 2) and (..., answer, answer)."""
        n = confusion.sum(axis=(-2, -1))
        scores = metrics.question_scores(confusion)
        figures = {
            "loss": metrics.ratio(loss[..., 0], n),
            "mixture_loss": metrics.ratio(loss[..., 1], n),
            "accuracy": metrics.ratio(np.trace(confusion, axis1=-2, axis2=-1), n),
            "precision": scores.precision,
            "recall": scores.recall,
            "f1": scores.f1,
        }
        return pd.DataFrame(
            {
                "question": self.question.text,
                **_combinations(galaxies=_SELECTIONS, predictor=self.predictors),
                "n": _whole(n[0]),
                **self.bootstrap.columns(figures),
            }
        )

    def of_answers(self, confusion: np.ndarray, errors: np.ndarray) -> pd.DataFrame:
        """Of (..., predictor, answer, answer) and (..., predictor, answer, 3)."""
        found = metrics.answer_scores(confusion)
        scores = {"precision": found.precision, "recall": found.recall, "f1": found.f1}
        count, absolute, squared = np.moveaxis(errors, -1, 0)
        means = {
            "mean_absolute_error": metrics.ratio(absolute, count),
            "root_mean_squared_error": np.sqrt(metrics.ratio(squared, count)),
        }

        def columns(figures: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            """Of (..., predictor, answer); rows run over answers first."""
            by_answer = {name: np.swapaxes(x, 1, 2) for name, x in figures.items()}
            return self.bootstrap.columns(by_answer)

        return pd.DataFrame(
            {
                "question": self.question.text,
                **_combinations(answer=self._label_cols, predictor=self.predictors),
                "n": int(confusion[0, 0].sum()),
                "support": _whole(confusion[0].sum(axis=2).T),
                **columns(scores),
                "n_errors": _whole(count[0].T),
                **columns(means),
            }
        )

    def of_confusion(self, confusion: np.ndarray) -> pd.DataFrame:
        """Of (selection, predictor, answer, answer), without resamples."""
        keys = _combinations(
            galaxies=_SELECTIONS,
            predictor=self.predictors,
            volunteers=self._label_cols,
            predicted=self._label_cols,
        )
        return pd.DataFrame(
            {"question": self.question.text, **keys, "n": _whole(confusion)}
        )

    @property
    def _label_cols(self) -> list[str]:
        return [answer.label_col for answer in self.question.answers]


def _whole(counts: np.ndarray) -> np.ndarray:
    return counts.ravel().astype(int)


def _combinations(**values: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns of every combination, the last running fastest."""
    index = pd.MultiIndex.from_product(list(values.values()))
    return {
        name: index.get_level_values(level).to_numpy()
        for level, name in enumerate(values)
    }
