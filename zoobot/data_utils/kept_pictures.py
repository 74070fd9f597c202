"""Pictures that an earlier run drew, and that need not be drawn again."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from zoobot.data_utils.cutouts import Field
from zoobot.data_utils.image_files import check_file
from zoobot.data_utils.picture_files import picture_of
from zoobot.files import written_whole
from zoobot.settings.images import RenderFits
from zoobot.versions import library_versions

__all__ = ["KeptPictures"]

_LIBRARIES = ("astropy", "numpy", "scipy", "PIL")
_log = logging.getLogger(__name__)


class KeptPictures:
    """A folder of pictures, each called after all that decides what it shows.

    That is the galaxy, its files, how they are drawn, and by which code. A file of one
    galaxy counts as the same if its content is. A mosaic, which may be too large to be
    read as a whole, does if its path, size and time of change are.

    What was drawn otherwise is removed at the start, and what was not asked for at the
    end; a run that is killed in between loses nothing.
    """

    def __init__(self, folder: str | Path, *, rendering: RenderFits, code: str) -> None:
        """Look what there is.

        Parameters
        ----------
        folder : str or Path
            Need not exist yet. Nothing else may be in it.
        rendering : RenderFits
            How pictures are drawn.
        code : str
            Digest of the code that draws them.
        """
        settings = {name: getattr(rendering, name) for name in RenderFits.model_fields}
        self._top = Path(folder)
        self._folder = self._top / _digest(
            [settings, code, library_versions(*_LIBRARIES)]
        )
        self._start_ns = 0
        for other in _inside(self._top):
            if other != self._folder:
                shutil.rmtree(other)
        if self._folder.is_dir():
            # The clock of the file system, which need not be that of this host.
            clock = self._folder / "started"
            clock.touch()
            self._start_ns = clock.stat().st_mtime_ns

    def key(
        self, id_str: str, sources: str | Mapping[str, str], *, field: Field | None
    ) -> str | None:
        """Name what decides what a picture shows.

        Parameters
        ----------
        id_str : str
            The galaxy.
        sources : str or mapping of str to str
            Its file, or one for each band.
        field : Field or None
            What is cut out, if the files are mosaics.

        Returns
        -------
        str or None
            None if a file cannot be read, of which drawing will tell the reason.
        """
        files = sources if isinstance(sources, Mapping) else {"": sources}
        identify = _content if field is None else _size_and_time
        try:
            found = [(band, identify(path)) for band, path in files.items()]
        except (OSError, ValueError):
            return None
        return _digest([id_str, found, field and dataclasses.asdict(field)])

    def find(self, key: str) -> bytes | None:
        """Give the content of a picture's file; None if there is none that is whole."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        if picture_of(content) is None:
            _log.warning("%s: found damaged, and drawn anew", path)
            return None
        os.utime(path)
        return content

    def keep(self, key: str, content: bytes) -> None:
        """Write the file of a picture."""
        with written_whole(self._path(key)) as beside:
            beside.write_bytes(content)

    def give(self, key: str, path: Path) -> None:
        """Put a picture at another path, too, where possible without copying it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = self._path(key)
        with contextlib.suppress(OSError):  # a file system may have no links
            os.link(kept, path)
        if not (path.exists() and path.samefile(kept)):
            with written_whole(path) as beside:
                shutil.copyfile(kept, beside)

    def finish(self) -> None:
        """Remove what was not asked for, and folders that are empty."""
        for folder in _inside(self._folder):
            if folder.is_dir():
                for path in _inside(folder):
                    if path.stat().st_mtime_ns < self._start_ns:
                        path.unlink()
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()
        (self._folder / "started").unlink(missing_ok=True)
        for folder in (self._folder, self._top):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.png"


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _digest(parts: list) -> str:
    content = json.dumps(parts).encode()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _content(path: str) -> str:
    check_file(path)  # a pipe would be waited for
    with open(path, "rb") as file:  # noqa: PTH123, also for paths that Path cannot hold
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _size_and_time(path: str) -> list[str | int]:
    found = os.stat(path)  # noqa: PTH116, as above
    return [path, found.st_size, found.st_mtime_ns]
