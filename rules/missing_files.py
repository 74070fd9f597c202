"""Files that the settings name, that are not there, and that are needed.

The engine goes on from results whose inputs it cannot find, as those that made them may
have been put away since. It does so, too, where the settings have come to name other
files or to ask for other results, and would say nothing of a mistyped name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from snakemake.io import IOFile
from snakemake.persistence.file import FilePersistence

from rules.remote_files import FETCHED, FILES, Remote, local_paths
from zoobot.configuration import Settings

__all__ = ["check_missing_files"]

# The section that names files, and rule that reads them: what it makes.
_MADE = {
    "prepare_catalog": "results/catalog/labelled.parquet",
    "prepare_ring_catalog": "results/rings/catalog.csv",
    "unpack_images": "results/images",
}


def check_missing_files(
    settings: Settings,
    remotes: Mapping[str, Remote],
    *,
    params: Mapping[str, Mapping[str, str]],
    check_stored: Callable[[Remote], Any],
) -> None:
    """Refuse files that are nowhere, unless the results that are there came of them.

    Without results, the engine itself says which file it lacks. Those of an earlier
    version of the code may stay.

    Parameters
    ----------
    settings : Settings
        Those with paths of local copies in the place of addresses.
    remotes : mapping of str to Remote
        The files to fetch, by name.
    params : mapping of str to mapping of str to str
        By rule and name, what the rules that read the files are given.
    check_stored : callable
        Raises a ValueError if a file is not where its address says.

    Raises
    ------
    ValueError
        If one is missing. It names the setting.
    """
    for section, field in FILES:
        named = getattr(getattr(settings, section), field) or []
        texts = [named] if isinstance(named, str) else named
        paths = local_paths(texts, data_folder=settings.data_folder)
        missing = {path for path in paths if not Path(path).exists()}
        asked = {text for name, text in params[section].items() if name != "code"}
        for path in sorted(missing - _unneeded(Path(_MADE[section]), missing, asked)):
            remote = remotes.get(path.removeprefix(f"{FETCHED}/"))
            if remote is not None:
                check_stored(remote)
            elif not path.startswith("results/"):  # those the workflow makes
                raise ValueError(
                    f"{section}.{field}: found {path}, where there is no file; "
                    "expected one"
                )


def _unneeded(made: Path, missing: set[str], asked: set[str]) -> set[str]:
    """Missing files that need not be there."""
    if not missing or not made.exists():
        return missing
    records = FilePersistence()
    used = records.input(IOFile(str(made)))
    if used is None:  # the engine's records of the results were not brought along
        return missing
    is_as_asked = {repr(text) for text in asked} <= set(
        records.params(IOFile(str(made)))
    )
    return set(used) if is_as_asked else set()
