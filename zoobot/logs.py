"""Log lines and progress of long work."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

__all__ = ["start_logging", "track"]

T = TypeVar("T")
_SECONDS_BETWEEN_LINES = 10.0


def start_logging() -> None:
    """Send log lines of level INFO and above to standard error, with the time."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
        force=True,
    )
    logging.captureWarnings(True)


def track(
    items: Iterable[T], *, total: int, what: str, size: int | Callable[[T], int] = 1
) -> Iterator[T]:
    """Yield the items, showing how many are done, the rate and the time left.

    On a terminal this is a progress bar; in a log file, a line every ten seconds.

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
    size_of = size if callable(size) else lambda item: size
    if sys.stderr.isatty():
        with tqdm(total=total, unit=f" {what}", mininterval=0.5) as bar:
            for item in items:
                yield item
                bar.update(min(size_of(item), total - bar.n))
        return
    log = logging.getLogger("progress")
    start = last = time.monotonic()
    done = 0
    for item in items:
        yield item
        done = min(done + size_of(item), total)
        now = time.monotonic()
        if now - last > _SECONDS_BETWEEN_LINES:
            rate = done / (now - start)
            left = (total - done) / rate
            log.info(
                "%d of %d %s, %.1f a second, %.0f s left", done, total, what, rate, left
            )
            last = now
    seconds = time.monotonic() - start
    log.info("%d %s in %.1f s", done, what, seconds)
