"""Join tables of ring probabilities."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoobot.data_utils.fits_tables import write_fits_from_parquet
from zoobot.data_utils.parquet_pieces import read_batches
from zoobot.data_utils.table_notes import ID_NOTE, ColumnNote, TableNotes, with_notes
from zoobot.data_utils.table_writers import csv_writer, parquet_writer

__all__ = ["summarise_rings"]

log = logging.getLogger(__name__)

_ID, _PROBABILITY = "id_str", "ring_probability"
_SCHEMA = pa.schema([(_ID, pa.large_string()), (_PROBABILITY, pa.float32())])
_NOTES = TableNotes(
    "Ring probabilities",
    {
        _ID: ID_NOTE,
        _PROBABILITY: ColumnNote(
            "Probability that the galaxy is a ring, if rings are as common as among "
            "the galaxies that the ring finder learned from"
        ),
    },
)
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
        Tables to write: id_str, ring_probability. Parquet and FITS say what they hold.

    Notes
    -----
    The tables are read again for every 262,144 galaxies, of which only these, the
    likeliest that are left, are in memory; of all others 4 bytes. Galaxies of the same
    probability are in memory together.
    """
    firsts = _firsts_of_passes(ring_tables)
    n_galaxies = 0
    with (
        parquet_writer(parquet, schema=with_notes(_SCHEMA, _NOTES)) as write_parquet,
        csv_writer(csv, columns=_SCHEMA.names, float_format="%.5f") as write_csv,
    ):
        for number in range(len(firsts)):
            for rows in _sorted_pieces(_rows_of_pass(ring_tables, firsts, number)):
                write_parquet(rows)
                write_csv(rows)
                n_galaxies += len(rows)
    write_fits_from_parquet(parquet, fits_table=fits_table)
    log.info("wrote ring probabilities of %d galaxies to %s", n_galaxies, parquet)


def _firsts_of_passes(ring_tables: Sequence[str | Path]) -> np.ndarray:
    """Rank of the likeliest galaxy in each pass, (n_passes,) float32, ascending."""
    ranks = [np.empty(0, np.float32)]
    for path in ring_tables:
        for table in read_batches(path, columns=[_PROBABILITY]):
            ranks.append(_ranks(table))
    joined = np.concatenate(ranks)
    joined.sort()
    return np.unique(joined[::_ROWS_IN_PASS])


def _ranks(table: pa.Table) -> np.ndarray:
    """Numbers that are lowest for the likeliest rings, (n_rows,) float32."""
    probabilities = table[_PROBABILITY].to_numpy()
    # Galaxies without a probability come last.
    return np.where(np.isnan(probabilities), np.inf, -probabilities).astype(np.float32)


def _rows_of_pass(
    ring_tables: Sequence[str | Path], firsts: np.ndarray, number: int
) -> pa.Table:
    mine = [_SCHEMA.empty_table()]
    for path in ring_tables:
        for table in read_batches(path, columns=_SCHEMA.names):
            passes = np.searchsorted(firsts, _ranks(table), side="right") - 1
            mine.append(table.filter(pa.array(passes == number)).cast(_SCHEMA))
    return pa.concat_tables(mine).combine_chunks()


def _sorted_pieces(rows: pa.Table) -> Iterator[pd.DataFrame]:
    keys = [(_PROBABILITY, "descending"), (_ID, "ascending")]
    order = pc.sort_indices(rows, sort_keys=keys)
    for start in range(0, len(rows), _ROWS_TO_WRITE):
        yield rows.take(order.slice(start, _ROWS_TO_WRITE)).to_pandas()
