"""Finetune on a table of labels and images, as a program for a shell does."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import pandas as pd

from zoobot.data_utils.ring_labels import read_labelled
from zoobot.settings.finetuning import Finetune
from zoobot.settings.rings import PrepareRingCatalog, TaskKind
from zoobot.tables.read_tables import first_rows, most_common
from zoobot.tables.table_writers import csv_writer
from zoobot.training.finetuned import Finetuned
from zoobot.training.finetuning import finetune

__all__ = ["LabelledTable", "finetune_catalog", "finetune_rings_by_cuts"]

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelledTable:
    """A table to learn from, and how it is split."""

    catalog: str | Path
    """Table (csv, csv.gz, parquet, FITS, VOTable) with ids, paths of images, labels."""
    image_folder: str | Path | None = None
    """Where relative paths of images start; else the table's folder."""
    id_column: str = "id_str"
    """Column of the ids."""
    file_column: str = "file_loc"
    """Column of the images' paths."""
    val: float = 0.1
    """Share of the galaxies that chooses the best epoch."""
    test: float = 0.2
    """Share that is held out for metrics."""
    split_seed: int = 42
    """Seed of the split."""


def finetune_catalog(
    table: LabelledTable,
    *,
    label: str,
    task: TaskKind,
    model_folder: str | Path,
    save_dir: str | Path,
    settings: Finetune,
) -> Finetuned:
    """Finetune on a table with a column of labels.

    Parameters
    ----------
    table : LabelledTable
    label, task : str
        As in `zoobot.training.finetuning.finetune`.
    model_folder : path
        A trained model.
    save_dir : path
        Folder to write, as `zoobot.training.finetuned.Finetuned.save` does, and
        ``rejected.csv``, rows that are left out, each with its reason.
    settings : Finetune

    Raises
    ------
    ValueError
        If the table or a column is missing, or too few galaxies are left.
    """
    own = _ring_settings(table, kind="own", label=label, task=task)
    return _finetune_table(
        table,
        labels=own,
        model_folder=model_folder,
        save_dir=save_dir,
        settings=settings,
    )


def finetune_rings_by_cuts(
    table: LabelledTable,
    *,
    model_folder: str | Path,
    save_dir: str | Path,
    settings: Finetune,
    ring_fraction_min: float = 0.25,
    ring_fraction_max: float = 0.05,
    featured_fraction_min: float = 0.25,
    face_on_fraction_min: float = 0.75,
) -> Finetuned:
    """Finetune to find rings, of which volunteers' fractions tell.

    Parameters
    ----------
    table : LabelledTable
        With the fractions of the advanced catalogue of rings.
    model_folder, save_dir, settings
        As in `finetune_catalog`.
    ring_fraction_min, ring_fraction_max : float
        A ring if more than the first said so, none if less than the second, else left
        out.
    featured_fraction_min, face_on_fraction_min : float
        Only galaxies with larger fractions of featured-or-disk, and not edge-on.

    Raises
    ------
    ValueError
        As `finetune_catalog` does.

    References
    ----------
    Walmsley et al. 2022, arXiv 2110.12735, section 4.2: the cuts.
    """
    cuts = _ring_settings(
        table,
        kind="advanced",
        ring_fraction_min=ring_fraction_min,
        ring_fraction_max=ring_fraction_max,
        featured_fraction_min=featured_fraction_min,
        face_on_fraction_min=face_on_fraction_min,
    )
    return _finetune_table(
        table,
        labels=cuts,
        model_folder=model_folder,
        save_dir=save_dir,
        settings=settings,
    )


def _ring_settings(table: LabelledTable, **given: object) -> PrepareRingCatalog:
    unused = {
        "ring_fraction_min": 0.0,
        "ring_fraction_max": 0.0,
        "featured_fraction_min": 0.0,
        "face_on_fraction_min": 0.0,
        "no_spiral_fraction_min": 0.0,
        "label": "ring",
        "task": "binary",
    }
    return PrepareRingCatalog.model_validate(
        {"catalogs": [str(table.catalog)], "columns": {}} | unused | given
    )


def _finetune_table(
    table: LabelledTable,
    *,
    labels: PrepareRingCatalog,
    model_folder: str | Path,
    save_dir: str | Path,
    settings: Finetune,
) -> Finetuned:
    finetuned = finetune(
        _rows_to_learn(table, labels=labels, rejected=Path(save_dir, "rejected.csv")),
        label=labels.label,
        task=labels.task,
        model_folder=model_folder,
        settings=settings,
        val=table.val,
        test=table.test,
        split_seed=table.split_seed,
    )
    finetuned.save(save_dir)
    log.info("wrote %s", save_dir)
    return finetuned


def _rows_to_learn(
    table: LabelledTable, *, labels: PrepareRingCatalog, rejected: Path
) -> pd.DataFrame:
    """Rows with a label and an image; the others are listed in a file."""
    catalog, id_column = table.catalog, table.id_column
    own = {"id_str": id_column, "file_loc": table.file_column}
    pieces = read_labelled(catalog, settings=labels, own=own)
    rows = pd.concat(list(pieces), ignore_index=True)
    _reject_images(rows, Path(table.image_folder or Path(catalog).parent))
    is_again = (first_rows(rows["id_str"]) != rows.index) & (rows["reason"] == "")
    rows.loc[is_again, "reason"] = f"{id_column}: stands already in an earlier row"
    rows.loc[is_again, "rejected_as"] = f"{id_column} repeats"
    is_good = rows["reason"] == ""
    with csv_writer(rejected, columns=["id_str", "reason"]) as write:
        write(rows[~is_good])
    log.info("read %d rows of %s, %d rejected", len(rows), catalog, sum(~is_good))
    kinds = most_common(rows["rejected_as"][~is_good])
    if not is_good.any():
        raise ValueError(f"{catalog}: found no row to learn from ({kinds})")
    if kinds:
        log.warning("rejected: %s; see %s", kinds, rejected)
    return rows.loc[is_good, ["id_str", "file_loc", *labels.label_cols]]


def _reject_images(rows: pd.DataFrame, folder: Path) -> None:
    """Make paths absolute, and reject rows whose image is not there."""
    names = rows["file_loc"].fillna("")
    rows["file_loc"] = [str(Path(folder, name).resolve()) for name in names]
    for row in rows.index[rows["reason"] == ""]:
        path = rows.loc[row, "file_loc"]
        if not names[row] or not Path(path).is_file():
            rows.loc[row, "reason"] = f"file_loc: found no image {path}"
            rows.loc[row, "rejected_as"] = "no image"
