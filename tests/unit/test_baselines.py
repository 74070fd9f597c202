"""Baselines on simulated galaxies whose concentrations are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from workflow_scripts import predict_baselines as script
from zoobot.data_utils import hdf5
from zoobot.evaluation import baselines, linear_model
from zoobot.evaluation.metrics import losses
from zoobot.predictions.stored_predictions import read_each, schema_of
from zoobot.schemas import Schema
from zoobot.settings.evaluation import PredictBaselines

TREE = Schema(
    {
        "shape": {"answers": ["smooth", "disk", "star"]},
        "bar": {"answers": ["yes", "no"], "asked_after": ["shape_disk"]},
    },
    name="tree",
)
# Intercepts in the first row, weights of 3 statistics below.
PLANTED = np.array(
    [
        [1.0, 0.5, -0.5, 0.3, 1.0],
        [0.5, -0.5, 0.0, 0.4, 0.0],
        [0.0, 0.3, -0.4, 0.0, -0.5],
        [0.0, 0.0, 0.0, 0.0, 0.0],
    ]
)
NO_SIGNAL = PLANTED * [[1], [0], [0], [0]]
WEAK = 1e-6  # a penalty that matters to nothing


def draw_votes(alpha: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Votes that follow the tree, (n_galaxies, 5) int64."""
    votes = np.zeros(alpha.shape, np.int64)
    n_asked = rng.integers(0, 50, len(alpha))
    for columns, asks in ((slice(0, 3), None), (slice(3, 5), 1)):
        n = n_asked if asks is None else votes[:, asks]
        gamma = rng.gamma(alpha[:, columns])
        votes[:, columns] = rng.multinomial(n, gamma / gamma.sum(1, keepdims=True))
    return votes


def draw_galaxies(
    *, n_galaxies: int, seed: int, planted: np.ndarray = PLANTED
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Statistics (n_galaxies, 3), true concentrations and votes (n_galaxies, 5)."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n_galaxies, 3))
    alpha = np.exp(planted[0] + z @ planted[1:])
    return z, alpha, draw_votes(alpha, rng=rng)


def mean_loss(concentrations: np.ndarray, votes: np.ndarray) -> float:
    """Nats a galaxy, over all questions."""
    if concentrations.ndim == 2:
        concentrations = concentrations[:, :, None]
    found = losses(concentrations, votes=votes, schema=TREE)
    return float(found.per_pass.sum(axis=1).mean())


def predictions(
    *, n_train: int, n_test: int, seed: int, planted: np.ndarray = PLANTED
) -> dict[str, float]:
    """Losses of the truth and of both baselines on the same held-out galaxies."""
    z, _, votes = draw_galaxies(n_galaxies=n_train, seed=seed, planted=planted)
    z_test, truth, test = draw_galaxies(
        n_galaxies=n_test, seed=seed + 1000, planted=planted
    )
    linear = baselines.linear_prediction(
        z, votes, test_statistics=z_test, schema=TREE, ridge=WEAK
    )
    assert linear.shape == (n_test, 5, 1)
    constant = baselines.constant_prediction(votes, n_galaxies=n_test, schema=TREE)
    return {
        "truth": mean_loss(truth, test),
        "linear": mean_loss(linear, test),
        "constant": mean_loss(constant, test),
    }


@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_gradient_is_the_slope_of_the_loss(ridge: float):
    """Against central differences; of 1e4 nats, 1e-12 is rounding, 1e-6 of a slope."""
    z, _, votes = draw_galaxies(n_galaxies=200, seed=1)
    counts = votes[:, :3].astype(float)
    rng = np.random.default_rng(2)

    def loss(flat: np.ndarray) -> float:
        return linear_model.loss_and_gradient(
            flat.reshape(4, 3), features=z, counts=counts, ridge=ridge
        )[0]

    for _ in range(5):
        here = rng.normal(0, 0.7, size=12)
        _, gradient = linear_model.loss_and_gradient(
            here.reshape(4, 3), features=z, counts=counts, ridge=ridge
        )
        slopes = [
            (loss(here + step) - loss(here - step)) / 2e-6 for step in 1e-6 * np.eye(12)
        ]
        np.testing.assert_allclose(gradient.ravel(), slopes, rtol=0, atol=1e-3)
        assert np.abs(slopes).max() > 10
        error = optimize.check_grad(
            loss,
            lambda flat: linear_model.loss_and_gradient(
                flat.reshape(4, 3), features=z, counts=counts, ridge=ridge
            )[1].ravel(),
            here,
        )
        assert error < 1e-4 * np.linalg.norm(slopes)


def test_loss_is_scipys_likelihood_and_the_penalty():
    """It leaves out what holds no concentration, the same for all coefficients."""
    z, _, votes = draw_galaxies(n_galaxies=50, seed=3)
    counts = votes[:, :3]
    rng = np.random.default_rng(4)
    differences = []
    for _ in range(3):
        coefficients = rng.normal(0, 0.5, size=(4, 3))
        alpha = np.exp(coefficients[0] + z @ coefficients[1:])
        log_p = stats.dirichlet_multinomial.logpmf(counts, alpha, counts.sum(axis=1))
        expected = -log_p.sum() + 2.5 * (coefficients[1:] ** 2).sum()
        found, _ = linear_model.loss_and_gradient(
            coefficients, features=z, counts=counts.astype(float), ridge=2.5
        )
        differences.append(expected - found)
    # Sums of 50 log-gamma functions, 1e3 nats in all.
    np.testing.assert_allclose(differences, differences[0], rtol=0, atol=1e-8)


def test_planted_weights_are_found():
    """Each within 4.5 standard errors, from 20 repeats of 2000 galaxies.

    The standard error of a mean over repeats is their own scatter by the root of 20;
    one of 20 coefficients beyond 4.5 of Student's t with 19 degrees of freedom comes
    once in 200 suites. Bias of a maximum likelihood, of order 1/n, is far below.
    """
    found = []
    for seed in range(20):
        z, _, votes = draw_galaxies(n_galaxies=2000, seed=seed)
        found.append(linear_model.fit(z, votes, schema=TREE, ridge=WEAK))
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert (error < 0.02).all()
    assert (np.abs(np.mean(found, axis=0) - PLANTED) < 4.5 * error).all()


def test_without_signal_it_costs_what_its_parameters_cost():
    """The p = 15 weights cost p / (2 n) nats on others' votes, on average.

    A question that only some are asked has fewer galaxies to be fitted to and counts
    for as many fewer, so that n is all 2000. The cost is a chi-squared of p by 2 n: the
    mean of 10 repeats has an error of 12%; the 20,000 test galaxies add 5%. Four times
    that is 0.5. The constant's own 5 parameters cost 5 / (2 n).
    """
    runs = [
        predictions(n_train=2000, n_test=20_000, seed=seed, planted=NO_SIGNAL)
        for seed in range(10)
    ]
    mean = pd.DataFrame(runs).mean()
    cost = mean["linear"] - mean["constant"]
    assert cost == pytest.approx(15 / (2 * 2000), rel=0.5)
    assert 0 < mean["constant"] - mean["truth"] < 3 * 5 / (2 * 2000)


def test_with_signal_it_lies_between_the_constant_and_the_truth():
    """It loses to the truth by 20 / 4000 = 0.005 nats, and wins some tenths."""
    found = predictions(n_train=2000, n_test=5000, seed=5)
    assert 0 < found["linear"] - found["truth"] < 0.02
    assert found["linear"] + 0.2 < found["constant"]


def test_statistics_may_have_any_unit():
    """Standardised: the same prediction whatever the units, and the order of rows."""
    z, _, votes = draw_galaxies(n_galaxies=500, seed=6)
    z_test, _, _ = draw_galaxies(n_galaxies=50, seed=7)
    options = {"schema": TREE, "ridge": 1.0}
    expected = baselines.linear_prediction(z, votes, test_statistics=z_test, **options)
    scale, shift = np.array([1e3, -1e-4, 7.0]), np.array([5.0, 1.0, -1e3])
    found = baselines.linear_prediction(
        z[::-1] * scale + shift,
        votes[::-1],
        test_statistics=z_test * scale + shift,
        **options,
    )
    # The optimiser stops where the loss changes by 1e-11 of itself.
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_a_statistic_that_never_varies_is_left_out():
    """Even if it does among the test galaxies."""
    z, _, votes = draw_galaxies(n_galaxies=300, seed=8)
    z_test, _, _ = draw_galaxies(n_galaxies=50, seed=9)
    options = {"schema": TREE, "ridge": 1.0}
    expected = baselines.linear_prediction(z, votes, test_statistics=z_test, **options)
    for value in (0.1, 1e9):
        found = baselines.linear_prediction(
            np.insert(z, 1, value, axis=1),
            votes,
            test_statistics=np.insert(z_test, 1, np.arange(50), axis=1),
            **options,
        )
        np.testing.assert_array_equal(found, expected)


def test_an_image_unlike_all_others_is_given_bounded_concentrations():
    """5 standard deviations and no more; and never 0 as float32."""
    z, _, votes = draw_galaxies(n_galaxies=300, seed=10)
    far = np.array([[1e6, -1e6, 1e6], [5, -5, 5]]) * 1.0
    deviations = z.mean(axis=0) + far * z.std(axis=0)
    found = baselines.linear_prediction(
        z, votes, test_statistics=deviations, schema=TREE, ridge=1.0
    )
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)
    assert (found.astype(np.float32) > 0).all()


def test_questions_without_votes_and_answers_that_nobody_gave():
    """1 for each answer of the first; the second stay at the lower bound."""
    z, _, votes = draw_galaxies(n_galaxies=300, seed=11)
    votes[:, 3:] = 0
    votes[:, 2] = 0
    found = baselines.linear_prediction(
        z, votes, test_statistics=z, schema=TREE, ridge=1.0
    )
    np.testing.assert_allclose(found[:, 3:], 1, rtol=1e-12)
    assert (found[:, 2] < 1e-3).all()
    assert (found[:, 2] >= 1e-4 * (1 - 1e-12)).all()


def test_a_strong_penalty_gives_the_constant():
    """1e9 nats for a squared weight of 1: weights of 1e-6 at most."""
    z, _, votes = draw_galaxies(n_galaxies=500, seed=12)
    found = baselines.linear_prediction(
        z, votes, test_statistics=z, schema=TREE, ridge=1e9
    )
    constant = baselines.constant_prediction(votes, n_galaxies=500, schema=TREE)
    np.testing.assert_allclose(found, constant, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "train",
            np.full((5, 3), np.nan),
            "train_statistics, row 0, column 0: found n",
        ),
        (
            "test",
            np.full((2, 3), np.inf),
            "test_statistics, row 0, column 0: found inf",
        ),
        ("test", np.zeros((2, 4)), "test_statistics: found shape"),
        (
            "train",
            np.zeros((4, 3)),
            "train_statistics: found 4 galaxies, expected as m",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name: str, value: np.ndarray, message: str):
    arrays = {"train": np.zeros((5, 3)), "test": np.zeros((2, 3))} | {name: value}
    with pytest.raises(ValueError, match=message):
        baselines.linear_prediction(
            arrays["train"],
            np.ones((5, 5), np.int64),
            test_statistics=arrays["test"],
            schema=TREE,
            ridge=1.0,
        )


@pytest.fixture
def files(tmp_path: Path) -> dict[str, list[Path]]:
    """Tables of 60 training galaxies, in two files of statistics, and 20 to test."""
    written = {}
    for name, n, seed in (("train", 60, 13), ("test", 20, 14)):
        z, _, votes = draw_galaxies(n_galaxies=n, seed=seed)
        ids = [f"{name} {i}" for i in range(n)]
        catalog = pd.DataFrame(votes, columns=TREE.label_cols)
        catalog.insert(0, "id_str", ids)
        catalog.to_parquet(tmp_path / f"{name}.parquet", index=False)
        table = pd.DataFrame(z, columns=["size", "colour", "noise"])
        table.insert(0, "id_str", ids)
        # Another order than the catalogue's.
        half = [table.iloc[n // 2 :], table.iloc[: n // 2]]
        written[name] = [tmp_path / f"{name}_{i}.parquet" for i in range(2)]
        for part, path in zip(half, written[name], strict=True):
            part.to_parquet(path, index=False)
    (tmp_path / "tree.yaml").write_text(
        "questions:\n"
        "  shape: {answers: [smooth, disk, star]}\n"
        "  bar: {answers: [yes, no], asked_after: [shape_disk]}\n"
    )
    return written


def run(folder: Path, files: dict[str, list[Path]]) -> None:
    """Run the library on the tables of the folder."""
    baselines.predict_baselines(
        [*files["train"], *files["test"]],
        train=folder / "train.parquet",
        test=folder / "test.parquet",
        schema=TREE,
        constant=folder / "constant.hdf5",
        linear=folder / "linear.hdf5",
        settings=PredictBaselines(ridge=1.0),
    )


def test_files_are_read_as_predictions(tmp_path: Path, files: dict[str, list[Path]]):
    """The script's files hold the functions' values, matched by id."""
    script.main(
        [
            *("--statistics", *map(str, files["train"]), *map(str, files["test"])),
            *("--train", str(tmp_path / "train.parquet")),
            *("--test", str(tmp_path / "test.parquet")),
            *("--schema", str(tmp_path / "tree.yaml")),
            *("--constant", str(tmp_path / "constant.hdf5")),
            *("--linear", str(tmp_path / "linear.hdf5")),
            *("--ridge", "1.0"),
        ]
    )
    z, _, votes = draw_galaxies(n_galaxies=60, seed=13)
    z_test, _, _ = draw_galaxies(n_galaxies=20, seed=14)
    expected = {
        "constant": baselines.constant_prediction(votes, n_galaxies=20, schema=TREE),
        "linear": baselines.linear_prediction(
            z, votes, test_statistics=z_test, schema=TREE, ridge=1.0
        ),
    }
    for name, values in expected.items():
        (rows,) = read_each([tmp_path / f"{name}.hdf5"])
        assert rows.id_str == [f"test {i}" for i in range(20)]
        assert schema_of(rows) == TREE
        assert rows.attributes["model_digest"] == name
        assert rows.values.dtype == np.float32
        np.testing.assert_allclose(rows.values, values, rtol=1e-6)
    stored = hdf5.read(tmp_path / "linear.hdf5", dataset="predictions")
    assert {"schema", "n_samples", "seed", "model_digest", "versions"} == set(
        stored.attributes
    )


def edit(path: Path, **columns: object) -> None:
    """Set values of a table's first row."""
    table = pd.read_parquet(path)
    for column, value in columns.items():
        table[column] = table[column].astype("object")
        table.loc[0, column] = value
    table.infer_objects().to_parquet(path, index=False)


def test_galaxies_without_statistics_are_counted(
    tmp_path: Path, files: dict[str, list[Path]]
):
    files["test"] = files["test"][:1]  # the second half
    message = r"test\.parquet: 10 of 20 galaxies have no statistics .* id_str test 0$"
    with pytest.raises(ValueError, match=message):
        run(tmp_path, files)
    files["train"] = files["train"][1:]
    message = r"train\.parquet: 30 of 60 galaxies have no .* id_str train 30$"
    with pytest.raises(ValueError, match=message):
        run(tmp_path, files)
    assert not (tmp_path / "linear.hdf5").exists()


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("train_1", {"colour": np.nan}, "id_str train 0, colour: found nan, expected"),
        ("test_0", {"noise": np.inf}, "id_str test 10, noise: found inf, expected a f"),
        ("test_0", {"id_str": "test 0"}, "id_str test 0 repeats, expected each galax"),
        ("train", {"id_str": "train 1"}, "id_str train 1 repeats, expected unique"),
        ("test", {"id_str": "test 1"}, "id_str test 1 repeats, expected unique ids"),
        ("train", {"bar_yes": -1}, "id_str train 0: bar_yes: found -1, expected a wh"),
    ],
)
def test_bad_values_are_named(
    tmp_path: Path,
    files: dict[str, list[Path]],
    name: str,
    columns: dict,
    message: str,
):
    edit(tmp_path / f"{name}.parquet", **columns)
    where = "test_1" if message.startswith("id_str test 0 repeats") else name
    with pytest.raises(ValueError, match=rf"{where}\.parquet: {message}"):
        run(tmp_path, files)


def test_tables_that_do_not_fit_are_refused(
    tmp_path: Path, files: dict[str, list[Path]]
):
    table = pd.read_parquet(files["test"][1])
    table.drop(columns="colour").to_parquet(files["test"][1])
    with pytest.raises(ValueError, match=r"test_1\.parquet: columns missing: colour"):
        run(tmp_path, files)
    table.assign(colour="blue").to_parquet(files["test"][1])
    with pytest.raises(ValueError, match=r"test_1\.parquet: expected columns of num"):
        run(tmp_path, files)
    with pytest.raises(ValueError, match="statistics: found no file, expected one or"):
        run(tmp_path, {"train": [], "test": []})
    none = pd.read_parquet(tmp_path / "train.parquet").iloc[:0]
    none.to_parquet(tmp_path / "train.parquet")
    with pytest.raises(ValueError, match=r"train\.parquet: found no galaxy"):
        run(tmp_path, files)
