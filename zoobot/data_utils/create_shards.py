"""Store galaxies of a user's own tables in TFRecord shards."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from zoobot.data_utils.shard_catalogs import read_galaxies, sampled
from zoobot.data_utils.shard_config import ShardConfig
from zoobot.schemas import get_schema
from zoobot.tables.read_tables import column_names

__all__ = ["ShardConfig", "create_shards"]

_log = logging.getLogger(__name__)


def create_shards(
    labelled_catalog: str | Path,
    *,
    shard_dir: str | Path,
    img_size: int,
    eval_size: int,
    val_size: int = 0,
    unlabelled_catalog: str | Path | None = None,
    max_labelled: int | None = None,
    max_unlabelled: int | None = None,
    schema: str = "gz_decals",
    columns: Sequence[str] | None = None,
    encoding: Literal["raw", "jpeg"] = "raw",
    jpeg_quality: int = 95,
    galaxies_per_shard: int = 1024,
    seed: int = 42,
    overwrite: bool = False,
    threads: int | None = None,
) -> None:
    """Read tables of galaxies, split the labelled ones, and write all to shards.

    Parameters
    ----------
    labelled_catalog : path
        Table with id_str, file_loc and labels; a relative file_loc lies below its
        folder.
    shard_dir, encoding, jpeg_quality, galaxies_per_shard, seed
        As `ShardConfig` takes them.
    img_size : int
        Side to which images are resized, pixels.
    eval_size : int
        How many labelled galaxies are held out, to test.
    val_size : int
        How many others choose the best epoch of a training.
    unlabelled_catalog : path, optional
        Table with id_str and file_loc.
    max_labelled, max_unlabelled : int, optional
        Most galaxies of each table, drawn by a seeded hash of their ids; all if not
        given.
    schema : str
        Decision tree whose answers are the labels, as `zoobot.schemas.get_schema`
        takes it.
    columns : sequence of str, optional
        Labels instead of the schema's, as ``["ring"]``.
    overwrite, threads
        As `ShardConfig.prepare_shards` takes them.

    Raises
    ------
    ValueError
        If a table, an image or an option is not as it should be, or there are shards
        already.
    """
    config = ShardConfig(
        shard_dir,
        img_size,
        encoding=encoding,
        jpeg_quality=jpeg_quality,
        galaxies_per_shard=galaxies_per_shard,
        seed=seed,
    )
    labels = _labels(labelled_catalog, schema) if columns is None else list(columns)
    labelled = read_galaxies(labelled_catalog, columns=labels)
    if not len(labelled):
        raise ValueError(f"{labelled_catalog}: found no galaxy, expected at least one")
    unlabelled = None
    if unlabelled_catalog is not None:
        unlabelled = read_galaxies(unlabelled_catalog, columns=[])
        unlabelled = sampled(unlabelled, max_unlabelled, seed=seed)
    elif max_unlabelled:
        _log.info(
            "no table of unlabelled galaxies, of which to take %d", max_unlabelled
        )
    config.prepare_shards(
        sampled(labelled, max_labelled, seed=seed),
        unlabelled,
        columns_to_save=labels,
        eval_size=eval_size,
        val_size=val_size,
        overwrite=overwrite,
        threads=threads,
    )


def _labels(catalog: str | Path, schema: str) -> list[str]:
    """Columns of a schema's answers, if the table has them."""
    labels, found = get_schema(schema).label_cols, column_names(catalog)
    missing = [label for label in labels if label not in found]
    if missing:
        raise ValueError(
            f"{catalog}: found no column {missing[0]}, an answer of the schema "
            f"{schema} ({len(missing)} of its {len(labels)} are missing); expected the "
            "schema of its votes, or the names of its label columns"
        )
    return labels
