"""What each column of the tables of vote fractions holds, from the decision tree."""

from __future__ import annotations

from collections.abc import Iterable

from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.predictions.stored_predictions import schema_of
from zoobot.schemas import Answer, Question, Schema
from zoobot.settings.predictions import SummarisePredictions
from zoobot.tables.table_notes import ID_NOTE, ColumnNote, TableNotes

__all__ = ["about_predictions", "advanced_notes", "friendly_notes"]


def about_predictions(rows: GalaxyRows) -> dict[str, str]:
    """Say what made some predictions: decision tree, model, passes, seed."""
    return {
        "schema": schema_of(rows).name,
        "model": str(rows.attributes["model_digest"]),
        "passes": str(rows.values.shape[2]),
        "seed": str(rows.attributes["seed"]),
    }


def advanced_notes(schema: Schema, *, settings: SummarisePredictions) -> TableNotes:
    """Describe the advanced table.

    Parameters
    ----------
    schema : Schema
        Questions and answers, and what is asked after what.
    settings : SummarisePredictions
        The intervals' probability, and how many votes the entropies are of.
    """
    columns = _galaxy()
    for question in schema.questions:
        columns |= _asked(question, schema)
        columns |= _entropies(question, settings)
        for answer in question.answers:
            columns |= _fractions(question, answer, settings)
            columns |= _spread(question, answer)
    return TableNotes("Vote fractions (advanced)", _described(columns))


def friendly_notes(schema: Schema, *, settings: SummarisePredictions) -> TableNotes:
    """Describe the friendly table.

    Parameters
    ----------
    schema : Schema
        Questions and answers, and what is asked after what.
    settings : SummarisePredictions
        The intervals' probability, and what is left out.
    """
    columns = _galaxy()
    for question in schema.questions:
        columns |= _asked(question, schema)
        share = f"{100 * settings.asked_fraction_min:g}%"
        empty = f". Empty where fewer than {share} of the volunteers would be asked"
        for answer in question.answers:
            fractions = _fractions(question, answer, settings)
            columns |= {name: text + empty for name, text in fractions.items()}
    return TableNotes("Vote fractions (friendly)", _described(columns))


def _galaxy() -> dict[str, str]:
    return {
        "id_str": ID_NOTE.description,
        "most-likely-path": "The leading answer to each question, down the decision "
        "tree from the first question on",
    }


def _asked(question: Question, schema: Schema) -> dict[str, str]:
    name = f"{question.text}_proportion-asked"
    who = f"Expected fraction of all volunteers who are asked '{question.text}'"
    if not question.asked_after:
        return {name: f"{who}: 1, as everyone is"}
    return {name: f"{who}, that is who answer {_answers(question, schema)}"}


def _answers(question: Question, schema: Schema) -> str:
    """The answers that lead to a question: 'smooth' or 'disk' to 'shape'."""
    texts = []
    for earlier in schema.questions:
        leading = set(question.asked_after) & set(earlier.answers)
        if leading:
            texts.append(f"{_either(leading)} to '{earlier.text}'")
    return " or ".join(texts)


def _either(answers: Iterable[Answer]) -> str:
    ordered = sorted(answers, key=lambda answer: answer.index)
    return " or ".join(f"'{answer.text}'" for answer in ordered)


def _entropies(question: Question, settings: SummarisePredictions) -> dict[str, str]:
    n_votes = settings.next_votes
    votes = "next vote" if n_votes == 1 else f"next {n_votes} votes"
    votes = f"the {votes} on '{question.text}'"
    return {
        f"{question.text}_entropy": f"Entropy of {votes}, in nats: how uncertain "
        "their outcome is in all",
        f"{question.text}_expected-entropy": f"Part of the entropy of {votes} that is "
        "left when the model is certain, in nats: volunteers disagree (aleatoric)",
        f"{question.text}_mutual-information": f"Part of the entropy of {votes} that "
        "comes from the model, in nats: its dropout passes disagree (epistemic)",
    }


def _fractions(
    question: Question, answer: Answer, settings: SummarisePredictions
) -> dict[str, str]:
    percent = f"{100 * settings.interval:g}"
    tail = f"{50 * (1 - settings.interval):.6g}%"
    which = _which(question, answer)
    bound = f"of the {percent}% interval of the {which}; the fraction is"
    return {
        f"{answer.label_col}_fraction": f"Predicted {which}: posterior mean",
        f"{answer.label_col}_{percent}pc-lower": f"Lower bound {bound} lower with a "
        f"probability of {tail}",
        f"{answer.label_col}_{percent}pc-upper": f"Upper bound {bound} higher with a "
        f"probability of {tail}",
    }


def _spread(question: Question, answer: Answer) -> dict[str, str]:
    return {
        f"{answer.label_col}_std": "Posterior standard deviation of the "
        + _which(question, answer),
        f"{answer.label_col}_joint-fraction": "Predicted fraction of all volunteers "
        f"who are asked '{question.text}' and answer '{answer.text}'",
    }


def _which(question: Question, answer: Answer) -> str:
    return (
        f"fraction of the volunteers asked '{question.text}' who answer '{answer.text}'"
    )


def _described(texts: dict[str, str]) -> dict[str, ColumnNote]:
    return {name: ColumnNote(text) for name, text in texts.items()}
