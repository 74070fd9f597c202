"""Shards of simulated galaxies to measure on."""

from __future__ import annotations

from pathlib import Path

from benchmarks.galaxies import catalog_of
from zoobot.data_utils.shard_writer import write_shard
from zoobot.settings.catalog import WriteShards

__all__ = ["CATALOG", "ENCODINGS", "written"]

CATALOG = "galaxies.parquet"
"""File beside a shard: the galaxies in it."""
ENCODINGS = ["raw", "jpeg"]


def written(
    folder: Path, *, n_galaxies: int, encoding: str, image_size_px: int = 300
) -> Path:
    """Write so many galaxies as one shard, and return its path."""
    catalog = folder / CATALOG
    catalog_of(n_galaxies).to_parquet(catalog, index=False)
    shard = folder / f"{encoding}.tfrecord"
    settings = WriteShards.model_validate(
        {"image_size_px": image_size_px, "encoding": encoding, "jpeg_quality": 95}
    )
    write_shard(catalog, shard=shard, settings=settings, threads=2)
    return shard
