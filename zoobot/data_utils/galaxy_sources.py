"""Galaxies to predict: those of a folder, or of tables."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from zoobot.data_utils.image_files import SUFFIXES, without_suffix
from zoobot.tables.read_tables import as_ids, as_text, read_table

__all__ = ["galaxies_in_folder", "galaxies_in_tables"]

log = logging.getLogger(__name__)


def galaxies_in_folder(
    folder: str | Path, *, file_formats: Sequence[str]
) -> pd.DataFrame:
    """List the images in a folder, by name.

    Parameters
    ----------
    folder : path
        Folder of images, not of folders of them.
    file_formats : sequence of str
        Formats to look for: png, jpg or fits.

    Returns
    -------
    DataFrame
        id_str, the file's name without its suffix, and file_loc.

    Raises
    ------
    ValueError
        If a format is unknown, there is no such folder or image, or two images have the
        same name but for their suffix.
    """
    suffixes = _suffixes(file_formats)
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: expected a folder of images, found none")
    entries = sorted(folder.iterdir())
    named = [(without_suffix(path.name, suffixes), path) for path in entries]
    found = [(stem, str(path)) for stem, path in named if stem and stem[0] != "."]
    if not found:
        n_folders = sum(path.is_dir() for path in entries)
        raise ValueError(
            f"{folder}: expected images ({', '.join(suffixes)}) in this folder, found "
            f"none among its {len(entries)} entries, {n_folders} of them folders"
        )
    galaxies = pd.DataFrame(found, columns=["id_str", "file_loc"], dtype="str")
    log.info("found %d images in %s", len(galaxies), folder)
    return _unique(galaxies, where=str(folder))


def galaxies_in_tables(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read galaxies and where their images are.

    Parameters
    ----------
    paths : sequence of path
        Tables with id_str and file_loc, which is relative to the table's folder if it
        is not absolute.

    Returns
    -------
    DataFrame
        id_str and file_loc of all tables, one after another.

    Raises
    ------
    ValueError
        If a table or row cannot be read, or an id repeats.
    """
    tables = []
    for path in paths:
        table = read_table(path, columns=["id_str", "file_loc"])
        if table.malformed:
            raise ValueError(f"{path}: {table.malformed[0][1]}")
        ids, reasons = as_ids(table)
        locations = as_text(table, "file_loc")
        for row, reason in enumerate(reasons):
            if reason or not locations[row]:
                reason = reason or "file_loc: empty, expected the path of an image"
                raise ValueError(f"{path}, row {row}, id_str {ids[row]}: {reason}")
        folder = Path(path).absolute().parent
        columns = {
            "id_str": ids,
            "file_loc": [str(folder / location) for location in locations],
        }
        tables.append(pd.DataFrame(columns, dtype="str"))
        log.info("read %s: %d rows", path, len(ids))
    galaxies = pd.concat(tables, ignore_index=True)
    if galaxies.empty:
        raise ValueError(f"{paths[0]}: found no galaxy, expected one or more")
    return _unique(galaxies, where=", ".join(map(str, paths)))


def _suffixes(file_formats: Sequence[str]) -> list[str]:
    formats = [name.lower().removeprefix(".") for name in file_formats]
    unknown = [name for name in formats if name not in SUFFIXES]
    if unknown or not formats:
        raise ValueError(
            f"file_format: found {unknown[0] if unknown else 'none'!r}, expected one "
            f"of {', '.join(SUFFIXES)}"
        )
    return list(dict.fromkeys(end for name in formats for end in SUFFIXES[name]))


def _unique(galaxies: pd.DataFrame, *, where: str) -> pd.DataFrame:
    repeated = galaxies["id_str"].duplicated()
    if repeated.any():
        raise ValueError(
            f"{where}: id_str {galaxies['id_str'][repeated].iloc[0]!r} repeats, "
            "expected unique ids"
        )
    return galaxies
