"""Log lines and progress of long work."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

__all__ = ["Progress", "start_logging", "track"]

T = TypeVar("T")
_SECONDS_BETWEEN_LINES = 10.0
_log = logging.getLogger("progress")


def start_logging() -> None:
    """Send log lines of level INFO and above to standard error, with the time."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
        force=True,
    )
    logging.captureWarnings(True)


class Progress:
    """Show how many are done, the rate and the time left.

    On a terminal this is a progress bar; in a log file, a line every ten seconds.

    Parameters
    ----------
    total : int
        How many units there are in all.
    what : str
        Name of the units, as ``galaxies``.
    """

    def __init__(self, total: int, what: str) -> None:
        self.total = total
        self.what = what
        self.done = 0
        self.start = self.last = time.monotonic()
        self.bar: tqdm | None = None
        if sys.stderr.isatty():
            self.bar = tqdm(total=total, unit=f" {what}", mininterval=0.5)

    def add(self, n_units: int) -> None:
        """Count so many more; the last batch may not be full."""
        n_units = min(n_units, self.total - self.done)
        self.done += n_units
        if self.bar is not None:
            self.bar.update(n_units)
            return
        now = time.monotonic()
        if now - self.last > _SECONDS_BETWEEN_LINES:
            rate = self.done / (now - self.start)
            _log.info(
                "%d of %d %s, %.1f a second, %.0f s left",
                self.done,
                self.total,
                self.what,
                rate,
                (self.total - self.done) / rate,
            )
            self.last = now

    def close(self, *, summary: bool = True) -> None:
        """End the bar; in a log file, say how long it took, if not told otherwise."""
        if self.bar is not None:
            self.bar.close()
        elif summary:
            seconds = time.monotonic() - self.start
            _log.info("%d %s in %.1f s", self.done, self.what, seconds)


def track(
    items: Iterable[T], *, total: int, what: str, size: int | Callable[[T], int] = 1
) -> Iterator[T]:
    """Yield the items, showing how many are done, the rate and the time left.

    Parameters
    ----------
    items : iterable
        What to go through.
    total : int
        How many units there are in all.
    what : str
        Name of the units, as ``galaxies``.
    size : int or callable
        Units an item stands for, as a batch size, or a function that says it.
    """
    progress = Progress(total, what)
    for item in items:
        yield item
        progress.add(size(item) if callable(size) else size)
    progress.close()
