"""Principal components of representations, by Incremental PCA in bounded memory.

References
----------
Ross, Lim, Lin and Yang 2008, Int. J. Comput. Vision 77, 125: incremental PCA. Walmsley
et al. 2022, arXiv 2110.12735: 40 components keep about 95% of the variance.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.decomposition import IncrementalPCA

from zoobot.files import written_whole
from zoobot.logs import track
from zoobot.representations.pca import FittedPca, save_pca
from zoobot.representations.stored_representations import (
    StoredRepresentations,
    describe_all,
    pieces,
)
from zoobot.settings.representations import CompressRepresentations

__all__ = ["fit_pca"]

_log = logging.getLogger(__name__)


def fit_pca(
    representations: Sequence[str | Path],
    *,
    model: str | Path,
    variance: str | Path,
    figure: str | Path,
    settings: CompressRepresentations,
    recipe: str = "",
) -> None:
    """Fit principal components to all galaxies.

    Parameters
    ----------
    representations : sequence of path
        HDF5, (galaxy, feature) or (galaxy, feature, view), of which the mean is taken.
    model : path
        npz to write, for `zoobot.representations.pca.load_pca`.
    variance : path
        csv to write: component, explained_variance_ratio, cumulative.
    figure : path
        png to write, of that table.
    settings : CompressRepresentations
        Number of components, and galaxies in memory at once.
    recipe : str
        Stored with the PCA: what it is made by, apart from the galaxies.

    Raises
    ------
    ValueError
        If there are fewer galaxies or features than components, files of different
        models, values that are not finite, or representations that are all the same.
    """
    sources = describe_all(representations)
    n_galaxies = sum(source.n_galaxies for source in sources)
    _check_sizes(settings.n_components, n_galaxies, sources[0].n_features)
    pca = _fit(sources, n_galaxies, settings, recipe)
    table = _variance_table(pca)
    with written_whole(variance) as beside:
        table.to_csv(beside, index=False, float_format="%.8f")
    _draw(table, figure)
    save_pca(pca, model)
    kept = table["cumulative"].iloc[-1]
    _log.info(
        "%d galaxies: %d of %d dimensions keep %.1f%% of the variance, in %s",
        *(n_galaxies, len(table), sources[0].n_features, 100 * kept, model),
    )


def _check_sizes(n_components: int, n_galaxies: int, n_features: int) -> None:
    for name, most in {"galaxies": n_galaxies, "features": n_features}.items():
        if n_components > most:
            raise ValueError(
                f"compress_representations.n_components: found {n_components}, "
                f"expected at most {most}, the number of {name}"
            )


def _block_sizes(n_galaxies: int, settings: CompressRepresentations) -> list[int]:
    """Sizes of the blocks to fit; each holds at least n_components galaxies."""
    n_whole, rest = divmod(n_galaxies, settings.batch_size)
    sizes = [settings.batch_size] * n_whole
    if rest >= settings.n_components or not sizes:
        return [*sizes, rest] if rest else sizes
    sizes[-1] += rest
    return sizes


def _blocks(
    sources: list[StoredRepresentations], sizes: Sequence[int]
) -> Iterator[np.ndarray]:
    """Read blocks of the given numbers of galaxies, (n, n_features) float64."""
    read = pieces(sources, step=max(sizes))
    waiting = np.zeros((0, sources[0].n_features))
    for size in sizes:
        parts = [waiting]
        while sum(len(part) for part in parts) < size:
            parts.append(next(read))
        joined = np.concatenate(parts)
        yield joined[:size]
        waiting = joined[size:]


def _fit(
    sources: list[StoredRepresentations],
    n_galaxies: int,
    settings: CompressRepresentations,
    recipe: str,
) -> FittedPca:
    fitted = IncrementalPCA(settings.n_components)
    sizes = _block_sizes(n_galaxies, settings)
    blocks = track(
        _blocks(sources, sizes), total=n_galaxies, what="galaxies to fit", size=len
    )
    # One galaxy, or equal ones, have no variance to divide by: checked below.
    with np.errstate(divide="ignore", invalid="ignore"):
        for block in blocks:
            fitted.partial_fit(block)
    if not np.isfinite(fitted.explained_variance_ratio_).all():
        raise ValueError(
            f"representations: found {n_galaxies} galaxies without any difference, "
            "expected values that vary"
        )
    return FittedPca(
        components=fitted.components_,
        mean=fitted.mean_,
        explained_variance=fitted.explained_variance_,
        explained_variance_ratio=fitted.explained_variance_ratio_,
        n_samples=n_galaxies,
        model_digest=sources[0].model_digest,
        recipe=recipe,
    )


def _variance_table(pca: FittedPca) -> pd.DataFrame:
    ratio = pca.explained_variance_ratio
    columns = {
        "component": np.arange(len(ratio)),
        "explained_variance_ratio": ratio,
        "cumulative": np.cumsum(ratio),
    }
    return pd.DataFrame(columns)


def _draw(table: pd.DataFrame, path: str | Path) -> None:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    n_components = table["component"] + 1
    percent = 100 * table["cumulative"]
    axes.bar(n_components, 100 * table["explained_variance_ratio"], label="each")
    axes.plot(n_components, percent, "o-", color="C1", ms=3, label="all up to here")
    axes.annotate(
        f"{percent.iloc[-1]:.1f}%",
        (n_components.iloc[-1], percent.iloc[-1]),
        (0, 6),
        textcoords="offset points",
        ha="right",
    )
    axes.set(xlabel="number of principal components", ylabel="explained variance (%)")
    axes.set_ylim(0, 108)
    axes.legend(loc="center right")
    with written_whole(path) as beside:
        FigureCanvasAgg(figure).print_png(beside)
