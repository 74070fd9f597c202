"""Posterior of the vote fractions against SciPy, simulation and a tree by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit

from workflow_scripts import summarise_predictions
from zoobot.data_utils import hdf5
from zoobot.predictions import beta_mixture, vote_fractions
from zoobot.schemas import Schema, get_schema
from zoobot.settings import SummarisePredictions

# Final brackets are 2e-5 wide and their middle is given; the rest is rounding.
BRACKET = 1.01e-5
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


def draw_concentrations(
    rng: np.random.Generator,
    *,
    n_galaxies: int,
    schema: Schema,
    n_passes: int,
    spread: float = 2.0,
) -> np.ndarray:
    """Concentrations as a head gives them, from 0.02 to 100."""
    n_answers = len(schema.label_cols)
    x = rng.normal(-3, spread, size=(n_galaxies, n_answers, 1))
    x = x + rng.normal(0, 0.5, size=(n_galaxies, n_answers, n_passes))
    return (0.02 + 100 * expit(x)).astype(np.float32)


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


@pytest.mark.parametrize("probability", [0.05, 0.5, 0.95, 0.999])
def test_one_component_is_a_beta_quantile(probability: float) -> None:
    """A mixture of one is SciPy's quantile, from U-shaped to narrow."""
    grid = np.geomspace(0.02, 1000, 25)
    alpha, beta = (axis.ravel() for axis in np.meshgrid(grid, grid))
    found = beta_mixture.quantile(
        alpha[:, None], beta=beta[:, None], probability=probability
    )
    expected = stats.beta.ppf(probability, alpha, beta)
    np.testing.assert_allclose(found, expected, rtol=0, atol=BRACKET)


@pytest.mark.parametrize("probability", [0.05, 0.95])
@pytest.mark.parametrize("low", [1e-9, 0.02, 1.0])
def test_mixture_quantile_inverts_its_distribution(
    low: float, probability: float
) -> None:
    """The mixture's distribution function passes the probability within the bracket.

    Components differ by up to five decades, so that many mixtures have several modes.
    """
    rng = np.random.default_rng(3)
    alpha, beta = np.exp(rng.uniform(np.log(low), np.log(500), size=(2, 3000, 4)))
    found = beta_mixture.quantile(alpha, beta=beta, probability=probability)
    below, above = np.clip([found - BRACKET, found + BRACKET], 0, 1)
    assert (
        stats.beta.cdf(below[:, None], alpha, beta).mean(axis=1) <= probability
    ).all()
    assert (
        stats.beta.cdf(above[:, None], alpha, beta).mean(axis=1) >= probability
    ).all()


def test_quantile_refuses_what_is_no_concentration() -> None:
    """NaN and 0 are named, not turned into an interval."""
    with pytest.raises(ValueError, match="alpha, mixture 1, component 0: found nan"):
        beta_mixture.quantile(
            np.array([[1.0], [np.nan]]), beta=np.ones((2, 1)), probability=0.5
        )


def test_intervals_equal_simulation() -> None:
    """Quantiles of 200,000 draws from the mixture of Dirichlet distributions.

    The distribution function at our quantile is that share of the draws to within
    four standard errors, sqrt(0.05 * 0.95 / 200000) = 0.0005 each.
    """
    rng = np.random.default_rng(4)
    schema = get_schema("gz_decals")
    values = draw_concentrations(rng, n_galaxies=2, schema=schema, n_passes=5)
    lower, upper = vote_fractions.intervals(values, schema=schema, interval=0.9)
    means = vote_fractions.mean_fractions(values, schema=schema)
    for galaxy in range(2):
        for question in schema.questions:
            alphas = values[galaxy, question.columns].T.astype(float)
            draws = np.concatenate([rng.dirichlet(a, size=40_000) for a in alphas])
            columns = (galaxy, question.columns)
            # Where half the draws are below the bracket's width, only the width counts.
            for bound, share in ((lower[columns], 0.05), (upper[columns], 0.95)):
                assert ((draws <= bound - BRACKET).mean(axis=0) <= share + 0.002).all()
                assert ((draws <= bound + BRACKET).mean(axis=0) >= share - 0.002).all()
            # Standard error of a mean of fractions: at most 0.5 / sqrt(200000).
            np.testing.assert_allclose(
                draws.mean(axis=0), means[columns], rtol=0, atol=0.005
            )


def test_intervals_of_two_answers_mirror() -> None:
    """With two answers the second fraction is 1 minus the first."""
    values = np.random.default_rng(5).uniform(0.02, 30, size=(300, 9, 3))
    lower, upper = vote_fractions.intervals(values, schema=TREE, interval=0.8)
    np.testing.assert_allclose(lower[:, 3], 1 - upper[:, 4], rtol=0, atol=2 * BRACKET)


def test_threads_and_blocks_do_not_matter() -> None:
    """Whole, shared among threads, or galaxy by galaxy: the same numbers."""
    rng = np.random.default_rng(6)
    values = draw_concentrations(rng, n_galaxies=600, schema=TREE, n_passes=3)
    one = vote_fractions.intervals(values, schema=TREE, interval=0.9)
    two = vote_fractions.intervals(values, schema=TREE, interval=0.9, n_threads=2)
    alone = vote_fractions.intervals(values[599:], schema=TREE, interval=0.9)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(np.array(one)[:, 599:], alone)


def test_a_concentration_near_zero_beside_a_large_one() -> None:
    """A head whose range starts at 0 gives fractions at 0 and 1, not an error."""
    values = np.full((1, 9, 2), np.finfo(np.float32).tiny)
    values[:, [0, 3, 5, 7]] = 50.0
    lower, upper = vote_fractions.intervals(values, schema=TREE, interval=0.9)
    np.testing.assert_allclose(lower[0, :3], [1, 0, 0], rtol=0, atol=BRACKET)
    np.testing.assert_allclose(upper[0, :3], [1, 0, 0], rtol=0, atol=BRACKET)


def test_table_of_a_tree_by_hand(tmp_path: Path) -> None:
    """Names, order, and the proportion asked of two galaxies worked out on paper."""
    values = np.ones((2, 9, 1))
    values[0, :, 0] = [2, 6, 2, 1, 3, 1, 1, 5, 5]  # shape .2 .6 .2, edge .25 .75
    values[1, :, 0] = [1, 1, 8, 4, 1, 2, 8, 1, 1]  # shape .1 .1 .8, edge .8 .2
    path = write_predictions(tmp_path / "a.hdf5", ids=["g0", "g1"], values=values)
    rows = hdf5.read(path, dataset="predictions")
    table = vote_fractions.table_of(rows, interval=0.9).set_index("id_str")
    assert list(table)[:4] == [
        "shape_proportion-asked",
        "shape_smooth_fraction",
        "shape_smooth_90pc-lower",
        "shape_smooth_90pc-upper",
    ]
    assert table.shape == (2, 4 + 9 * 3)
    asked = table[[f"{q.text}_proportion-asked" for q in TREE.questions]]
    expected = [[1, 0.6, 0.6 * 0.75, 0.2 + 0.6], [1, 0.1, 0.1 * 0.2, 0.1 + 0.1]]
    np.testing.assert_allclose(asked, expected, rtol=0, atol=1e-7)  # float32
    assert table.loc["g1", "bar_yes_fraction"] == pytest.approx(0.2, abs=1e-7)


def test_summarise_writes_all_files_twice(tmp_path: Path) -> None:
    """Both tables hold every galaxy of every file, ids as text, equal numbers."""
    rng = np.random.default_rng(7)
    draw = {"schema": TREE, "n_passes": 2}
    paths = []
    for name, ids in (("a", ["007", "8"]), ("b", ["0010"])):
        values = draw_concentrations(rng, n_galaxies=len(ids), **draw)
        paths.append(
            write_predictions(tmp_path / f"{name}.hdf5", ids=ids, values=values)
        )
    parquet, csv = tmp_path / "t.parquet", tmp_path / "t.csv"
    summarise_predictions.main(
        [
            *("--predictions", *map(str, paths)),
            *("--parquet", str(parquet), "--csv", str(csv)),
            *("--interval", "0.8", "--threads", "2"),
        ]
    )
    exact = pd.read_parquet(parquet)
    rounded = pd.read_csv(csv, dtype={"id_str": "str"})
    assert exact["id_str"].tolist() == ["007", "8", "0010"]
    assert "edge_no_80pc-lower" in exact
    # The csv file has five decimals.
    pd.testing.assert_frame_equal(
        exact, rounded, check_dtype=False, rtol=0, atol=0.51e-5
    )


@pytest.mark.parametrize(
    "other", [{"model_digest": "xyz"}, {"seed": 2}, {"n_samples": 3}]
)
def test_files_of_different_runs_are_refused(tmp_path: Path, other: dict) -> None:
    """A file left over from another model or seed never enters a table."""
    values = np.ones((1, 9, 1))
    first = write_predictions(tmp_path / "a.hdf5", ids=["a"], values=values)
    second = write_predictions(tmp_path / "b.hdf5", ids=["b"], values=values, **other)
    outputs = {"parquet": tmp_path / "t.parquet", "csv": tmp_path / "t.csv"}
    with pytest.raises(ValueError, match=rf"b\.hdf5: found {next(iter(other))}"):
        vote_fractions.summarise(
            [first, second], **outputs, settings=SummarisePredictions(interval=0.9)
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.hdf5", "b.hdf5"]


def test_a_missing_prediction_is_named(tmp_path: Path) -> None:
    """A NaN is reported with its galaxy, answer and pass."""
    values = np.ones((2, 9, 2))
    values[1, 4, 0] = np.nan
    path = write_predictions(tmp_path / "a.hdf5", ids=["g0", "g1"], values=values)
    outputs = {"parquet": tmp_path / "t.parquet", "csv": tmp_path / "t.csv"}
    with pytest.raises(ValueError, match="galaxy g1, edge_no, pass 0: found nan"):
        vote_fractions.summarise(
            [path], **outputs, settings=SummarisePredictions(interval=0.9)
        )
