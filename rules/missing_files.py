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


def check_missing_files(
    settings: Settings,
    remotes: Mapping[str, Remote],
    *,
    readers: Mapping[str, Any],
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
    readers : mapping of str to rule
        The rules that read the files, by their names, which are those of the sections
        too, as the engine gives them: with ``output`` and ``params``.
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
        for path in sorted(missing - _unneeded(missing, reader=readers[section])):
            remote = remotes.get(path.removeprefix(f"{FETCHED}/"))
            if remote is not None:
                check_stored(remote)
            elif not path.startswith("results/"):  # those the workflow makes
                raise ValueError(
                    f"{section}.{field}: found {path}, where there is no file; "
                    "expected one"
                )


def _unneeded(missing: set[str], *, reader: Any) -> set[str]:
    """Missing files that need not be there."""
    made = IOFile(str(reader.output[0]))
    if not missing or not Path(made).exists():
        return missing
    records = FilePersistence()
    used = records.input(made)
    if used is None:  # the engine's records of the results were not brought along
        return missing
    asked = {repr(text) for name, text in reader.params.items() if name != "code"}
    return set(used) if asked <= set(records.params(made)) else set()
