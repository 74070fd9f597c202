"""What a model is finetuned to tell: labels of galaxies, and predictions of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zoobot.dirichlet_multinomial import fit_constant_concentrations, sum_by_question
from zoobot.schemas import Schema, get_schema
from zoobot.settings.rings import TaskKind
from zoobot.tables.columns import as_flags, as_fractions, as_votes, is_text, plain

__all__ = ["Task", "label_columns", "parse_labels", "targets_of", "task_of"]


@dataclasses.dataclass(frozen=True)
class Task:
    """A kind of labels, and what the numbers of a prediction stand for."""

    kind: TaskKind
    label: str
    """Column of the labels; of votes, the name of the decision tree."""
    classes: tuple[str, ...] = ()
    """Of classes: their names, in the order of the outputs."""
    schema: Schema | None = None
    """Of votes: the decision tree."""

    @property
    def label_cols(self) -> list[str]:
        """Columns of the labels."""
        return self.schema.label_cols if self.schema else [self.label]

    @property
    def n_outputs(self) -> int:
        """Numbers that are predicted for a galaxy."""
        return len(self.classes) or len(self.label_cols)

    @property
    def n_classes(self) -> int:
        """Classes that can be made to count the same; 0 if labels are no classes."""
        return 2 if self.kind == "binary" else len(self.classes)

    def classes_of(self, targets: np.ndarray) -> np.ndarray | None:
        """Number of each galaxy's class, (n_galaxies,) int; None if it has none.

        Parameters
        ----------
        targets : (n_galaxies,) or (n_galaxies, n_outputs) float32
            From `targets_of`.
        """
        if self.kind == "binary":
            return targets.astype(int)
        return targets.argmax(axis=1) if self.kind == "classes" else None

    def constant_prediction(self, targets: np.ndarray) -> np.ndarray:
        """The best prediction that is the same for every galaxy, (n_outputs,) float64.

        Parameters
        ----------
        targets : (n_galaxies,) or (n_galaxies, n_outputs) float32
            From `targets_of`.
        """
        if self.schema:
            return fit_constant_concentrations(targets, schema=self.schema)
        return np.atleast_1d(targets.mean(axis=0, dtype=np.float64))

    def predictions(self, id_str: Sequence[str], outputs: np.ndarray) -> pd.DataFrame:
        """Predictions as a table.

        Parameters
        ----------
        id_str : (n_galaxies,) sequence of str
        outputs : (n_galaxies, n_outputs) float32
            Of the network.

        Returns
        -------
        DataFrame
            id_str, and ``{label}_probability`` (binary),
            ``{label}_{class}_probability`` (classes), ``{label}_predicted`` (fraction),
            or ``{answer}_fraction``, the mean, and ``{answer}_concentration`` (votes);
            all float32.
        """
        columns: dict[str, Sequence[str] | np.ndarray] = {
            "id_str": pd.Series(list(id_str), dtype="str")
        }
        if self.schema:
            fractions = _mean_fractions(outputs, self.schema)
            columns |= _named(fractions, [f"{c}_fraction" for c in self.label_cols])
        columns |= _named(outputs, self.output_names)
        return pd.DataFrame(columns)

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, (n_outputs,)."""
        if self.kind == "classes":
            return [f"{self.label}_{name}_probability" for name in self.classes]
        ending = {"binary": "probability", "fraction": "predicted"}
        return [
            f"{c}_{ending.get(self.kind, 'concentration')}" for c in self.label_cols
        ]

    def to_dict(self) -> dict:
        """Plain values, for JSON; `from_dict` makes the task of them."""
        schema = json.loads(self.schema.to_json()) if self.schema else None
        return dataclasses.asdict(self) | {"schema": schema}

    @classmethod
    def from_dict(cls, content: Mapping) -> Task:
        """The task of which `to_dict` gave these values."""
        schema = content["schema"] and Schema.from_json(json.dumps(content["schema"]))
        return cls(
            kind=content["kind"],
            label=content["label"],
            classes=tuple(content["classes"]),
            schema=schema,
        )


def label_columns(kind: TaskKind, *, label: str) -> list[str]:
    """Columns that hold the labels: one, or those of a decision tree for votes."""
    return get_schema(label).label_cols if kind == "votes" else [label]


def parse_labels(
    columns: Mapping[str, pa.ChunkedArray], *, kind: TaskKind
) -> tuple[pd.DataFrame, np.ndarray]:
    """Labels as what they stand for; a value that is none is reported.

    Parameters
    ----------
    columns : mapping of str to ChunkedArray
        The columns of the labels, by name.
    kind : {"binary", "classes", "fraction", "votes"}

    Returns
    -------
    labels : DataFrame
        The same columns: int64 of 0 and 1, text, float64, or int64.
    reasons : (n_galaxies,) object
        What is wrong with a galaxy's labels, naming column and value, or an empty text.
    """
    readers = {
        "binary": as_flags,
        "classes": _as_names,
        "fraction": as_fractions,
        "votes": as_votes,
    }
    labels = {}
    reasons = np.full(len(next(iter(columns.values()))), "", dtype=object)
    for name, values in columns.items():
        labels[name], problems = readers[kind](values, name)
        reasons = np.where(reasons == "", problems, reasons)
    table = pd.DataFrame(labels)
    if kind == "votes":
        unseen = (table.sum(axis=1).to_numpy() == 0) & (reasons == "")
        reasons[unseen] = "votes: found none at all, expected one or more"
    return table, reasons


def task_of(labels: pd.DataFrame, *, kind: TaskKind, label: str | Schema) -> Task:
    """The task that labels are of.

    Parameters
    ----------
    labels : DataFrame
        From `parse_labels`.
    kind : {"binary", "classes", "fraction", "votes"}
    label : str or Schema
        Column of the labels; of votes, the decision tree or its name.

    Raises
    ------
    ValueError
        If all labels are the same, so that there is nothing to learn.
    """
    if kind == "votes":
        schema = label if isinstance(label, Schema) else get_schema(label)
        return Task("votes", label=schema.name, schema=schema)
    name = str(label)
    found = labels[name].unique()
    if len(found) < 2:
        expected = "0 and 1 both" if kind == "binary" else "two different ones or more"
        only = f"only {found[0]!s}" if len(found) else "none"
        raise ValueError(f"labels, column {name}: found {only}, expected {expected}")
    classes = tuple(sorted(found, key=_natural)) if kind == "classes" else ()
    return Task(kind, label=name, classes=classes)


def targets_of(labels: pd.DataFrame, *, task: Task) -> np.ndarray:
    """Labels as the numbers that a network learns.

    Parameters
    ----------
    labels : DataFrame
        From `parse_labels`.
    task : Task

    Returns
    -------
    (n_galaxies,) or (n_galaxies, n_outputs) float32
        0 or 1 (binary), 1 for the class and 0 for others (classes), fractions, or
        counts of votes.

    Raises
    ------
    ValueError
        If a class is not one of the task's.
    """
    if task.kind == "votes":
        return labels[task.label_cols].to_numpy(np.float32)
    values = labels[task.label].to_numpy()
    if task.kind != "classes":
        return values.astype(np.float32)
    unknown = sorted(set(values) - set(task.classes))
    if unknown:
        raise ValueError(
            f"labels, column {task.label}: found class {unknown[0]!r}, expected one of "
            f"{', '.join(task.classes)}"
        )
    return (values[:, None] == np.array(task.classes, dtype=object)).astype(np.float32)


def _as_names(values: pa.ChunkedArray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A column as names of classes: text, or whole numbers as their digits."""
    values = plain(values)
    kind = values.type
    is_name = is_text(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    reasons = np.full(len(values), "", dtype=object)
    if not (is_name or pa.types.is_null(kind)):
        expected = f"{name}: found type {kind}, expected text or whole numbers"
        return reasons, np.full(len(values), expected, dtype=object)
    texts = pc.fill_null(pc.utf8_trim_whitespace(pc.cast(values, pa.string())), "")
    names = texts.to_numpy(zero_copy_only=False).astype(object)
    reasons[names == ""] = f"{name}: found no value, expected the name of a class"
    return names, reasons


def _natural(name: str) -> tuple[bool, int, str]:
    """Sort 2 before 10, and numbers before words."""
    is_number = name.isdecimal()
    return not is_number, int(name) if is_number else 0, name


def _mean_fractions(concentrations: np.ndarray, schema: Schema) -> np.ndarray:
    lengths = [len(question.answers) for question in schema.questions]
    totals = sum_by_question(concentrations, schema=schema)
    return concentrations / np.repeat(totals, lengths, axis=-1)


def _named(values: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    return dict(zip(names, values.astype(np.float32).T, strict=True))
