"""The decision trees of Galaxy Zoo, as data.

A tree maps each question to its answers and to the answers it is asked after: label
columns (question + ``_`` + answer), any one of which leads to the question. A question
asked after nothing is asked of every galaxy.

References
----------
GZ DECaLS: Walmsley et al. 2022, MNRAS 509, 3966, figure 4. GZ2: Willett et al. 2013,
MNRAS 435, 2835, table 2. Catalogues of rings: Walmsley et al. 2022, MNRAS 513, 1581.
"""

__all__ = [
    "FACE_ON_FRACTION",
    "FEATURED_FRACTION",
    "NO_SPIRAL_FRACTION",
    "RING_FRACTION",
    "TREES",
    "check_entry",
]

# Volunteers' fractions, by their names in the published catalogues of rings.
FEATURED_FRACTION = "smooth-or-featured_featured-or-disk_fraction"
FACE_ON_FRACTION = "disk-edge-on_no_fraction"
NO_SPIRAL_FRACTION = "has-spiral-arms_no_fraction"
RING_FRACTION = "rare-features_ring_fraction"

Tree = dict[str, dict[str, list[str]]]

_ALWAYS: list[str] = []
_SMOOTH = ["smooth-or-featured_smooth"]
_FEATURED = ["smooth-or-featured_featured-or-disk"]
_SMOOTH_OR_FEATURED = _SMOOTH + _FEATURED
_FACE_ON = ["disk-edge-on_no"]
_EDGE_ON = ["disk-edge-on_yes"]
_SPIRAL = ["has-spiral-arms_yes"]

_GZ_DECALS: Tree = {
    "smooth-or-featured": {
        "answers": ["smooth", "featured-or-disk", "artifact"],
        "asked_after": _ALWAYS,
    },
    "disk-edge-on": {"answers": ["yes", "no"], "asked_after": _FEATURED},
    "has-spiral-arms": {"answers": ["yes", "no"], "asked_after": _FACE_ON},
    "bar": {"answers": ["strong", "weak", "no"], "asked_after": _FACE_ON},
    "bulge-size": {
        "answers": ["dominant", "large", "moderate", "small", "none"],
        "asked_after": _FACE_ON,
    },
    "how-rounded": {
        "answers": ["round", "in-between", "cigar-shaped"],
        "asked_after": _SMOOTH,
    },
    "edge-on-bulge": {
        "answers": ["boxy", "none", "rounded"],
        "asked_after": _EDGE_ON,
    },
    "spiral-winding": {
        "answers": ["tight", "medium", "loose"],
        "asked_after": _SPIRAL,
    },
    "spiral-arm-count": {
        "answers": ["1", "2", "3", "4", "more-than-4", "cant-tell"],
        "asked_after": _SPIRAL,
    },
    "merging": {
        "answers": ["none", "minor-disturbance", "major-disturbance", "merger"],
        "asked_after": _SMOOTH_OR_FEATURED,
    },
}

# What the first two campaigns asked otherwise; the other questions are the same.
_GZ_DECALS_DR12 = _GZ_DECALS | {
    "bar": {"answers": ["yes", "no"], "asked_after": _FACE_ON},
    "bulge-size": {
        "answers": ["dominant", "obvious", "none"],
        "asked_after": _FACE_ON,
    },
    "how-rounded": {
        "answers": ["completely", "in-between", "cigar-shaped"],
        "asked_after": _SMOOTH,
    },
    "spiral-arm-count": {
        "answers": ["1", "2", "3", "4", "more-than-4"],
        "asked_after": _SPIRAL,
    },
    "merging": {
        "answers": ["neither", "tidal-debris", "both", "merger"],
        "asked_after": _SMOOTH_OR_FEATURED,
    },
}

_GZ2: Tree = {
    "smooth-or-featured": {
        "answers": ["smooth", "featured-or-disk", "artifact"],
        "asked_after": _ALWAYS,
    },
    "disk-edge-on": {"answers": ["yes", "no"], "asked_after": _FEATURED},
    "has-spiral-arms": {"answers": ["yes", "no"], "asked_after": _FACE_ON},
    "bar": {"answers": ["yes", "no"], "asked_after": _FACE_ON},
    "bulge-size": {
        "answers": ["dominant", "obvious", "just-noticeable", "no"],
        "asked_after": _FACE_ON,
    },
    "something-odd": {
        "answers": ["yes", "no"],
        "asked_after": _SMOOTH_OR_FEATURED,
    },
    "how-rounded": {
        "answers": ["round", "in-between", "cigar"],
        "asked_after": _SMOOTH,
    },
    "bulge-shape": {
        "answers": ["round", "boxy", "no-bulge"],
        "asked_after": _EDGE_ON,
    },
    "spiral-winding": {
        "answers": ["tight", "medium", "loose"],
        "asked_after": _SPIRAL,
    },
    "spiral-arm-count": {
        "answers": ["1", "2", "3", "4", "more-than-4", "cant-tell"],
        "asked_after": _SPIRAL,
    },
}

TREES: dict[str, Tree] = {
    "gz_decals": _GZ_DECALS,
    "gz_decals_dr12": _GZ_DECALS_DR12,
    "gz2": _GZ2,
}


def check_entry(entry: object, *, where: str) -> None:
    """Refuse what is no question of a tree; the ValueError starts with `where`."""
    if not isinstance(entry, dict) or "answers" not in entry:
        raise ValueError(f"{where}: expected a key, answers")
    unknown = set(entry) - {"answers", "asked_after"}
    if unknown:
        raise ValueError(
            f"{where}: unknown key {sorted(unknown)[0]!r}, expected answers and "
            "asked_after"
        )
    answers = entry["answers"]
    texts = isinstance(answers, list) and all(isinstance(a, str) for a in answers)
    if not texts or len(answers) < 2:
        raise ValueError(
            f"{where}: expected a list of at least 2 answers, found {answers!r}"
        )
    if len(set(answers)) < len(answers):
        raise ValueError(f"{where}: an answer repeats in {answers!r}")
    if not isinstance(entry.get("asked_after", []), list):
        raise ValueError(f"{where}: expected asked_after to be a list of label columns")
