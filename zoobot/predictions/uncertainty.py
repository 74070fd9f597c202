"""Entropies of the next votes: how much is unknown, and how much a vote would teach.

Each dropout pass (of each member) predicts the counts of the next votes of a question
by a Dirichlet-multinomial distribution; together they predict the equal mixture.

References
----------
Houlsby et al. 2011, arXiv 1112.5745 (mutual information of answers and model, BALD).
Walmsley et al. 2020, MNRAS 491, 1554 (the same for volunteers' votes, section 4).
"""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
from scipy.special import gammaln, xlogy

from zoobot.predictions.concentrations import in_blocks
from zoobot.schemas import Question, Schema

__all__ = ["MOST_COUNT_VECTORS", "VoteEntropies", "vote_entropies"]

MOST_COUNT_VECTORS = 20_000
"""Most ways to share out the next votes of a question among its answers."""

_VALUES_IN_BLOCK = 2**20  # of float64, in each of a few arrays


@dataclasses.dataclass(frozen=True)
class VoteEntropies:
    """Entropies of the next votes of each question, in nats."""

    predictive: np.ndarray
    """(n_galaxies, n_questions) float64, entropy of the mixture: all that is unknown
    about the votes."""
    expected: np.ndarray
    """(n_galaxies, n_questions) float64, mean over passes of the pass's entropy: what
    would stay unknown if the network were known (aleatoric)."""
    mutual_information: np.ndarray
    """(n_galaxies, n_questions) float64, their difference, 0 or more: what the passes
    disagree about (epistemic), and what the votes would teach about the network."""


def vote_entropies(
    concentrations: np.ndarray, *, schema: Schema, n_votes: int = 1, n_threads: int = 1
) -> VoteEntropies:
    """Entropies of the counts of the next votes of each question.

    Parameters
    ----------
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a > 0, in votes.
    schema : Schema
        Says which answers belong to one question.
    n_votes : int
        The next votes, all of volunteers who are asked the question.
    n_threads : int
        Threads that share the work; does not change the result.

    Returns
    -------
    VoteEntropies
        Exact: sums over all counts k of the answers that add up to `n_votes`. A pass
        gives them the probability of `zoobot.dirichlet_multinomial.log_likelihood`.

    Raises
    ------
    ValueError
        If `n_votes` is not 1 or more, or a question has more than 20,000 such counts,
        or the concentrations are not positive numbers of the schema's shape.
    """
    if n_votes < 1:
        raise ValueError(f"n_votes: found {n_votes}, expected 1 or more")
    counts = [_count_vectors(question, n_votes) for question in schema.questions]

    def entropies(block: np.ndarray) -> np.ndarray:
        found = [
            _entropies_of_question(block[:, question.columns], of_question)
            for question, of_question in zip(schema.questions, counts, strict=True)
        ]
        return np.stack(found, axis=1)

    n_vectors = max(len(of_question) for of_question in counts)
    n_passes = np.shape(concentrations)[-1]
    found = in_blocks(
        concentrations,
        schema=schema,
        function=entropies,
        n_galaxies=max(1, _VALUES_IN_BLOCK // max(1, n_vectors * n_passes)),
        n_threads=n_threads,
    )
    return VoteEntropies(*np.moveaxis(found, -1, 0))


def _count_vectors(question: Question, n_votes: int) -> np.ndarray:
    """Count vectors that sum to `n_votes`, (n_vectors, n_answers) int64."""
    n_answers = len(question.answers)
    n_vectors = math.comb(n_votes + n_answers - 1, n_votes)
    if n_vectors > MOST_COUNT_VECTORS:
        raise ValueError(
            f"n_votes: found {n_votes}, which the {n_answers} answers of "
            f"{question.text} can share in {n_vectors} ways; expected "
            f"{MOST_COUNT_VECTORS} at most: ask for fewer votes"
        )
    # Bars among stars: n_answers - 1 bars cut a row of votes into counts.
    n_places = n_votes + n_answers - 1
    bars = list(itertools.combinations(range(n_places), n_answers - 1))
    edges = np.pad(np.array(bars), ((0, 0), (1, 1)), constant_values=((0, 0), (-1, 0)))
    edges[:, -1] = n_places
    return np.diff(edges, axis=1) - 1


def _entropies_of_question(alpha: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Predictive, expected and their difference, (n_in_block, 3) float64."""
    probabilities = np.exp(_log_probabilities(alpha, counts))
    each = -xlogy(probabilities, probabilities).sum(axis=2)
    mixture = probabilities.mean(axis=1)
    predictive = -xlogy(mixture, mixture).sum(axis=1)
    expected = each.mean(axis=1)
    # The entropy is concave: a difference below 0 is rounding.
    mutual_information = np.maximum(predictive - expected, 0)
    return np.stack([predictive, expected, mutual_information], axis=1)


def _log_probabilities(alpha: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Of each pass for each count vector, (n_in_block, n_passes, n_vectors) float64."""
    n_votes = int(counts[0].sum())
    rising = _log_rising(alpha, n_votes)  # (n_in_block, n_answers, n_passes, k)
    total = _log_rising(alpha.sum(axis=1), n_votes)[..., -1]
    arrangements = gammaln(n_votes + 1) - gammaln(counts + 1).sum(axis=1)
    answers = sum(rising[:, i][..., counts[:, i]] for i in range(counts.shape[1]))
    return arrangements + answers - total[..., None]


def _log_rising(alpha: np.ndarray, n_votes: int) -> np.ndarray:
    """lnG(alpha + k) - lnG(alpha) for k = 0 ... n_votes along a new last axis.

    As a sum of log(alpha + j) over j < k, which loses no digits where alpha is small.
    """
    logs = np.log(alpha[..., None] + np.arange(n_votes))
    return np.concatenate(
        [np.zeros((*alpha.shape, 1)), np.cumsum(logs, axis=-1)], axis=-1
    )
