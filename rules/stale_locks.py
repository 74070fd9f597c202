"""Locks of a workflow that was killed do not stop the next one.

The workflow engine locks its folder by files, which stay when it is killed. Here a
process that runs the workflow holds a lock of the operating system, too, which ends
with the process, however it ends: who gets that lock alone knows that files of locks
are left over.
"""

from __future__ import annotations

import fcntl
import socket
import time
from pathlib import Path
from typing import IO

__all__ = ["is_alone", "remove_stale_locks"]

_SECONDS_FOR_A_PLAN = 10.0


def remove_stale_locks(folder: Path) -> IO[str] | None:
    """Remove the engine's locks unless another process runs the workflow.

    Parameters
    ----------
    folder : Path
        The engine's own folder, as ``.snakemake``.

    Returns
    -------
    file or None
        To be kept open as long as the workflow runs. None where the file system cannot
        be written to, or has no such locks; then nothing is removed.
    """
    try:
        folder.mkdir(exist_ok=True)
        held = (folder / "running.lock").open("a+")
        _hold_alone(held, folder)
        fcntl.flock(held, fcntl.LOCK_SH)
    except OSError:
        return None
    return held


def is_alone(held: IO[str] | None) -> bool:
    """Whether no other process runs the workflow in this folder.

    One that only plans holds the lock for some seconds, and is waited for.

    Parameters
    ----------
    held : file or None
        What `remove_stale_locks` has returned. None, with which nothing is known of
        others, counts as alone: the engine has its own locks.
    """
    if held is None:
        return True
    end = time.monotonic() + _SECONDS_FOR_A_PLAN
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            alone = False
        else:
            alone = True
        # Whether or not it got the lock alone, it has given up the one that is shared.
        fcntl.flock(held, fcntl.LOCK_SH)
        if alone or time.monotonic() > end:
            return alone
        time.sleep(0.2)


def _hold_alone(held: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another runs, and the engine will say so
    held.seek(0)
    last_host = held.read()
    # Some file systems know these locks on one host only: another's may be in use.
    if last_host in ("", socket.gethostname()):
        for lock in (folder / "locks").glob("*.lock"):
            lock.unlink(missing_ok=True)
    held.seek(0)
    held.truncate()
    held.write(socket.gethostname())
    held.flush()
