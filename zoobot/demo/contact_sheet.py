"""One picture with examples of every kind of simulated galaxy and what it truly is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from zoobot.demo.population import EDGE_ON_BULGES, MERGING, WINDINGS_DEG, Galaxy
from zoobot.files import written_whole

__all__ = ["choose_examples", "describe", "write_contact_sheet"]

_ROWS, _COLUMNS = 6, 8
_EXAMPLES_OF_EACH = 2


def describe(galaxy: Galaxy) -> str:
    """The truth in two short lines."""
    if galaxy.kind == "artifact":
        return f"artifact\n{galaxy.artifact}"
    details = []
    if galaxy.kind == "smooth":
        details.append(f"axis ratio {galaxy.axis_ratio:.2f}")
    elif galaxy.kind == "edge-on":
        details.append(f"{galaxy.edge_on_bulge} bulge".replace("none", "no"))
    else:
        details += ["ring"] if galaxy.has_ring else []
        details += [] if galaxy.bar == "no" else [f"{galaxy.bar} bar"]
        details += [_arms(galaxy)] if galaxy.n_arms else []
    kind = (
        galaxy.kind if galaxy.merging == "none" else f"{galaxy.kind}, {galaxy.merging}"
    )
    return f"{kind}\n{', '.join(details) or 'no features'}"


def choose_examples(galaxies: Sequence[Galaxy]) -> list[int]:
    """Indices of up to 48 galaxies, two for each of what the volunteers are asked.

    Parameters
    ----------
    galaxies : (n_galaxies,) sequence of Galaxy
        The survey.
    """
    chosen: list[int] = []
    for belongs in _examples():
        matching = (i for i, g in enumerate(galaxies) if belongs(g) and i not in chosen)
        chosen += [i for i, _ in zip(matching, range(_EXAMPLES_OF_EACH), strict=False)]
    return chosen[: _ROWS * _COLUMNS]


def write_contact_sheet(
    path: Path, *, galaxies: Sequence[Galaxy], images: Sequence[Path]
) -> None:
    """Draw the examples with their captions.

    Parameters
    ----------
    path : Path
        The png file to write.
    galaxies : (n_galaxies,) sequence of Galaxy
        The survey.
    images : (n_galaxies,) sequence of Path
        Their image files.
    """
    figure = Figure(figsize=(1.6 * _COLUMNS, 1.95 * _ROWS), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.subplots(_ROWS, _COLUMNS).ravel()
    for ax in axes:
        ax.set_axis_off()
    for ax, i in zip(axes, choose_examples(galaxies), strict=False):
        with Image.open(images[i]) as image:
            ax.imshow(image)
        ax.set_title(describe(galaxies[i]), fontsize=7)
    figure.tight_layout(pad=0.4)
    with written_whole(path) as beside:
        figure.savefig(beside)


def _arms(galaxy: Galaxy) -> str:
    winding = next(
        name for name, (_, end) in WINDINGS_DEG.items() if galaxy.pitch_deg <= end
    )
    return f"{galaxy.n_arms} {winding} arm" + ("s" if galaxy.n_arms > 1 else "")


def _examples() -> list[Callable[[Galaxy], bool]]:
    def spiral(g: Galaxy) -> bool:
        return g.n_arms > 0 and not g.has_ring and g.merging == "none"

    smooth = [
        lambda g, low=low, high=high: (
            g.kind == "smooth" and g.merging == "none" and low <= g.axis_ratio < high
        )
        for low, high in ((0.8, 1.0), (0.45, 0.75), (0.0, 0.35))
    ]
    edge_on = [
        lambda g, bulge=bulge: (
            g.kind == "edge-on" and g.merging == "none" and g.edge_on_bulge == bulge
        )
        for bulge in EDGE_ON_BULGES
    ]
    arms = [lambda g, n=n: spiral(g) and g.n_arms == n for n in (1, 2, 3, 4, 5)]
    windings = [
        lambda g, ends=ends: spiral(g) and ends[0] <= g.pitch_deg <= ends[1]
        for ends in WINDINGS_DEG.values()
    ]
    bars = [lambda g, bar=bar: spiral(g) and g.bar == bar for bar in ("strong", "weak")]
    rings = [
        lambda g: g.has_ring and g.bar == "no" and g.n_arms == 0,
        lambda g: g.has_ring and g.bar == "strong" and g.n_arms == 0,
        lambda g: g.has_ring and g.n_arms > 0,
    ]
    merging = [lambda g, text=text: g.merging == text for text in MERGING[1:]]
    artifacts = [
        lambda g, text=text: g.artifact == text
        for text in ("satellite-trail", "saturated-star")
    ]
    return smooth + edge_on + arms + windings + bars + rings + merging + artifacts
