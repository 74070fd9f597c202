"""Released tables of Galaxy Zoo, and tables of the same columns written here."""

import csv
import itertools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.catalogs import draw_images, prepare, write_csv
from tests.released_tables import (
    ANSWERS,
    columns_of,
    image_names,
    label_cols,
    vote_column,
    write_table,
)
from tests.workflow.workflow import ROOT
from zoobot.data_utils.fractions_as_votes import votes_of_fractions
from zoobot.data_utils.presets import get_preset
from zoobot.schemas import get_schema
from zoobot.settings.catalog import PRESET_SCHEMAS

DATA = Path(ROOT, os.environ.get("ZOOBOT_REAL_DATA", ""), "gz_decals_sample").resolve()
RELEASED = {
    "gz_decals": "gz_decals_volunteers_5.csv",
    "gz_decals_dr12": "gz_decals_volunteers_1_and_2.csv",
    "gz2": "gz2_format_sample/gz2_hart16.csv",
    "gz_challenge": "gz2_format_sample/training_solutions_rev1.csv",
}
HOW = {  # where the sample's images are
    "gz_decals": {
        "file_loc_folder": "images",
        "columns": {"file_loc": "iauname"},
        "file_loc_suffix": ".png",
    },
    "gz_decals_dr12": {"file_loc_folder": "images"},
    "gz2": {"file_loc_table": "gz2_format_sample/gz2_filename_mapping.csv"},
    "gz_challenge": {},
}
needs_data = pytest.mark.skipif(
    not (DATA / RELEASED["gz2"]).is_file(),
    reason=f"ZOOBOT_REAL_DATA names no folder with {DATA.name}",
)


@pytest.mark.parametrize("preset", RELEASED)
def test_tables_of_the_same_columns(tmp_path, preset):
    """Ids, images and votes of each galaxy are found under their released names."""
    table = write_table(tmp_path, preset)
    names = list(table.index)
    images = image_names(preset, names)
    for image in images:
        draw_images((tmp_path / "images" / image).parent, [Path(image).name])
    result = prepare(
        tmp_path,
        labelled=["table.csv"],
        schema=PRESET_SCHEMAS[preset],
        preset=preset,
        file_loc_folder="images",
        file_loc_table="map.csv" if preset == "gz2" else "",
        volunteers=1000,
    )
    assert list(result.labelled["id_str"]) == names
    found = [
        Path(path).relative_to(tmp_path / "images")
        for path in result.labelled["file_loc"]
    ]
    assert list(map(str, found)) == images
    for label in label_cols(preset):
        expected = table[vote_column(preset, label)].to_list()
        if preset != "gz_challenge":
            assert list(result.labelled[label]) == expected
    if preset == "gz_challenge":
        check_shares(result.labelled, table, volunteers=1000)


def check_shares(votes, table, *, volunteers):
    """As many votes as volunteers were asked, in the shares that the table has."""
    schema = get_schema("gz2")
    for question in schema.questions:
        counts = votes[[a.label_col for a in question.answers]].to_numpy()
        columns = [vote_column("gz_challenge", a.label_col) for a in question.answers]
        shares = table[columns].to_numpy(dtype=float)
        asked = np.full(len(votes), volunteers)
        if question.asked_after:
            asked = votes[[a.label_col for a in question.asked_after]].sum(axis=1)
        sums = shares.sum(axis=1)
        np.testing.assert_array_equal(counts.sum(axis=1), np.where(sums > 0, asked, 0))
        # Each is the exact number, rounded down or up.
        exact = shares / np.where(sums > 0, sums, 1)[:, None] * np.array(asked)[:, None]
        assert np.abs(counts - exact).max() < 1


def test_votes_that_are_not_all_of_a_question(tmp_path, caplog):
    """Answers that are not in the table had some: the question counts as not asked."""
    table = write_table(tmp_path, "gz_decals_dr12")
    draw_images(tmp_path, image_names("gz_decals_dr12", table.index))
    rows = pd.read_csv(tmp_path / "table.csv", dtype=str)
    n = int(rows.loc[1, "bar_total-votes"])
    rows.loc[1, "bar_total-votes"] = str(n + 1)
    rows.loc[2, "bar_total-votes"] = "all"
    rows.to_csv(tmp_path / "table.csv", index=False)
    schema = "gz_decals_dr12"
    result = prepare(tmp_path, labelled=["table.csv"], schema=schema, preset=schema)
    found = result.labelled.set_index("id_str")
    first, second, third = table.index
    expected = table.loc[[first, second], label_cols(schema)].astype(int)
    expected.loc[second, ["bar_yes", "bar_no"]] = 0
    np.testing.assert_array_equal(found[label_cols(schema)], expected)
    assert "bar: left out the votes on 1 galaxies" in caplog.text
    assert result.reason(third).startswith("bar_total-votes: found 'all', expected a")


@pytest.mark.parametrize("preset", RELEASED)
@pytest.mark.parametrize("other", RELEASED)
def test_a_preset_and_the_wrong_table(tmp_path, preset, other):
    """The error names the table, the preset, its columns, and the one that fits."""
    if preset == other:
        return
    write_table(tmp_path, other)
    (tmp_path / "map.csv").write_text("objid,asset_id\n")
    with pytest.raises(ValueError, match=r"table\.csv: columns missing: ") as error:
        prepare(
            tmp_path,
            labelled=["table.csv"],
            schema=PRESET_SCHEMAS[preset],
            preset=preset,
            file_loc_table="map.csv" if preset == "gz2" else "",
        )
    message = str(error.value)
    assert (
        f"preset is {preset}, for the columns of {get_preset(preset).table}" in message
    )
    assert f"these are those of preset {other}" in message
    missing = set(get_preset(preset).columns.values()) | set(label_cols(preset))
    assert any(column in message.partition("; found")[0] for column in missing)


def test_a_preset_and_any_table(tmp_path):
    """Of a table that no preset fits, and one that is no csv with commas."""
    table = write_csv(tmp_path / "t.csv", [["a", "b"]], columns=["id_str", "file_loc"])
    kwargs = {"labelled": ["t.csv"], "schema": "gz_decals", "preset": "gz_decals"}
    with pytest.raises(ValueError, match="these are those of preset none"):
        prepare(tmp_path, **kwargs)
    for preset in ("gz2", "gz_challenge"):
        ours = ["id_str", "file_loc", *label_cols(preset)]
        write_csv(table, [], columns=ours)
        (tmp_path / "map.csv").write_text("objid,asset_id\n")
        names = "map.csv" if preset == "gz2" else ""
        how = {"schema": "gz2", "preset": preset, "file_loc_table": names}
        votes = vote_column(preset, label_cols(preset)[0])
        with pytest.raises(ValueError, match=rf"columns missing: {votes}") as error:
            prepare(tmp_path, labelled=["t.csv"], **how)
        assert "these are those of preset none" in str(error.value)
    table.write_text(";".join(columns_of("gz_decals")))
    with pytest.raises(ValueError, match="columns separated by semicolons"):
        prepare(tmp_path, **kwargs)


def test_presets_and_the_wrong_decision_tree(tmp_path):
    """Counts of other answers would be another survey's."""
    write_table(tmp_path, "gz_challenge")
    with pytest.raises(ValueError, match="gz_challenge, whose tables have the answers"):
        prepare(tmp_path, labelled=["table.csv"], preset="gz_challenge")


def test_a_preset_and_a_table_of_your_own(tmp_path):
    """Unlabelled tables beside it may have our names, and keep their paths."""
    draw_images(tmp_path, ["a.png"])
    table = write_table(tmp_path, "gz_decals_dr12")
    write_csv(tmp_path / "u.csv", [["a", "a.png"]], columns=["id_str", "file_loc"])
    names = [f"{name}.png" for name in table.index]
    draw_images(tmp_path, names)
    schema = PRESET_SCHEMAS["gz_decals_dr12"]
    result = prepare(
        tmp_path,
        labelled=["table.csv"],
        unlabelled=["u.csv"],
        schema=schema,
        preset="gz_decals_dr12",
    )
    assert list(result.unlabelled["file_loc"]) == [str(tmp_path / "a.png")]
    assert len(result.labelled) == 3


def test_names_of_images_that_are_missing_or_several(tmp_path):
    """Galaxies of Galaxy Zoo 2 whose image is not known are rejected, with why."""
    table = write_table(tmp_path, "gz2")
    first, second, third = table.index
    rows = [[first, "original", "5"], [first, "extra", "6"], [second, "original", ""]]
    columns = ["objid", "sample", "asset_id"]
    write_csv(tmp_path / "map.csv", rows, columns=columns)
    how = {"schema": "gz2", "preset": "gz2", "file_loc_table": "map.csv"}
    with pytest.raises(ValueError, match="all 3 rows rejected"):
        prepare(tmp_path, labelled=["table.csv"], **how)
    listed = pd.read_csv(tmp_path / "out/rejected_by_failed_run.csv", dtype=str)
    reasons = listed.set_index("id_str")["reason"]
    path = tmp_path / "map.csv"
    assert reasons[first] == f"file_loc: several values in {path}, expected one"
    assert reasons[second] == f"file_loc: no value in {path}, expected a name"
    assert reasons[third] == f"file_loc: id is not in {path}, expected it there"
    write_csv(tmp_path / "map.csv", rows, columns=["objid", "sample", "asset"])
    with pytest.raises(ValueError, match=r"map\.csv: columns missing: asset_id"):
        prepare(tmp_path, labelled=["table.csv"], **how)


def test_shares_of_the_challenge_that_are_none(tmp_path):
    """A galaxy with a share above 1 is rejected by its class."""
    table = write_table(tmp_path, "gz_challenge")
    text = (tmp_path / "table.csv").read_text()
    share = str(table["Class1.2"].iloc[0])
    (tmp_path / "table.csv").write_text(text.replace(share, "1.5", 1))
    draw_images(tmp_path, image_names("gz_challenge", table.index))
    result = prepare(
        tmp_path, labelled=["table.csv"], schema="gz2", preset="gz_challenge"
    )
    expected = "Class1.2: found '1.5', expected a number from 0 to 1"
    assert result.reason(table.index[0]) == expected
    assert len(result.labelled) == 2


def test_votes_are_nearest_to_the_shares():
    """No other way to hand out the votes is nearer: all ways are tried."""
    rng = np.random.default_rng(6)
    schema = get_schema("gz2")
    answers = schema.questions[0].answers
    for volunteers in range(1, 9):
        fractions = np.zeros((20, len(schema.label_cols)))
        fractions[:, : len(answers)] = rng.dirichlet(np.ones(len(answers)), 20)
        votes = votes_of_fractions(fractions, schema=schema, volunteers=volunteers)
        ways = [
            way
            for way in itertools.product(range(volunteers + 1), repeat=len(answers))
            if sum(way) == volunteers
        ]
        exact = fractions[:, None, : len(answers)] * volunteers
        errors = ((np.array(ways) - exact) ** 2).sum(axis=2)
        found = ((votes[:, : len(answers)] - exact[:, 0]) ** 2).sum(axis=1)
        np.testing.assert_allclose(found, errors.min(axis=1), rtol=0, atol=1e-12)


def test_whole_votes_come_back():
    """Shares of real votes give the same votes, whatever floats made of them."""
    rng = np.random.default_rng(7)
    schema = get_schema("gz2")
    votes = np.zeros((500, len(schema.label_cols)), dtype=int)
    for question in schema.questions:
        asked = np.full(len(votes), 40)
        if question.asked_after:
            asked = votes[:, [a.index for a in question.asked_after]].sum(axis=1)
        n = len(question.answers)
        votes[:, question.columns] = rng.multinomial(asked, rng.dirichlet(np.ones(n)))
    of_all = votes / 40  # as in the challenge
    found = votes_of_fractions(of_all, schema=schema, volunteers=40)
    np.testing.assert_array_equal(found, votes)


def prepared_sample(tmp_path, preset):
    """A released table through prepare_catalog, with its images."""
    how = {
        key: str(DATA / value)
        if key in ("file_loc_folder", "file_loc_table")
        else value
        for key, value in HOW[preset].items()
    }
    table = pd.read_csv(
        DATA / RELEASED[preset], dtype={"dr7objid": str, "GalaxyID": str}
    )
    result = prepare(
        tmp_path,
        labelled=[str(DATA / RELEASED[preset])],
        schema=PRESET_SCHEMAS[preset],
        preset=preset,
        rejected_share_max=0.0,
        **how,
    )
    return table.set_index(table[get_preset(preset).columns["id_str"]]), result


@needs_data
@pytest.mark.parametrize("preset", ["gz_decals", "gz_decals_dr12", "gz2"])
def test_released_counts(tmp_path, preset):
    """Released fractions are our votes over those of all answers; trees add up."""
    table, result = prepared_sample(tmp_path, preset)
    votes = result.labelled.set_index("id_str")
    assert list(votes.index) == list(table.index)
    assert len(result.rejected) == len(result.unlabelled) == 0
    for question in get_schema(PRESET_SCHEMAS[preset]).questions:
        columns = [answer.label_col for answer in question.answers]
        totals = votes[columns].sum(axis=1)
        if preset != "gz2":
            # Early galaxies of campaign 5 were asked about mergers in other words.
            published = table[f"{question.text}_total-votes"]
            is_whole = table[columns].sum(axis=1) == published
            assert is_whole.all() or question.text == "merging"
            np.testing.assert_array_equal(totals, published.where(is_whole, 0))
        for label in columns:
            name = ANSWERS[label][0] if preset == "gz2" else label
            published = table[f"{name}_fraction"].where(totals > 0, 0).fillna(0)
            ours = (votes[label] / totals.where(totals > 0, 1)).to_numpy()
            # They give three digits in Galaxy Zoo 2.
            atol = 6e-4 if preset == "gz2" else 1e-9
            np.testing.assert_allclose(ours, published, rtol=0, atol=atol)
        if preset == "gz2" and question.text == "smooth-or-featured":
            assert (totals <= table["total_classifications"]).all()
        if question.asked_after:
            parents = votes[[a.label_col for a in question.asked_after]].sum(axis=1)
            # Volunteers may stop on the way; here that is at most a vote or two.
            is_left_out = (totals == 0) & (parents > 0)
            assert is_left_out.sum() <= 2
            assert (parents - totals)[~is_left_out].between(-2, 2).all()


@needs_data
def test_released_fractions_of_the_challenge(tmp_path):
    """As of 40 volunteers; trees add up."""
    table, result = prepared_sample(tmp_path, "gz_challenge")
    assert list(result.labelled["id_str"]) == list(table.index)
    assert (result.labelled[label_cols("gz_challenge")[:3]].sum(axis=1) == 40).all()
    check_shares(result.labelled, table.reset_index(drop=True), volunteers=40)


@needs_data
def test_every_column_that_tables_here_have_is_a_released_one():
    """The tables written above are like those that users will bring."""
    for preset, name in RELEASED.items():
        with (DATA / name).open() as file:
            header = next(csv.reader(file))
        assert set(columns_of(preset)) <= set(header), preset
