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

from zoobot.dirichlet_multinomial import sum_by_question
from zoobot.evaluation import calibration_tables
from zoobot.evaluation.bootstrap import Bootstrap
from zoobot.evaluation.matching import Block, Predictions, match
from zoobot.evaluation.metrics import answered_enough
from zoobot.logs import track
from zoobot.predictions.predicted_votes import marginal_probability, winning_probability
from zoobot.predictions.vote_fractions import mean_fractions
from zoobot.schemas import Schema

__all__ = ["Calibration", "calibrate", "randomised_pit"]


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
    predictions: Predictions,
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
    predictions : GalaxyRows or StoredGalaxies
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
        As `zoobot.evaluation.matching.match` and `Matched.blocks` do.
    """
    matched = match(predictions, catalog, schema=schema)
    of_pit, of_draws = np.random.default_rng(seed).spawn(2)
    blocks = track(
        matched.blocks(),
        total=len(catalog),
        what="galaxies",
        size=lambda block: len(block.votes),
    )
    sums = (
        _sums_of_galaxies(
            block,
            schema=schema,
            asked_fraction_min=asked_fraction_min,
            n_bins=n_bins,
            n_draws=n_draws,
            of_pit=of_pit,
            of_draws=of_draws,
        )
        for block in blocks
    )
    bootstrap = Bootstrap(interval=interval, n_resamples=n_resamples, seed=seed)
    totals = bootstrap.totals(sums, n_galaxies=len(catalog))
    tables: dict[str, list[pd.DataFrame]] = {}
    for i, question in enumerate(schema.questions):
        n, inside, in_bins, reliable = totals[4 * i : 4 * i + 4]
        coverage = calibration_tables.coverage_of(
            inside, n=n, question=question, bootstrap=bootstrap
        )
        histograms = calibration_tables.histograms_of(
            in_bins[0], n=n[0], question=question
        )
        reliability, error = calibration_tables.reliability_of(
            reliable, bootstrap=bootstrap
        )
        error["n_with_votes"] = int(n[0])
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


def _sums_of_galaxies(
    block: Block,
    *,
    schema: Schema,
    asked_fraction_min: float,
    n_bins: int,
    n_draws: int,
    of_pit: np.random.Generator,
    of_draws: np.random.Generator,
) -> list[np.ndarray]:
    """Four of each question: whether it counts, coverage, histogram, reliability."""
    votes, concentrations = block.votes, block.concentrations
    pit = randomised_pit(
        votes, concentrations=concentrations, schema=schema, rng=of_pit
    )
    enough = answered_enough(
        votes, schema=schema, asked_fraction_min=asked_fraction_min
    )
    n_votes = sum_by_question(votes, schema=schema)
    winning = winning_probability(
        np.where(enough, n_votes, 0),
        concentrations=concentrations,
        schema=schema,
        n_draws=n_draws,
        rng=of_draws,
    )
    fractions = mean_fractions(concentrations, schema=schema)
    sums = []
    for i, question in enumerate(schema.questions):
        columns, has_votes = question.columns, n_votes[:, i] > 0
        leading = fractions[:, columns].argmax(axis=1)
        confidence = winning[:, columns][np.arange(len(leading)), leading]
        sums += [
            has_votes.astype(np.float64),
            calibration_tables.coverage_sums(pit[:, columns], counts=has_votes),
            calibration_tables.histogram_sums(
                pit[:, columns], counts=has_votes, n_bins=n_bins
            ),
            calibration_tables.reliability_sums(
                confidence,
                is_hit=votes[:, columns].argmax(axis=1) == leading,
                counts=enough[:, i],
                n_bins=n_bins,
            ),
        ]
    return sums


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
