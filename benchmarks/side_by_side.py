"""Time several ways of doing the same work in one run, and print their ratios.

A busy machine changes its speed by the minute: two runs cannot be compared. Here the
ways take turns, and the ratio of each round is of neighbours in time.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Literal

__all__ = ["HEADER", "Row", "ratio_row", "seconds_of_rounds"]

HEADER = """\
| what | against | measured | least to most | bar | met |
|---|---|---|---|---|---|"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    what: str
    against: str
    measured: float
    least: float
    most: float
    bar: float
    better: Literal["more", "less"]
    """Whether `measured` must be at least or at most `bar`."""
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the measured figure meets the bar."""
        if self.better == "more":
            return self.measured >= self.bar
        return self.measured <= self.bar

    def __str__(self) -> str:
        """One line of a Markdown table."""
        sign = "at least" if self.better == "more" else "at most"
        cells = (
            self.what,
            self.against,
            f"{self.measured:.3g}{self.unit}",
            f"{self.least:.3g} to {self.most:.3g}",
            f"{sign} {self.bar:g}{self.unit}",
            "yes" if self.is_met else "**no**",
        )
        return f"| {' | '.join(cells)} |"


def seconds_of_rounds(
    ways: Mapping[str, Callable[[], object]], *, rounds: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Wall-clock seconds of each way in each round.

    Parameters
    ----------
    ways : mapping of str to callable
        Each does the whole work once; they take turns, in the other order every second
        round.
    rounds : int
        How often each is timed.
    warm_up : int
        Rounds before that are not timed: compilation, caches.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-warm_up, rounds):
        names = list(ways) if number % 2 == 0 else list(ways)[::-1]
        for name in names:
            start = time.perf_counter()
            ways[name]()
            if number >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio_row(
    numerator: list[float],
    denominator: list[float],
    *,
    what: str,
    against: str,
    bar: float,
    better: Literal["more", "less"],
) -> Row:
    """The median over rounds of the ratio of two ways' seconds, and its extremes."""
    ratios = [a / b for a, b in zip(numerator, denominator, strict=True)]
    return Row(
        what=what,
        against=against,
        measured=statistics.median(ratios),
        least=min(ratios),
        most=max(ratios),
        bar=bar,
        better=better,
    )
