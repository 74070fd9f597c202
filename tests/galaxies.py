"""Galaxies drawn for tests, seeded, of kinds whose votes are known.

Nothing is stored: a smooth blob, an edge-on disk or a ring of 32 px takes less than a
millisecond to draw.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from zoobot.schemas import Schema, get_schema

__all__ = ["KINDS", "draw", "kind_of", "plant_votes", "write_galaxies"]

KINDS = ("smooth", "disk", "ring")

_TRUTH = {
    "smooth": {"smooth-or-featured_smooth", "how-rounded_round", "merging_none"},
    "disk": {
        "smooth-or-featured_featured-or-disk",
        "disk-edge-on_yes",
        "edge-on-bulge_none",
        "merging_none",
    },
    "ring": {
        "smooth-or-featured_featured-or-disk",
        "disk-edge-on_no",
        "has-spiral-arms_no",
        "bar_no",
        "bulge-size_small",
        "merging_none",
    },
}
_BAND_LIGHT = np.array([1.0, 0.9, 0.75])  # red, green, blue
_PEAK, _NOISE = 180.0, 6.0  # grey levels


def draw(kind: str, *, size_px: int = 32, rng: np.random.Generator) -> np.ndarray:
    """A galaxy of a kind, (size_px, size_px, 3) uint8; angle, size and noise vary."""
    angle, size = rng.uniform(0, np.pi), rng.uniform(0.9, 1.1) * size_px
    y, x = np.indices((size_px, size_px)) - (size_px - 1) / 2
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    radius = np.hypot(x, y)
    light = {
        "smooth": np.exp(-0.5 * (radius / (0.12 * size)) ** 2),
        "disk": np.exp(
            -0.5 * (along / (0.2 * size)) ** 2 - 0.5 * (across / (0.03 * size)) ** 2
        ),
        "ring": np.exp(-0.5 * ((radius - 0.3 * size) / (0.04 * size)) ** 2)
        + np.exp(-0.5 * (radius / (0.05 * size)) ** 2),
    }[kind]
    image = 15 + _PEAK * light[..., None] * _BAND_LIGHT
    image += rng.normal(0, _NOISE, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def plant_votes(
    kind: str,
    *,
    n_votes: int = 40,
    agreement: float = 1.0,
    schema: Schema,
    rng: np.random.Generator,
) -> np.ndarray:
    """Votes of volunteers who go down the tree, (n_answers,) int64.

    Each gives the kind's own answer with probability `agreement`, else any other one.
    """
    votes = np.zeros(len(schema.answers), dtype=np.int64)
    for question in schema.questions:
        n_asked = n_votes
        if question.asked_after:
            n_asked = sum(votes[answer.index] for answer in question.asked_after)
        planted = [answer.label_col in _TRUTH[kind] for answer in question.answers]
        chances = np.full(len(planted), 1 / len(planted))
        if any(planted):
            others = (1 - agreement) / (len(planted) - 1)
            chances = np.where(planted, agreement, others)
        votes[question.columns] = rng.multinomial(n_asked, chances)
    return votes


def write_galaxies(
    folder: Path,
    *,
    n_galaxies: int = 24,
    size_px: int = 32,
    suffix: str = ".png",
    n_votes: int = 40,
    agreement: float = 1.0,
    n_unseen: int = 0,
    unicode_ids: bool = False,
    schema: str = "gz_decals",
    seed: int = 0,
) -> pd.DataFrame:
    """Draw galaxies of the three kinds in turn, and write their images.

    Parameters
    ----------
    folder : Path
        Where the images go.
    n_galaxies : int
        How many.
    size_px : int
        Side of the images.
    suffix : str
        .png or .jpg.
    n_votes : int
        Volunteers who see a galaxy.
    agreement : float
        Probability that a volunteer gives the planted answer.
    n_unseen : int
        The last so many galaxies have no vote at all.
    unicode_ids : bool
        Ids that are not ASCII, as catalogues of people have them.
    schema : str
        Decision tree.
    seed : int
        Of everything.

    Returns
    -------
    pandas.DataFrame
        A catalogue: id_str, file_loc, and the label columns as int64.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tree = get_schema(schema)
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n_galaxies):
        kind = KINDS[i % len(KINDS)]
        id_str = f"{kind}-{i:04d}" + ("-Ä銀 河" if unicode_ids else "")
        path = folder / f"{i:04d}{suffix}"
        Image.fromarray(draw(kind, size_px=size_px, rng=rng)).save(path)
        seen_by = 0 if i >= n_galaxies - n_unseen else n_votes
        votes = plant_votes(
            kind, n_votes=seen_by, agreement=agreement, schema=tree, rng=rng
        )
        rows.append([id_str, str(path.resolve()), *votes])
    columns = ["id_str", "file_loc", *tree.label_cols]
    types = dict.fromkeys(tree.label_cols, "int64")
    return pd.DataFrame(rows, columns=columns).astype(types)


def kind_of(id_str: pd.Series) -> np.ndarray:
    """The kind of each galaxy, which its id begins with, (n_galaxies,) str."""
    return np.array([galaxy.partition("-")[0] for galaxy in id_str])
