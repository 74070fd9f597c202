"""Tables of the posterior of the vote fractions.

The advanced table holds everything. The friendly table is for people who look at one
galaxy after another: it leaves fractions empty where few volunteers would be asked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.predictions import vote_fraction_notes, vote_fractions
from zoobot.predictions.stored_predictions import read_each, schema_of
from zoobot.predictions.uncertainty import vote_entropies
from zoobot.schemas import Schema
from zoobot.settings.predictions import SummarisePredictions
from zoobot.tables.fits_tables import write_fits_from_parquet
from zoobot.tables.table_notes import TableNotes, with_notes
from zoobot.tables.table_writers import arrow_csv_writer, parquet_writer

__all__ = ["TableFiles", "advanced_table", "friendly_table", "summarise"]

log = logging.getLogger(__name__)

_CSV_DECIMALS = 5


@dataclasses.dataclass(frozen=True)
class TableFiles:
    """One table in three formats."""

    parquet: str | Path
    """With units and descriptions of the columns."""
    csv: str | Path
    """Rounded to five decimals; what is left out is empty."""
    fits: str | Path
    """A binary table, extension 1, with units and descriptions of the columns; what is
    left out is NaN."""


def summarise(
    predictions: Sequence[str | Path],
    *,
    advanced: TableFiles,
    friendly: TableFiles,
    settings: SummarisePredictions,
    n_threads: int = 1,
) -> None:
    """Write the tables of vote fractions of all galaxies.

    Parameters
    ----------
    predictions : sequence of path
        HDF5 files of concentrations; one is in memory at a time.
    advanced, friendly : TableFiles
        Tables to write, with the columns of `advanced_table` and `friendly_table`.
    settings : SummarisePredictions
        Of intervals, entropies, and what the friendly table leaves out.
    n_threads : int
        Threads that share the work; does not change the result.

    Raises
    ------
    ValueError
        If the files are not of one model, schema and seed.
    """
    n_galaxies = 0
    with _appended(advanced) as add_advanced, _appended(friendly) as add_friendly:
        for rows in read_each(predictions):
            schema = schema_of(rows)
            about = vote_fraction_notes.about_predictions(rows)
            table = advanced_table(rows, settings=settings, n_threads=n_threads)
            notes = vote_fraction_notes.advanced_notes(schema, settings=settings)
            add_advanced(table, dataclasses.replace(notes, about=about))
            table = friendly_table(table, schema=schema, settings=settings)
            notes = vote_fraction_notes.friendly_notes(schema, settings=settings)
            add_friendly(table, dataclasses.replace(notes, about=about))
            n_galaxies += len(table)
    for files_of_table in (advanced, friendly):
        write_fits_from_parquet(files_of_table.parquet, fits_table=files_of_table.fits)
    log.info(
        "wrote vote fractions of %d galaxies to %s and %s",
        n_galaxies,
        advanced.parquet,
        friendly.parquet,
    )


def advanced_table(
    rows: GalaxyRows, *, settings: SummarisePredictions, n_threads: int = 1
) -> pd.DataFrame:
    """Everything that is known of each galaxy's vote fractions.

    Parameters
    ----------
    rows : GalaxyRows
        Concentrations of one file, (n_galaxies, n_answers, n_passes), in votes.
    settings : SummarisePredictions
        Of intervals and entropies.
    n_threads : int
        Threads that share the work; does not change the result.

    Returns
    -------
    DataFrame
        ``id_str``; ``most-likely-path``, the leading answers down the tree; then for
        every question ``{question}_`` + ``proportion-asked``, ``entropy``,
        ``expected-entropy`` and ``mutual-information`` (of the next votes, in nats),
        and for each of its answers ``{label_col}_`` + ``fraction`` (posterior mean),
        ``90pc-lower``, ``90pc-upper`` (for an interval of 0.9), ``std`` and
        ``joint-fraction`` (of all volunteers). Numbers are float32.
    """
    schema, values = schema_of(rows), rows.values
    means = vote_fractions.mean_fractions(values, schema=schema)
    lower, upper = vote_fractions.intervals(
        values, schema=schema, interval=settings.interval, n_threads=n_threads
    )
    entropies = vote_entropies(
        values, schema=schema, n_votes=settings.next_votes, n_threads=n_threads
    )
    of_questions = {
        "proportion-asked": vote_fractions.proportions_asked(values, schema=schema),
        "entropy": entropies.predictive,
        "expected-entropy": entropies.expected,
        "mutual-information": entropies.mutual_information,
    }
    percent = f"{100 * settings.interval:g}pc"
    of_answers = {
        "fraction": means,
        f"{percent}-lower": lower,
        f"{percent}-upper": upper,
        "std": vote_fractions.standard_deviations(values, schema=schema),
        "joint-fraction": vote_fractions.joint_fractions(values, schema=schema),
    }
    table = _by_question(schema, of_questions=of_questions, of_answers=of_answers)
    paths = schema.path_texts(schema.most_likely_path(means))
    table.insert(0, "id_str", pd.array(rows.id_str, dtype="str"))
    table.insert(1, "most-likely-path", pd.array(paths, dtype="str"))
    return table


def friendly_table(
    advanced: pd.DataFrame, *, schema: Schema, settings: SummarisePredictions
) -> pd.DataFrame:
    """Fractions and intervals of the questions that apply to each galaxy.

    Parameters
    ----------
    advanced : DataFrame
        From `advanced_table`, with the same settings.
    schema : Schema
        The predictions' decision tree.
    settings : SummarisePredictions
        Says how many volunteers must be asked.

    Returns
    -------
    DataFrame
        ``id_str``, ``most-likely-path``, and for every question its proportion asked
        and each answer's fraction and interval; fractions and intervals are NaN where
        the proportion asked is below ``settings.asked_fraction_min``.
    """
    percent = f"{100 * settings.interval:g}pc"
    kept = ["id_str", "most-likely-path"]
    is_left_out: dict[str, np.ndarray] = {}
    for question in schema.questions:
        asked = f"{question.text}_proportion-asked"
        few = (advanced[asked] < settings.asked_fraction_min).to_numpy()
        kept.append(asked)
        for answer in question.answers:
            for name in ("fraction", f"{percent}-lower", f"{percent}-upper"):
                kept.append(f"{answer.label_col}_{name}")
                is_left_out[kept[-1]] = few
    table = advanced[kept].copy()
    for column, rows in is_left_out.items():
        table[column] = table[column].mask(rows)
    return table


def _by_question(
    schema: Schema,
    *,
    of_questions: dict[str, np.ndarray],
    of_answers: dict[str, np.ndarray],
) -> pd.DataFrame:
    columns: dict[str, np.ndarray] = {}
    for i, question in enumerate(schema.questions):
        for name, values in of_questions.items():
            columns[f"{question.text}_{name}"] = values[:, i]
        for answer in question.answers:
            for name, values in of_answers.items():
                columns[f"{answer.label_col}_{name}"] = values[:, answer.index]
    return pd.DataFrame(columns, dtype=np.float32)


Add = Callable[[pd.DataFrame, TableNotes], None]
Write = Callable[[pd.DataFrame], None]


@contextlib.contextmanager
def _appended(files: TableFiles) -> Iterator[Add]:
    """Parquet and csv files that grow; they get their names when the block ends."""
    with contextlib.ExitStack() as stack:
        writers: list[Write] = []

        def add(table: pd.DataFrame, notes: TableNotes) -> None:
            if not writers:
                types = pa.Schema.from_pandas(table, preserve_index=False)
                schema = with_notes(types, notes)
                for writer in (
                    parquet_writer(files.parquet, schema=schema),
                    _rounded_csv(files.csv, schema=types),
                ):
                    writers.append(stack.enter_context(writer))
            for write in writers:
                write(table)

        yield add


@contextlib.contextmanager
def _rounded_csv(path: str | Path, *, schema: pa.Schema) -> Iterator[Write]:
    with arrow_csv_writer(path, schema=schema) as write_rows:

        def write(table: pd.DataFrame) -> None:
            rounded = table.round(_CSV_DECIMALS)
            write_rows(
                pa.Table.from_pandas(rounded, schema=schema, preserve_index=False)
            )

        yield write
