"""Files that were fetched from elsewhere."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from zoobot.files import written_whole

__all__ = ["keep_file"]

_PAGES = (b"<!doctype html", b"<html")
_log = logging.getLogger(__name__)


def keep_file(source: str | Path, *, file: str | Path) -> None:
    """Keep a file that was fetched, unless it is a page that says why there is none.

    Parameters
    ----------
    source : path
        What was fetched, which may be deleted then.
    file : path
        Where it is kept: another name of the same file where the disk is the same.

    Raises
    ------
    ValueError
        If it is empty, or a web page.
    """
    source, file = Path(source), Path(file)
    size = source.stat().st_size
    if not size:
        raise ValueError(f"{source}: found 0 bytes, expected a table or an archive")
    with source.open("rb") as opened:
        start = opened.read(256).lstrip().lower()
    if start.startswith(_PAGES):
        raise ValueError(
            f"{source}: found a web page, expected a table or an archive: does the "
            "address lead to the file itself?"
        )
    with written_whole(file) as path:
        try:
            path.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, path)
    file.touch()
    _log.info("fetched %s, %.1f MB", file, size / 1e6)
