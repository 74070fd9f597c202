"""Join tables of ring probabilities, or of what else a model was finetuned to tell."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from zoobot.tables.fits_tables import write_fits_from_parquet
from zoobot.tables.parquet_pieces import read_batches
from zoobot.tables.table_notes import ID_NOTE, ColumnNote, TableNotes, with_notes
from zoobot.tables.table_writers import csv_writer, parquet_writer

__all__ = ["summarise_rings"]

log = logging.getLogger(__name__)

_ID = "id_str"
_NOTES = {
    "probability": "Probability that the label is {0}, if that is as common as among "
    "the galaxies that the model learned from",
    "predicted": "Predicted {0}, 0 to 1",
    "fraction": "Predicted mean fraction of volunteers who answer {0}, of those asked",
    "concentration": "Concentration, in votes, of the predicted distribution of votes "
    "for {0}",
}
_ROWS_IN_PASS = 2**18  # sorted in memory at once
_ROWS_TO_WRITE = 8192


def summarise_rings(
    ring_tables: Sequence[str | Path],
    *,
    parquet: str | Path,
    csv: str | Path,
    fits_table: str | Path,
) -> None:
    """Join the chunks' tables into one, the most likely rings first.

    Parameters
    ----------
    ring_tables : sequence of path
        What `find_rings` wrote.
    parquet, csv, fits_table : path
        Tables to write, with the columns of those: id_str, and predictions, the first
        of which, as ring_probability, decides about the order. Parquet and FITS say
        what they hold.

    Notes
    -----
    The tables are read again for every 262,144 galaxies, of which only these, the
    likeliest that are left, are in memory; of all others 4 bytes. Galaxies of the same
    probability are in memory together.
    """
    schema = _schema_of(ring_tables)
    score = schema.names[1]
    firsts = _firsts_of_passes(ring_tables, score)
    n_galaxies = 0
    with (
        parquet_writer(parquet, schema=with_notes(schema, _notes_of(schema))) as (
            write_parquet
        ),
        csv_writer(csv, columns=schema.names, float_format="%.5f") as write_csv,
    ):
        for number in range(len(firsts)):
            mine = _rows_of_pass(ring_tables, firsts, number, schema)
            for rows in _sorted_pieces(mine, score):
                write_parquet(rows)
                write_csv(rows)
                n_galaxies += len(rows)
    write_fits_from_parquet(parquet, fits_table=fits_table)
    log.info("wrote predictions of %d galaxies to %s", n_galaxies, parquet)


def _schema_of(ring_tables: Sequence[str | Path]) -> pa.Schema:
    """Columns of the tables, which must agree."""
    schemas = [pq.read_schema(path) for path in ring_tables]
    names = schemas[0].names
    for path, schema in zip(ring_tables, schemas, strict=True):
        if schema.names != names or names[0] != _ID or len(names) < 2:
            raise ValueError(
                f"{path}: found columns {', '.join(schema.names)}, expected "
                f"{', '.join(names)} as in {ring_tables[0]}: id_str, then predictions"
            )
    predictions = [(name, pa.float32()) for name in names[1:]]
    return pa.schema([(_ID, pa.large_string()), *predictions])


def _notes_of(schema: pa.Schema) -> TableNotes:
    """What the columns hold, by how their names end."""
    columns = {_ID: ID_NOTE}
    for name in schema.names[1:]:
        what, _, kind = name.rpartition("_")
        text = _NOTES.get(kind, "Predicted {0}").format(what or name)
        columns[name] = ColumnNote(text)
    return TableNotes("Predictions of a finetuned model", columns)


def _firsts_of_passes(ring_tables: Sequence[str | Path], score: str) -> np.ndarray:
    """Rank of the likeliest galaxy in each pass, (n_passes,) float32, ascending."""
    ranks = [np.empty(0, np.float32)]
    for path in ring_tables:
        for table in read_batches(path, columns=[score]):
            ranks.append(_ranks(table[score]))
    joined = np.concatenate(ranks)
    joined.sort()
    return np.unique(joined[::_ROWS_IN_PASS])


def _ranks(scores: pa.ChunkedArray) -> np.ndarray:
    """Numbers that are lowest for the likeliest rings, (n_rows,) float32."""
    probabilities = scores.to_numpy()
    # Galaxies without a probability come last.
    return np.where(np.isnan(probabilities), np.inf, -probabilities).astype(np.float32)


def _rows_of_pass(
    ring_tables: Sequence[str | Path],
    firsts: np.ndarray,
    number: int,
    schema: pa.Schema,
) -> pa.Table:
    mine = [schema.empty_table()]
    score = schema.names[1]
    for path in ring_tables:
        for table in read_batches(path, columns=schema.names):
            passes = np.searchsorted(firsts, _ranks(table[score]), side="right") - 1
            mine.append(table.filter(pa.array(passes == number)).cast(schema))
    return pa.concat_tables(mine).combine_chunks()


def _sorted_pieces(rows: pa.Table, score: str) -> Iterator[pd.DataFrame]:
    order = pc.sort_indices(rows, sort_keys=[(score, "descending"), (_ID, "ascending")])
    for start in range(0, len(rows), _ROWS_TO_WRITE):
        yield rows.take(order.slice(start, _ROWS_TO_WRITE)).to_pandas()
