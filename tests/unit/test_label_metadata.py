"""The shipped trees against the tables of the papers, typed here a second time."""

import pytest

from zoobot.schemas import get_schema

ALWAYS: set[str] = set()
SMOOTH = {"smooth-or-featured_smooth"}
FEATURED = {"smooth-or-featured_featured-or-disk"}
FACE_ON, EDGE_ON = {"disk-edge-on_no"}, {"disk-edge-on_yes"}
SPIRAL = {"has-spiral-arms_yes"}

# first answer, last answer, question, answers, asked after
GZ_DECALS = [
    (0, 2, "smooth-or-featured", "smooth featured-or-disk artifact", ALWAYS),
    (3, 4, "disk-edge-on", "yes no", FEATURED),
    (5, 6, "has-spiral-arms", "yes no", FACE_ON),
    (7, 9, "bar", "strong weak no", FACE_ON),
    (10, 14, "bulge-size", "dominant large moderate small none", FACE_ON),
    (15, 17, "how-rounded", "round in-between cigar-shaped", SMOOTH),
    (18, 20, "edge-on-bulge", "boxy none rounded", EDGE_ON),
    (21, 23, "spiral-winding", "tight medium loose", SPIRAL),
    (24, 29, "spiral-arm-count", "1 2 3 4 more-than-4 cant-tell", SPIRAL),
    (
        *(30, 33, "merging"),
        "none minor-disturbance major-disturbance merger",
        SMOOTH | FEATURED,
    ),
]
GZ_DECALS_DR12 = [
    (0, 2, "smooth-or-featured", "smooth featured-or-disk artifact", ALWAYS),
    (3, 4, "disk-edge-on", "yes no", FEATURED),
    (5, 6, "has-spiral-arms", "yes no", FACE_ON),
    (7, 8, "bar", "yes no", FACE_ON),
    (9, 11, "bulge-size", "dominant obvious none", FACE_ON),
    (12, 14, "how-rounded", "completely in-between cigar-shaped", SMOOTH),
    (15, 17, "edge-on-bulge", "boxy none rounded", EDGE_ON),
    (18, 20, "spiral-winding", "tight medium loose", SPIRAL),
    (21, 25, "spiral-arm-count", "1 2 3 4 more-than-4", SPIRAL),
    (26, 29, "merging", "neither tidal-debris both merger", SMOOTH | FEATURED),
]
GZ2 = [
    (0, 2, "smooth-or-featured", "smooth featured-or-disk artifact", ALWAYS),
    (3, 4, "disk-edge-on", "yes no", FEATURED),
    (5, 6, "has-spiral-arms", "yes no", FACE_ON),
    (7, 8, "bar", "yes no", FACE_ON),
    (9, 12, "bulge-size", "dominant obvious just-noticeable no", FACE_ON),
    (13, 14, "something-odd", "yes no", SMOOTH | FEATURED),
    (15, 17, "how-rounded", "round in-between cigar", SMOOTH),
    (18, 20, "bulge-shape", "round boxy no-bulge", EDGE_ON),
    (21, 23, "spiral-winding", "tight medium loose", SPIRAL),
    (24, 29, "spiral-arm-count", "1 2 3 4 more-than-4 cant-tell", SPIRAL),
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("gz_decals", GZ_DECALS), ("gz_decals_dr12", GZ_DECALS_DR12), ("gz2", GZ2)],
)
def test_tree_is_that_of_the_paper(name, expected):
    """Questions, answers, their indices and what they are asked after."""
    found = [
        (
            *(question.start, question.end, question.text),
            " ".join(answer.text for answer in question.answers),
            {answer.label_col for answer in question.asked_after},
        )
        for question in get_schema(name).questions
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("name", "n_answers"), [("gz_decals", 34), ("gz_decals_dr12", 30), ("gz2", 30)]
)
def test_number_of_answers(name, n_answers):
    """As many answers as published, each with a column of its own."""
    columns = get_schema(name).label_cols
    assert len(columns) == len(set(columns)) == n_answers
