"""A job ends with the workflow that started it, also when that is killed.

A job that went on alone would hold the GPU that the next run's jobs want, and could put
the results of old settings in the place of new ones.
"""

from __future__ import annotations

import logging
import os
import select
import threading

__all__ = ["end_with_parent"]

_VARIABLE = "ZOOBOT_ENDS_WITH"
_log = logging.getLogger(__name__)


def end_with_parent() -> None:
    """End this process, without more ado, as soon as what started it has ended.

    The environment variable ZOOBOT_ENDS_WITH, set by a workflow, is the number of its
    process; without it nothing is done. The shell between the two counts as well. Does
    nothing on systems without descriptors of processes, which Linux has.
    """
    number = os.environ.get(_VARIABLE)
    if number is None or not hasattr(os, "pidfd_open"):
        return
    watched = []
    for process in (int(number), os.getppid()):
        try:
            watched.append(os.pidfd_open(process))
        except ProcessLookupError:
            _end()
        except OSError:
            return  # an old kernel
    threading.Thread(target=_wait, args=(watched,), daemon=True).start()


def _wait(watched: list[int]) -> None:
    ended = select.poll()
    for descriptor in watched:
        ended.register(descriptor, select.POLLIN)
    ended.poll()
    _end()


def _end() -> None:
    _log.error("what started this job has ended, and so does the job")
    os._exit(1)
