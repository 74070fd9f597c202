"""Whether the stated probabilities come true, for every question and answer.

References
----------
Czado, Gneiting & Held 2009, Biometrics 65, 1254 (randomised transform of counts).
Naeini, Cooper & Hauskrecht 2015, AAAI 29, 2901, and Guo et al. 2017, ICML 34, 1321
(expected calibration error).
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.dirichlet_multinomial import sum_by_question
from zoobot.evaluation import calibration_tables
from zoobot.evaluation.bootstrap import Bootstrap
from zoobot.evaluation.matching import match
from zoobot.evaluation.metrics import answered_enough
from zoobot.logs import track
from zoobot.predictions.predicted_votes import marginal_probability, winning_probability
from zoobot.predictions.vote_fractions import mean_fractions
from zoobot.schemas import Schema

__all__ = ["Calibration", "calibrate", "calibrate_arrays", "randomised_pit"]


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Tidy tables; an interval (``_90pc-lower``, ``-upper``) follows its figure.

    NaN, and n = 0, where no galaxy counts. In `coverage` and `pit` every galaxy with a
    vote for the question counts, in the other two those whose volunteers answered it
    often enough.
    """

    coverage: pd.DataFrame
    """question, answer (a label column, or ``all``), level, n (galaxies), coverage:
    share of the galaxies whose count lies in the central interval of that level."""
    pit: pd.DataFrame
    """question, answer, bin_lower, bin_upper, n (galaxies in all bins), share: of them
    in this bin of the probability integral transform; right is ``1 / n_bins``."""
    reliability: pd.DataFrame
    """question, bin_lower, bin_upper, n (galaxies of that confidence), confidence (mean
    probability that the predicted answer gets most votes), accuracy (how often it
    does)."""
    calibration_error: pd.DataFrame
    """question, n, confidence, accuracy (means), expected_calibration_error,
    error_if_calibrated (what noise alone makes of it), n_with_votes, coverage_error
    (mean over answers and levels of the distance between coverage and level)."""


def calibrate(
    predictions: GalaxyRows,
    catalog: pd.DataFrame,
    schema: Schema,
    *,
    asked_fraction_min: float = 0.5,
    n_bins: int = 10,
    n_draws: int = 400,
    interval: float = 0.9,
    n_resamples: int = 1000,
    seed: int = 42,
) -> Calibration:
    """Compare predicted distributions with the votes that were cast.

    Parameters
    ----------
    predictions : GalaxyRows
        Concentrations, (n, n_answers, n_passes), of all galaxies of the catalogue.
    catalog : DataFrame
        ``id_str`` and the votes of held-out galaxies.
    schema : Schema
        The decision tree of both.
    asked_fraction_min : float
        A galaxy counts for `reliability` and `calibration_error` of a question if this
        share of its volunteers answered it.
    n_bins : int
        Bins of `pit` and `reliability`, of equal width.
    n_draws : int
        Simulated votes of each galaxy, see
        `zoobot.predictions.predicted_votes.winning_probability`.
    interval : float
        Probability inside the bootstrap intervals.
    n_resamples : int
        Resamples of the galaxies.
    seed : int
        Seed of the randomised transform, the simulated votes and the resamples.

    Returns
    -------
    Calibration
        Tables.

    Raises
    ------
    ValueError
        As `zoobot.evaluation.matching.match` does.
    """
    matched = match(predictions, catalog, schema=schema)
    return calibrate_arrays(
        matched.votes,
        concentrations=matched.concentrations,
        schema=schema,
        asked_fraction_min=asked_fraction_min,
        n_bins=n_bins,
        n_draws=n_draws,
        interval=interval,
        n_resamples=n_resamples,
        seed=seed,
    )


def calibrate_arrays(
    votes: np.ndarray,
    *,
    concentrations: np.ndarray,
    schema: Schema,
    asked_fraction_min: float,
    n_bins: int,
    n_draws: int,
    interval: float,
    n_resamples: int,
    seed: int,
) -> Calibration:
    """As `calibrate`, of arrays.

    Parameters
    ----------
    votes : (n_galaxies, n_answers) int
        Counts.
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a > 0, in votes.
    schema : Schema
        The decision tree.
    asked_fraction_min, n_bins, n_draws, interval, n_resamples, seed
        As in `calibrate`.

    Returns
    -------
    Calibration
        Tables.
    """
    of_pit, of_draws = np.random.default_rng(seed).spawn(2)
    bootstrap = Bootstrap(interval=interval, n_resamples=n_resamples, seed=seed)
    pit = randomised_pit(
        votes, concentrations=concentrations, schema=schema, rng=of_pit
    )
    counts = answered_enough(
        votes, schema=schema, asked_fraction_min=asked_fraction_min
    )
    n_votes = sum_by_question(votes, schema=schema)
    winning = winning_probability(
        np.where(counts, n_votes, 0),
        concentrations=concentrations,
        schema=schema,
        n_draws=n_draws,
        rng=of_draws,
    )
    fractions = mean_fractions(concentrations, schema=schema)
    tables: dict[str, list[pd.DataFrame]] = {}
    questions = track(schema.questions, total=len(schema.questions), what="questions")
    for i, question in enumerate(questions):
        columns, count = question.columns, counts[:, i]
        of_question = pit[n_votes[:, i] > 0, columns]
        coverage = calibration_tables.coverage_of(
            of_question, question=question, bootstrap=bootstrap
        )
        histograms = calibration_tables.histograms_of(
            of_question, question=question, n_bins=n_bins
        )
        leading = fractions[count, columns].argmax(axis=1)
        reliability, error = calibration_tables.reliability_of(
            winning[count, columns][np.arange(len(leading)), leading],
            is_hit=votes[count, columns].argmax(axis=1) == leading,
            n_bins=n_bins,
            bootstrap=bootstrap,
        )
        error["n_with_votes"] = len(of_question)
        error["coverage_error"] = calibration_tables.coverage_error(coverage)
        for name, table in (
            ("coverage", coverage),
            ("pit", histograms),
            ("reliability", reliability),
            ("calibration_error", error),
        ):
            table.insert(0, "question", question.text)
            tables.setdefault(name, []).append(table)
    whole = {name: pd.concat(t, ignore_index=True) for name, t in tables.items()}
    return Calibration(**whole)


def randomised_pit(
    votes: np.ndarray,
    *,
    concentrations: np.ndarray,
    schema: Schema,
    rng: np.random.Generator,
) -> np.ndarray:
    """Where each count lies in its predicted distribution.

    Parameters
    ----------
    votes : (n_galaxies, n_answers) int
        Counts k_a.
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a > 0, in votes.
    schema : Schema
        Says which answers belong to one question.
    rng : numpy.random.Generator
        Used up by v.

    Returns
    -------
    (n_galaxies, n_answers) float64
        ``u = P(K < k) + v P(K = k)``, v uniform between 0 and 1. Uniform, for counts
        too, exactly if they are drawn from the predicted distribution; without a vote,
        v itself, which says nothing.

    References
    ----------
    Czado, Gneiting & Held 2009, Biometrics 65, 1254, section 2.
    """
    below, equal = marginal_probability(
        votes, concentrations=concentrations, schema=schema
    )
    return below + rng.random(below.shape) * equal
