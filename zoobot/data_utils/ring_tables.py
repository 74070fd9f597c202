"""Join tables of ring probabilities."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from zoobot.files import written_whole

__all__ = ["summarise_rings"]

log = logging.getLogger(__name__)


def summarise_rings(
    ring_tables: Sequence[str | Path], *, parquet: str | Path, csv: str | Path
) -> None:
    """Join the chunks' tables into one, the most likely rings first.

    Parameters
    ----------
    ring_tables : sequence of path
        What `find_rings` wrote.
    parquet, csv : path
        Tables to write: id_str, ring_probability.
    """
    table = pd.concat([pd.read_parquet(path) for path in ring_tables])
    table = table.sort_values(["ring_probability", "id_str"], ascending=[False, True])
    with written_whole(parquet) as path:
        table.to_parquet(path, index=False)
    with written_whole(csv) as path:
        table.to_csv(path, index=False, float_format="%.5f")
    log.info("wrote ring probabilities of %d galaxies to %s", len(table), parquet)
