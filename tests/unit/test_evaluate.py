"""Evaluation on simulated galaxies whose concentrations are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from workflow_scripts import evaluate as script
from zoobot.data_utils import hdf5
from zoobot.evaluation import evaluate, metrics
from zoobot.schemas import Schema

TREE = Schema(
    {
        "shape": {"answers": ["smooth", "disk", "star"]},
        "bar": {"answers": ["yes", "no"], "asked_after": ["shape_disk"]},
        "arms": {"answers": ["1", "2", "many"], "asked_after": ["bar_yes"]},
    },
    name="tree",
)
ROUNDING = 1e-9  # sums of log-gamma functions of numbers below 1e3


def draw_galaxies(
    rng: np.random.Generator, *, n_galaxies: int, with_arms: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Draw concentrations (n_galaxies, 8), and votes that follow the tree."""
    alpha = np.exp(rng.normal(0.5, 1.2, size=(n_galaxies, 8)))
    votes = np.zeros((n_galaxies, 8), dtype=np.int64)
    for galaxy, a in enumerate(alpha):
        n = rng.integers(5, 40)
        votes[galaxy, :3] = rng.multinomial(n, rng.dirichlet(a[:3]))
        votes[galaxy, 3:5] = rng.multinomial(votes[galaxy, 1], rng.dirichlet(a[3:5]))
        if with_arms:
            n_arms = votes[galaxy, 3]
            votes[galaxy, 5:] = rng.multinomial(n_arms, rng.dirichlet(a[5:]))
    return alpha, votes


def write_votes(path: Path, *, ids: list[str], votes: np.ndarray) -> Path:
    """Write a catalogue as the split writes it."""
    table = pd.DataFrame(votes, columns=TREE.label_cols)
    table.insert(0, "file_loc", [f"/images/{i}.png" for i in ids])
    table.insert(0, "id_str", ids)
    table.to_parquet(path, index=False)
    return path


def write_predictions(path: Path, *, ids: list[str], values: np.ndarray) -> Path:
    """Write a file of concentrations."""
    attributes = {"schema": TREE.to_json(), "model_digest": "abc", "seed": 1}
    with hdf5.create(
        path,
        dataset="predictions",
        id_str=ids,
        label_cols=TREE.label_cols,
        n_passes=values.shape[2],
        attributes=attributes | {"n_samples": values.shape[2]},
    ) as dataset:
        dataset[...] = values
    return path


def table_of(
    alpha: np.ndarray, votes: np.ndarray, *, train: np.ndarray, least: float = 0.5
) -> pd.DataFrame:
    """Metrics of concentrations (n_galaxies, n_answers[, n_passes])."""
    return evaluate.metrics_table(
        alpha if alpha.ndim == 3 else alpha[:, :, None],
        test_votes=votes,
        train_votes=train,
        schema=TREE,
        asked_fraction_min=least,
    )


def test_the_truth_beats_the_constant() -> None:
    """True concentrations have the lower loss and error in every question."""
    rng = np.random.default_rng(1)
    _, train = draw_galaxies(rng, n_galaxies=2000)
    alpha, votes = draw_galaxies(rng, n_galaxies=2000)
    table = table_of(alpha, votes, train=train)
    assert (table["loss"] < table["constant_loss"]).all()
    assert (table["accuracy"] > table["constant_accuracy"]).all()
    better = table["mean_absolute_error"] < table["constant_mean_absolute_error"]
    assert better.all()


def test_the_constant_is_nearly_best_where_all_galaxies_are_alike() -> None:
    """With one concentration for all, the fit to other galaxies costs almost nothing.

    A fit of p parameters to n galaxies costs p / (2 n) nats on others on average:
    8 / 4000 = 0.002. The truth and the fit are compared on the same test galaxies.
    """
    rng = np.random.default_rng(2)
    alpha = np.tile([2.0, 5.0, 0.5, 1.0, 3.0, 1.0, 2.0, 4.0], (4000, 1))
    n = rng.integers(5, 40, size=4000)
    votes = np.zeros((4000, 8), dtype=np.int64)
    for question in TREE.questions:
        columns = question.columns
        votes[:, columns] = rng.multinomial(n, rng.dirichlet(alpha[0, columns], 4000))
    table = table_of(alpha[2000:], votes[2000:], train=votes[:2000])
    assert table.loc["all", "constant_loss"] == pytest.approx(
        table.loc["all", "loss"], abs=0.01
    )


def test_losses_by_scipy() -> None:
    """Loss of passes, of the mixture, and of the joint mixture, galaxy by galaxy."""
    rng = np.random.default_rng(3)
    _, votes = draw_galaxies(rng, n_galaxies=30)
    alpha = np.exp(rng.normal(0.5, 1.2, size=(30, 8, 4)))
    log_p = np.zeros((30, 4, 3))
    for galaxy in range(30):
        for one in range(4):
            for i, question in enumerate(TREE.questions):
                k = votes[galaxy, question.columns]
                a = alpha[galaxy, question.columns, one]
                log_p[galaxy, one, i] = stats.dirichlet_multinomial.logpmf(
                    k, a, n=k.sum()
                )
    table = table_of(alpha, votes, train=votes)
    expected = -log_p.mean(axis=(0, 1))
    np.testing.assert_allclose(table["loss"][:3], expected, rtol=0, atol=ROUNDING)
    assert table.loc["all", "loss"] == pytest.approx(expected.sum(), abs=ROUNDING)
    of_mixture = -np.log(np.exp(log_p).mean(axis=1)).mean(axis=0)
    np.testing.assert_allclose(
        table["mixture_loss"][:3], of_mixture, rtol=0, atol=ROUNDING
    )
    joint = -np.log(np.exp(log_p.sum(axis=2)).mean(axis=1)).mean()
    assert table.loc["all", "mixture_loss"] == pytest.approx(joint, abs=ROUNDING)
    assert (table["mixture_loss"] <= table["loss"]).all()


def test_losses_of_one_pass_agree() -> None:
    """With a single pass there is nothing to mix, in blocks of any size."""
    rng = np.random.default_rng(4)
    alpha, votes = draw_galaxies(rng, n_galaxies=1100)
    found = metrics.losses(alpha[:, :, None], votes=votes, schema=TREE)
    np.testing.assert_allclose(found.mixture, found.per_pass, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(
        found.joint_mixture, found.per_pass.sum(axis=1), rtol=0, atol=ROUNDING
    )


def test_no_votes_cost_exactly_nothing() -> None:
    """Fifteen passes over a galaxy without votes: 0, not a rounding error."""
    alpha = np.random.default_rng(5).uniform(0.02, 100, size=(2, 8, 15))
    found = metrics.losses(alpha, votes=np.zeros((2, 8), dtype=int), schema=TREE)
    assert (found.per_pass == 0).all()
    assert (found.mixture == 0).all()
    assert (found.joint_mixture == 0).all()


@pytest.mark.parametrize("least", [0.0, 0.5, 1.0])
def test_accuracy_and_error_by_a_loop(least: float) -> None:
    """A second way of computing, one galaxy and question at a time."""
    rng = np.random.default_rng(6)
    alpha, votes = draw_galaxies(rng, n_galaxies=400)
    table = table_of(alpha, votes, train=votes, least=least)
    everything: list[tuple[bool, float]] = []
    for question in TREE.questions:
        rows: list[tuple[bool, float]] = []
        for a, k in zip(alpha[:, question.columns], votes, strict=True):
            counted = list(k[question.columns])
            if sum(counted) == 0 or sum(counted) < least * sum(k[:3]):
                continue
            predicted = [x / sum(a) for x in a]
            observed = [x / sum(counted) for x in counted]
            gaps = [abs(p - o) for p, o in zip(predicted, observed, strict=True)]
            right = predicted.index(max(predicted)) == counted.index(max(counted))
            rows.append((right, sum(gaps) / len(gaps)))
        everything += rows
        check_row(table.loc[question.text], rows)
    check_row(table.loc["all"], everything)


def check_row(row: pd.Series, expected: list[tuple[bool, float]]) -> None:
    """Compare n, accuracy and error with the list of galaxies that count."""
    assert row["n"] == len(expected)
    if expected:
        right, error = np.mean(expected, axis=0)
        assert row["accuracy"] == pytest.approx(right, abs=1e-12)
        assert row["mean_absolute_error"] == pytest.approx(error, abs=1e-12)


def test_a_question_nobody_answered_is_empty() -> None:
    """Without votes there is a row, with n = 0 and no number that looks perfect."""
    rng = np.random.default_rng(7)
    alpha, votes = draw_galaxies(rng, n_galaxies=50, with_arms=False)
    row = table_of(alpha, votes, train=votes).loc["arms"]
    assert row["n"] == 0
    assert row["n_with_votes"] == 0
    assert row.drop(["n", "n_with_votes", "n_galaxies"]).isna().all()


def test_several_questions_of_everyone() -> None:
    """The galaxy's volunteers are those of the question that most answered."""
    schema = Schema(
        {"a": {"answers": ["x", "y"]}, "b": {"answers": ["x", "y"]}}, name="two"
    )
    votes = np.array([[10, 0, 3, 1], [10, 0, 3, 2], [0, 0, 0, 0]])
    found = metrics.answered_enough(votes, schema=schema, asked_fraction_min=0.5)
    np.testing.assert_array_equal(found, [[True, False], [True, True], [False, False]])


def make_files(tmp_path: Path) -> dict[str, list[str]]:
    """Write test and train votes and two files of predictions; give script options."""
    rng = np.random.default_rng(8)
    alpha, votes = draw_galaxies(rng, n_galaxies=120)
    ids = [f"{i:04d}" for i in range(120)]
    order = rng.permutation(120)
    files = []
    for name, rows in (("a", order[:70]), ("b", order[70:])):
        values = alpha[rows][:, :, None] * rng.uniform(0.9, 1.1, size=(1, 1, 3))
        path = tmp_path / f"{name}.hdf5"
        files.append(
            str(write_predictions(path, ids=[ids[i] for i in rows], values=values))
        )
    test = write_votes(tmp_path / "test.parquet", ids=ids[:50], votes=votes[:50])
    train = write_votes(tmp_path / "train.parquet", ids=ids[50:], votes=votes[50:])
    return {
        "--predictions": files,
        "--test": [str(test)],
        "--train": [str(train)],
        "--metrics": [str(tmp_path / "m.csv")],
        "--figure": [str(tmp_path / "f.png")],
        "--asked-fraction-min": ["0.5"],
    }


def run(options: dict[str, list[str]]) -> None:
    """Call the script."""
    script.main([word for name, words in options.items() for word in (name, *words)])


def test_script_finds_the_test_galaxies(tmp_path: Path) -> None:
    """Rows are matched by id through files in any order; both outputs are written."""
    options = make_files(tmp_path)
    run(options)
    table = pd.read_csv(tmp_path / "m.csv", index_col="question")
    assert list(table.index) == ["shape", "bar", "arms", "all"]
    assert (table["n_galaxies"] == 50).all()
    # True concentrations, in the right rows: mixed-up rows lose to the constant.
    assert table.loc["all", "loss"] < table.loc["all", "constant_loss"]
    run(options | {"--predictions": options["--predictions"][::-1]})
    again = pd.read_csv(tmp_path / "m.csv", index_col="question")
    pd.testing.assert_frame_equal(table, again)
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


def test_galaxies_without_a_prediction_are_counted(tmp_path: Path) -> None:
    """The error says how many, and which is the first."""
    options = make_files(tmp_path)
    found = hdf5.read_ids(options["--predictions"][0], dataset="predictions")
    missing = sorted({f"{i:04d}" for i in range(50)} - set(found))
    message = f"{len(missing)} of 50 galaxies have no .* first is {missing[0]}"
    with pytest.raises(ValueError, match=message):
        run(options | {"--predictions": options["--predictions"][:1]})
    with pytest.raises(ValueError, match="galaxies have two predictions"):
        run(options | {"--predictions": options["--predictions"] * 2})


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    """A catalogue of another tree is refused before anything is computed."""
    options = make_files(tmp_path)
    table = pd.read_parquet(tmp_path / "train.parquet").drop(columns="bar_no")
    table.to_parquet(tmp_path / "train.parquet")
    with pytest.raises(ValueError, match=r"1 columns of schema tree not found.*bar_no"):
        run(options)
