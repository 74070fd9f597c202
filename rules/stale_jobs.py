"""Jobs of a workflow that was killed do not go on beside those of the next one.

Where a cluster runs the jobs, they outlive the workflow that sent them off, and nobody
watches them: the next run would send off the same jobs again, and two would write the
same files. Slurm knows which jobs those are by their names, which end in the number of
their run, and by their logs, which lie in the engine's folder.
"""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
import time
from pathlib import Path

__all__ = ["cancel_stale_jobs"]

_RUN = re.compile(r"(.+_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WIDTHS = {"JobID": 32, "Name": 128, "StdOut": 4096}
_MOST_SECONDS = 300.0
_SECONDS_TO_ANSWER = 60.0


def cancel_stale_jobs(folder: Path) -> list[str]:
    """Cancel the jobs of earlier runs in Slurm, and wait until they have ended.

    To be called by a run that is alone in its folder, before it sends off jobs itself.

    Parameters
    ----------
    folder : Path
        The engine's own folder, as ``.snakemake``.

    Returns
    -------
    list of str
        Slurm's numbers of the jobs. None where there is no Slurm that answers.

    Raises
    ------
    TimeoutError
        If a job has not ended five minutes later.
    """
    if shutil.which("squeue") is None:
        return []
    cancelled: set[str] = set()
    end = time.monotonic() + _MOST_SECONDS
    while running := _jobs_of(folder):
        if time.monotonic() > end:
            raise TimeoutError(
                f"jobs {' '.join(sorted(running))} of an earlier run: found them in "
                "the queue, expected them to end once cancelled; see `squeue`"
            )
        subprocess.run(["scancel", *running - cancelled], check=False)
        cancelled |= running
        time.sleep(1.0)
    return sorted(cancelled)


def _jobs_of(folder: Path) -> set[str]:
    """Jobs, waiting or running, that runs in this folder have sent off."""
    fields = ",".join(f"{name}:{width}" for name, width in _WIDTHS.items())
    command = ["squeue", "--noheader", f"--user={getpass.getuser()}"]
    try:
        listed = subprocess.run(
            [*command, f"--Format={fields}"],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS_TO_ANSWER,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired:
        return set()
    logs = f"{folder.resolve()}/slurm_logs/"
    found = set()
    for line in listed.splitlines():
        start = 0
        values = []
        for width in _WIDTHS.values():
            values.append(line[start : start + width].strip())
            start += width
        job, name, log = values
        if _RUN.fullmatch(name) and log.startswith(logs):
            found.add(job)
    return found
