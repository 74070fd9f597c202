"""Decision trees: questions, their answers, and which answers lead to which question.

A label column is question + ``_`` + answer, as in ``smooth-or-featured_smooth``. Arrays
over answers have their last axis in the order of `Schema.label_cols`, in which the
answers of one question are neighbours.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import yaml

from zoobot import label_metadata

__all__ = ["Answer", "Question", "Schema", "get_schema"]


@dataclasses.dataclass(frozen=True)
class Answer:
    """One answer of one question."""

    text: str
    label_col: str
    index: int
    """Position in `Schema.label_cols`."""


@dataclasses.dataclass(frozen=True)
class Question:
    """One question, its answers, and the label columns it is asked after."""

    text: str
    answers: tuple[Answer, ...]
    asked_after: tuple[Answer, ...]

    @property
    def start(self) -> int:
        """Index of the first answer."""
        return self.answers[0].index

    @property
    def end(self) -> int:
        """Index of the last answer, inclusive."""
        return self.answers[-1].index

    @property
    def columns(self) -> slice:
        """Slice of this question's answers in an array over all answers."""
        return slice(self.start, self.end + 1)


class Schema:
    """A decision tree.

    Parameters
    ----------
    tree : dict
        ``{question: {"answers": [...], "asked_after": [label_col, ...]}}``. A question
        must come after the questions that lead to it; ``asked_after`` may be left out.
    name : str
        Said in errors and stored with models and predictions.

    Raises
    ------
    ValueError
        If a question has fewer than two answers, a label column repeats, or
        ``asked_after`` names something that is no answer of an earlier question.
    """

    def __init__(self, tree: dict, *, name: str):
        self.name = name
        self.questions: tuple[Question, ...] = _build_questions(tree, name)

    @property
    def answers(self) -> tuple[Answer, ...]:
        """All answers, in the order of `label_cols`."""
        return tuple(a for q in self.questions for a in q.answers)

    @property
    def label_cols(self) -> list[str]:
        """Label columns, (n_answers,), the order of every array over answers."""
        return [a.label_col for a in self.answers]

    @property
    def question_index_groups(self) -> list[tuple[int, int]]:
        """First and last answer index of each question, inclusive, (n_questions,)."""
        return [(q.start, q.end) for q in self.questions]

    def proportion_asked(self, vote_fractions: np.ndarray) -> np.ndarray:
        """Expected fraction of volunteers who are asked each question.

        Parameters
        ----------
        vote_fractions : (..., n_answers) float
            p(answer | asked); each question's fractions sum to 1.

        Returns
        -------
        (..., n_questions) float
            ``p(asked) = sum over the leading answers of p(answer | asked) p(asked)``,
            1 for a question asked after nothing (Walmsley et al. 2022, section 5).
        """
        vote_fractions = np.asarray(vote_fractions)
        self._check_last_axis(vote_fractions)
        question_of = {
            a.index: i for i, q in enumerate(self.questions) for a in q.answers
        }
        asked = np.ones(
            (*vote_fractions.shape[:-1], len(self.questions)), vote_fractions.dtype
        )
        for i, question in enumerate(self.questions):
            if question.asked_after:
                asked[..., i] = sum(
                    vote_fractions[..., a.index] * asked[..., question_of[a.index]]
                    for a in question.asked_after
                )
        return asked

    def joint_p(self, vote_fractions: np.ndarray) -> np.ndarray:
        """Expected fraction of volunteers who reach and give each answer.

        Parameters
        ----------
        vote_fractions : (..., n_answers) float
            p(answer | asked).

        Returns
        -------
        (..., n_answers) float
            ``p(answer | asked) p(asked)``.
        """
        vote_fractions = np.asarray(vote_fractions)
        answers_per_question = [len(q.answers) for q in self.questions]
        asked = np.repeat(
            self.proportion_asked(vote_fractions), answers_per_question, axis=-1
        )
        return vote_fractions * asked

    def most_likely_path(self, vote_fractions: np.ndarray) -> np.ndarray:
        """The leading answer of each question that the leading answers lead to.

        Parameters
        ----------
        vote_fractions : (..., n_answers) float
            p(answer | asked).

        Returns
        -------
        (..., n_answers) bool
            The highest fraction, the first of equals, of each question that is asked
            after nothing or after an answer on the path: the majority's way. The most
            probable combination would prefer answers after which little is asked.
        """
        vote_fractions = np.asarray(vote_fractions)
        self._check_last_axis(vote_fractions)
        if np.isnan(vote_fractions).any():
            raise ValueError("vote_fractions: found NaN, expected a fraction of each")
        chosen = np.zeros(vote_fractions.shape, dtype=bool)
        for question in self.questions:
            leading = vote_fractions[..., question.columns].argmax(axis=-1)
            before = [answer.index for answer in question.asked_after]
            on_path = chosen[..., before].any(axis=-1, keepdims=True) | (not before)
            is_leading = np.arange(len(question.answers)) == leading[..., None]
            chosen[..., question.columns] = is_leading & on_path
        return chosen

    def path_texts(self, chosen: np.ndarray) -> list[str]:
        """Label columns of each path in the tree's order, joined by ">".

        Parameters
        ----------
        chosen : (n_galaxies, n_answers) bool
            From `most_likely_path`.
        """
        self._check_last_axis(chosen)
        paths, path_of = np.unique(chosen, axis=0, return_inverse=True)
        columns = np.array(self.label_cols, dtype=object)
        texts = [" > ".join(columns[path]) for path in paths]
        return [texts[i] for i in path_of.ravel()]

    def _check_last_axis(self, values: np.ndarray) -> None:
        if values.shape[-1] != len(self.answers):
            raise ValueError(
                f"schema {self.name} has {len(self.answers)} answers; found an array "
                f"of shape {values.shape}, whose last axis should be that long"
            )

    def to_json(self) -> str:
        """One line of JSON that `from_json` turns back into this schema."""
        tree = {
            q.text: {
                "answers": [a.text for a in q.answers],
                "asked_after": [a.label_col for a in q.asked_after],
            }
            for q in self.questions
        }
        return json.dumps({"name": self.name, "questions": tree})

    @classmethod
    def from_json(cls, text: str) -> Schema:
        """The schema that `to_json` wrote."""
        content = json.loads(text)
        return cls(content["questions"], name=content["name"])

    @classmethod
    def from_yaml(cls, path: str | Path) -> Schema:
        """Read a tree of your own.

        The file maps ``questions`` to a tree as `Schema` takes it. Every word in it is
        read as text, so answers may be called ``yes``, ``no`` or ``1`` without quotes.

        Raises
        ------
        ValueError
            If the file is missing or holds something else; the message names it.
        """
        path = Path(path)
        if not path.is_file():
            raise ValueError(f"{path}: expected a decision tree, found no such file")
        try:
            content = yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: expected YAML in UTF-8; {error}") from error
        if not isinstance(content, dict) or set(content) != {"questions"}:
            raise ValueError(f"{path}: expected one key, questions, at the top")
        if not isinstance(content["questions"], dict):
            raise ValueError(f"{path}: expected questions to map to their answers")
        return cls(content["questions"], name=path.stem)

    def __eq__(self, other: object) -> bool:
        """Same name, questions, answers and order."""
        return isinstance(other, Schema) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        """Of the name, questions, answers and order."""
        return hash(self.to_json())

    def __repr__(self) -> str:
        """Name and sizes."""
        sizes = f"{len(self.questions)} questions, {len(self.answers)} answers"
        return f"Schema({self.name}: {sizes})"


def get_schema(name_or_path: str | Path) -> Schema:
    """A shipped decision tree by its name, or your own from a YAML file.

    Parameters
    ----------
    name_or_path : str or Path
        ``gz_decals``, ``gz_decals_dr12``, ``gz2``, or a path ending in .yaml or .yml.

    Raises
    ------
    ValueError
        If it is neither.
    """
    text = str(name_or_path)
    if text in label_metadata.TREES:
        return Schema(label_metadata.TREES[text], name=text)
    if Path(text).suffix in {".yaml", ".yml"}:
        return Schema.from_yaml(text)
    raise ValueError(
        f"schema: found {text!r}, expected one of {', '.join(label_metadata.TREES)} "
        "or a path to a YAML file"
    )


def _build_questions(tree: dict, name: str) -> tuple[Question, ...]:
    questions: list[Question] = []
    known: dict[str, Answer] = {}
    for text, entry in tree.items():
        label_metadata.check_entry(entry, where=f"schema {name}, question {text}")
        asked_after = entry.get("asked_after", [])
        unknown = [col for col in asked_after if col not in known]
        if unknown:
            raise ValueError(
                f"schema {name}, question {text}: asked_after names {unknown[0]!r}, "
                "which is no answer of an earlier question (write question_answer)"
            )
        answers = tuple(
            Answer(text=answer, label_col=f"{text}_{answer}", index=len(known) + i)
            for i, answer in enumerate(entry["answers"])
        )
        for answer in answers:
            if answer.label_col in known:
                raise ValueError(
                    f"schema {name}: label column {answer.label_col!r} repeats"
                )
            known[answer.label_col] = answer
        questions.append(
            Question(text, answers, tuple(known[col] for col in asked_after))
        )
    if not questions:
        raise ValueError(f"schema {name}: expected at least one question, found none")
    return tuple(questions)
