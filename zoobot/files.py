"""Files that are complete whenever they exist under their final name."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

__all__ = ["written_whole"]


@contextlib.contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path to write to; rename it to `path` when the block ends well.

    A job that dies leaves nothing under the final name. The temporary name holds the
    host and process, so that two jobs never write to the same file, and keeps the
    suffix, which some writers look at.

    Parameters
    ----------
    path : str or Path
        Final name. Missing folders are made.

    Yields
    ------
    Path
        Where to write, in the same folder.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(
        f".{path.stem}.{socket.gethostname()}-{os.getpid()}{path.suffix}"
    )
    try:
        yield beside
        with beside.open("rb+") as handle:
            os.fsync(handle.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
