"""Files that the settings give by an address, as https://..., and their local copies.

A copy's place follows from its address alone. The settings of all rules have that place
where the user's have the address, so that nothing but the rule that fetches it knows.
"""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from zoobot.configuration import Settings

__all__ = [
    "FETCHED",
    "FILES",
    "Remote",
    "check_storage",
    "find_stored",
    "from_storage",
    "local_paths",
    "one_of",
    "with_local_copies",
]

FETCHED = "results/fetched"
IMAGES = "results/images"

FILES = (
    ("prepare_catalog", "labelled_catalogs"),
    ("prepare_catalog", "unlabelled_catalogs"),
    ("prepare_catalog", "file_loc_table"),
    ("prepare_ring_catalog", "catalogs"),
    ("unpack_images", "archives"),
)
_FOLDERS = (
    ("prepare_catalog", "image_folders"),
    ("prepare_catalog", "file_loc_folder"),
)
_PLUGINS = {"http": "http", "https": "http", "gs": "gcs"}
_ATTEMPTS = 3
_SECONDS_BETWEEN = 1.0


@dataclasses.dataclass(frozen=True)
class Remote:
    """A file that lies elsewhere."""

    setting: str
    """Key of the setting that names it."""
    address: str
    """What the setting says, with a scheme."""
    name: str
    """Path of its copy below `FETCHED`."""

    @property
    def path(self) -> str:
        """Where its copy is, from the folder of the run."""
        return f"{FETCHED}/{self.name}"


def with_local_copies(settings: Settings) -> tuple[Settings, dict[str, Remote]]:
    """Put the paths of local copies in the place of addresses, and of archives.

    Parameters
    ----------
    settings : Settings
        The user's.

    Returns
    -------
    Settings
        The same without an address. Where there are archives of images, folders of
        images are below the one that they are unpacked to.
    dict of str to Remote
        The files to fetch, by name.

    Raises
    ------
    ValueError
        If an address cannot be one of a file, or stands where a folder should.
    """
    remotes: dict[str, Remote] = {}
    here = "" if os.path.normpath(settings.data_folder) == "." else Path.cwd()

    def local(text: str, key: str) -> str:
        if "://" not in text:
            return text
        remote = _remote(text, key)
        other = remotes.setdefault(remote.name, remote)
        if other.address != remote.address:
            raise ValueError(
                f"{key}: found {text}, whose copy would have the same name as that of "
                f"{other.address}, {remote.path}; expected one of the two"
            )
        return str(Path(here, remote.path))

    for section, field in FILES:
        settings = _changed(settings, section, field, change=local)
    has_archives = bool(settings.unpack_images.archives)

    def folder(text: str, key: str) -> str:
        if "://" in text:
            raise ValueError(
                f"{key}: found {text}, expected a folder of this machine; images that "
                "are elsewhere are fetched as archives: unpack_images.archives"
            )
        within = os.path.normpath(Path(here, IMAGES, text))
        return within if has_archives else text

    for section, field in _FOLDERS:
        settings = _changed(settings, section, field, change=folder)
    if "://" in settings.data_folder:
        folder(settings.data_folder, "data_folder")
    return settings, remotes


def local_paths(paths: Iterable[str], *, data_folder: str) -> list[str]:
    """Give paths of tables and archives as the rules call them.

    Parameters
    ----------
    paths : iterable of str
        Of settings `with_local_copies`.
    data_folder : str
        Where relative ones start.
    """
    found = [os.path.normpath(Path(data_folder, path)) for path in paths]
    start = f"{Path.cwd()}/{FETCHED}/"
    return [
        f"{FETCHED}/{path.removeprefix(start)}" if path.startswith(start) else path
        for path in found
    ]


def one_of(remotes: Mapping[str, Remote], *, all_of_them: bool) -> str:
    """Give a regular expression of the names of copies that are to be made.

    A file that was fetched stays as it is, and its server is not asked again.

    Parameters
    ----------
    remotes : mapping of str to Remote
        All files, by name.
    all_of_them : bool
        Whether those that are there count, too.
    """
    names = [
        re.escape(name)
        for name, remote in remotes.items()
        if all_of_them or not Path(remote.path).exists()
    ]
    return "|".join(names) or "(?!)"


def from_storage(
    remotes: Mapping[str, Remote],
    *,
    storage: Callable[[str], Any],
    ancient: Callable[[Any], Any],
) -> Callable[[Any], Any]:
    """Give the input function of the rule that fetches: a file as its storage has it.

    Servers give times of files that are those of their own doings, as Zenodo does.

    Parameters
    ----------
    remotes : mapping of str to Remote
        All files, by name.
    storage : callable
        Makes an object of an address, by the plugin that knows its scheme.
    ancient : callable
        Makes its time count for nothing.
    """

    def of_name(wildcards: Any) -> Any:
        return ancient(find_stored(remotes[wildcards.name], storage=storage))

    return of_name


def find_stored(remote: Remote, *, storage: Callable[[str], Any]) -> Any:
    """Give a file as its storage has it.

    Parameters
    ----------
    remote : Remote
        The file.
    storage : callable
        Makes an object of an address, by the plugin that knows its scheme.

    Raises
    ------
    ValueError
        If no plugin knows the scheme, the storage does not answer, or has no such file.
    """
    try:
        found = storage(remote.address)
    except Exception as error:
        raise ValueError(
            f"{remote.setting}: found {remote.address}, {_no_plugin(remote, error)}"
        ) from None
    _check_exists(remote, found.flags["storage_object"])
    return found


def check_storage(default_provider: str | None) -> None:
    """Refuse to keep results in storage: jobs find each other's in one file system.

    Parameters
    ----------
    default_provider : str or None
        Name of the storage plugin that results are to go to.

    Raises
    ------
    ValueError
        If there is one.
    """
    if default_provider is not None:
        raise ValueError(
            f"default-storage-provider: found {default_provider}, expected none: the "
            "jobs of this workflow share the folder results/ in one file system. "
            "docs/elsewhere.md says how to run where machines share none"
        )


def _remote(address: str, key: str) -> Remote:
    try:
        parts = urlsplit(address)
    except ValueError:  # as of brackets in the name of the host
        parts = urlsplit("")
    path = unquote(parts.path).strip("/")
    if not parts.netloc or {"", ".", ".."} & set(path.split("/")):
        raise ValueError(
            f"{key}: found {address}, expected the address of a file, as "
            "https://host/folder/file.csv"
        )
    # Neither wildcards of rules nor words of a shell.
    name = re.sub(r"[^A-Za-z0-9._/+-]", "_", f"{parts.netloc.split('@')[-1]}/{path}")
    return Remote(key, address, name)


def _changed(
    settings: Settings, section: str, field: str, *, change: Callable[[str, str], str]
) -> Settings:
    """Settings with another text, or other texts, in one field."""
    part = getattr(settings, section)
    old = getattr(part, field)
    key = f"{section}.{field}"
    empty = field == "file_loc_table" and not old
    if isinstance(old, str):
        new: Any = old if empty else change(old, key)
    else:
        new = [change(one, key) for one in old]
    return settings.model_copy(update={section: part.model_copy(update={field: new})})


def _no_plugin(remote: Remote, error: Exception) -> str:
    scheme = urlsplit(remote.address).scheme
    if "No storage provider found" in str(error):
        plugin = _PLUGINS.get(scheme, scheme)
        return (
            "which no storage plugin here can read; expected a path, or an address "
            f"whose plugin is installed, as snakemake-storage-plugin-{plugin} if there "
            "is one"
        )
    return f"which its storage plugin refuses: {error}"


def _check_exists(remote: Remote, stored: Any) -> None:
    """Say which setting is to blame before the engine only says which file is."""
    where = f"{remote.setting}: found {remote.address}"
    for attempt in range(_ATTEMPTS):
        try:
            exists = stored.exists()
            break
        except Exception as error:
            if attempt + 1 == _ATTEMPTS:
                raise ValueError(
                    f"{where}, which cannot be reached ({type(error).__name__}: "
                    f"{error}); expected a file there"
                ) from None
            time.sleep(_SECONDS_BETWEEN)
    if not exists:
        raise ValueError(f"{where}, where there is no file; expected one")
