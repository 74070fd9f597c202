"""Principal components of representations, fitted to them if there are none yet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoobot.representations import compress_representations
from zoobot.settings.representations import CompressRepresentations

__all__ = ["fit_and_compress"]


def fit_and_compress(
    representations: Sequence[str | Path],
    *,
    compressed: str | Path,
    settings: CompressRepresentations,
    model: str | Path | None = None,
) -> None:
    """Project representations on principal components, and fit these if none are given.

    Parameters
    ----------
    representations : sequence of path
        HDF5 files of one model.
    compressed : path
        Parquet to write: id_str, pca_0, pca_1, ...
    settings : CompressRepresentations
    model : path, optional
        npz, a fitted PCA. Without it one is fitted to all these representations, and
        stored beside the table as ``{name}_model.npz``, with the variance that each
        component explains as ``{name}_variance.csv`` and ``.png``.

    Raises
    ------
    ValueError
        If the files are of different models, hold too few galaxies, or do not fit the
        PCA.
    """
    if model is None:
        # Here, as it takes a second that projecting on given components does not need.
        from zoobot.representations.fit_pca import fit_pca

        compressed = Path(compressed)
        model = compressed.with_name(f"{compressed.stem}_model.npz")
        fit_pca(
            representations,
            model=model,
            variance=compressed.with_name(f"{compressed.stem}_variance.csv"),
            figure=compressed.with_name(f"{compressed.stem}_variance.png"),
            settings=settings,
        )
    compress_representations.compress_representations(
        representations, model=model, compressed=compressed, settings=settings
    )
