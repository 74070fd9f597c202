"""Decision trees of which only the shape is known, as a loss knows them."""

from __future__ import annotations

from collections.abc import Sequence

from zoobot.schemas import Schema

__all__ = ["is_unnamed", "unnamed_schema"]

_NAME = "unnamed"


def unnamed_schema(question_index_groups: Sequence[tuple[int, int]]) -> Schema:
    """A tree with so many questions and answers, but without their words.

    Parameters
    ----------
    question_index_groups : sequence of (int, int)
        First and last answer of each question, inclusive.

    Returns
    -------
    Schema
        Its questions are called question-0 and so on, and are asked always.

    Raises
    ------
    ValueError
        If a question has fewer than two answers.
    """
    tree = {
        f"question-{number}": {
            "answers": [str(answer) for answer in range(last - first + 1)]
        }
        for number, (first, last) in enumerate(question_index_groups)
    }
    return Schema(tree, name=_NAME)


def is_unnamed(schema: Schema) -> bool:
    """Whether a schema is one that `unnamed_schema` made."""
    return schema == unnamed_schema(schema.question_index_groups)
