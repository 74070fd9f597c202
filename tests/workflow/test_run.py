"""One real run of the whole workflow, and what its results hold."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import Table

from tests.workflow.workflow import ROOT, snakemake
from zoobot import evaluation
from zoobot.data_utils import hdf5
from zoobot.schemas import get_schema

pytestmark = pytest.mark.slow

SCHEMA = get_schema("gz_decals")


@pytest.fixture(scope="module")
def results(finished_project: Path) -> Path:
    return finished_project / "results"


def test_every_galaxy_is_in_every_table_once(results: Path):
    survey = pd.concat(
        pd.read_csv(results / f"survey/{name}.csv", dtype={"id_str": str})["id_str"]
        for name in ("labelled", "unlabelled")
    )
    assert len(survey) == 180
    for table in (
        "predictions/tiny_vote_fractions.parquet",
        "representations/tiny_pca5.parquet",
        "representations/tiny_cnn_features.parquet",
        "rings/tiny_rings.parquet",
    ):
        assert sorted(pd.read_parquet(results / table)["id_str"]) == sorted(survey), (
            table
        )


def test_splits_share_no_galaxy_and_hold_all(results: Path):
    parts = [
        set(pd.read_parquet(results / f"catalog/{split}.parquet")["id_str"])
        for split in ("train", "val", "test")
    ]
    labelled = set(pd.read_parquet(results / "catalog/labelled.parquet")["id_str"])
    assert set.union(*parts) == labelled
    assert sum(map(len, parts)) == len(labelled)


def test_tables_agree_with_the_stored_passes(results: Path):
    """A second way of computing the mean vote fractions, from the HDF5 files."""
    table = pd.read_parquet(results / "predictions/tiny_vote_fractions.parquet")
    table = table.set_index("id_str")
    for path in sorted((results / "predictions/tiny").glob("*.hdf5")):
        rows = hdf5.read(path, dataset="predictions")
        for question in SCHEMA.questions:
            alpha = rows.values[:, question.columns]
            expected = (alpha / alpha.sum(1, keepdims=True)).mean(-1)
            columns = [f"{answer.label_col}_fraction" for answer in question.answers]
            np.testing.assert_allclose(
                table.loc[rows.id_str, columns], expected, rtol=0, atol=1e-5
            )


@pytest.mark.parametrize("kind", ["", "_friendly"])
def test_csv_fits_and_parquet_agree(results: Path, kind: str):
    stem = f"predictions/tiny_vote_fractions{kind}"
    parquet = pd.read_parquet(results / f"{stem}.parquet")
    csv = pd.read_csv(results / f"{stem}.csv", dtype={"id_str": str})
    in_fits = Table.read(results / f"{stem}.fits").to_pandas()
    texts = ["id_str", "most-likely-path"]
    numbers = parquet.columns.drop(texts)
    for other in (csv, in_fits):
        assert list(other.columns) == list(parquet.columns)
        assert (other[texts].astype(str) == parquet[texts].astype(str)).all(axis=None)
        # The csv is rounded to 5 decimals.
        np.testing.assert_allclose(other[numbers], parquet[numbers], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "stem",
    [
        "predictions/tiny_vote_fractions",
        "predictions/tiny_vote_fractions_friendly",
        "representations/tiny_pca5",
        "rings/tiny_rings",
    ],
)
def test_every_column_is_described_wherever_it_is_read(results: Path, stem: str):
    """The same words in every format; FITS tables are to the standard."""
    parquet, in_fits = results / f"{stem}.parquet", results / f"{stem}.fits"
    frame = pd.read_parquet(parquet)
    descriptions = frame.attrs["descriptions"]
    assert list(descriptions) == list(frame)
    assert all(descriptions.values())
    for table in (
        Table.read(parquet),
        Table.read(parquet, format="parquet.votable"),
        Table.read(in_fits),
    ):
        assert {name: table[name].description for name in frame} == descriptions
    with fits.open(in_fits, checksum=True) as file:
        file.verify("exception")
        assert file[1].header["TCOMM1"] == descriptions["id_str"]
        assert len(file[1].data) == len(frame)


def test_features_are_the_representations_of_member_0(results: Path):
    path = results / "representations/tiny_cnn_features.parquet"
    table = pd.read_parquet(path).set_index("id_str")
    assert list(table) == [f"feat_{i}" for i in range(1280)]
    assert (table.dtypes == np.float32).all()
    card = json.loads((results / "models/tiny/0/card.json").read_text())
    assert table.attrs["model"] == card["weights_digest"]
    for one in (results / "representations/tiny/0").glob("*.hdf5"):
        rows = hdf5.read(one, dataset="representations")
        np.testing.assert_array_equal(table.loc[rows.id_str], rows.values)


def test_friendly_table_leaves_out_what_few_would_be_asked(results: Path):
    stem = results / "predictions/tiny_vote_fractions"
    everything = pd.read_parquet(f"{stem}.parquet")
    friendly = pd.read_parquet(f"{stem}_friendly.parquet")
    assert not everything.isna().any(axis=None)
    for question in SCHEMA.questions:
        asked = everything[f"{question.text}_proportion-asked"] >= 0.5
        for answer in question.answers:
            column = f"{answer.label_col}_fraction"
            expected = everything[column].where(asked)
            pd.testing.assert_series_equal(friendly[column], expected)


def test_evaluation_has_every_question_and_predictor(results: Path):
    metrics = pd.read_csv(results / "evaluation/tiny_metrics.csv")
    questions = {question.text for question in SCHEMA.questions}
    for galaxies, predictor in itertools.product(
        ("all", "confident"), ("model", "linear", "constant")
    ):
        rows = metrics[metrics["galaxies"] == galaxies]
        rows = rows[rows["predictor"] == predictor]
        assert set(rows["question"]) >= questions
    overall = metrics[metrics["question"] == "all"].set_index("predictor")
    n_test = len(pd.read_parquet(results / "catalog/test.parquet"))
    assert (overall["n"] == n_test).all()
    for name in ("coverage", "pit", "reliability", "calibration_error", "volunteers"):
        table = pd.read_csv(results / f"evaluation/tiny_{name}.csv")
        assert set(table["question"]) == questions
    confusion = pd.read_csv(results / "evaluation/tiny_confusion.csv")
    keys = ["question", "galaxies", "predictor"]
    counted = confusion.groupby(keys)["n"].sum()
    expected = metrics[metrics["question"] != "all"].set_index(keys)["n"]
    assert (counted == expected.reindex(counted.index)).all()


def test_truth_as_if_predicted_is_calibrated(results: Path):
    """Of the few galaxies of this survey, through its own files.

    Pooled over the answers and levels the deviation of coverage has a standard error
    of about 0.5 / sqrt(160): four of them are 0.16.
    """
    truth = pd.read_parquet(results / "survey/truth.parquet")
    alpha = truth[[f"{name}_concentration" for name in SCHEMA.label_cols]].to_numpy()
    rows = hdf5.GalaxyRows(
        alpha[:, :, None], list(truth["id_str"]), SCHEMA.label_cols, {}
    )
    catalog = pd.read_parquet(results / "catalog/labelled.parquet")
    found = evaluation.calibrate(rows, catalog, SCHEMA)
    first = found.coverage[found.coverage["question"] == SCHEMA.questions[0].text]
    assert (first["coverage"] - first["level"]).abs().max() < 0.16


def test_the_truth_is_kept_beside_the_votes(results: Path):
    truth = pd.read_parquet(results / "survey/truth.parquet").set_index("id_str")
    votes = pd.read_csv(results / "survey/labelled.csv", dtype={"id_str": str})
    votes = votes.set_index("id_str")
    question = SCHEMA.questions[0]
    columns = [answer.label_col for answer in question.answers]
    concentration = truth.loc[votes.index, [f"{c}_concentration" for c in columns]]
    expected = concentration.to_numpy() / concentration.to_numpy().sum(axis=1)[:, None]
    fractions = (
        votes[columns].to_numpy() / votes[columns].to_numpy().sum(axis=1)[:, None]
    )
    # 160 galaxies: the mean of a fraction has a standard error below 0.03.
    np.testing.assert_allclose(fractions.mean(0), expected.mean(0), rtol=0, atol=0.1)


def test_headline_is_printed_last(finished_project: Path):
    printed = (finished_project / "printed.txt").read_text()
    headline = (finished_project / "results/headline.txt").read_text()
    assert headline.strip() in printed
    assert "constant prediction" in headline
    assert "ROC AUC" in headline
    assert str(finished_project / "results") in headline


def test_ring_metrics_are_of_galaxies_the_encoder_never_saw(results: Path):
    held_out = pd.read_csv(results / "rings/tiny/held_out.csv", dtype={"id_str": str})
    test = set(pd.read_parquet(results / "catalog/test.parquet")["id_str"])
    unlabelled = set(pd.read_parquet(results / "catalog/unlabelled.parquet")["id_str"])
    assert set(held_out["id_str"]) <= test | unlabelled
    metrics = json.loads((results / "rings/tiny/metrics.json").read_text())
    assert metrics["final"]["n"] == len(held_out)


def test_every_log_says_something(results: Path):
    logs = sorted((results / "logs").glob("*.log"))
    assert len(logs) >= 20
    assert [log.name for log in logs if not log.read_text().strip()] == []
    assert len(sorted((results / "benchmarks").glob("*.tsv"))) == len(logs)


def test_report_needs_no_other_file(results: Path):
    page = (results / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 10
    assert "http" not in page


def test_nothing_stored_is_a_pickle(results: Path):
    for path in results.glob("**/*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            assert all(arrays[name].dtype != object for name in arrays)
    assert not list(results.glob("**/*.pkl"))


def test_lint(tmp_path: Path):
    result = snakemake(ROOT, "--lint", configfiles=())
    assert result.returncode == 0, result.stdout
