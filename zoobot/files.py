"""Files that are complete whenever they exist under their final name."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

__all__ = ["MAKE_ANEW", "written_whole"]

MAKE_ANEW = "delete it and run the workflow again, which makes it anew"
"""How a damaged result is mended."""

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REMEDIES = dict.fromkeys(_FULL, "free some space and run the workflow again")
_REMEDIES |= dict.fromkeys(
    (errno.EROFS, errno.EACCES), "make it writable and run the workflow again"
)


@contextlib.contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path to write to; rename it to `path` when the block ends well.

    A job that dies leaves nothing under the final name. The temporary name holds the
    host and process, so that two jobs never write to the same file, and keeps the
    suffix, which some writers look at. What jobs that were killed left of their
    temporary files in the same folder is removed.

    Parameters
    ----------
    path : str or Path
        Final name. Missing folders are made.

    Yields
    ------
    Path
        Where to write, in the same folder.

    Raises
    ------
    OSError
        With the final name, whatever the writer's own error looks like, if the disk is
        full or cannot be written to.
    """
    path = Path(path)
    beside = path.with_name(
        f".{path.stem}.{socket.gethostname()}-{os.getpid()}{path.suffix}"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path.parent)
        yield beside
        with beside.open("rb+") as handle:
            os.fsync(handle.fileno())
        beside.replace(path)
    except Exception as error:
        number = _error_of_disk(error, path)
        if number is None:
            raise
        reason = f"{os.strerror(number)} ({_REMEDIES[number]})"
        raise OSError(number, reason, str(path)) from error
    finally:
        with contextlib.suppress(OSError):  # as of a folder that is read-only
            beside.unlink()


def _error_of_disk(error: BaseException | None, path: Path) -> int | None:
    """Number of the error, if the disk of `path` is to blame; writers wrap and word it.

    Only a full disk may come without the name of the file.
    """
    while error is not None:
        named = getattr(error, "filename", None)
        is_mine = str(path.parent) in str(error)
        for number in _REMEDIES:
            is_it = getattr(error, "errno", None) == number
            is_it = is_it or any(words in str(error) for words in _words(number))
            if is_it and (is_mine or (number in _FULL and named is None)):
                return number
        error = error.__cause__ or error.__context__
    return None


def _words(number: int) -> list[str]:
    # Astropy's, and NumPy's "524288 requested and 190400 written".
    own = ["Not enough space on disk", " requested and "]
    return [os.strerror(number), *(own if number == errno.ENOSPC else [])]


@functools.cache
def _remove_leftovers(folder: Path) -> None:
    """Remove temporary files of processes of this host that are no more, once."""
    name = re.compile(rf"\..+\.{re.escape(socket.gethostname())}-([0-9]+)(\.[^.]+)?")
    for path in folder.iterdir():
        match = name.fullmatch(path.name)
        if match and not _is_alive(int(match[1])):
            with contextlib.suppress(OSError):  # another job was faster
                path.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # someone else's
    return True
