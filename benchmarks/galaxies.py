"""Simulated galaxies to measure on, drawn once and kept in a folder git ignores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from zoobot.demo.survey import simulate_survey
from zoobot.schemas import get_schema
from zoobot.settings.catalog import SimulateSurvey

__all__ = ["FOLDER", "catalog_of", "repeated"]

FOLDER = Path("runs/benchmarks")
_DRAWN = 512  # a galaxy takes about 0.2 s to draw; larger sets repeat these


def catalog_of(n_galaxies: int, *, file_format: str = "png") -> pd.DataFrame:
    """A catalogue of galaxies with images of 424 pixels and votes.

    Parameters
    ----------
    n_galaxies : int
        Beyond 512 the images repeat, under other ids.
    file_format : {"png", "jpg"}

    Returns
    -------
    DataFrame
        id_str, file_loc (absolute) and the vote counts of the tree gz_decals.
    """
    folder = (FOLDER / f"survey_{file_format}").resolve()
    table = folder / "labelled.csv"
    if not table.is_file():
        _draw(folder, file_format=file_format)
    catalog = pd.read_csv(table, dtype={"id_str": "str"})
    catalog["file_loc"] = [str(folder / name) for name in catalog["file_loc"]]
    columns = ["id_str", "file_loc", *get_schema("gz_decals").label_cols]
    return repeated(catalog[columns], n_galaxies)


def repeated(catalog: pd.DataFrame, n_galaxies: int) -> pd.DataFrame:
    """So many rows of a catalogue, over and over, each with an id of its own."""
    rows = catalog.iloc[np.arange(n_galaxies) % len(catalog)].reset_index(drop=True)
    return rows.assign(id_str=[f"galaxy_{i:07d}" for i in range(n_galaxies)])


def _draw(folder: Path, *, file_format: str) -> None:
    simulate_survey(
        folder,
        settings=SimulateSurvey(
            n_labelled=_DRAWN,
            n_unlabelled=0,
            image_size_px=424,
            file_format=file_format,
            volunteers_min=5,
            volunteers_max=60,
            vote_concentration=20.0,
            ring_fraction=0.25,
            seed=1,
        ),
        n_processes=2,
    )
