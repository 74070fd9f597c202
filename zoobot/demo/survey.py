"""The embedded demo: a folder of galaxy images and the votes of volunteers."""

from __future__ import annotations

import dataclasses
import functools
import logging
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from zoobot.demo import pictures, population, volunteers
from zoobot.demo.contact_sheet import write_contact_sheet
from zoobot.demo.population import Galaxy
from zoobot.files import written_whole
from zoobot.logs import track
from zoobot.schemas import Schema, get_schema
from zoobot.settings.catalog import SimulateSurvey

__all__ = ["simulate_survey"]

log = logging.getLogger(__name__)

_GALAXIES_PER_CHUNK = 25
_JPG_QUALITY = 95
_TABLES = ("labelled.csv", "unlabelled.csv", "truth.parquet", "examples.png")
_RING_COLUMN = "rare-features_ring_fraction"
# The answers whose vote fractions the ring catalogues are cut on.
_FRACTIONS = (
    ("smooth-or-featured", "featured-or-disk"),
    ("disk-edge-on", "no"),
    ("has-spiral-arms", "no"),
)


@dataclasses.dataclass(frozen=True)
class _Simulated:
    """One galaxy, its image on disk, and what volunteers said."""

    id_str: str
    file_loc: str
    galaxy: Galaxy
    concentrations: np.ndarray
    """(n_answers,) float64, true, in votes."""
    votes: np.ndarray
    """(n_answers,) int64."""
    ring_fraction: float
    """NaN where nobody was asked."""


def simulate_survey(
    folder: str | Path, *, settings: SimulateSurvey, n_processes: int = 1
) -> None:
    """Write the images, tables and truth of a simulated survey.

    Galaxy number i depends on the seed and i alone, not on how many there are or on
    the number of processes. Files in the folder that this survey does not name stay.

    Parameters
    ----------
    folder : str or Path
        Gets ``images/``; ``labelled.csv`` with id_str, file_loc (relative to the csv),
        the votes, and vote fractions for ring catalogues, empty where nobody was
        asked; ``unlabelled.csv`` with id_str and file_loc; ``truth.parquet`` with the
        parameters and true concentrations of all galaxies; and ``examples.png``.
    settings : SimulateSurvey
        What to simulate.
    n_processes : int
        Processes that draw.

    Raises
    ------
    ValueError
        If `n_processes` is less than 1.
    """
    if n_processes < 1:
        raise ValueError(f"n_processes: found {n_processes}, expected at least 1")
    folder = Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    # Tables of an earlier run would vouch for images that are about to change.
    for name in _TABLES:
        (folder / name).unlink(missing_ok=True)
    n_galaxies = settings.n_labelled + settings.n_unlabelled
    log.info("drawing %d galaxies with %d processes", n_galaxies, n_processes)
    chunks = _simulated_chunks(folder, settings, n_galaxies, n_processes)
    n_chunk = _GALAXIES_PER_CHUNK
    tracked = track(chunks, total=n_galaxies, what="galaxies", size=n_chunk)
    survey = [simulated for chunk in tracked for simulated in chunk]
    _write_tables(folder, survey, settings.n_labelled)


def _simulated_chunks(
    folder: Path, settings: SimulateSurvey, n_galaxies: int, n_processes: int
) -> Iterator[list[_Simulated]]:
    starts = range(0, n_galaxies, _GALAXIES_PER_CHUNK)
    chunks = [
        range(start, min(start + _GALAXIES_PER_CHUNK, n_galaxies)) for start in starts
    ]
    simulate = functools.partial(_simulate_chunk, folder=folder, settings=settings)
    if n_processes == 1:
        yield from map(simulate, chunks)
        return
    # A forked child of a process with threads, TensorFlow's say, can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_processes, mp_context=context) as pool:
        yield from pool.map(simulate, chunks)


def _simulate_chunk(
    indices: range, *, folder: Path, settings: SimulateSurvey
) -> list[_Simulated]:
    schema = get_schema("gz_decals")
    return [_simulate_one(i, folder, settings, schema) for i in indices]


def _simulate_one(
    index: int, folder: Path, settings: SimulateSurvey, schema: Schema
) -> _Simulated:
    galaxy = population.random(
        population.stream(settings.seed, purpose="galaxy", index=index),
        ring_fraction=settings.ring_fraction,
    )
    id_str = f"SIM{index:06d}"
    file_loc = f"images/{id_str}.{settings.file_format}"
    picture = pictures.picture(
        galaxy,
        size_px=settings.image_size_px,
        rng=population.stream(settings.seed, purpose="pixels", index=index),
    )
    # A png has no quality and ignores it.
    Image.fromarray(picture).save(folder / file_loc, quality=_JPG_QUALITY)
    concentrations = volunteers.true_concentrations(
        galaxy, schema=schema, vote_concentration=settings.vote_concentration
    )
    rng = population.stream(settings.seed, purpose="votes", index=index)
    n_volunteers = rng.integers(
        settings.volunteers_min, settings.volunteers_max, endpoint=True
    )
    votes = volunteers.draw_votes(
        concentrations, schema=schema, n_volunteers=int(n_volunteers), rng=rng
    )
    n_asked = int(votes[_leads_to_merging(schema)].sum())
    n_rings = volunteers.draw_ring_votes(
        galaxy,
        n_asked=n_asked,
        vote_concentration=settings.vote_concentration,
        rng=rng,
    )
    return _Simulated(
        id_str=id_str,
        file_loc=file_loc,
        galaxy=galaxy,
        concentrations=concentrations,
        votes=votes,
        ring_fraction=n_rings / n_asked if n_asked else np.nan,
    )


def _leads_to_merging(schema: Schema) -> list[int]:
    # Rare features are asked of the same volunteers as merging: smooth or featured.
    merging = next(q for q in schema.questions if q.text == "merging")
    return [answer.index for answer in merging.asked_after]


def _write_tables(folder: Path, survey: list[_Simulated], n_labelled: int) -> None:
    schema = get_schema("gz_decals")
    write_contact_sheet(
        folder / "examples.png",
        galaxies=[s.galaxy for s in survey],
        images=[folder / s.file_loc for s in survey],
    )
    truth = _truth(survey, schema)
    with written_whole(folder / "truth.parquet") as path:
        truth.to_parquet(path, index=False)
    tables = {
        "unlabelled.csv": _files(survey[n_labelled:]),
        "labelled.csv": _labelled(survey[:n_labelled], schema),
    }
    for name, table in tables.items():
        with written_whole(folder / name) as path:
            table.to_csv(path, index=False)
        log.info("wrote %d galaxies to %s", len(table), folder / name)


def _files(survey: list[_Simulated]) -> pd.DataFrame:
    return pd.DataFrame(
        {"id_str": [s.id_str for s in survey], "file_loc": [s.file_loc for s in survey]}
    )


def _labelled(survey: list[_Simulated], schema: Schema) -> pd.DataFrame:
    votes = np.stack([s.votes for s in survey])
    fractions = {}
    for question in schema.questions:
        n_asked = votes[:, question.columns].sum(axis=1)
        for answer in question.answers:
            if (question.text, answer.text) in _FRACTIONS:
                # No volunteer asked: 0 / 0 would warn, so divide by NaN.
                share = votes[:, answer.index] / np.where(n_asked, n_asked, np.nan)
                fractions[f"{answer.label_col}_fraction"] = share
    fractions[_RING_COLUMN] = np.array([s.ring_fraction for s in survey])
    counts = pd.DataFrame(votes, columns=schema.label_cols)
    return pd.concat([_files(survey), counts, pd.DataFrame(fractions)], axis=1)


def _truth(survey: list[_Simulated], schema: Schema) -> pd.DataFrame:
    parameters = pd.DataFrame([dataclasses.asdict(s.galaxy) for s in survey])
    seen = {
        "visibility": [volunteers.visibility(s.galaxy) for s in survey],
        "expected_ring_fraction": [
            volunteers.expected_ring_fraction(s.galaxy) for s in survey
        ],
    }
    concentrations = pd.DataFrame(
        np.stack([s.concentrations for s in survey]),
        columns=[f"{col}_concentration" for col in schema.label_cols],
    )
    ids = _files(survey)[["id_str"]]
    return pd.concat([ids, parameters, pd.DataFrame(seen), concentrations], axis=1)
