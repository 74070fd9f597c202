"""Principal components of representations, by Incremental PCA in bounded memory.

References
----------
Ross, Lim, Lin and Yang 2008, Int. J. Comput. Vision 77, 125: incremental PCA. Walmsley
et al. 2022, arXiv 2110.12735: 40 components keep about 95% of the variance.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.decomposition import IncrementalPCA

from zoobot.data_utils import hdf5
from zoobot.files import written_whole
from zoobot.logs import track
from zoobot.representations.pca import (
    FittedPca,
    load_pca,
    mean_over_views,
    project,
    save_pca,
)
from zoobot.settings.representations import CompressRepresentations

__all__ = ["FittedPca", "compress_representations", "load_pca", "project"]

_DATASET = "representations"
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Source:
    """One file of representations."""

    path: Path
    n_galaxies: int
    n_features: int
    model_digest: str


def compress_representations(
    representations: Sequence[str | Path],
    *,
    compressed: str | Path,
    model: str | Path,
    variance: str | Path,
    figure: str | Path,
    settings: CompressRepresentations,
) -> None:
    """Fit principal components to all galaxies and project them.

    Parameters
    ----------
    representations : sequence of path
        HDF5, (galaxy, feature) or (galaxy, feature, view), of which the mean is taken.
    compressed : path
        Parquet to write: id_str, pca_0, pca_1, ... (float32).
    model : path
        npz to write, for `load_pca`.
    variance : path
        csv to write: component, explained_variance_ratio, cumulative.
    figure : path
        png to write, of that table.
    settings : CompressRepresentations
        Number of components, and galaxies in memory at once.

    Raises
    ------
    ValueError
        If there are fewer galaxies or features than components, files of different
        models, values that are not finite, or representations that are all the same.
    """
    sources = _describe_all(representations)
    n_galaxies = sum(source.n_galaxies for source in sources)
    _check_sizes(settings.n_components, n_galaxies, sources[0].n_features)
    pca = _fit(sources, n_galaxies, settings)
    save_pca(pca, model)
    table = _variance_table(pca)
    with written_whole(variance) as beside:
        table.to_csv(beside, index=False, float_format="%.8f")
    _draw(table, figure)
    _project_all(sources, n_galaxies, pca, compressed, settings)
    kept = table["cumulative"].iloc[-1]
    _log.info(
        "%d galaxies: %d of %d dimensions keep %.1f%% of the variance, in %s",
        *(n_galaxies, len(table), sources[0].n_features, 100 * kept, compressed),
    )


def _describe_all(representations: Sequence[str | Path]) -> list[_Source]:
    if not representations:
        raise ValueError("representations: expected at least one HDF5 file, found none")
    sources = [_describe(Path(path)) for path in representations]
    first = sources[0]
    for source in sources[1:]:
        if source.n_features != first.n_features:
            raise ValueError(
                f"{source.path}: found {source.n_features} features, expected "
                f"{first.n_features} as in {first.path}"
            )
        if source.model_digest != first.model_digest:
            raise ValueError(
                f"{source.path}: found representations of model {source.model_digest}, "
                f"expected {first.model_digest} as in {first.path}"
            )
    return sources


def _describe(path: Path) -> _Source:
    header = hdf5.read_header(path, dataset=_DATASET)
    return _Source(
        path,
        n_galaxies=header.shape[0],
        n_features=header.shape[1],
        model_digest=str(header.attributes.get("model_digest", "")),
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


def _blocks(sources: list[_Source], sizes: Sequence[int]) -> Iterator[np.ndarray]:
    """Read blocks of the given numbers of galaxies, (n, n_features) float64."""
    pieces = _pieces(sources, step=max(sizes))
    waiting = np.zeros((0, sources[0].n_features))
    for size in sizes:
        parts = [waiting]
        while sum(len(part) for part in parts) < size:
            parts.append(next(pieces))
        joined = np.concatenate(parts)
        yield joined[:size]
        waiting = joined[size:]


def _pieces(sources: list[_Source], *, step: int) -> Iterator[np.ndarray]:
    for source in sources:
        start = 0
        for rows in hdf5.read_blocks(source.path, dataset=_DATASET, n_rows=step):
            values = mean_over_views(rows)
            bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
            if len(bad):
                ids = hdf5.read_ids(source.path, dataset=_DATASET)
                raise ValueError(
                    f"{source.path}: representation of {ids[start + int(bad[0])]!r}: "
                    "found a value that is not finite, expected numbers"
                )
            yield values
            start += len(values)


def _fit(
    sources: list[_Source], n_galaxies: int, settings: CompressRepresentations
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


def _project_all(
    sources: list[_Source],
    n_galaxies: int,
    pca: FittedPca,
    path: str | Path,
    settings: CompressRepresentations,
) -> None:
    names = [f"pca_{i}" for i in range(len(pca.components))]
    types = pa.schema([("id_str", pa.string()), *((n, pa.float32()) for n in names)])
    step = settings.batch_size
    ids = itertools.chain.from_iterable(
        hdf5.read_ids(source.path, dataset=_DATASET) for source in sources
    )
    with written_whole(path) as beside, pq.ParquetWriter(beside, types) as writer:
        pieces = track(
            _pieces(sources, step=step), total=n_galaxies, what="galaxies", size=step
        )
        for values in pieces:
            columns = [
                list(itertools.islice(ids, len(values))),
                *project(values, pca=pca).T,
            ]
            writer.write_table(pa.table(columns, schema=types))
