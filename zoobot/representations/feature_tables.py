"""Representations as one table, laid out as the released ``cnn_features`` tables."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from zoobot.data_utils import hdf5
from zoobot.logs import track
from zoobot.representations.stored_representations import (
    DATASET,
    StoredRepresentations,
    describe_all,
    pieces,
)
from zoobot.tables.table_notes import ID_NOTE, ColumnNote, TableNotes, with_notes
from zoobot.tables.table_writers import arrow_writer

__all__ = ["tabulate_representations"]

_ROWS = 512  # read at once
# More groups would make the end of the file long, which readers read first: it tells of
# each column in each group, and takes 2 MB of memory for each.
_ROWS_IN_GROUP = 8192
_MOST_GROUPS = 256
_log = logging.getLogger(__name__)


def tabulate_representations(
    representations: Sequence[str | Path], *, features: str | Path
) -> None:
    """Write all representations as one parquet table.

    Parameters
    ----------
    representations : sequence of path
        HDF5, (galaxy, feature) or (galaxy, feature, view), of which the mean is taken;
        all of one model.
    features : path
        Parquet to write: id_str, feat_0, feat_1, ... (float32), galaxies in the order
        of the files. In memory are 8,192 of them, or a 256th if that is more.

    Raises
    ------
    ValueError
        If there is no file, files are of different models or sizes, or a value is not
        finite.
    """
    sources = describe_all(representations)
    names = [f"feat_{i}" for i in range(sources[0].n_features)]
    types = pa.schema([("id_str", pa.string()), *((n, pa.float32()) for n in names)])
    types = with_notes(types, _notes(names, sources[0].model_digest))
    n_galaxies = sum(source.n_galaxies for source in sources)
    with arrow_writer(
        features, schema=types, use_dictionary=False, write_statistics=["id_str"]
    ) as write:
        for group in track(
            _groups(sources, types, n_rows=_rows_in_group(n_galaxies)),
            total=n_galaxies,
            what="galaxies",
            size=len,
        ):
            write(group)
    _log.info("wrote %d galaxies to %s", n_galaxies, features)


def _rows_in_group(n_galaxies: int) -> int:
    """How many rows a group has, in a table of so many."""
    return max(_ROWS_IN_GROUP, -(-n_galaxies // _MOST_GROUPS))


def _groups(
    sources: Sequence[StoredRepresentations], types: pa.Schema, *, n_rows: int
) -> Iterator[pa.Table]:
    """Tables of so many rows, each valid until the next one is asked for."""
    ids = itertools.chain.from_iterable(
        hdf5.read_ids(source.path, dataset=DATASET) for source in sources
    )
    # A column lies in one piece, as it is written.
    waiting = np.empty((n_rows, len(types) - 1), np.float32, order="F")
    n_waiting = 0

    def group() -> pa.Table:
        columns = [pa.array(column) for column in waiting[:n_waiting].T]
        some = list(itertools.islice(ids, n_waiting))
        return pa.table([some, *columns], schema=types)

    for values in pieces(sources, step=_ROWS):
        n_fit = min(len(values), n_rows - n_waiting)
        waiting[n_waiting : n_waiting + n_fit] = values[:n_fit]
        n_waiting += n_fit
        if n_waiting == n_rows:
            yield group()
            n_waiting = len(values) - n_fit
            waiting[:n_waiting] = values[n_fit:]
    if n_waiting:
        yield group()


def _notes(names: Sequence[str], model_digest: str) -> TableNotes:
    columns = {
        name: ColumnNote(f"Feature {i} of the galaxy's representation by the encoder")
        for i, name in enumerate(names)
    }
    return TableNotes(
        "Representations",
        {"id_str": ID_NOTE, **columns},
        about={"model": model_digest},
    )
