"""Finetune on a table of labels and images, as a program for a shell does."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from zoobot.data_utils.ring_labels import columns_of, read_labelled
from zoobot.settings.finetuning import Finetune
from zoobot.settings.rings import PrepareRingCatalog, TaskKind
from zoobot.tables.read_tables import first_rows, most_common
from zoobot.tables.table_writers import csv_writer
from zoobot.training.finetuned import Finetuned
from zoobot.training.finetuning import finetune

__all__ = ["finetune_catalog", "finetune_rings_by_cuts"]

log = logging.getLogger(__name__)


def finetune_catalog(
    catalog: str | Path,
    *,
    label: str,
    task: TaskKind,
    model_folder: str | Path,
    save_dir: str | Path,
    settings: Finetune,
    image_folder: str | Path | None = None,
    id_column: str = "id_str",
    file_column: str = "file_loc",
    val: float = 0.1,
    test: float = 0.2,
    split_seed: int = 42,
) -> Finetuned:
    """Finetune on a table with a column of labels.

    Parameters
    ----------
    catalog : path
        Table with ids, paths of images and labels, csv or parquet.
    label, task : str
        As in `zoobot.training.finetuning.finetune`.
    model_folder : path
        A trained model.
    save_dir : path
        Folder to write, as `zoobot.training.finetuned.Finetuned.save` does, and
        ``rejected.csv``, rows that are left out, each with its reason.
    settings : Finetune
    image_folder : path, optional
        Where relative paths of images start; else the table's folder.
    id_column, file_column : str
        Columns of the ids and of the images' paths.
    val, test, split_seed
        As in `zoobot.training.finetuning.finetune`.

    Raises
    ------
    ValueError
        If the table or a column is missing, or too few galaxies are left.
    """
    own = _ring_settings(catalog, kind="own", label=label, task=task)
    return _finetune_table(
        catalog,
        labels=own,
        model_folder=model_folder,
        save_dir=save_dir,
        settings=settings,
        image_folder=image_folder,
        columns=(id_column, file_column),
        split=(val, test, split_seed),
    )


def finetune_rings_by_cuts(
    catalog: str | Path,
    *,
    model_folder: str | Path,
    save_dir: str | Path,
    settings: Finetune,
    ring_fraction_min: float = 0.25,
    ring_fraction_max: float = 0.05,
    featured_fraction_min: float = 0.25,
    face_on_fraction_min: float = 0.75,
    image_folder: str | Path | None = None,
    id_column: str = "id_str",
    file_column: str = "file_loc",
    val: float = 0.1,
    test: float = 0.2,
    split_seed: int = 42,
) -> Finetuned:
    """Finetune to find rings, of which volunteers' fractions tell.

    Parameters
    ----------
    catalog : path
        Table with ids, paths of images, and the fractions of the advanced catalogue of
        rings, csv or parquet.
    model_folder, save_dir, settings
        As in `finetune_catalog`.
    ring_fraction_min, ring_fraction_max : float
        A ring if more than the first said so, none if less than the second, else left
        out.
    featured_fraction_min, face_on_fraction_min : float
        Only galaxies with larger fractions of featured-or-disk, and not edge-on.
    image_folder, id_column, file_column, val, test, split_seed
        As in `finetune_catalog`.

    Raises
    ------
    ValueError
        As `finetune_catalog` does.

    References
    ----------
    Walmsley et al. 2022, arXiv 2110.12735, section 4.2: the cuts.
    """
    cuts = _ring_settings(
        catalog,
        kind="advanced",
        ring_fraction_min=ring_fraction_min,
        ring_fraction_max=ring_fraction_max,
        featured_fraction_min=featured_fraction_min,
        face_on_fraction_min=face_on_fraction_min,
    )
    return _finetune_table(
        catalog,
        labels=cuts,
        model_folder=model_folder,
        save_dir=save_dir,
        settings=settings,
        image_folder=image_folder,
        columns=(id_column, file_column),
        split=(val, test, split_seed),
    )


def _ring_settings(catalog: str | Path, **given: object) -> PrepareRingCatalog:
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
        {"catalogs": [str(catalog)]} | unused | given
    )


def _finetune_table(
    catalog: str | Path,
    *,
    labels: PrepareRingCatalog,
    model_folder: str | Path,
    save_dir: str | Path,
    settings: Finetune,
    image_folder: str | Path | None,
    columns: tuple[str, str],
    split: tuple[float, float, int],
) -> Finetuned:
    id_column, file_column = columns
    pieces = read_labelled(
        catalog, settings=labels, id_column=id_column, file_column=file_column
    )
    rows = pd.concat(list(pieces), ignore_index=True)
    _reject_images(rows, Path(image_folder or Path(catalog).parent))
    is_again = (first_rows(rows["id_str"]) != rows.index) & (rows["reason"] == "")
    rows.loc[is_again, "reason"] = f"{id_column}: stands already in an earlier row"
    rows.loc[is_again, "rejected_as"] = f"{id_column} repeats"
    is_good = rows["reason"] == ""
    with csv_writer(Path(save_dir, "rejected.csv"), columns=["id_str", "reason"]) as w:
        w(rows[~is_good])
    log.info("read %d rows of %s, %d rejected", len(rows), catalog, sum(~is_good))
    kinds = most_common(rows["rejected_as"][~is_good])
    if not is_good.any():
        raise ValueError(f"{catalog}: found no row to learn from ({kinds})")
    if kinds:
        log.warning("rejected: %s; see %s/rejected.csv", kinds, save_dir)
    val, test, split_seed = split
    finetuned = finetune(
        rows.loc[is_good, ["id_str", "file_loc", *columns_of(labels)]],
        label=labels.label,
        task=labels.task,
        model_folder=model_folder,
        settings=settings,
        val=val,
        test=test,
        split_seed=split_seed,
    )
    finetuned.save(save_dir)
    log.info("wrote %s", save_dir)
    return finetuned


def _reject_images(rows: pd.DataFrame, folder: Path) -> None:
    """Make paths absolute, and reject rows whose image is not there."""
    names = rows["file_loc"].fillna("")
    rows["file_loc"] = [str(Path(folder, name).resolve()) for name in names]
    for row in rows.index[rows["reason"] == ""]:
        path = rows.loc[row, "file_loc"]
        if not names[row] or not Path(path).is_file():
            rows.loc[row, "reason"] = f"file_loc: found no image {path}"
            rows.loc[row, "rejected_as"] = "no image"
