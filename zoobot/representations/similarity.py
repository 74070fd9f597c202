"""Galaxies that look alike: neighbours among the principal components.

References
----------
Walmsley et al. 2022, MNRAS 513, 1581: similarity search by Euclidean distance on ten
principal components of the representations.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.neighbors import NearestNeighbors

from zoobot.data_utils.images import load_image
from zoobot.files import written_whole

__all__ = ["draw_similar", "find_similar"]

_log = logging.getLogger(__name__)


def find_similar(
    compressed: str | Path,
    *,
    to: Sequence[str] | np.ndarray,
    n_similar: int = 10,
    n_components: int = 10,
) -> pd.DataFrame:
    """Find the galaxies whose representations are nearest, by Euclidean distance.

    Parameters
    ----------
    compressed : path
        Parquet table of principal components: id_str, pca_0, pca_1, ...
    to : (n_queries,) sequence of str, or (n_queries, n) float
        Galaxies of the table by their ids, which are no neighbours of themselves; or
        components of any galaxies, as `zoobot.representations.pca.project` gives them,
        of which the first `n_components` count.
    n_similar : int
        Neighbours of each.
    n_components : int
        Components, from the first on, that the distance is measured in; the first
        hold most of the variance, the last mostly noise.

    Returns
    -------
    DataFrame
        For each query, nearest first: ``query``, its id or its row in `to`; ``rank``
        from 1; ``id_str``; and ``distance``, in the unit of the components.

    Raises
    ------
    ValueError
        If the table lacks an id or a component, a component is not finite, or there
        are too few galaxies.
    """
    columns = [f"pca_{i}" for i in range(n_components)]
    ids, components = _read(Path(compressed), columns)
    own, queries = _queries(to, ids=ids, components=components, path=compressed)
    n_found = n_similar + (own is not None)
    if not 0 < n_similar <= n_found <= len(ids):
        raise ValueError(
            f"n_similar: found {n_similar}, expected 1 to "
            f"{len(ids) - (own is not None)}, the galaxies in {compressed}"
        )
    search = NearestNeighbors(n_neighbors=n_found, algorithm="brute").fit(components)
    rows = search.kneighbors(queries, return_distance=False)
    if own is not None:
        rows = _without(rows, own)
    # Anew, as the search expands the square, which rounds away small distances.
    distances = np.linalg.norm(components[rows] - queries[:, None], axis=-1)
    names = np.arange(len(rows)) if own is None else ids[own]
    _log.info("%s: %d neighbours of %d galaxies", compressed, n_similar, len(rows))
    return pd.DataFrame(
        {
            "query": np.repeat(names, n_similar),
            "rank": np.tile(np.arange(1, n_similar + 1), len(rows)),
            "id_str": ids[rows.ravel()],
            "distance": distances.ravel(),
        }
    )


def draw_similar(
    similar: pd.DataFrame,
    *,
    images: pd.DataFrame,
    path: str | Path,
    size_px: int = 128,
) -> None:
    """Draw neighbours beside what they are similar to, a row for each query.

    Parameters
    ----------
    similar : DataFrame
        From `find_similar`.
    images : DataFrame
        ``id_str`` and ``file_loc``, the image files, of at least these galaxies.
    path : path
        png to write.
    size_px : int
        Side of one image, pixels.

    Raises
    ------
    ValueError
        If a galaxy has no image.
    """
    files = dict(zip(images["id_str"], images["file_loc"], strict=True))
    sheet = [
        [(query, "")] * (query in files)
        + list(zip(rows["id_str"], rows["distance"].map("{:.2f}".format), strict=True))
        for query, rows in similar.groupby("query", sort=False)
    ]
    n_columns = max(map(len, sheet))
    side = size_px / 100
    figure = Figure(figsize=(side * n_columns, (side + 0.25) * len(sheet)), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(sheet), n_columns, squeeze=False)
    for ax in axes.ravel():
        ax.set_axis_off()
    for row, galaxies in zip(axes, sheet, strict=True):
        for ax, (id_str, distance) in zip(row, galaxies, strict=False):
            if id_str not in files:
                raise ValueError(f"images: found no {id_str!r}, expected its file_loc")
            ax.imshow(load_image(files[id_str], size_px=size_px))
            ax.set_title(distance or id_str, fontsize=7)
    figure.tight_layout(pad=0.2)
    with written_whole(path) as beside:
        figure.savefig(beside, format="png")


def _read(path: Path, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Ids, (n_galaxies,) object, and components, (n_galaxies, n_components) float64."""
    found = pq.read_schema(path).names
    missing = [name for name in ("id_str", *columns) if name not in found]
    if missing:
        raise ValueError(
            f"{path}: found columns {found[0]} to {found[-1]}, expected "
            f"{', '.join(missing)}; is n_components too large?"
        )
    table = pq.read_table(path, columns=["id_str", *columns])
    components = np.column_stack([table[name].to_numpy() for name in columns])
    bad = np.flatnonzero(~np.isfinite(components).all(axis=1))
    ids = np.array(table["id_str"].to_pylist(), dtype=object)
    if len(bad):
        raise ValueError(
            f"{path}: galaxy {ids[bad[0]]!r}: found a component that is not finite"
        )
    return ids, components.astype(np.float64)


def _queries(
    to: Sequence[str] | np.ndarray,
    *,
    ids: np.ndarray,
    components: np.ndarray,
    path: str | Path,
) -> tuple[np.ndarray | None, np.ndarray]:
    """Rows of the galaxies asked for, if in the table, and their components."""
    n_components = components.shape[1]
    values = np.asarray(to)
    if values.ndim == 1 and values.dtype.kind in "UO":
        row_of = {id_str: row for row, id_str in enumerate(ids)}
        unknown = [str(id_str) for id_str in values if id_str not in row_of]
        if unknown:
            raise ValueError(f"{path}: found no galaxy {unknown[0]!r}, asked for in to")
        own = np.array([row_of[id_str] for id_str in values], dtype=np.int64)
        return own, components[own]
    if (
        values.ndim != 2
        or values.shape[1] < n_components
        or values.dtype.kind not in "fiu"
    ):
        raise ValueError(
            f"to: found {values.dtype} of shape {values.shape}, expected ids, or "
            f"numbers of shape (galaxies, {n_components} components or more)"
        )
    return None, values[:, :n_components].astype(np.float64)


def _without(rows: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Leave each galaxy itself out, or the last where copies of it came before it."""
    others = rows != own[:, None]
    others[others.all(axis=1), -1] = False
    return rows[others].reshape(len(rows), -1)
