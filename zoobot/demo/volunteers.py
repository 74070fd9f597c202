"""What volunteers say about a galaxy: only what can be seen of it.

Expected vote fractions are a function of the galaxy and of how visible it is; true
concentrations are proportional to them; votes are drawn down the decision tree.
"""

from __future__ import annotations

import numpy as np

from zoobot.demo.population import EDGE_ON_BULGES, MERGING, WINDINGS_DEG, Galaxy
from zoobot.schemas import Schema

__all__ = [
    "draw_ring_votes",
    "draw_votes",
    "expected_fractions",
    "expected_ring_fraction",
    "true_concentrations",
    "visibility",
]

_CONCENTRATION_MIN = 0.05  # in votes: any answer may be given, however rarely
_BULGE_FRACTIONS = {
    "dominant": 0.6,
    "large": 0.36,
    "moderate": 0.19,
    "small": 0.07,
    "none": 0.0,
}
_AXIS_RATIOS = {"round": 0.92, "in-between": 0.6, "cigar-shaped": 0.28}


def visibility(galaxy: Galaxy) -> float:
    """How well features show, 0 to 1: for bright galaxies many times the PSF wide."""
    brightness = _rising(np.log(galaxy.snr), middle=np.log(6.0), width=0.35)
    resolution = np.log(galaxy.half_light_radius / galaxy.psf_fwhm)
    return brightness * _rising(resolution, middle=np.log(2.2), width=0.3)


def expected_fractions(galaxy: Galaxy, *, schema: Schema) -> np.ndarray:
    """Expected vote fractions of the answers to each question, among those asked.

    Parameters
    ----------
    galaxy : Galaxy
        What is looked at.
    schema : Schema
        The tree gz_decals; its texts and order.

    Returns
    -------
    (n_answers,) float64
        p(answer | asked); each question's fractions sum to 1.

    Raises
    ------
    ValueError
        If the schema's questions and answers are not those of gz_decals.
    """
    seen = visibility(galaxy)
    fractions = {
        "smooth-or-featured": _smooth_or_featured(galaxy, seen),
        "disk-edge-on": _disk_edge_on(galaxy),
        "has-spiral-arms": _has_spiral_arms(galaxy, seen),
        "bar": _bar(galaxy, seen),
        "bulge-size": _bulge_size(galaxy, seen),
        "how-rounded": _nearest(galaxy.axis_ratio, _AXIS_RATIOS, width=0.13),
        "edge-on-bulge": _one_of(
            EDGE_ON_BULGES, galaxy.edge_on_bulge, share=0.45 + 0.47 * seen
        ),
        "spiral-winding": _spiral_winding(galaxy, seen),
        "spiral-arm-count": _spiral_arm_count(galaxy, seen),
        "merging": _one_of(MERGING, galaxy.merging, share=0.5 + 0.45 * seen),
    }
    answers = {q.text: {a.text for a in q.answers} for q in schema.questions}
    if answers != {question: set(given) for question, given in fractions.items()}:
        raise ValueError(
            f"schema {schema.name}: found other questions or answers than those of "
            "gz_decals, which the simulated volunteers answer"
        )
    return np.array(
        [fractions[q.text][a.text] for q in schema.questions for a in q.answers]
    )


def true_concentrations(
    galaxy: Galaxy, *, schema: Schema, vote_concentration: float
) -> np.ndarray:
    """Concentrations of the Dirichlet from which each question's votes are drawn.

    Parameters
    ----------
    galaxy : Galaxy
        What is looked at.
    schema : Schema
        The tree gz_decals.
    vote_concentration : float
        Sum of a question's concentrations, in votes, but for rare answers' minimum.

    Returns
    -------
    (n_answers,) float64
        In votes, at least 0.05.
    """
    fractions = expected_fractions(galaxy, schema=schema)
    return np.maximum(vote_concentration * fractions, _CONCENTRATION_MIN)


def draw_votes(
    concentrations: np.ndarray,
    *,
    schema: Schema,
    n_volunteers: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Votes of one galaxy, drawn down the tree.

    Parameters
    ----------
    concentrations : (n_answers,) float
        True concentrations.
    schema : Schema
        Any tree.
    n_volunteers : int
        Who are asked the questions that follow no answer.
    rng : numpy.random.Generator
        Used up by this galaxy.

    Returns
    -------
    (n_answers,) int64
        A question is asked of all who gave an answer that leads to it, and its counts
        are Dirichlet-multinomial.
    """
    votes = np.zeros(len(schema.answers), dtype=np.int64)
    for question in schema.questions:
        leading = [answer.index for answer in question.asked_after]
        n_asked = votes[leading].sum() if leading else n_volunteers
        shares = rng.dirichlet(concentrations[question.columns])
        votes[question.columns] = rng.multinomial(n_asked, shares)
    return votes


def expected_ring_fraction(galaxy: Galaxy) -> float:
    """Expected share of volunteers who tick "ring" among the rare features."""
    if not galaxy.has_ring:
        is_tight = galaxy.n_arms and galaxy.pitch_deg < WINDINGS_DEG["tight"][1]
        return 0.02 if is_tight else 0.005
    return 0.05 + 0.75 * _see_disk(galaxy, visibility(galaxy))


def draw_ring_votes(
    galaxy: Galaxy,
    *,
    n_asked: int,
    vote_concentration: float,
    rng: np.random.Generator,
) -> int:
    """How many of `n_asked` volunteers tick "ring": beta-binomial.

    Parameters
    ----------
    galaxy : Galaxy
        What is looked at.
    n_asked : int
        Volunteers who said smooth or featured.
    vote_concentration : float
        Sum of the two concentrations, in votes.
    rng : numpy.random.Generator
        Used up by this galaxy.
    """
    expected = expected_ring_fraction(galaxy)
    share = rng.beta(vote_concentration * expected, vote_concentration * (1 - expected))
    return int(rng.binomial(n_asked, share))


def _smooth_or_featured(galaxy: Galaxy, seen: float) -> dict[str, float]:
    if galaxy.kind == "artifact":
        return {"smooth": 0.1, "featured-or-disk": 0.05, "artifact": 0.85}
    evidence = 0.0
    if galaxy.kind == "edge-on":
        evidence = 0.95
    elif galaxy.kind == "disk":
        bar = {"strong": 0.85, "weak": 0.6, "no": 0.3}[galaxy.bar]
        ring = 0.95 if galaxy.has_ring else 0.0
        arms = galaxy.arm_contrast * (1 - galaxy.bulge_fraction)
        evidence = max(bar, ring, min(0.3 + arms, 1.0))
    if galaxy.merging != "none":
        evidence = max(evidence, 0.4)
    artifact = 0.02 + 0.06 * (1 - seen)
    featured = (1 - artifact) * (0.05 + 0.9 * evidence * seen)
    return {
        "smooth": 1 - artifact - featured,
        "featured-or-disk": featured,
        "artifact": artifact,
    }


def _disk_edge_on(galaxy: Galaxy) -> dict[str, float]:
    if galaxy.kind in {"disk", "edge-on"}:
        yes = _rising(galaxy.inclination_deg, middle=77.0, width=2.5)
    else:
        yes = _rising(-galaxy.axis_ratio, middle=-0.3, width=0.06)
    yes = 0.03 + 0.94 * yes
    return {"yes": yes, "no": 1 - yes}


def _has_spiral_arms(galaxy: Galaxy, seen: float) -> dict[str, float]:
    yes = 0.12 if galaxy.has_ring else 0.06
    if galaxy.n_arms:
        shown = _see_disk(galaxy, seen) * (1 - 0.5 * galaxy.bulge_fraction)
        # Behind a ring only the faint outskirts are left for arms.
        yes += (0.4 if galaxy.has_ring else 0.88) * shown
    return {"yes": yes, "no": 1 - yes}


def _bar(galaxy: Galaxy, seen: float) -> dict[str, float]:
    # A bar shorter than the point spread function cannot be told from a bulge.
    width = galaxy.bar_length * galaxy.scale_length / galaxy.psf_fwhm
    seen *= _rising(width, middle=1.2, width=0.4)
    share = {"strong": 0.15 + 0.75 * seen, "weak": 0.15 + 0.55 * seen, "no": 0.9}
    return _one_of(
        ("strong", "weak", "no"), galaxy.bar, share=share[galaxy.bar], to="no"
    )


def _bulge_size(galaxy: Galaxy, seen: float) -> dict[str, float]:
    centres = {name: np.sqrt(value) for name, value in _BULGE_FRACTIONS.items()}
    fraction = np.sqrt(galaxy.bulge_fraction)
    return _nearest(fraction, centres, width=0.11 + 0.15 * (1 - seen))


def _spiral_winding(galaxy: Galaxy, seen: float) -> dict[str, float]:
    centres = {name: np.log(np.mean(ends)) for name, ends in WINDINGS_DEG.items()}
    pitch = np.log(galaxy.pitch_deg) if galaxy.n_arms else centres["medium"]
    return _nearest(pitch, centres, width=0.25 + 0.4 * (1 - seen))


def _spiral_arm_count(galaxy: Galaxy, seen: float) -> dict[str, float]:
    answers = ("1", "2", "3", "4", "more-than-4", "cant-tell")
    if not galaxy.n_arms:
        return _one_of(answers, "cant-tell", share=0.5)
    # Distance between arms, two scale lengths out, along the normal to them.
    spacing = 4 * np.pi * np.sin(np.radians(galaxy.pitch_deg)) / galaxy.n_arms
    spacing *= galaxy.scale_length / galaxy.psf_fwhm
    seen = _see_disk(galaxy, seen) * _rising(spacing, middle=1.6, width=0.4)
    truth = answers[min(galaxy.n_arms, 5) - 1]
    return _one_of(answers, truth, share=0.12 + 0.75 * seen, to="cant-tell")


def _see_disk(galaxy: Galaxy, seen: float) -> float:
    """Visibility of what lies in the plane of the disk: less when it is inclined."""
    return seen * _rising(galaxy.axis_ratio, middle=0.3, width=0.08)


def _rising(value: float, *, middle: float, width: float) -> float:
    """The logistic function, from 0 far below the middle to 1 far above it."""
    return float(1 / (1 + np.exp(-(value - middle) / width)))


def _nearest(
    value: float, centres: dict[str, float], *, width: float
) -> dict[str, float]:
    """Shares that fall off as a Gaussian with the distance of each answer's centre."""
    shares = {a: np.exp(-0.5 * ((value - c) / width) ** 2) for a, c in centres.items()}
    total = sum(shares.values())
    return {a: 0.97 * s / total + 0.03 / len(shares) for a, s in shares.items()}


def _one_of(
    answers: tuple[str, ...], truth: str, *, share: float, to: str | None = None
) -> dict[str, float]:
    """`share` for the truth; of the rest, 70% to the answer `to`, if it is another."""
    others = [answer for answer in answers if answer != truth]
    result = dict.fromkeys(others, (1 - share) / len(others))
    if to in others:
        result = dict.fromkeys(others, 0.3 * (1 - share) / len(others))
        result[to] += 0.7 * (1 - share)
    return {truth: share} | result
