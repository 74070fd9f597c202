"""The posterior of the vote fractions, and the tables that people read.

The posterior is the equal mixture over dropout passes (and members) of Dirichlet
distributions, so each vote fraction follows a mixture of Beta distributions.

References
----------
Walmsley et al. 2022, MNRAS 509, 3966 (dropout passes as samples of the posterior).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.files import written_whole
from zoobot.logs import track
from zoobot.predictions import beta_mixture
from zoobot.predictions.stored_predictions import read_each, schema_of
from zoobot.schemas import Schema
from zoobot.settings import SummarisePredictions

__all__ = ["intervals", "mean_fractions", "summarise", "table_of"]

log = logging.getLogger(__name__)

_GALAXIES_IN_BLOCK = 256  # keeps a thread's arrays within a few MB, a CPU's cache
# Below this a Beta distribution is a point at 0 or 1, and A - alpha_a would lose it.
_LOWEST_CONCENTRATION = 1e-9


def summarise(
    predictions: Sequence[str | Path],
    *,
    parquet: str | Path,
    csv: str | Path,
    settings: SummarisePredictions,
    n_threads: int = 1,
) -> None:
    """Write the tables of vote fractions of all galaxies.

    Parameters
    ----------
    predictions : sequence of path
        HDF5 files of concentrations; one is in memory at a time.
    parquet, csv : path
        Tables to write, with the columns of `table_of`. The csv file has five decimals.
    settings : SummarisePredictions
        Probability of the intervals.
    n_threads : int
        Threads that share the work; does not change the result.

    Raises
    ------
    ValueError
        If the files are not of one model, schema and seed.
    """
    n_galaxies = 0
    with contextlib.ExitStack() as stack:
        parquet_path = stack.enter_context(written_whole(parquet))
        csv_path = stack.enter_context(written_whole(csv))
        csv_file = stack.enter_context(csv_path.open("w", encoding="utf-8", newline=""))
        writer: pq.ParquetWriter | None = None
        files = track(read_each(predictions), total=len(predictions), what="files")
        for rows in files:
            table = table_of(rows, interval=settings.interval, n_threads=n_threads)
            arrow = pa.Table.from_pandas(table, preserve_index=False)
            is_first = writer is None
            if writer is None:
                writer = pq.ParquetWriter(parquet_path, arrow.schema)
                stack.enter_context(writer)
            writer.write_table(arrow)
            table.to_csv(csv_file, header=is_first, index=False, float_format="%.5f")
            n_galaxies += len(table)
    log.info("wrote vote fractions of %d galaxies to %s", n_galaxies, parquet)


def table_of(rows: GalaxyRows, *, interval: float, n_threads: int = 1) -> pd.DataFrame:
    """Vote fractions, their intervals, and who is asked what.

    Parameters
    ----------
    rows : GalaxyRows
        Concentrations of one file, (n_galaxies, n_answers, n_passes).
    interval : float
        Probability inside an interval.
    n_threads : int
        Threads that share the work.

    Returns
    -------
    DataFrame
        ``id_str``, then for every question ``{question}_proportion-asked`` and for each
        of its answers ``{label_col}_fraction``, ``{label_col}_90pc-lower`` and
        ``{label_col}_90pc-upper`` (90 for an interval of 0.9), all float32.
    """
    schema = schema_of(rows)
    percent = f"{100 * interval:g}"
    means = mean_fractions(rows.values, schema=schema)
    asked = schema.proportion_asked(means)
    lower, upper = intervals(
        rows.values, schema=schema, interval=interval, n_threads=n_threads
    )
    columns: dict[str, np.ndarray] = {}
    for question, question_asked in zip(schema.questions, asked.T, strict=True):
        columns[f"{question.text}_proportion-asked"] = question_asked
        for answer in question.answers:
            columns[f"{answer.label_col}_fraction"] = means[:, answer.index]
            columns[f"{answer.label_col}_{percent}pc-lower"] = lower[:, answer.index]
            columns[f"{answer.label_col}_{percent}pc-upper"] = upper[:, answer.index]
    table = pd.DataFrame(columns, dtype=np.float32)
    table.insert(0, "id_str", pd.array(rows.id_str, dtype="str"))
    return table


def mean_fractions(concentrations: np.ndarray, *, schema: Schema) -> np.ndarray:
    """Posterior mean of each vote fraction.

    Parameters
    ----------
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a, in votes.
    schema : Schema
        Says which answers belong to one question.

    Returns
    -------
    (n_galaxies, n_answers) float64
        Mean over passes of ``alpha_a / A``, A the sum over the question's answers.
    """
    alpha, total = _with_totals(concentrations, schema)
    return (alpha / total).mean(axis=2)


def intervals(
    concentrations: np.ndarray, *, schema: Schema, interval: float, n_threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Equal-tailed interval of each vote fraction.

    Parameters
    ----------
    concentrations : (n_galaxies, n_answers, n_passes) float
        alpha_a, in votes.
    schema : Schema
        Says which answers belong to one question.
    interval : float
        Probability inside.
    n_threads : int
        Threads that share the work; does not change the result.

    Returns
    -------
    lower, upper : (n_galaxies, n_answers) float64
        Quantiles ``(1 - interval) / 2`` and ``(1 + interval) / 2`` of the equal mixture
        over passes of Beta(alpha_a, A - alpha_a), to 1e-5.
    """
    starts = range(0, len(concentrations), _GALAXIES_IN_BLOCK)
    blocks = [concentrations[i : i + _GALAXIES_IN_BLOCK] for i in starts]
    bounds = np.empty((2, *concentrations.shape[:2]))
    with ThreadPoolExecutor(n_threads) as pool:
        done = pool.map(_interval_of_block(schema, interval), blocks)
        for start, block in zip(starts, done, strict=True):
            bounds[:, start : start + block.shape[1]] = block
    return bounds[0], bounds[1]


def _interval_of_block(
    schema: Schema, interval: float
) -> Callable[[np.ndarray], np.ndarray]:
    def bounds(block: np.ndarray) -> np.ndarray:
        alpha, total = _with_totals(block, schema)
        n_passes = block.shape[2]
        a, b = alpha.reshape(-1, n_passes), (total - alpha).reshape(-1, n_passes)
        tails = ((1 - interval) / 2, (1 + interval) / 2)
        found = [beta_mixture.quantile(a, beta=b, probability=tail) for tail in tails]
        return np.reshape(found, (2, *block.shape[:2]))

    return bounds


def _with_totals(
    concentrations: np.ndarray, schema: Schema
) -> tuple[np.ndarray, np.ndarray]:
    """Concentrations, and beside each the sum over its question's answers."""
    alpha = np.maximum(concentrations.astype(np.float64), _LOWEST_CONCENTRATION)
    starts = [question.start for question in schema.questions]
    lengths = [len(question.answers) for question in schema.questions]
    totals = np.add.reduceat(alpha, starts, axis=1)
    return alpha, np.repeat(totals, lengths, axis=1)
