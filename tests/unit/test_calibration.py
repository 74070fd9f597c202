"""Calibration: right predictions are found right, wrong ones wrong, by known truth."""

from __future__ import annotations

import hashlib
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.demo import population, volunteers
from zoobot.dirichlet_multinomial import fit_constant_concentrations
from zoobot.evaluation import calibration_figures, matching
from zoobot.evaluation.calibration import Calibration, calibrate
from zoobot.predictions.predicted_votes import log_probability
from zoobot.schemas import Schema, get_schema

REPOSITORY = Path(__file__).resolve().parents[2]
REAL_COUNTS = (
    REPOSITORY
    / os.environ.get("ZOOBOT_REAL_DATA", "")
    / "gz2_stripe82_votes/table5.csv.gz"
)
DECALS = get_schema("gz_decals")
TREE = Schema(
    {
        "shape": {"answers": ["smooth", "disk", "star"]},
        "bar": {"answers": ["yes", "no"], "asked_after": ["shape_disk"]},
    },
    name="tree",
)


@cache
def simulated() -> tuple[np.ndarray, np.ndarray]:
    """True concentrations (3000, 34, 1), and votes drawn down the tree (3000, 34)."""
    alpha, votes = [], []
    for i in range(3000):
        rng = population.stream(1, purpose="calibration", index=i)
        galaxy = population.random(rng, ring_fraction=0.25)
        true = volunteers.true_concentrations(
            galaxy, schema=DECALS, vote_concentration=20.0
        )
        alpha.append(true)
        votes.append(
            volunteers.draw_votes(true, schema=DECALS, n_volunteers=40, rng=rng)
        )
    return np.stack(alpha)[:, :, None], np.stack(votes)


def tables_of(
    alpha: np.ndarray, votes: np.ndarray, *, schema: Schema, **changes: Any
) -> Calibration:
    """Calibration with the settings of most tests; few resamples, to be quick."""
    options: dict[str, Any] = {
        "asked_fraction_min": 0.5,
        "n_bins": 10,
        "n_draws": 400,
        "interval": 0.9,
        "n_resamples": 20,
        "seed": 7,
    }
    ids = [str(i) for i in range(len(votes))]
    catalog = pd.DataFrame(votes, columns=schema.label_cols).assign(id_str=ids)
    rows = GalaxyRows(alpha, ids, schema.label_cols, {})
    return calibrate(rows, catalog, schema, **(options | changes))


def standard_errors(coverage: pd.DataFrame) -> pd.Series:
    """How many binomial standard errors each answer's coverage is off its level."""
    answers = coverage[coverage["answer"] != "all"]
    level = answers["level"]
    return (answers["coverage"] - level) / np.sqrt(level * (1 - level) / answers["n"])


def chi_square_p_values(pit: pd.DataFrame) -> np.ndarray:
    """Of each answer's histogram against the uniform one."""
    return np.array(
        [
            stats.chisquare(rows["share"] * rows["n"]).pvalue
            for _, rows in pit.groupby("answer")
        ]
    )


def error_from_noise(reliability: pd.DataFrame) -> np.ndarray:
    """Calibration errors of 20,000 surveys in which hits are as likely as predicted."""
    rows = reliability[reliability["n"] > 0]
    n = rows["n"].to_numpy()
    confidence = rows["confidence"].to_numpy()
    hits = np.random.default_rng(8).binomial(n, confidence, size=(20_000, len(n)))
    return np.abs(hits - n * confidence).sum(axis=1) / n.sum()


def at_90(coverage: pd.DataFrame) -> pd.Series:
    """Coverage of the 90% intervals by question, all answers together."""
    rows = coverage[(coverage["answer"] == "all") & (coverage["level"] == 0.9)]
    return rows.set_index("question")["coverage"]


def test_the_simulators_own_concentrations_are_calibrated() -> None:
    """Coverage is nominal for each answer and level, within its sampling error.

    Of 340 comparisons the largest is beyond 4.5 standard errors once in 400 tests.
    Histograms are flat: of 34 p-values the least is below 1e-5 once in 3000 tests.
    """
    found = tables_of(*simulated(), schema=DECALS, n_draws=200)
    assert len(found.coverage) == (34 + 10) * 10
    assert (found.coverage["n"] > 500).all()
    assert standard_errors(found.coverage).abs().max() < 4.5
    assert chi_square_p_values(found.pit).min() > 1e-5
    # 20 comparisons of a figure that noise alone exceeds once in 10,000.
    for question, rows in found.reliability.groupby("question"):
        noise = error_from_noise(rows)
        row = found.calibration_error.set_index("question").loc[question]
        assert row["n"] == rows["n"].sum()
        error = row["expected_calibration_error"]
        assert error < np.quantile(noise, 0.9999), question
        # Stated for normal scatter: bins of one galaxy do not scatter so.
        assert row["error_if_calibrated"] == pytest.approx(noise.mean(), rel=0.15)


def test_too_sure_and_not_sure_enough_are_told_apart() -> None:
    """Concentrations 5 times too large give narrow intervals, too small wide ones."""
    alpha, votes = simulated()
    sure = tables_of(5 * alpha, votes, schema=DECALS, n_draws=100)
    unsure = tables_of(alpha / 5, votes, schema=DECALS, n_draws=100)
    widely_asked = ["smooth-or-featured", "merging", "how-rounded"]
    # The standard error of a coverage of 0.9 is at most 0.3 / sqrt(2000) = 0.007 where
    # many are asked, and 0.013 for the few edge-on disks.
    for question, coverage in at_90(sure.coverage).items():
        assert coverage < (0.87 if question in widely_asked else 0.9), question
    for question, coverage in at_90(unsure.coverage).items():
        assert coverage > (0.93 if question in widely_asked else 0.9), question
    for found, is_u in ((sure, True), (unsure, False)):
        pit = found.pit[found.pit["question"].isin(widely_asked)]
        is_end = (pit["bin_lower"] < 0.05) | (pit["bin_upper"] > 0.95)
        ends = pit[is_end].groupby("answer")["share"].mean()
        middle = pit[~is_end].groupby("answer")["share"].mean()
        assert ((ends > middle) == is_u).all()
        error = found.calibration_error.set_index("question").loc["merging"]
        assert error["expected_calibration_error"] > 3 * error["error_if_calibrated"]
        assert (error["confidence"] > error["accuracy"]) == is_u


def test_a_bias_is_seen() -> None:
    """Three times too many votes expected for one answer."""
    alpha, votes = simulated()
    biased = alpha.copy()
    featured = DECALS.label_cols.index("smooth-or-featured_featured-or-disk")
    biased[:, featured] *= 3
    found = tables_of(biased, votes, schema=DECALS, n_draws=100)
    shares = found.pit.set_index("answer").loc[DECALS.label_cols[featured], "share"]
    assert shares.iloc[0] > 0.2, "fewer votes than expected"
    assert shares.iloc[-1] < 0.07
    assert at_90(found.coverage)["smooth-or-featured"] < 0.85
    errors = found.calibration_error.set_index("question")
    assert errors.loc["smooth-or-featured", "expected_calibration_error"] > 0.08
    # Other questions do not know of it.
    others = found.coverage[found.coverage["question"] != "smooth-or-featured"]
    assert standard_errors(others).abs().max() < 4.5


def draw_from_mixture(n_galaxies: int) -> tuple[np.ndarray, np.ndarray]:
    """Votes of one of three passes that disagree, another for each galaxy."""
    rng = np.random.default_rng(11)
    alpha = rng.uniform(1, 40, size=(n_galaxies, 5, 3))
    votes = np.zeros((n_galaxies, 5), dtype=np.int64)
    for i, one in enumerate(rng.integers(3, size=n_galaxies)):
        shape, bar = alpha[i, :3, one], alpha[i, 3:, one]
        votes[i, :3] = rng.multinomial(30, rng.dirichlet(shape))
        votes[i, 3:] = rng.multinomial(votes[i, 1], rng.dirichlet(bar))
    return alpha, votes


def test_the_mixture_is_what_is_calibrated() -> None:
    """Galaxies drawn from passes follow their mixture, not their mean."""
    alpha, votes = draw_from_mixture(3000)
    mixture = tables_of(alpha, votes, schema=TREE)
    # 50 comparisons: beyond 4.2 standard errors once in 700 tests.
    assert standard_errors(mixture.coverage).abs().max() < 4.2
    assert chi_square_p_values(mixture.pit).min() > 1e-4
    for question, rows in mixture.reliability.groupby("question"):
        error = mixture.calibration_error.set_index("question").loc[question]
        bound = np.quantile(error_from_noise(rows), 0.999)
        assert error["expected_calibration_error"] < bound
    mean = tables_of(alpha.mean(axis=2, keepdims=True), votes, schema=TREE)
    assert (at_90(mean.coverage) < 0.85).all()
    errors = (mixture.calibration_error["coverage_error"]).to_numpy()
    assert (mean.calibration_error["coverage_error"] > 3 * errors).all()


def test_tables_agree_with_each_other() -> None:
    """What is told twice is the same, and intervals hold their figures."""
    alpha, votes = draw_from_mixture(400)
    found = tables_of(alpha, votes, schema=TREE, n_resamples=300)
    for question in TREE.questions:
        answers = [a.label_col for a in question.answers]
        is_pooled = found.coverage["answer"] == "all"
        is_pooled &= found.coverage["question"] == question.text
        pooled = found.coverage.loc[is_pooled, "coverage"]
        rows = found.coverage[found.coverage["answer"].isin(answers)]
        mean = rows.groupby("level")["coverage"].mean()
        np.testing.assert_allclose(pooled, mean, rtol=0, atol=1e-12)
    for table, name in (
        (found.coverage, "coverage"),
        (found.reliability, "accuracy"),
    ):
        rows = table[table["n"] > 0]
        assert (rows[f"{name}_90pc-lower"] <= rows[name]).all()
        assert (rows[f"{name}_90pc-upper"] >= rows[name]).all()
    # Half-width of a normal interval of a share: 1.645 standard errors, to 25%.
    row = found.coverage[found.coverage["answer"] == "shape_disk"].iloc[4]
    width = row["coverage_90pc-upper"] - row["coverage_90pc-lower"]
    expected = 2 * 1.645 * np.sqrt(row["coverage"] * (1 - row["coverage"]) / row["n"])
    assert width == pytest.approx(expected, rel=0.25)
    total = found.pit.groupby("answer")["share"].sum()
    np.testing.assert_allclose(total, 1, rtol=0, atol=1e-12)
    for _, row in found.calibration_error.iterrows():
        rows = found.reliability[found.reliability["question"] == row["question"]]
        weight = rows["n"] / rows["n"].sum()
        distance = (rows["accuracy"] - rows["confidence"]).abs()
        assert (weight * distance).sum() == pytest.approx(
            row["expected_calibration_error"], abs=1e-12
        )
    again = tables_of(alpha, votes, schema=TREE, n_resamples=300)
    pd.testing.assert_frame_equal(found.reliability, again.reliability)
    other = tables_of(alpha, votes, schema=TREE, n_resamples=300, seed=8)
    assert not found.pit.equals(other.pit)


def without_bars() -> tuple[GalaxyRows, pd.DataFrame]:
    """Predictions and a catalogue of galaxies of which none was asked about bars."""
    ids = [f"{i:02d}" for i in range(30)]
    rng = np.random.default_rng(12)
    alpha = rng.uniform(1, 9, size=(30, 5, 2)).astype(np.float32)
    votes = pd.DataFrame(0, index=range(30), columns=TREE.label_cols)
    votes["shape_smooth"], votes["shape_star"] = np.arange(30) % 7, 3
    votes.insert(0, "id_str", ids)
    rows = GalaxyRows(
        values=alpha[::-1],
        id_str=ids[::-1],
        label_cols=TREE.label_cols,
        attributes={},
    )
    return rows, votes


def test_a_question_that_nobody_was_asked(tmp_path: Path) -> None:
    """Rows of it have n = 0 and NaN, in the tables and read back for the figures."""
    found = calibrate(*without_bars(), TREE, n_resamples=50)
    for name in ("coverage", "pit", "reliability", "calibration_error"):
        table = getattr(found, name)
        rows = table[table["question"] == "bar"]
        assert len(rows) > 0
        assert (rows["n"] == 0).all(), name
        told = rows.columns.difference(
            ["question", "answer", "level", "bin_lower", "bin_upper"]
        )
        told = [column for column in told if not column.startswith("n")]
        assert rows[told].isna().all(axis=None), name
        assert table.loc[table["question"] == "shape", "n"].sum() > 0
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    read = {path.stem: pd.read_csv(path) for path in tmp_path.glob("*.csv")}
    calibration_figures.plot_coverage(read["coverage"], path=tmp_path / "c.png")
    calibration_figures.plot_pit(read["pit"], path=tmp_path / "p.png")
    calibration_figures.plot_reliability(
        read["reliability"], read["calibration_error"], path=tmp_path / "r.png"
    )
    for path in tmp_path.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.glob("*.png"))) == 3


def test_predictions_and_votes_of_the_same_galaxy() -> None:
    """One call matches by id; the arrays in the same order give the same tables."""
    rows, catalog = without_bars()
    found = calibrate(rows, catalog, TREE, n_resamples=20, seed=7)
    votes = catalog[TREE.label_cols].to_numpy()
    expected = tables_of(rows.values[::-1], votes, schema=TREE)
    pd.testing.assert_frame_equal(found.coverage, expected.coverage)
    pd.testing.assert_frame_equal(found.reliability, expected.reliability)
    with pytest.raises(ValueError, match="no prediction"):
        calibrate(rows, catalog.assign(id_str=lambda t: t["id_str"] + "x"), TREE)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_blocks_do_not_matter(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same draws, and the same tables but for the order of sums."""
    alpha, votes = draw_from_mixture(300)
    expected = tables_of(alpha, votes, schema=TREE)
    monkeypatch.setattr(matching, "_GALAXIES_IN_BLOCK", size)
    found = tables_of(alpha, votes, schema=TREE)
    for name in ("coverage", "pit", "reliability", "calibration_error"):
        pd.testing.assert_frame_equal(
            getattr(found, name), getattr(expected, name), rtol=0, atol=1e-9
        )


def real_counts() -> tuple[Schema, np.ndarray, np.ndarray]:
    """A schema of the table's questions, the votes, and who is held out."""
    table = pd.read_csv(REAL_COUNTS, dtype={"objid": str})
    tree: dict[str, dict[str, list[str]]] = {}
    for column in table.columns:
        if match := re.fullmatch(r"(t\d\d_.+?)_(a\d\d_.+_count)", column):
            tree.setdefault(match[1], {"answers": []})["answers"].append(match[2])
    schema = Schema(tree, name="stripe82")
    digests = [hashlib.sha256(i.encode()).digest()[0] for i in table["objid"]]
    votes = table[schema.label_cols].to_numpy(np.int64)
    return schema, votes, np.array(digests) < 128


@pytest.mark.skipif(
    not REAL_COUNTS.is_file(),
    reason=f"ZOOBOT_REAL_DATA names no folder with {REAL_COUNTS.name}",
)
def test_real_volunteers_are_not_coins() -> None:
    """On held-out galaxies a Dirichlet-multinomial is better calibrated.

    One distribution for all galaxies, fitted to half of them: with a Dirichlet, and
    with the vote fractions of all together (a multinomial is its limit of infinite
    concentrations). The table shows the mean over answers and levels of the distance
    of coverage from its level, and the mean log-probability of a galaxy's votes.
    """
    schema, votes, is_held_out = real_counts()
    assert len(schema.questions) == 11
    fitted = fit_constant_concentrations(votes[~is_held_out], schema=schema)
    pooled = votes[~is_held_out].sum(axis=0).astype(float)
    for question in schema.questions:
        pooled[question.columns] *= 1e6 / pooled[question.columns].sum()
    held_out = votes[is_held_out]
    columns = {}
    for name, alpha in (("multinomial", pooled), ("dirichlet", fitted)):
        predicted = np.broadcast_to(alpha[:, None], (*held_out.shape, 1))
        found = tables_of(predicted, held_out, schema=schema, n_draws=1, n_resamples=1)
        errors = found.calibration_error.set_index("question")
        columns["n"] = errors["n_with_votes"]
        columns[f"{name}_coverage_error"] = errors["coverage_error"]
        columns[f"{name}_coverage_of_90"] = at_90(found.coverage)
        log_p = log_probability(held_out, concentrations=predicted, schema=schema)
        columns[f"{name}_log_probability"] = log_p.sum(axis=0) / errors["n_with_votes"]
    table = pd.DataFrame(columns)
    print(table.round(3).to_string())  # the comparison, for `pytest -s`
    enough = table[table["n"] > 500]
    assert len(enough) >= 9
    better = enough["dirichlet_coverage_error"] < enough["multinomial_coverage_error"]
    assert better.all()
    gain = enough["dirichlet_log_probability"] - enough["multinomial_log_probability"]
    assert (gain > 0).all()
