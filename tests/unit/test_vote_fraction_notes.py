"""What the columns of the tables of vote fractions are said to hold."""

from __future__ import annotations

import numpy as np
import pytest

from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.label_metadata import TREES
from zoobot.predictions import vote_fraction_notes, vote_fraction_tables
from zoobot.schemas import Schema, get_schema
from zoobot.settings.predictions import SummarisePredictions

SETTINGS = SummarisePredictions(interval=0.8, asked_fraction_min=0.5, next_votes=2)
OWN = Schema(
    {
        "shape": {"answers": ["round", "flat", "it is 100% a star"]},
        "colour": {"answers": ["red", "blue"]},
        "odd": {
            "answers": ["yes", "no"],
            "asked_after": ["shape_round", "shape_flat", "colour_red"],
        },
    },
    name="own",
)


def notes(schema: Schema, kind: str) -> dict[str, str]:
    """Descriptions by column."""
    describe = getattr(vote_fraction_notes, f"{kind}_notes")
    columns = describe(schema, settings=SETTINGS).columns
    return {name: note.description for name, note in columns.items()}


@pytest.mark.parametrize("schema", [*map(get_schema, TREES), OWN], ids=repr)
def test_every_column_of_both_tables_is_described(schema: Schema):
    """In the order of the tables, each in other words, by its question and answer."""
    values = np.ones((2, len(schema.answers), 1))
    rows = GalaxyRows(values, ["a", "b"], schema.label_cols, {})
    rows.attributes["schema"] = schema.to_json()
    advanced = vote_fraction_tables.advanced_table(rows, settings=SETTINGS)
    friendly = vote_fraction_tables.friendly_table(
        advanced, schema=schema, settings=SETTINGS
    )
    for table, kind in ((advanced, "advanced"), (friendly, "friendly")):
        described = notes(schema, kind)
        assert list(described) == list(table)
        assert len(set(described.values())) == len(described)
        for question in schema.questions:
            columns = [c for c in described if c.startswith(f"{question.text}_")]
            assert all(f"'{question.text}'" in described[c] for c in columns)
            for answer in question.answers:
                text = described[f"{answer.label_col}_fraction"]
                assert f"'{answer.text}'" in text


def test_in_words():
    """Who is asked, in a tree with several answers before a question; the settings."""
    advanced, friendly = notes(OWN, "advanced"), notes(OWN, "friendly")
    assert advanced["odd_proportion-asked"].endswith(
        "who are asked 'odd', that is who answer 'round' or 'flat' to 'shape' or "
        "'red' to 'colour'"
    )
    assert advanced["shape_proportion-asked"].endswith("'shape': 1, as everyone is")
    assert "80% interval" in advanced["odd_yes_80pc-lower"]
    assert advanced["odd_yes_80pc-upper"].endswith("higher with a probability of 10%")
    assert "next 2 votes on 'odd' that comes" in advanced["odd_mutual-information"]
    assert friendly["odd_no_fraction"] == (
        f"{advanced['odd_no_fraction']}. Empty where fewer than 50% of the volunteers "
        "would be asked"
    )
    assert friendly["odd_proportion-asked"] == advanced["odd_proportion-asked"]
