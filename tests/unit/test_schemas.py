"""Decision trees: order, probabilities down the tree, files, and what is refused."""

import numpy as np
import pytest

from zoobot.schemas import Schema, get_schema

TREE = {
    "a": {"answers": ["x", "y", "z"]},
    "b": {"answers": ["yes", "no"], "asked_after": ["a_x"]},
    "c": {"answers": ["yes", "no"], "asked_after": ["a_y", "b_no"]},
}
SCHEMA = Schema(TREE, name="small")


def test_columns_and_indices():
    """Label columns are question_answer; answers of a question are neighbours."""
    assert SCHEMA.label_cols == ["a_x", "a_y", "a_z", "b_yes", "b_no", "c_yes", "c_no"]
    assert SCHEMA.question_index_groups == [(0, 2), (3, 4), (5, 6)]
    assert [a.index for a in SCHEMA.answers] == list(range(7))
    values = np.arange(7)
    assert [list(values[q.columns]) for q in SCHEMA.questions] == [
        [0, 1, 2],
        [3, 4],
        [5, 6],
    ]


def test_proportion_asked_by_hand():
    """0.5 say x, of whom 0.4 say no to b: c is asked of 0.3 + 0.5 x 0.4 = 0.5."""
    fractions = np.array([0.5, 0.3, 0.2, 0.6, 0.4, 0.1, 0.9])
    # Sums and products of a few numbers below 1.
    np.testing.assert_allclose(
        SCHEMA.proportion_asked(fractions), [1, 0.5, 0.5], rtol=0, atol=1e-15
    )
    np.testing.assert_allclose(
        SCHEMA.joint_p(fractions),
        [0.5, 0.3, 0.2, 0.3, 0.2, 0.05, 0.45],
        rtol=0,
        atol=1e-15,
    )


def test_proportion_asked_against_simulated_volunteers():
    """What a crowd that goes down the real tree is asked, within its noise."""
    schema = get_schema("gz_decals")
    rng = np.random.default_rng(0)
    fractions = np.concatenate(
        [rng.dirichlet(np.ones(len(q.answers))) for q in schema.questions]
    )
    n_volunteers = 200_000
    gave = {}
    for question in schema.questions:
        asked = np.ones(n_volunteers, dtype=bool)
        if question.asked_after:
            asked = np.any([gave[a.label_col] for a in question.asked_after], axis=0)
        choice = rng.choice(
            len(question.answers), n_volunteers, p=fractions[question.columns]
        )
        for i, answer in enumerate(question.answers):
            gave[answer.label_col] = asked & (choice == i)
    found = [np.mean(gave[column]) for column in schema.label_cols]
    # Five standard deviations of a share of 200,000: at most 5 x 0.5 / 447.
    np.testing.assert_allclose(schema.joint_p(fractions), found, rtol=0, atol=0.0056)


def test_leading_axes_are_kept():
    """Galaxies and passes in front of the answers do not matter."""
    fractions = np.random.default_rng(0).random((4, 5, 7)).astype(np.float32)
    asked = SCHEMA.proportion_asked(fractions)
    assert asked.shape == (4, 5, 3)
    assert asked.dtype == np.float32
    np.testing.assert_array_equal(asked[2, 3], SCHEMA.proportion_asked(fractions[2, 3]))


def test_most_likely_path_by_hand():
    """Questions after answers that are not on the path are left out."""
    fractions = [
        [0.5, 0.3, 0.2, 0.6, 0.4, 0.1, 0.9],  # x, then yes: c is not asked
        [0.5, 0.3, 0.2, 0.4, 0.6, 0.9, 0.1],  # x, no, so that c is asked
        [0.2, 0.5, 0.3, 0.1, 0.9, 0.2, 0.8],  # y leads to c, and past b
        [0.2, 0.3, 0.5, 0.1, 0.9, 0.2, 0.8],  # z leads nowhere
        [0.4, 0.4, 0.2, 0.5, 0.5, 0.5, 0.5],  # the first of equals
    ]
    chosen = SCHEMA.most_likely_path(np.array(fractions))
    assert chosen.dtype == bool
    assert SCHEMA.path_texts(chosen) == [
        "a_x > b_yes",
        "a_x > b_no > c_yes",
        "a_y > c_no",
        "a_z",
        "a_x > b_yes",
    ]
    alone = SCHEMA.most_likely_path(np.array(fractions[1]))
    np.testing.assert_array_equal(alone, chosen[1])


@pytest.mark.parametrize("name", ["gz_decals", "gz_decals_dr12", "gz2"])
def test_most_likely_path_is_a_volunteer_of_the_majority(name):
    """A second way: walk each real tree question by question, as a person would."""
    schema = get_schema(name)
    fractions = np.random.default_rng(1).random((200, len(schema.label_cols)))
    chosen = schema.most_likely_path(fractions.reshape(2, 100, -1)).reshape(200, -1)
    texts = schema.path_texts(chosen)
    for row, text in zip(fractions, texts, strict=True):
        given = []
        for question in schema.questions:
            after = [answer.label_col for answer in question.asked_after]
            if not after or set(after) & set(given):
                best = max(question.answers, key=lambda a, row=row: row[a.index])
                given.append(best.label_col)
        assert text == " > ".join(given)


def test_a_path_without_fractions_is_refused():
    """NaN would lead, silently."""
    with pytest.raises(ValueError, match="vote_fractions: found NaN"):
        SCHEMA.most_likely_path(np.full(7, np.nan))


def test_paths_of_no_galaxy():
    """An empty table has no paths."""
    chosen = SCHEMA.most_likely_path(np.ones((0, 7)))
    assert SCHEMA.path_texts(chosen) == []


def test_wrong_last_axis_is_refused():
    """An array of another tree is named with its shape."""
    with pytest.raises(ValueError, match=r"small has 7 answers; found .* \(2, 8\)"):
        SCHEMA.joint_p(np.ones((2, 8)))
    with pytest.raises(ValueError, match=r"small has 7 answers; found .* \(2, 8\)"):
        SCHEMA.path_texts(np.ones((2, 8), dtype=bool))


def test_json_round_trip():
    """What is stored with models and predictions gives the same tree back."""
    for schema in (SCHEMA, get_schema("gz2")):
        again = Schema.from_json(schema.to_json())
        assert again == schema
        assert hash(again) == hash(schema)
        assert again.questions == schema.questions
    assert get_schema("gz2") != SCHEMA


def test_own_tree_from_yaml(tmp_path):
    """Words that YAML takes for booleans and numbers are read as text."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "questions:\n"
        "  bar: {answers: [yes, no]}\n"
        "  arms: {answers: [1, 2, 3.0], asked_after: [bar_yes]}\n"
    )
    schema = get_schema(path)
    assert schema.name == "mine"
    assert schema.label_cols == ["bar_yes", "bar_no", "arms_1", "arms_2", "arms_3.0"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"tree.yaml: expected .* found no such file"),
        ("questions: [a, b", r"tree.yaml: expected YAML"),
        ("- a", r"tree.yaml: expected one key, questions"),
        ("questions: {}\nmore: 1", r"tree.yaml: expected one key, questions"),
        ("questions: [a, b]", r"tree.yaml: expected questions to map"),
    ],
)
def test_bad_file_is_named(tmp_path, content, message):
    """Every error of a file names it."""
    path = tmp_path / "tree.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=message):
        get_schema(path)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({}, "at least one question"),
        ({"a": {}}, "question a: expected a key, answers"),
        ({"a": ["x", "y"]}, "question a: expected a key, answers"),
        ({"a": {"answers": ["x", "y"], "after": []}}, "unknown key 'after'"),
        ({"a": {"answers": ["x"]}}, "at least 2 answers, found"),
        ({"a": {"answers": "xy"}}, "at least 2 answers, found 'xy'"),
        ({"a": {"answers": [["x"], "y"]}}, "list of at least 2 answers"),
        ({"a": {"answers": ["x", "x"]}}, "an answer repeats"),
        (
            {"a": {"answers": ["x", "y"], "asked_after": "b"}},
            "asked_after to be a list",
        ),
        (
            {"a": {"answers": ["x", "y"], "asked_after": ["a_x"]}},
            "asked_after names 'a_x', which is no answer of an earlier question",
        ),
        (
            {"a": {"answers": ["b_c", "d"]}, "a_b": {"answers": ["c", "d"]}},
            "label column 'a_b_c' repeats",
        ),
    ],
)
def test_bad_tree_is_refused(tree, message):
    """Each mistake in a tree is named with its question."""
    with pytest.raises(ValueError, match=f"schema mine.*{message}"):
        Schema(tree, name="mine")


def test_unknown_name_is_refused():
    """The error lists the trees that there are."""
    with pytest.raises(ValueError, match=r"found 'gz9', expected one of gz_decals, "):
        get_schema("gz9")
