"""Released tables of Galaxy Zoo: what they call their columns, votes and images.

References
----------
gz_decals, gz_decals_dr12: Walmsley et al. 2022, MNRAS 509, 3966, tables of volunteers'
answers. gz2: Hart et al. 2016, MNRAS 461, 3663, after Willett et al. 2013, MNRAS 435,
2835, table 2 (tasks and answers), with the released list of the images' names.
gz_challenge: training_solutions_rev1.csv of the Galaxy Zoo Challenge (Kaggle, 2013),
whose classes are the tasks of Galaxy Zoo 2.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from zoobot.schemas import Schema, get_schema
from zoobot.settings.catalog import PRESET_SCHEMAS

__all__ = ["Preset", "fitting_presets", "get_preset"]


@dataclasses.dataclass(frozen=True)
class Preset:
    """How a released table says what a catalogue says."""

    name: str
    table: str
    """What the table is called where it is released."""
    schema: Schema
    columns: dict[str, str]
    """Names here, and those in the table."""
    suffix: str = ""
    """What ``file_loc`` lacks at its end."""
    file_table: dict[str, str] = dataclasses.field(default_factory=dict)
    """Columns of the table that says what images are called."""
    has_fractions: bool = False
    """Whether it has, instead of votes, the shares of all volunteers."""
    totals: dict[str, str] = dataclasses.field(default_factory=dict)
    """By question the column of all its votes, also of answers that are not there."""


# In the order of the decision tree's answers.
_GZ2 = {
    "t01_smooth_or_features": [
        "a01_smooth",
        "a02_features_or_disk",
        "a03_star_or_artifact",
    ],
    "t02_edgeon": ["a04_yes", "a05_no"],
    "t04_spiral": ["a08_spiral", "a09_no_spiral"],
    "t03_bar": ["a06_bar", "a07_no_bar"],
    "t05_bulge_prominence": [
        "a13_dominant",
        "a12_obvious",
        "a11_just_noticeable",
        "a10_no_bulge",
    ],
    "t06_odd": ["a14_yes", "a15_no"],
    "t07_rounded": ["a16_completely_round", "a17_in_between", "a18_cigar_shaped"],
    "t09_bulge_shape": ["a25_rounded", "a26_boxy", "a27_no_bulge"],
    "t10_arms_winding": ["a28_tight", "a29_medium", "a30_loose"],
    "t11_arms_number": [
        *("a31_1", "a32_2", "a33_3", "a34_4"),
        *("a36_more_than_4", "a37_cant_tell"),
    ],
}
# Of each class of the challenge its answers, in the same order.
_CHALLENGE = {
    1: (1, 2, 3),
    2: (1, 2),
    4: (1, 2),
    3: (1, 2),
    5: (4, 3, 2, 1),
    6: (1, 2),
    7: (1, 2, 3),
    9: (1, 2, 3),
    10: (1, 2, 3),
    11: (1, 2, 3, 4, 5, 6),
}


def get_preset(name: str) -> Preset:
    """Give a preset by its name.

    Parameters
    ----------
    name : str
        One of `zoobot.settings.catalog.PRESET_SCHEMAS`.
    """
    schema = get_schema(PRESET_SCHEMAS[name])
    totals = {one.text: f"{one.text}_total-votes" for one in schema.questions}
    if name == "gz_decals":
        columns = {"id_str": "iauname", "file_loc": "png_loc"}
        return Preset(name, "gz_decals_volunteers_5", schema, columns, totals=totals)
    if name == "gz_decals_dr12":
        columns = {"id_str": "iauname", "file_loc": "iauname"}
        table = "gz_decals_volunteers_1_and_2"
        return Preset(name, table, schema, columns, ".png", totals=totals)
    if name == "gz2":
        counts = [f"{t}_{a}_count" for t, answers in _GZ2.items() for a in answers]
        columns = {"id_str": "dr7objid"} | _in_order(schema, counts)
        names = {"id_str": "objid", "file_loc": "asset_id"}
        return Preset(name, "gz2_hart16", schema, columns, ".jpg", file_table=names)
    classes = [f"Class{t}.{a}" for t, answers in _CHALLENGE.items() for a in answers]
    columns = {"id_str": "GalaxyID", "file_loc": "GalaxyID"} | _in_order(
        schema, classes
    )
    table = "training_solutions_rev1"
    return Preset(name, table, schema, columns, ".jpg", has_fractions=True)


def fitting_presets(names: Collection[str]) -> list[str]:
    """Find the presets whose columns a table has all of.

    Parameters
    ----------
    names : collection of str
        The table's columns.
    """
    presets = map(get_preset, PRESET_SCHEMAS)
    return [one.name for one in presets if set(_all_columns(one)) <= set(names)]


def _all_columns(preset: Preset) -> list[str]:
    votes = [preset.columns.get(one, one) for one in preset.schema.label_cols]
    return [*preset.columns.values(), *votes]


def _in_order(schema: Schema, columns: list[str]) -> dict[str, str]:
    return dict(zip(schema.label_cols, columns, strict=True))
