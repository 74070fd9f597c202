"""Arrays of predicted concentrations: what they must be, and work on them in blocks.

An array of concentrations is (n_galaxies, n_answers, n_passes), in votes; its answers
are in the order of `Schema.label_cols`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from zoobot.dirichlet_multinomial import sum_by_question
from zoobot.schemas import Schema

__all__ = ["check_positive", "in_blocks", "with_totals"]

# Below this a Beta distribution is a point at 0 or 1, and A - alpha_a would lose it.
_LOWEST_CONCENTRATION = 1e-9


def check_positive(
    concentrations: np.ndarray,
    *,
    label_cols: Sequence[str],
    galaxies: Sequence[object],
    where: object,
) -> None:
    """Refuse what is no concentration, and say where the first one is.

    Parameters
    ----------
    concentrations : (n_galaxies, n_answers, n_passes) float
        In votes.
    label_cols : (n_answers,) sequence of str
        Names of the answers.
    galaxies : (n_galaxies,) sequence
        What each is called.
    where : object
        Where they are from, for the error.

    Raises
    ------
    ValueError
        If one is not a positive, finite number.
    """
    bad = ~(np.isfinite(concentrations) & (concentrations > 0))
    if bad.any():
        galaxy, answer, one = np.argwhere(bad)[0]
        raise ValueError(
            f"{where}, galaxy {galaxies[galaxy]}, {label_cols[answer]}, pass {one}: "
            f"found {concentrations[galaxy, answer, one]}, expected a positive, finite "
            "number"
        )


def in_blocks(
    concentrations: np.ndarray,
    *,
    schema: Schema,
    function: Callable[[np.ndarray], np.ndarray],
    n_galaxies: int = 256,
    n_threads: int = 1,
) -> np.ndarray:
    """Apply a function to some galaxies at a time, in double precision.

    Memory stays bounded however many galaxies there are, and a galaxy's result does
    not depend on the others.

    Parameters
    ----------
    concentrations : (n_galaxies, n_answers, n_passes) float
        In votes.
    schema : Schema
        Says how many answers there must be.
    function : callable
        From (n_in_block, n_answers, n_passes) float64 to (n_in_block, ...) float64.
    n_galaxies : int
        Galaxies in a block; 256 keep a thread's arrays within a few MB.
    n_threads : int
        Threads that share the work; does not change the result.

    Returns
    -------
    (n_galaxies, ...) float64
        The results of all blocks.

    Raises
    ------
    ValueError
        If the shape does not fit the schema, or a concentration is not a positive,
        finite number; the message names its galaxy, answer and pass.
    """
    concentrations = np.asarray(concentrations)
    _check_shape(concentrations, schema)

    def of_block(start: int) -> np.ndarray:
        block = concentrations[start : start + n_galaxies].astype(np.float64)
        check_positive(
            block,
            label_cols=schema.label_cols,
            galaxies=range(start, start + len(block)),
            where="concentrations",
        )
        return function(np.maximum(block, _LOWEST_CONCENTRATION))

    # An empty block, where there is no galaxy, says the shape of the result.
    starts = range(0, max(len(concentrations), 1), n_galaxies)
    first = of_block(0)
    result = np.empty((len(concentrations), *first.shape[1:]))
    result[:n_galaxies] = first
    with ThreadPoolExecutor(n_threads) as pool:
        for start, block in zip(
            starts[1:], pool.map(of_block, starts[1:]), strict=True
        ):
            result[start : start + n_galaxies] = block
    return result


def with_totals(
    concentrations: np.ndarray, *, schema: Schema
) -> tuple[np.ndarray, np.ndarray]:
    """Concentrations, and beside each the sum over its question's answers.

    Parameters
    ----------
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a, in votes.
    schema : Schema
        Says which answers belong to one question.

    Returns
    -------
    alpha, total : (n_galaxies, n_answers, n_passes) float
        alpha_a, and A of its question.
    """
    lengths = [len(question.answers) for question in schema.questions]
    totals = sum_by_question(concentrations, schema=schema, axis=1)
    return concentrations, np.repeat(totals, lengths, axis=1)


def _check_shape(concentrations: np.ndarray, schema: Schema) -> None:
    shape, n_answers = concentrations.shape, len(schema.label_cols)
    if len(shape) != 3 or shape[1] != n_answers or shape[2] == 0:
        raise ValueError(
            f"concentrations: found shape {shape}, expected (n_galaxies, {n_answers}, "
            f"n_passes) for schema {schema.name}, with one pass or more"
        )
