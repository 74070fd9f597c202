"""Evaluation on simulated galaxies whose concentrations are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sk

from workflow_scripts import evaluate as script
from zoobot.data_utils import hdf5
from zoobot.data_utils.hdf5 import GalaxyRows
from zoobot.dirichlet_multinomial import fit_constant_concentrations
from zoobot.evaluation import matching, metrics
from zoobot.evaluation.agreement import Evaluation, evaluate
from zoobot.predictions.stored_predictions import find_galaxies
from zoobot.predictions.vote_fractions import mean_fractions
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


def rows_of(values: np.ndarray) -> GalaxyRows:
    """Predictions in memory, of concentrations (n_galaxies, n_answers[, n_passes])."""
    values = values if values.ndim == 3 else values[:, :, None]
    ids = [f"{i:04d}" for i in range(len(values))]
    return GalaxyRows(values.astype(np.float32), ids, TREE.label_cols, {})


def catalog_of(votes: np.ndarray) -> pd.DataFrame:
    """A catalogue in memory, with the ids of `rows_of`."""
    table = pd.DataFrame(votes, columns=TREE.label_cols)
    table.insert(0, "id_str", [f"{i:04d}" for i in range(len(votes))])
    return table


def constant_of(train: np.ndarray, *, n_galaxies: int) -> GalaxyRows:
    """The concentrations that fit the training votes best, for every galaxy."""
    fitted = fit_constant_concentrations(train, schema=TREE)
    return rows_of(np.tile(fitted, (n_galaxies, 1)))


def evaluated(alpha: np.ndarray, votes: np.ndarray, **options) -> Evaluation:
    """Evaluate concentrations, with few resamples unless told."""
    options = {"n_resamples": 20} | options
    return evaluate(rows_of(alpha), catalog_of(votes), TREE, **options)


def rows_by_question(
    table: pd.DataFrame, *, predictor: str = "model", galaxies: str = "all"
) -> pd.DataFrame:
    """One predictor's rows of the metrics, indexed by question."""
    is_wanted = (table["predictor"] == predictor) & (table["galaxies"] == galaxies)
    return table[is_wanted].set_index("question")


def test_the_truth_beats_the_constant() -> None:
    """True concentrations have the lower loss and error in every question."""
    rng = np.random.default_rng(1)
    _, train = draw_galaxies(rng, n_galaxies=2000)
    alpha, votes = draw_galaxies(rng, n_galaxies=2000)
    found = evaluated(
        alpha, votes, baselines={"constant": constant_of(train, n_galaxies=2000)}
    )
    model = rows_by_question(found.metrics)
    constant = rows_by_question(found.metrics, predictor="constant")
    assert (model["loss"] < constant["loss"]).all()
    questions = [question.text for question in TREE.questions]
    assert (model["accuracy"] > constant["accuracy"])[questions].all()
    errors = found.answers[found.answers["n_errors"] > 0].pivot(
        index="answer", columns="predictor", values="mean_absolute_error"
    )
    assert len(errors) == 8
    assert (errors["model"] < errors["constant"]).all()


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
    constant = constant_of(votes[:2000], n_galaxies=2000)
    found = evaluated(alpha[2000:], votes[2000:], baselines={"constant": constant})
    loss = found.metrics.query("question == 'all'").set_index("predictor")["loss"]
    assert loss["constant"] == pytest.approx(loss["model"], abs=0.01)


def test_losses_by_scipy() -> None:
    """Loss of passes, of the mixture, and of the joint mixture, galaxy by galaxy."""
    rng = np.random.default_rng(3)
    _, votes = draw_galaxies(rng, n_galaxies=30)
    alpha = np.exp(rng.normal(0.5, 1.2, size=(30, 8, 4))).astype(np.float32)
    log_p = np.zeros((30, 4, 3))
    for galaxy in range(30):
        for one in range(4):
            for i, question in enumerate(TREE.questions):
                k = votes[galaxy, question.columns]
                a = alpha[galaxy, question.columns, one]
                log_p[galaxy, one, i] = stats.dirichlet_multinomial.logpmf(
                    k, a.astype(float), n=k.sum()
                )
    found = evaluated(alpha, votes, asked_fraction_min=0.0).metrics
    table = rows_by_question(found)
    counts = np.stack([votes[:, q.columns].sum(axis=1) > 0 for q in TREE.questions])
    for i, question in enumerate(TREE.questions):
        of_counted = log_p[counts[i], :, i]
        row = table.loc[question.text]
        assert row["n"] == counts[i].sum()
        assert row["loss"] == pytest.approx(-of_counted.mean(), abs=ROUNDING)
        mixture = -np.log(np.exp(of_counted).mean(axis=1)).mean()
        assert row["mixture_loss"] == pytest.approx(mixture, abs=ROUNDING)
    overall = table.loc["all"]
    assert overall["n"] == 30
    assert overall["loss"] == pytest.approx(-log_p.mean((0, 1)).sum(), abs=ROUNDING)
    joint = -np.log(np.exp(log_p.sum(axis=2)).mean(axis=1)).mean()
    assert overall["mixture_loss"] == pytest.approx(joint, abs=ROUNDING)
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


def counted_by_loop(
    votes: np.ndarray, *, question: int, least: float, confident: float
) -> list[int]:
    """Galaxies that count for a question, one at a time."""
    counted = []
    for galaxy, k in enumerate(votes):
        mine = list(k[TREE.questions[question].columns])
        n = sum(mine)
        if n > 0 and n >= least * sum(k[:3]) and max(mine) > confident * n:
            counted.append(galaxy)
    return counted


@pytest.mark.parametrize("least", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("galaxies", ["all", "confident"])
def test_scores_by_scikit_learn(least: float, galaxies: str) -> None:
    """Accuracy, weighted precision, recall, F1 and the matrix, of two predictors."""
    rng = np.random.default_rng(6)
    alpha, votes = draw_galaxies(rng, n_galaxies=400)
    guess = np.exp(rng.normal(size=(400, 8)))
    found = evaluated(
        alpha, votes, baselines={"guess": rows_of(guess)}, asked_fraction_min=least
    )
    for name, values in (("model", alpha), ("guess", guess)):
        table = rows_by_question(found.metrics, predictor=name, galaxies=galaxies)
        for i, question in enumerate(TREE.questions):
            rows = counted_by_loop(
                votes,
                question=i,
                least=least,
                confident=0.8 if galaxies == "confident" else 0.0,
            )
            assert rows
            y_true = votes[rows][:, question.columns].argmax(axis=1)
            alphas = values[rows][:, question.columns]
            y_pred = (alphas / alphas.sum(axis=1, keepdims=True)).argmax(axis=1)
            row = table.loc[question.text]
            assert row["n"] == len(rows)
            accuracy = sk.accuracy_score(y_true, y_pred)
            expected = sk.precision_recall_fscore_support(
                y_true, y_pred, average="weighted", zero_division=0
            )[:3]
            np.testing.assert_allclose(
                row[["accuracy", "precision", "recall", "f1"]].astype(float),
                [accuracy, *expected],
                rtol=0,
                atol=1e-12,
            )
            cells = found.confusion.query(
                "question == @question.text and galaxies == @galaxies"
                " and predictor == @name"
            )
            label_cols = [answer.label_col for answer in question.answers]
            matrix = cells.pivot(index="volunteers", columns="predicted", values="n")
            np.testing.assert_array_equal(
                matrix.loc[label_cols, label_cols],
                sk.confusion_matrix(y_true, y_pred, labels=range(len(label_cols))),
            )


def test_answers_by_scikit_learn_and_a_loop() -> None:
    """Scores of each answer, and errors where 20 volunteers voted."""
    rng = np.random.default_rng(9)
    alpha, votes = draw_galaxies(rng, n_galaxies=300)
    table = evaluated(alpha, votes).answers.set_index("answer")
    fractions = mean_fractions(alpha[:, :, None].astype(np.float32), schema=TREE)
    for i, question in enumerate(TREE.questions):
        rows = counted_by_loop(votes, question=i, least=0.5, confident=0.0)
        y_true = votes[rows][:, question.columns].argmax(axis=1)
        y_pred = fractions[rows][:, question.columns].argmax(axis=1)
        labels = range(len(question.answers))
        expected = sk.precision_recall_fscore_support(
            y_true, y_pred, labels=labels, zero_division=np.nan
        )
        for j, answer in enumerate(question.answers):
            row = table.loc[answer.label_col]
            assert (row["n"], row["support"]) == (len(rows), expected[3][j])
            scores = [row["precision"], row["recall"], row["f1"]]
            assert scores == pytest.approx([x[j] for x in expected[:3]], abs=1e-12)
            gaps = [
                f[answer.index] - k[answer.index] / k[question.columns].sum()
                for f, k in zip(fractions, votes, strict=True)
                if k[question.columns].sum() >= 20
            ]
            assert row["n_errors"] == len(gaps)
            mean = np.mean(np.abs(gaps)) if gaps else np.nan
            rms = np.sqrt(np.mean(np.square(gaps))) if gaps else np.nan
            errors = [row["mean_absolute_error"], row["root_mean_squared_error"]]
            assert errors == pytest.approx([mean, rms], abs=1e-12, nan_ok=True)


def test_scores_that_are_not_defined() -> None:
    """Never predicted: precision 0. Never leading: no recall. Neither: nothing."""
    confusion = np.array([[3.0, 1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    confusion[:, 2] = [1, 0, 0, 0]
    found = metrics.answer_scores(confusion)
    np.testing.assert_array_equal(found.precision, [3 / 5, 0, 0, np.nan])
    np.testing.assert_array_equal(found.recall, [3 / 5, 0, np.nan, np.nan])
    np.testing.assert_array_equal(found.f1, [3 / 5, 0, np.nan, np.nan])
    weighted = metrics.question_scores(confusion)
    assert weighted.recall == pytest.approx(3 / 7)
    empty = metrics.question_scores(np.zeros((2, 2)))
    assert np.isnan([empty.precision, empty.recall, empty.f1]).all()


def test_intervals_by_scipy() -> None:
    """Accuracy, F1 of an answer and an error, against scipy.stats.bootstrap.

    A 5% quantile of 4000 resamples is known to sqrt(0.05 0.95 / 4000) / 0.103 = 0.033
    standard deviations of the figure, at most; two such differ by less than 0.2 of
    them, with room for the steps of whole galaxies.
    """
    rng = np.random.default_rng(10)
    alpha, votes = draw_galaxies(rng, n_galaxies=300)
    found = evaluated(alpha, votes, n_resamples=4000, seed=3)
    y_true = votes[:, :3].argmax(axis=1)
    fractions = mean_fractions(alpha[:, :, None].astype(np.float32), schema=TREE)
    y_pred = fractions[:, :3].argmax(axis=1)
    n_votes = votes[:, :3].sum(axis=1)
    gap = np.where(n_votes >= 20, np.abs(fractions[:, 0] - votes[:, 0] / n_votes), 0)

    def f1(rows: np.ndarray) -> float:
        return sk.f1_score(y_true[rows], y_pred[rows], labels=[1], average="macro")

    def error(rows: np.ndarray) -> float:
        return gap[rows].sum() / (n_votes[rows] >= 20).sum()

    answers = found.answers.set_index("answer")
    for row, name, statistic, n_resamples in (
        (
            rows_by_question(found.metrics).loc["shape"],
            "accuracy",
            lambda rows: (y_true[rows] == y_pred[rows]).mean(),
            4000,
        ),
        (answers.loc["shape_disk"], "f1", f1, 1000),
        (answers.loc["shape_smooth"], "mean_absolute_error", error, 4000),
    ):
        expected = stats.bootstrap(
            (np.arange(300),),
            statistic,
            vectorized=False,
            n_resamples=n_resamples,
            confidence_level=0.9,
            method="percentile",
            rng=np.random.default_rng(11),
        )
        bounds = [row[f"{name}_90pc-lower"], row[f"{name}_90pc-upper"]]
        assert bounds == pytest.approx(
            list(expected.confidence_interval), abs=0.2 * expected.standard_error
        )
        assert bounds[0] < row[name] < bounds[1]


def test_predictors_share_their_resamples() -> None:
    """The same predictions under another name have the same figures and intervals."""
    rng = np.random.default_rng(12)
    alpha, votes = draw_galaxies(rng, n_galaxies=100)
    found = evaluated(alpha, votes, baselines={"again": rows_of(alpha)}, interval=0.8)
    for table in (found.metrics, found.answers, found.confusion):
        one, two = (
            table[table["predictor"] == name]
            .drop(columns="predictor")
            .reset_index(drop=True)
            for name in ("model", "again")
        )
        pd.testing.assert_frame_equal(one, two)
    assert "loss_80pc-lower" in found.metrics


def test_a_question_nobody_answered_is_empty() -> None:
    """Without votes there are rows, with n = 0 and no number that looks perfect."""
    rng = np.random.default_rng(7)
    alpha, votes = draw_galaxies(rng, n_galaxies=50, with_arms=False)
    found = evaluated(alpha, votes)
    for table, keys in (
        (found.metrics, ["question", "galaxies", "predictor"]),
        (found.answers, ["question", "answer", "predictor"]),
    ):
        empty = table[table["question"] == "arms"].drop(columns=keys)
        counts = [name for name in empty if name in ("n", "support", "n_errors")]
        assert len(empty) > 1
        assert (empty[counts] == 0).all(axis=None)
        assert empty.drop(columns=counts).isna().all(axis=None)
    assert found.confusion.query("question == 'arms'")["n"].sum() == 0


def test_the_row_of_all_questions_has_losses_only() -> None:
    """There is no accuracy of all questions together."""
    alpha, votes = draw_galaxies(np.random.default_rng(13), n_galaxies=20)
    row = rows_by_question(evaluated(alpha, votes).metrics).loc["all"]
    known = [name for name in row.index if "loss" in name]
    assert row[known].notna().all()
    assert row.drop([*known, "galaxies", "predictor", "n"]).isna().all()


def test_bad_baselines_are_named() -> None:
    """A baseline that is called model, or lacks a galaxy."""
    alpha, votes = draw_galaxies(np.random.default_rng(14), n_galaxies=20)
    with pytest.raises(ValueError, match="found the name model"):
        evaluated(alpha, votes, baselines={"model": rows_of(alpha)})
    with pytest.raises(ValueError, match="linear: 5 of the catalogue's 20 galaxies"):
        evaluated(alpha, votes, baselines={"linear": rows_of(alpha[:15])})


def test_several_questions_of_everyone() -> None:
    """The galaxy's volunteers are those of the question that most answered."""
    schema = Schema(
        {"a": {"answers": ["x", "y"]}, "b": {"answers": ["x", "y"]}}, name="two"
    )
    votes = np.array([[10, 0, 3, 1], [10, 0, 3, 2], [0, 0, 0, 0]])
    found = metrics.answered_enough(votes, schema=schema, asked_fraction_min=0.5)
    np.testing.assert_array_equal(found, [[True, False], [True, True], [False, False]])


def test_confident_galaxies() -> None:
    """More than the share, not as much; never without a vote."""
    votes = np.zeros((3, 8), dtype=int)
    votes[:, :3] = [[8, 1, 1], [9, 1, 0], [0, 0, 0]]
    found = metrics.confident(votes, schema=TREE, confident_fraction_min=0.8)
    np.testing.assert_array_equal(found[:, 0], [False, True, False])


TABLES = ("metrics", "answers", "confusion", "volunteers", "volunteer-errors")


def make_files(tmp_path: Path) -> dict[str, list[str]]:
    """Write test votes, two files of predictions and a baseline; give the options."""
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
    fitted = fit_constant_concentrations(votes[50:], schema=TREE)
    constant = write_predictions(
        tmp_path / "constant.hdf5",
        ids=ids,
        values=np.tile(fitted[:, None], (120, 1, 1)),
    )
    test = write_votes(tmp_path / "test.parquet", ids=ids[:50], votes=votes[:50])
    return {
        "--predictions": files,
        "--test": [str(test)],
        "--baselines": [str(constant)],
        **{f"--{name}": [str(tmp_path / f"{name}.csv")] for name in TABLES},
        "--asked-fraction-min": ["0.5"],
        "--confident-fraction-min": ["0.8"],
        "--votes-min": ["20"],
        "--interval": ["0.9"],
        "--n-resamples": ["50"],
        "--seed": ["42"],
    }


def run(options: dict[str, list[str]]) -> None:
    """Call the script."""
    script.main([word for name, words in options.items() for word in (name, *words)])


def test_script_finds_the_test_galaxies(tmp_path: Path) -> None:
    """Rows are matched by id through files in any order; all tables are written."""
    options = make_files(tmp_path)
    run(options)
    tables = {name: pd.read_csv(tmp_path / f"{name}.csv") for name in TABLES}
    table = tables["metrics"]
    assert list(table["question"].unique()) == ["shape", "bar", "arms", "all"]
    assert list(table["predictor"].unique()) == ["model", "constant"]
    overall = table[table["question"] == "all"].set_index("predictor")
    assert (overall["n"] == 50).all()
    # True concentrations, in the right rows: mixed-up rows lose to the constant.
    assert overall.loc["model", "loss"] < overall.loc["constant", "loss"]
    run(options | {"--predictions": options["--predictions"][::-1]})
    for name, before in tables.items():
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / f"{name}.csv"), before)


def test_galaxies_without_a_prediction_are_counted(tmp_path: Path) -> None:
    """The error says how many, and which is the first; or which has two, and where."""
    options = make_files(tmp_path)
    found = hdf5.read_ids(options["--predictions"][0], dataset="predictions")
    missing = sorted({f"{i:04d}" for i in range(50)} - set(found))
    message = f"{len(missing)} of the catalogue's 50 .* first is {missing[0]}"
    with pytest.raises(ValueError, match=message):
        run(options | {"--predictions": options["--predictions"][:1]})
    with pytest.raises(ValueError, match=r"a.hdf5: found galaxy .*a.hdf5 already"):
        run(options | {"--predictions": options["--predictions"] * 2})
    with pytest.raises(ValueError, match="baseline constant repeats"):
        run(options | {"--baselines": options["--baselines"] * 2})


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    """A catalogue of another tree is refused before anything is computed."""
    options = make_files(tmp_path)
    table = pd.read_parquet(tmp_path / "test.parquet").drop(columns="bar_no")
    table.to_parquet(tmp_path / "test.parquet")
    with pytest.raises(ValueError, match=r"test.parquet.*bar_no"):
        run(options)


def test_galaxies_are_found_and_read_when_asked_for(tmp_path: Path) -> None:
    """In the order asked for, with their values; ids that no file has are no error."""
    values = np.arange(1, 1 + 6 * 8 * 2, dtype=np.float32).reshape(6, 8, 2)
    paths = [
        write_predictions(tmp_path / "1.hdf5", ids=list("abc"), values=values[:3]),
        write_predictions(tmp_path / "2.hdf5", ids=list("def"), values=values[3:]),
    ]
    found = find_galaxies(paths, ids=["f", "x", "b", "d", "c"])
    assert found.id_str == ["f", "b", "d", "c"]
    assert found.values.shape == (4, 8, 2)
    order = np.array([5, 1, 3, 2])
    np.testing.assert_array_equal(found.values[np.arange(4)], values[order])
    some = np.array([3, 0, 1])
    np.testing.assert_array_equal(found.values[some], values[order[some]])
    assert find_galaxies(paths, ids=[]).values.shape == (0, 8, 2)
    with pytest.raises(ValueError, match="found no file"):
        find_galaxies([], ids=["a"])


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_blocks_do_not_matter(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same tables however many galaxies are in memory at once.

    Sums of at most 1e5 add up in another order, which moves the eleventh digit.
    """
    alpha, votes = draw_galaxies(np.random.default_rng(15), n_galaxies=300)
    baselines = {"flat": rows_of(np.ones((300, 8)))}
    expected = evaluated(alpha, votes, baselines=baselines)
    monkeypatch.setattr(matching, "_GALAXIES_IN_BLOCK", size)
    found = evaluated(alpha, votes, baselines=baselines)
    for name in ("metrics", "answers", "confusion"):
        pd.testing.assert_frame_equal(
            getattr(found, name), getattr(expected, name), rtol=0, atol=1e-9
        )
