"""The survey's galaxies, from the user's tables and folders of images.

Every row that goes in comes out as a labelled galaxy, as an unlabelled galaxy, or as a
rejected row with its reason.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from zoobot.data_utils.catalog_sources import Rows, Source, find_sources
from zoobot.data_utils.fits_images import DEFAULT_RENDERING
from zoobot.data_utils.kept_pictures import KeptPictures
from zoobot.data_utils.rendered_images import (
    CheckedImage,
    GalaxyImage,
    PictureFolder,
    galaxy_images,
)
from zoobot.data_utils.repeated_ids import IdHashes, Repeats
from zoobot.logs import track
from zoobot.schemas import Schema, get_schema
from zoobot.settings.catalog import PrepareCatalog
from zoobot.settings.images import RenderFits
from zoobot.tables.read_tables import most_common
from zoobot.tables.table_writers import csv_writer, parquet_writer

__all__ = ["prepare_catalog"]

_GALAXY = [(name, pa.large_string()) for name in ("id_str", "file_loc", "image_digest")]
_IMAGES_IN_TASK = 16  # To hand out a task takes a tenth of the time of a small image.
_EXAMPLES = 3  # shown of the most common reasons
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Ids:
    """What must be known of all rows before any is written."""

    sources: list[Source]
    starts: list[int]
    """(n_sources,): the number of each source's first row among all rows, from 0."""
    repeats: Repeats
    n_rows: int

    def source_of(self, row: int) -> Path:
        """Give the file or folder that a row is from, by its number."""
        return self.sources[int(np.searchsorted(self.starts, row, "right")) - 1].path


@dataclasses.dataclass
class _Totals:
    """Rows written so far."""

    n_labelled: int = 0
    n_unlabelled: int = 0
    rejected: Counter[str] = dataclasses.field(default_factory=Counter)
    """Rejected rows by kind, in the order of the first of each."""
    examples: dict[str, str] = dataclasses.field(default_factory=dict)
    """The first reason of each kind."""

    def add(
        self, labelled: pd.DataFrame, *, others: pd.DataFrame, bad: pd.DataFrame
    ) -> None:
        """Count rows."""
        self.n_labelled += len(labelled)
        self.n_unlabelled += len(others)
        self.rejected.update(bad["kind"])
        for kind, reason in zip(bad["kind"], bad["reason"], strict=True):
            self.examples.setdefault(kind, reason)


def prepare_catalog(
    settings: PrepareCatalog,
    *,
    schema: str | Schema,
    data_folder: str | Path,
    labelled: str | Path,
    unlabelled: str | Path,
    rejected: str | Path,
    rendering: RenderFits = DEFAULT_RENDERING,
    images_folder: str | Path | None = None,
    kept_images: str | Path | None = None,
    code: str = "",
    threads: int = 1,
) -> None:
    """Check tables, votes and images, and write the survey's galaxies.

    A labelled galaxy that nobody voted on becomes an unlabelled one. Of rows with the
    same id the first stays. Relative tables and image folders lie below `data_folder`,
    a relative ``file_loc`` below the folder of its table.

    Parameters
    ----------
    settings : PrepareCatalog
        Tables and folders.
    schema : str or Schema
        Decision tree, or its name, or its YAML file; its label columns are the votes.
    data_folder : str or Path
        Where relative paths start.
    labelled, unlabelled, rejected : str or Path
        Files to write: parquet, parquet and csv. If the run stops as too many rows are
        rejected, `rejected` is called ``..._by_failed_run.csv``.
    rendering : RenderFits
        How FITS images become pictures. Tables may have, in place of ``file_loc``,
        ``file_loc_<band>`` of each of its bands, or ``ra``, ``dec`` and ``mosaic``.
    images_folder : str or Path, optional
        Folder of these pictures, png files, to which ``file_loc`` then leads;
        ``images`` beside `labelled` if not given. It is made even if it stays empty.
    kept_images : str or Path, optional
        Folder where pictures are kept for the next run, see
        `zoobot.data_utils.kept_pictures`; without it, all are drawn each time.
    code : str
        Digest of the code that draws pictures; those that other code drew do not count.
    threads : int
        Images decoded at the same time.

    Raises
    ------
    ValueError
        If a table lacks a column or cannot be read, a folder holds no image, no galaxy
        is left, or a larger share of the rows is rejected than the settings allow.

    Notes
    -----
    Galaxies are written with id_str, file_loc and image_digest, which is another when
    the file of the image is, so that what was made of it can be made anew.

    The tables are read twice, a few rows at a time: first for what is wrong with whole
    tables and for ids that repeat, before images take hours; then to check and write
    the rows. Of each row 16 bytes stay in memory.
    """
    schema = schema if isinstance(schema, Schema) else get_schema(schema)
    label_cols = schema.label_cols
    sources = find_sources(
        settings,
        data_folder=Path(data_folder),
        label_cols=label_cols,
        bands=rendering.bands,
    )
    kept = None
    if kept_images is not None:
        kept = KeptPictures(kept_images, rendering=rendering, code=code)
    images_folder = images_folder or Path(labelled).with_name("images")
    pictures = PictureFolder(Path(images_folder), rendering, kept)
    ids = _read_ids(sources)
    galaxy_with_votes = [*_GALAXY, *((name, pa.int64()) for name in label_cols)]
    totals = _Totals()
    # Under its final name only at the end, as that does not outlive a failed job.
    listed = Path(rejected).with_name(f"{Path(rejected).stem}_by_failed_run.csv")
    with (
        parquet_writer(labelled, schema=pa.schema(galaxy_with_votes)) as write_labelled,
        parquet_writer(unlabelled, schema=pa.schema(_GALAXY)) as write_unlabelled,
    ):
        with csv_writer(listed, columns=["id_str", "file_loc", "reason"]) as write_bad:
            blocks = _checked_rows(ids, threads, pictures)
            for rows in track(blocks, total=ids.n_rows, what="rows", size=len):
                voted, others, bad = _sorted_out(rows)
                write_labelled(voted)
                write_unlabelled(others)
                write_bad(bad)
                totals.add(voted, others=others, bad=bad)
        _check_totals(totals, ids.n_rows)
        _check_rejected(totals, most=settings.rejected_share_max, listed=listed)
    listed.replace(rejected)
    pictures.finish()
    _log.info("wrote %d galaxies to %s", totals.n_labelled, labelled)
    _log.info("wrote %d galaxies to %s", totals.n_unlabelled, unlabelled)


def _read_ids(sources: list[Source]) -> _Ids:
    """Go over all tables once: what is wrong with one is found before it matters."""
    hashes = IdHashes()
    starts = []
    for source in sources:
        starts.append(len(hashes))
        for some in source.ids():
            hashes.add(some)
    return _Ids(sources, starts, hashes.repeats(), len(hashes))


def _checked_rows(ids: _Ids, threads: int, pictures: PictureFolder) -> Iterator[Rows]:
    """All rows, some at a time, with the reasons why they are bad."""
    with ThreadPoolExecutor(threads) as pool:
        start = 0
        for source in ids.sources:
            for rows in source.rows():
                _reject_repeats(rows, ids, start=start)
                _check_and_digest_images(rows, pool, pictures)
                yield rows
                start += len(rows)


def _reject_repeats(rows: Rows, ids: _Ids, *, start: int) -> None:
    repeats = ids.repeats.within(start, n_rows=len(rows))
    galaxies = rows.table["id_str"].to_numpy()[repeats.rows]
    reasons = [
        f"id_str: {galaxy!r} stands already in {ids.source_of(first)}, expected each "
        "id once"
        for galaxy, first in zip(galaxies, repeats.first, strict=True)
    ]
    rows.reject(repeats.rows, kind="id_str repeats", reasons=reasons)


def _check_and_digest_images(
    rows: Rows, pool: ThreadPoolExecutor, pictures: PictureFolder
) -> None:
    def check(some: list[GalaxyImage]) -> list[CheckedImage]:
        return [pictures.check(image) for image in some]

    checked = rows.good
    images = galaxy_images(rows.table.iloc[checked], bands=pictures.rendering.bands)
    tasks = (
        images[i : i + _IMAGES_IN_TASK] for i in range(0, len(images), _IMAGES_IN_TASK)
    )
    found = list(itertools.chain.from_iterable(pool.map(check, tasks)))
    for column, values in {
        "image_digest": [image.digest for image in found],
        "file_loc": [image.file_loc for image in found],
    }.items():
        texts = (
            rows.table[column].to_numpy(dtype=object, copy=True)
            if column in rows.table
            else np.full(len(rows), "", dtype=object)
        )
        texts[checked] = values
        rows.table[column] = pd.Series(texts, dtype="str")
    bad = [i for i, image in enumerate(found) if image.reason]
    rows.reject(
        checked[bad],
        kind=[found[i].kind for i in bad],
        reasons=[found[i].reason + _spans_lines(found[i].file_loc) for i in bad],
    )
    for image in found:
        pictures.count(image)


def _spans_lines(path: str) -> str:
    """Say that a path may be another row, too: a quote opened and closed there."""
    hint = "; its name spans lines: is a quote missing in the table?"
    return hint if "\n" in path else ""


def _sorted_out(rows: Rows) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Galaxies with votes, galaxies without, and bad rows."""
    is_good = rows.table["reason"] == ""
    is_voted = rows.votes.any(axis=1)
    labelled = rows.table[is_good & is_voted].join(rows.votes)
    return labelled, rows.table[is_good & ~is_voted], rows.table[~is_good]


def _check_totals(totals: _Totals, n_rows: int) -> None:
    n_rejected = totals.rejected.total()
    _log.info(
        "%d rows in = %d labelled + %d unlabelled + %d rejected",
        *(n_rows, totals.n_labelled, totals.n_unlabelled, n_rejected),
    )
    for kind, count in totals.rejected.most_common():
        _log.info("rejected, %s: %d rows", kind, count)
    n_galaxies = totals.n_labelled + totals.n_unlabelled
    if n_galaxies + n_rejected != n_rows:
        raise ValueError(
            f"rows: found {n_rows} in the tables, but {totals.n_labelled} labelled + "
            f"{totals.n_unlabelled} unlabelled + {n_rejected} rejected; expected them "
            "to agree"
        )


def _check_rejected(totals: _Totals, *, most: float, listed: Path) -> None:
    """Stop if no galaxy is left, or too few to be what the user meant."""
    n_rejected = totals.rejected.total()
    n_rows = totals.n_labelled + totals.n_unlabelled + n_rejected
    if n_rows == 0:
        raise ValueError("no galaxy: the tables have no row")
    why = f"{most_common(totals.rejected)}; {listed} lists all with their reasons"
    for kind, _ in totals.rejected.most_common(_EXAMPLES):
        why += f"\n  as {totals.examples[kind]}"
    if n_rejected == n_rows:
        raise ValueError(f"no galaxy left: all {n_rows} rows rejected ({why})")
    if n_rejected > most * n_rows:
        raise ValueError(
            f"prepare_catalog.rejected_share_max: {n_rejected} of {n_rows} rows "
            f"rejected, {n_rejected / n_rows:.1%}, expected at most {most:.1%}. Mend "
            f"them, or raise this setting to go on without them. {why}"
        )
