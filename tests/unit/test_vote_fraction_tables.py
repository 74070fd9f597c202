"""The tables of vote fractions: names, numbers by hand, what is left out, formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from workflow_scripts import summarise_predictions
from zoobot.data_utils import hdf5
from zoobot.predictions import uncertainty, vote_fraction_tables, vote_fractions
from zoobot.predictions.vote_fraction_tables import TableFiles
from zoobot.schemas import Schema
from zoobot.settings.predictions import SummarisePredictions

TREE = Schema(
    {
        "shape": {"answers": ["smooth", "disk", "star"]},
        "edge": {"answers": ["yes", "no"], "asked_after": ["shape_disk"]},
        "bar": {"answers": ["yes", "no"], "asked_after": ["edge_no"]},
        "odd": {
            "answers": ["yes", "no"],
            "asked_after": ["shape_smooth", "shape_disk"],
        },
    },
    name="tree",
)
SETTINGS = SummarisePredictions(interval=0.9, asked_fraction_min=0.5, next_votes=1)
FORMATS = ("parquet", "csv", "fits")


def write_predictions(
    path: Path, *, ids: list[str], values: np.ndarray, **other
) -> Path:
    """Write a file of concentrations under TREE, unless told otherwise."""
    attributes = {
        "schema": TREE.to_json(),
        "n_samples": values.shape[2],
        "seed": 1,
        "model_digest": "abc",
    }
    with hdf5.create(
        path,
        dataset="predictions",
        id_str=ids,
        label_cols=TREE.label_cols,
        n_passes=values.shape[2],
        attributes=attributes | other,
    ) as dataset:
        dataset[...] = values
    return path


def table_files(folder: Path, name: str) -> TableFiles:
    """Names of one table's files."""
    return TableFiles(*(folder / f"{name}.{suffix}" for suffix in FORMATS))


def two_galaxies(folder: Path) -> hdf5.GalaxyRows:
    """One pass each, with fractions that are easy to multiply."""
    values = np.ones((2, 9, 1))
    values[0, :, 0] = [2, 6, 2, 1, 3, 1, 1, 5, 5]  # shape .2 .6 .2, edge .25 .75
    values[1, :, 0] = [1, 1, 8, 4, 1, 2, 8, 1, 1]  # shape .1 .1 .8, edge .8 .2
    path = write_predictions(folder / "a.hdf5", ids=["g0", "g1"], values=values)
    return hdf5.read(path, dataset="predictions")


def test_advanced_table_of_a_tree_by_hand(tmp_path: Path) -> None:
    """Names, order, and what two galaxies give on paper."""
    table = vote_fraction_tables.advanced_table(
        two_galaxies(tmp_path), settings=SETTINGS
    ).set_index("id_str")
    assert list(table)[:10] == [
        "most-likely-path",
        "shape_proportion-asked",
        "shape_entropy",
        "shape_expected-entropy",
        "shape_mutual-information",
        "shape_smooth_fraction",
        "shape_smooth_90pc-lower",
        "shape_smooth_90pc-upper",
        "shape_smooth_std",
        "shape_smooth_joint-fraction",
    ]
    assert table.shape == (2, 1 + 4 * 4 + 9 * 5)
    assert not table.isna().any(axis=None)
    asked = table[[f"{q.text}_proportion-asked" for q in TREE.questions]]
    expected = [[1, 0.6, 0.6 * 0.75, 0.2 + 0.6], [1, 0.1, 0.1 * 0.2, 0.1 + 0.1]]
    float32 = {"rtol": 0, "atol": 1e-7}
    np.testing.assert_allclose(asked, expected, **float32)
    assert table.loc["g1", "bar_yes_fraction"] == pytest.approx(0.2, abs=1e-7)
    assert table.loc["g0", "bar_yes_joint-fraction"] == pytest.approx(0.225, abs=1e-7)
    coin = np.log(2)
    assert table.loc["g0", "odd_entropy"] == pytest.approx(coin, abs=1e-7)
    assert (table["bar_mutual-information"] == 0).all()
    # Of Beta(5, 5): 5 x 5 / (10^2 x 11).
    assert table.loc["g0", "odd_yes_std"] == pytest.approx((1 / 44) ** 0.5, abs=1e-7)
    assert table["most-likely-path"].tolist() == [
        "shape_disk > edge_no > bar_yes > odd_yes",
        "shape_star",
    ]


def test_friendly_table_leaves_out_what_few_are_asked(tmp_path: Path) -> None:
    """Below half of the volunteers: no fraction and no interval, but who is asked."""
    advanced = vote_fraction_tables.advanced_table(
        two_galaxies(tmp_path), settings=SETTINGS
    )
    friendly = vote_fraction_tables.friendly_table(
        advanced, schema=TREE, settings=SETTINGS
    )
    expected = ["id_str", "most-likely-path"]
    for question in TREE.questions:
        expected.append(f"{question.text}_proportion-asked")
        for answer in question.answers:
            expected += [
                f"{answer.label_col}_{name}"
                for name in ("fraction", "90pc-lower", "90pc-upper")
            ]
    assert list(friendly) == expected
    # Asked: 1, .6, .45, .8 of the first galaxy, 1, .1, .02, .2 of the second.
    kept = {"shape": [1, 1], "edge": [1, 0], "bar": [0, 0], "odd": [1, 0]}
    for column in expected[2:]:
        is_kept = np.array(kept[column.partition("_")[0]], dtype=bool)
        if column.endswith("asked"):
            is_kept[:] = True
        np.testing.assert_array_equal(friendly[column].notna(), is_kept, column)
        np.testing.assert_array_equal(
            friendly[column][is_kept], advanced[column][is_kept]
        )


def test_entropies_are_of_the_votes_in_the_settings(tmp_path: Path) -> None:
    """Three votes, and an interval of 80%, where the settings say so."""
    rows = two_galaxies(tmp_path)
    settings = SETTINGS.model_copy(update={"next_votes": 3, "interval": 0.8})
    table = vote_fraction_tables.advanced_table(rows, settings=settings)
    expected = uncertainty.vote_entropies(rows.values, schema=TREE, n_votes=3)
    np.testing.assert_allclose(
        table["bar_entropy"], expected.predictive[:, 2], rtol=1e-6
    )
    lower, _ = vote_fractions.intervals(rows.values, schema=TREE, interval=0.8)
    np.testing.assert_allclose(
        table["bar_no_80pc-lower"], lower[:, 6], rtol=0, atol=1e-7
    )


def test_summarise_writes_both_tables_three_times(tmp_path: Path) -> None:
    """All formats hold every galaxy of every file, ids as text, equal numbers."""
    rng = np.random.default_rng(7)
    paths = []
    for name, ids in (("a", ["007", "8"]), ("b", ["0010"]), ("c", ['x,"y"'])):
        values = rng.uniform(0.02, 10, size=(len(ids), 9, 2))
        paths.append(
            write_predictions(tmp_path / f"{name}.hdf5", ids=ids, values=values)
        )
    options = [
        f"--{kind}{suffix}={tmp_path}/{kind}t.{suffix}"
        for kind in ("", "friendly-")
        for suffix in FORMATS
    ]
    summarise_predictions.main(
        [
            *("--predictions", *map(str, paths), *options),
            *("--interval", "0.8", "--asked-fraction-min", "0.5"),
            *("--next-votes", "1", "--threads", "2"),
        ]
    )
    for kind in ("", "friendly-"):
        exact = pd.read_parquet(tmp_path / f"{kind}t.parquet")
        assert exact["id_str"].tolist() == ["007", "8", "0010", 'x,"y"']
        assert "edge_no_80pc-lower" in exact
        assert exact.isna().any(axis=None) == bool(kind)
        rounded = pd.read_csv(tmp_path / f"{kind}t.csv", dtype={"id_str": "str"})
        # The csv file has five decimals.
        pd.testing.assert_frame_equal(
            exact, rounded, check_dtype=False, rtol=0, atol=0.51e-5
        )
        fits = Table.read(tmp_path / f"{kind}t.fits")
        assert fits.colnames == list(exact)
        assert list(fits["most-likely-path"]) == exact["most-likely-path"].tolist()
        numbers = list(exact)[2:]
        assert (exact[numbers].dtypes == np.float32).all()
        for column in numbers:
            in_fits = np.ma.filled(fits[column], np.nan)
            np.testing.assert_array_equal(in_fits, exact[column], strict=False)
    text = Path(tmp_path, "friendly-t.csv").read_text()
    assert "nan" not in text
    assert ",," in text


@pytest.mark.parametrize(
    "other", [{"model_digest": "xyz"}, {"seed": 2}, {"n_samples": 3}]
)
def test_files_of_different_runs_are_refused(tmp_path: Path, other: dict) -> None:
    """A file left over from another model or seed never enters a table."""
    values = np.ones((1, 9, 1))
    first = write_predictions(tmp_path / "a.hdf5", ids=["a"], values=values)
    second = write_predictions(tmp_path / "b.hdf5", ids=["b"], values=values, **other)
    outputs = {
        "advanced": table_files(tmp_path, "t"),
        "friendly": table_files(tmp_path, "f"),
    }
    with pytest.raises(ValueError, match=rf"b\.hdf5: found {next(iter(other))}"):
        vote_fraction_tables.summarise([first, second], **outputs, settings=SETTINGS)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.hdf5", "b.hdf5"]


def test_a_missing_prediction_is_named(tmp_path: Path) -> None:
    """A NaN is reported with its galaxy, answer and pass."""
    values = np.ones((2, 9, 2))
    values[1, 4, 0] = np.nan
    path = write_predictions(tmp_path / "a.hdf5", ids=["g0", "g1"], values=values)
    outputs = {
        "advanced": table_files(tmp_path, "t"),
        "friendly": table_files(tmp_path, "f"),
    }
    with pytest.raises(ValueError, match="galaxy g1, edge_no, pass 0: found nan"):
        vote_fraction_tables.summarise([path], **outputs, settings=SETTINGS)
