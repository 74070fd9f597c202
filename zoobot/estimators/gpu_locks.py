"""A GPU for each of the jobs that run side by side on one machine."""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

__all__ = ["take_gpus"]

log = logging.getLogger(__name__)

# Files that are locked as long as this process lives, however it ends.
_held: dict[Path, int] = {}


def take_gpus(
    names: Sequence[str], *, n_wanted: int, folder: str | Path | None = None
) -> list[int]:
    """Choose GPUs that no other job of the same user has taken on this machine.

    They are this process's until it ends. If too few are free, the log says so, and
    others are shared.

    Parameters
    ----------
    names : sequence of str
        What the GPUs are called, the same in all jobs.
    n_wanted : int
        At most as many as there are names.
    folder : path, optional
        For a lock file each; by default one of the user's among temporary files.

    Returns
    -------
    list of int
        Which of the names, in their order.
    """
    if folder is None:
        folder = Path(tempfile.gettempdir(), f"zoobot-gpus-{os.getuid()}")
    free: list[int] = []
    for number, name in enumerate(names):
        if len(free) < n_wanted and _take(Path(folder, name.replace("/", "_"))):
            free.append(number)
    busy = [number for number in range(len(names)) if number not in free]
    shared = busy[: n_wanted - len(free)]
    if shared:
        log.warning(
            "found %d free of %d GPUs, wanted %d: sharing %s with another job",
            len(free),
            len(names),
            n_wanted,
            ", ".join(names[number] for number in shared),
        )
    return sorted([*free, *shared])


def _take(path: Path) -> bool:
    """Whether the lock is, or becomes, this process's."""
    if path in _held:
        return True
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        log.warning("%s: no lock can be kept there (%s)", path, error)
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process has it
        os.close(file)
        return False
    _held[path] = file
    return True
