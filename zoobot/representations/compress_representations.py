"""Representations as their principal components, chunk by chunk, and all together."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from zoobot.data_utils import hdf5
from zoobot.logs import track
from zoobot.representations.pca import FittedPca, load_pca, project
from zoobot.representations.stored_representations import (
    DATASET,
    StoredRepresentations,
    describe_all,
    pieces,
)
from zoobot.settings.representations import CompressRepresentations
from zoobot.tables.fits_tables import write_fits_from_parquet
from zoobot.tables.parquet_pieces import cut, read_batches
from zoobot.tables.table_notes import (
    ID_NOTE,
    ColumnNote,
    TableNotes,
    notes_of,
    with_notes,
)
from zoobot.tables.table_writers import arrow_writer

__all__ = [
    "FittedPca",
    "compress_representations",
    "load_pca",
    "project",
    "summarise_representations",
]

_ROWS_IN_GROUP = 8192
_log = logging.getLogger(__name__)


def compress_representations(
    representations: str | Path | Sequence[str | Path],
    *,
    model: str | Path,
    compressed: str | Path,
    settings: CompressRepresentations,
) -> None:
    """Project representations on principal components.

    Parameters
    ----------
    representations : path or sequence of path
        HDF5, (galaxy, feature) or (galaxy, feature, view), of which the mean is taken.
    model : path
        npz, the PCA that `zoobot.representations.fit_pca` fitted.
    compressed : path
        Parquet to write: id_str, pca_0, pca_1, ... (float32).
    settings : CompressRepresentations
        Number of components, and galaxies in memory at once.

    Raises
    ------
    ValueError
        If the PCA was fitted to representations of another model or size, has another
        number of components, or a value is not finite.
    """
    if isinstance(representations, str | Path):
        representations = [representations]
    sources = describe_all(representations)
    n_galaxies = sum(source.n_galaxies for source in sources)
    pca = load_pca(model)
    _check_pca(pca, model, source=sources[0], settings=settings)
    notes = _notes(pca)
    types = with_notes(
        pa.schema(
            (name, pa.string() if name == "id_str" else pa.float32())
            for name in notes.columns
        ),
        notes,
    )
    ids = itertools.chain.from_iterable(
        hdf5.read_ids(source.path, dataset=DATASET) for source in sources
    )
    step = settings.batch_size
    with arrow_writer(compressed, schema=types) as write:
        for values in track(
            pieces(sources, step=step),
            total=n_galaxies,
            what="galaxies",
            size=len,
        ):
            some = list(itertools.islice(ids, len(values)))
            columns = [some, *project(values, pca=pca).T]
            write(pa.table(columns, schema=types))
    _log.info("wrote %d galaxies to %s", n_galaxies, compressed)


def summarise_representations(
    tables: Sequence[str | Path], *, compressed: str | Path, fits_table: str | Path
) -> None:
    """Join the chunks' principal components into one table.

    Parameters
    ----------
    tables : sequence of path
        What `compress_representations` wrote.
    compressed : path
        Parquet to write, the rows of all, in this order.
    fits_table : path
        The same as FITS.
    """
    schema = pq.read_schema(tables[0])
    schema = with_notes(schema, notes_of(schema))
    rows = itertools.chain.from_iterable(map(read_batches, tables))
    n_galaxies = 0
    with arrow_writer(compressed, schema=schema) as write:
        for piece in cut(rows, size=_ROWS_IN_GROUP):
            write(piece.cast(schema))
            n_galaxies += len(piece)
    write_fits_from_parquet(compressed, fits_table=fits_table)
    _log.info("wrote %d galaxies to %s", n_galaxies, compressed)


def _notes(pca: FittedPca) -> TableNotes:
    columns = {"id_str": ID_NOTE}
    for i, share in enumerate(pca.explained_variance_ratio):
        columns[f"pca_{i}"] = ColumnNote(
            f"Principal component {i} of the galaxy's representation, which had "
            f"{100 * share:.3g}% of the variance of the galaxies it was fitted to"
        )
    return TableNotes(
        "Principal components of the representations",
        columns,
        about={"model": pca.model_digest},
    )


def _check_pca(
    pca: FittedPca,
    path: str | Path,
    *,
    source: StoredRepresentations,
    settings: CompressRepresentations,
) -> None:
    expected = {
        "components": (len(pca.components), settings.n_components),
        "features": (len(pca.mean), source.n_features),
        "model": (pca.model_digest, source.model_digest),
    }
    for name, (found, wanted) in expected.items():
        if found != wanted:
            raise ValueError(
                f"{path}: {name}: found {found}, expected {wanted} for {source.path}; "
                "delete this file, and it is fitted again"
            )
