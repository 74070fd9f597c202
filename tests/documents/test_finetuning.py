"""Finetuning as the documents show it, in one call and by the programs.

Representations are simulated, so that the best possible answer is known.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from tests import galaxies, networks
from workflow_scripts import finetune_advanced, finetune_minimal
from zoobot.dirichlet_multinomial import log_likelihood
from zoobot.estimators import define_model, model_card
from zoobot.representations.extract import extract_representations
from zoobot.schemas import Schema
from zoobot.settings.finetuning import USUAL, Finetune
from zoobot.settings.representations import ExtractRepresentations
from zoobot.training import finetuning
from zoobot.training.finetuned import Finetuned
from zoobot.versions import library_versions

N = networks.N_FEATURES
QUICK = {"epochs": 20, "learning_rate": 0.01, "dropout_rate": 0.1, "batch_size": 128}
TREE = Schema(
    {
        "shape": {"answers": ["round", "long", "odd"]},
        "bar": {"answers": ["yes", "no"], "asked_after": ["shape_long"]},
    },
    name="tree",
)


@pytest.fixture(scope="module")
def model_folder(small_network: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that stands for a trained one: its features tell galaxies apart."""
    folder = tmp_path_factory.mktemp("model")
    keras.utils.set_random_seed(0)
    encoder = define_model.get_encoder(
        networks.SMALL, input_size=32, channels=1, batch_norm_momentum=0.1
    )
    encoder(networks.drawn_images(24, seed=0), training=True)
    rng = np.random.default_rng(0)
    head = model_card.Head(
        kernel=rng.normal(size=(N, 34)).astype(np.float32),
        bias=np.zeros(34, np.float32),
    )
    return networks.write_model(
        folder, encoder=encoder, head=head, versions=library_versions("keras")
    )


def table_of(n: int, **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"id_str": [f"g{i:05d}" for i in range(n)], **columns})


def simulate(kind: str, *, n: int, seed: int) -> tuple[np.ndarray, pd.DataFrame, dict]:
    """Representations, labels, and what is known of the truth."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, N))
    weights = np.random.default_rng(99).normal(size=(N, 5))
    if kind == "binary":  # two Gaussians, 2 apart; log odds = 2 x_0 - 2 + log(3/7)
        label = (rng.random(n) < 0.3).astype(int)
        x[:, 0] += 2 * label
        truth = expit(2 * x[:, 0] - 2 + np.log(3 / 7))
        return x, table_of(n, merger=label), {"probability": truth}
    if kind == "classes":  # three Gaussians at the corners of a triangle
        share = np.array([0.6, 0.3, 0.1])
        number = rng.choice(3, n, p=share)
        corners = 2.5 * np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.87]])
        x[:, :2] += corners[number]
        squared = ((x[:, None, :2] - corners) ** 2).sum(-1)
        truth = softmax(np.log(share) - squared / 2, axis=1)
        names = np.array(["disk", "irregular", "ring"])[number]
        return x, table_of(n, shape=names), {"probability": truth}
    if kind == "fraction":
        truth = expit(0.5 * x @ weights[:, 0])
        return x, table_of(n, bulge=truth), {"fraction": truth}
    alpha = np.concatenate(
        [
            20 * softmax(0.3 * x @ weights[:, :3], axis=1),
            20 * softmax(0.3 * x @ weights[:, 3:], axis=1),
        ],
        axis=1,
    )
    votes = np.zeros((n, 5), int)
    for row in range(n):
        votes[row, :3] = rng.multinomial(40, rng.dirichlet(alpha[row, :3]))
        votes[row, 3:] = rng.multinomial(votes[row, 1], rng.dirichlet(alpha[row, 3:]))
    columns = dict(zip(TREE.label_cols, votes.T, strict=True))
    return x, table_of(n, **columns), {"alpha": alpha}


LABELS = {"binary": "merger", "classes": "shape", "fraction": "bulge", "votes": TREE}


def finetuned_on(kind: str, model_folder: Path, *, n: int = 1500, **options: object):
    x, labels, truth = simulate(kind, n=n, seed=0)
    found = finetuning.finetune(
        labels,
        label=LABELS[kind],
        task=kind,
        model_folder=model_folder,
        representations=x,
        settings=QUICK | options,
    )
    return found, truth


@pytest.mark.parametrize("balance", ["repeats", "weights", "none"])
def test_binary_labels(model_folder, balance):
    """The AUC is that of theory, and probabilities are those of Bayes."""
    found, _ = finetuned_on("binary", model_folder, n=3000, balance=balance)
    x, labels, truth = simulate("binary", n=4000, seed=1)
    predicted = found.predict(labels, representations=x)
    assert list(predicted) == ["id_str", "merger_probability"]
    probability = predicted["merger_probability"].to_numpy()
    # Two unit Gaussians 2 apart; what is learned of 15 other features costs a little.
    assert roc_auc_score(labels["merger"], probability) == pytest.approx(
        norm.cdf(2 / np.sqrt(2)), abs=0.02
    )
    assert np.mean(np.abs(probability - truth["probability"])) < 0.06
    assert probability.mean() == pytest.approx(0.3, abs=0.05)
    final = found.metrics["final"]
    assert final["roc_auc_90pc_lower"] < 0.921 < final["roc_auc_90pc_upper"] + 0.02
    assert final["loss"] < final["constant_loss"]
    assert found.metrics["stage_1"] == final


def test_several_classes(model_folder):
    """About as accurate as the best there can be, and probabilities like its own."""
    found, _ = finetuned_on("classes", model_folder, n=3000)
    x, labels, truth = simulate("classes", n=4000, seed=1)
    predicted = found.predict(labels, representations=x)
    names = ["disk", "irregular", "ring"]
    assert list(predicted)[1:] == [f"shape_{name}_probability" for name in names]
    probability = predicted.iloc[:, 1:].to_numpy()
    np.testing.assert_allclose(probability.sum(1), 1, rtol=0, atol=1e-5)
    number = labels["shape"].map(names.index).to_numpy()
    best = np.mean(truth["probability"].argmax(1) == number)
    assert np.mean(probability.argmax(1) == number) > best - 0.03
    assert np.mean(np.abs(probability - truth["probability"])) < 0.06
    assert found.metrics["final"]["accuracy"] == pytest.approx(best, abs=0.06)


def test_a_fraction(model_folder):
    """Noise-free fractions are learned to a few hundredths."""
    found, _ = finetuned_on("fraction", model_folder, n=3000)
    x, labels, truth = simulate("fraction", n=1000, seed=1)
    predicted = found.predict(labels, representations=x)["bulge_predicted"]
    assert np.mean(np.abs(predicted - truth["fraction"])) < 0.06
    assert found.metrics["final"]["r_squared"] > 0.9


def test_votes_of_a_tree(model_folder):
    """Most of what lies between the best constant and the truth is learned."""
    found, _ = finetuned_on("votes", model_folder, n=3000)
    x, labels, truth = simulate("votes", n=1000, seed=1)
    predicted = found.predict(labels, representations=x)
    columns = [f"{name}_concentration" for name in TREE.label_cols]
    votes = labels[TREE.label_cols].to_numpy()

    def loss(alpha: np.ndarray) -> float:
        return -log_likelihood(votes, concentrations=alpha, schema=TREE).sum(1).mean()

    constant, best = loss(found.constant), loss(truth["alpha"])
    model = loss(predicted[columns].to_numpy())
    assert best < model < best + 0.35 * (constant - best)
    fractions = predicted[[f"{name}_fraction" for name in TREE.label_cols]].to_numpy()
    np.testing.assert_allclose(fractions[:, :3].sum(1), 1, rtol=0, atol=1e-5)
    measured = finetuning.measure(found, labels, representations=x)
    assert measured["loss"] == pytest.approx(model, rel=1e-5)
    assert measured["constant_loss"] == pytest.approx(constant, rel=1e-5)


@pytest.mark.parametrize("kind", LABELS)
def test_a_saved_model_predicts_the_same_to_the_bit(model_folder, tmp_path, kind):
    """Also what it knows of itself; nothing in its folder is a pickle."""
    found, _ = finetuned_on(kind, model_folder, n=300, epochs=2)
    found.save(tmp_path / "finetuned")
    again = Finetuned.load(tmp_path / "finetuned")
    x, labels, _ = simulate(kind, n=100, seed=1)
    pd.testing.assert_frame_equal(
        again.predict(labels, representations=x),
        found.predict(labels, representations=x),
        check_exact=True,
    )
    assert again.task == found.task and again.settings == found.settings
    assert again.metrics == found.metrics
    # Text keeps all digits of float32, which is read as float64.
    pd.testing.assert_frame_equal(again.held_out, found.held_out, check_dtype=False)
    measured = finetuning.measure(again, labels, representations=x)
    assert measured == finetuning.measure(found, labels, representations=x)


@pytest.fixture(scope="module")
def rings(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """60 images, a third of them rings."""
    table = galaxies.write_galaxies(tmp_path_factory.mktemp("rings"), n_galaxies=60)
    is_ring = galaxies.kind_of(table["id_str"]) == "ring"
    parts = np.repeat(["train", "val", "test"], [30, 12, 18])
    return table[["id_str", "file_loc"]].assign(ring=is_ring, part=parts)


@pytest.fixture(scope="module")
def stored(rings, model_folder, tmp_path_factory) -> Path:
    """Their representations."""
    folder = tmp_path_factory.mktemp("stored")
    rings[["id_str", "file_loc"]].to_parquet(folder / "chunk.parquet")
    return sweep(folder / "chunk.parquet", model_folder)


def sweep(chunk: Path, model_folder: Path) -> Path:
    path = chunk.with_name(f"{model_folder.name}.hdf5")
    extract_representations(
        chunk,
        model_folder=model_folder,
        representations=path,
        settings=ExtractRepresentations(batch_size=16, engine="tensorflow"),
    )
    return path


def test_images_and_representations_are_the_same_galaxies(rings, stored, model_folder):
    """Trained on either, predicting from either: the same to float32's rounding."""
    settings = QUICK | {"epochs": 3, "batch_size": 16}
    options = {"label": "ring", "task": "binary", "model_folder": model_folder}
    by_image = finetuning.finetune(rings, settings=settings, **options)
    by_file = finetuning.finetune(
        rings.drop(columns="file_loc"),
        representations=stored,
        settings=settings,
        **options,
    )
    expected = by_file.predict(representations=stored)
    assert list(expected["id_str"]) == list(rings["id_str"])
    for found in (
        by_image.predict(rings),
        by_image.predict(representations=[stored]),
        by_image.predict(rings[["id_str"]], representations=stored),
        by_image.predict(list(rings["file_loc"])),
    ):
        np.testing.assert_allclose(
            found["ring_probability"], expected["ring_probability"], rtol=0, atol=1e-4
        )
    few = by_file.predict(rings[["id_str"]].iloc[[7, 3]], representations=stored)
    assert list(few["id_str"]) == list(rings["id_str"].iloc[[7, 3]])
    np.testing.assert_allclose(
        few["ring_probability"],
        expected["ring_probability"].iloc[[7, 3]],
        rtol=0,
        atol=1e-6,
    )


def test_a_finetuned_encoder_makes_its_own_representations(
    rings, stored, model_folder, tmp_path
):
    """Those of the encoder before are refused, its own are taken."""
    found = finetuning.finetune(
        rings,
        label="ring",
        task="binary",
        model_folder=model_folder,
        representations=stored,
        settings=networks.finetune_settings(
            epochs=1, unfreeze="all", unfreeze_learning_rate=0.01, unfreeze_epochs=4
        ),
    )
    assert found.has_own_encoder
    found.save(tmp_path / "finetuned")
    again = Finetuned.load(tmp_path / "finetuned")
    expected = found.predict(rings)
    pd.testing.assert_frame_equal(again.predict(rings), expected, check_exact=True)
    with pytest.raises(ValueError, match=r"hdf5: found representations by encoder"):
        again.predict(representations=stored)
    with pytest.raises(ValueError, match=r"an array, which does not say what encoder"):
        again.predict(representations=np.zeros((3, N)))
    rings[["id_str", "file_loc"]].to_parquet(tmp_path / "chunk.parquet")
    anew = sweep(tmp_path / "chunk.parquet", tmp_path / "finetuned")
    np.testing.assert_allclose(
        again.predict(representations=anew)["ring_probability"],
        expected["ring_probability"],
        rtol=0,
        atol=1e-5,
    )


def test_without_held_out_galaxies(model_folder):
    """All galaxies teach, and there are no metrics."""
    x, labels, _ = simulate("binary", n=200, seed=0)
    found = finetuning.finetune(
        labels,
        label="merger",
        task="binary",
        model_folder=model_folder,
        representations=x,
        settings={"epochs": 1},
        test=0.0,
    )
    assert found.metrics == {} and found.held_out.empty


def with_label(row: int, value: object, *, column: str = "merger"):
    def change(labels: pd.DataFrame) -> pd.DataFrame:
        changed = labels.astype({column: object})
        changed.loc[row, column] = value
        return changed

    return change


@pytest.mark.parametrize(
    ("kind", "change", "options", "match"),
    [
        (
            *("binary", with_label(3, np.nan), {}),
            r"labels, galaxy 'g00003', merger: found no value, expected 0 or 1",
        ),
        ("binary", with_label(3, 2), {}, r"'g00003', merger: found '?2'?, expected 0"),
        (
            *("binary", lambda t: t.assign(merger=0), {}),
            r"column merger: found only 0, expected 0 and 1 both",
        ),
        (
            *("binary", lambda t: t.drop(columns="merger"), {}),
            r"labels: column 'merger' not found",
        ),
        (
            *("binary", lambda t: t.rename(columns={"merger": "merged"}), {}),
            r"column 'merger' not found; is it 'merged'\?",
        ),
        (
            *("binary", lambda t: t.assign(part="train"), {}),
            r"merger: found 0 galaxies in part val, of class none; expected 2 classes",
        ),
        (
            *("binary", lambda t: t.assign(part="all"), {}),
            r"'g00000', part: found 'all', expected train, val or test",
        ),
        (
            *("binary", lambda t: t.assign(id_str=range(len(t))), {}),
            r"row 0, id_str: found 0, expected text",
        ),
        (
            *("binary", lambda t: t.assign(id_str="same"), {}),
            r"labels: id_str 'same' repeats",
        ),
        (
            *("binary", None, {"settings": {"unfreeze": "some"}}),
            r"column file_loc not found.*unfreeze: some trains on them",
        ),
        (
            *("binary", None, {"representations": None}),
            r"column file_loc not found.*there are no representations",
        ),
        (
            *("binary", None, {"representations": np.zeros((3, N))}),
            r"found an array of shape \(3, 16\), expected \(120, 16\)",
        ),
        (
            *("binary", None, {"representations": []}),
            r"representations: found \[\], expected the path",
        ),
        (
            *("binary", None, {"settings": {"epoch": 3}}),
            r"settings: found unknown option 'epoch', expected an option of hidden_u",
        ),
        (
            *("binary", None, {"settings": {"dropout_rate": 1.5}}),
            r"settings: dropout_rate: found 1.5",
        ),
        ("binary", None, {"task": "ring"}, r"task: found 'ring', expected one of bin"),
        ("binary", None, {"val": 0.0}, r"val, test: found 0.0 and 0.2, expected val"),
        (
            *("binary", None, {"label": TREE}),
            r"label: found Schema.*expected the name of a column for task binary",
        ),
        (
            *("classes", with_label(3, " ", column="shape"), {}),
            r"'g00003', shape: found no value, expected the name of a class",
        ),
        (
            *("classes", lambda t: t.assign(shape="disk"), {}),
            r"column shape: found only disk, expected two different ones",
        ),
        (
            *("fraction", with_label(3, 1.01, column="bulge"), {}),
            r"'g00003', bulge: found '?1.01'?, expected a number from 0 to 1",
        ),
        (
            *("votes", with_label(3, 0.5, column="bar_yes"), {}),
            r"'g00003', bar_yes: found '?0.5'?, expected a whole number of votes",
        ),
        (
            *("votes", lambda t: t.drop(columns="bar_no"), {}),
            r"column 'bar_no' of Schema\(tree.*not found \(1 of 5\)",
        ),
        (
            *("votes", None, {"label": "gz2"}),
            r"column 'smooth-or-featured_smooth' of 'gz2' not found \(28 of 30\)",
        ),
        ("votes", None, {"label": "gz3"}, r"schema: found 'gz3', expected one of"),
        (
            *("votes", lambda t: t.assign(**dict.fromkeys(TREE.label_cols, 0)), {}),
            r"'g00000', votes: found none at all.*120 galaxies have such labels",
        ),
    ],
)
def test_bad_input_is_named(model_folder, kind, change, options, match):
    """The error has the galaxy, the column or the option."""
    x, labels, _ = simulate(kind, n=120, seed=0)
    given = {"label": LABELS[kind], "task": kind, "representations": x} | options
    with pytest.raises(ValueError, match=match):
        finetuning.finetune(
            change(labels) if change else labels, model_folder=model_folder, **given
        )


def test_galaxies_without_representation(rings, stored, model_folder, tmp_path):
    """They are counted, and one is named; so is a folder that has no model."""
    more = pd.concat([rings, rings[:1].assign(id_str="stranger")])
    options = {"label": "ring", "task": "binary", "representations": stored}
    with pytest.raises(ValueError, match=r"1 of 61 galaxies .* first 'stranger'"):
        finetuning.finetune(more, model_folder=model_folder, **options)
    with pytest.raises(ValueError, match=r"expected a model folder with a card.json"):
        finetuning.finetune(rings, model_folder=stored.parent, **options)
    copy = shutil.copy(stored, tmp_path)
    with pytest.raises(ValueError, match=r"galaxy 'smooth-0000' repeats in the files"):
        finetuning.finetune(
            rings,
            model_folder=model_folder,
            **options | {"representations": [stored, copy]},
        )


def test_usual_settings_are_those_of_the_paper():
    """W+22b: two layers of 64 units, dropout 0.75; patience 13 of 80 epochs."""
    assert (USUAL.hidden_units, USUAL.dropout_rate) == (64, 0.75)
    assert (USUAL.epochs, USUAL.patience, USUAL.learning_rate) == (80, 13, 1e-3)
    assert USUAL.unfreeze == "none" and isinstance(USUAL, Finetune)


def test_finetune_minimal(rings, model_folder, tmp_path):
    """The basic example as a program: from a csv table to a folder that predicts."""
    table = rings.drop(columns="part").assign(ring=rings["ring"].astype(int))
    folder = Path(table["file_loc"][0]).parent
    table["file_loc"] = [Path(path).name for path in table["file_loc"]]
    bad = table[:2].assign(id_str=["gone", "odd"], file_loc=["no.png", "0000.png"])
    bad.loc[1, "ring"] = 7
    pd.concat([table, bad]).to_csv(tmp_path / "basic.csv", index=False)
    finetune_minimal.main(
        f"--catalog {tmp_path}/basic.csv --model {model_folder} --split-seed 3 "
        f"--save-dir {tmp_path}/out --image-folder {folder} --epochs 5 --val 0.2 "
        "--learning-rate 0.01 --dropout-rate 0.1".split()
    )
    found = Finetuned.load(tmp_path / "out")
    assert found.settings.hidden_units == 64 and found.settings.epochs == 5
    assert not found.has_own_encoder
    assert found.metrics["final"]["n"] == len(found.held_out)
    rejected = pd.read_csv(tmp_path / "out" / "rejected.csv", index_col="id_str")
    assert set(rejected.index) == {"gone", "odd"}
    assert "no.png" in rejected.loc["gone", "reason"]
    assert rejected.loc["odd", "reason"] == "ring: found '7', expected 0 or 1"
    assert set(found.held_out["id_str"]) < set(table["id_str"])
    assert len(found.predict(rings)) == 60


def test_finetune_advanced(rings, model_folder, tmp_path):
    """The advanced example: rings by the volunteers' fractions, in two stages."""
    is_ring = rings["ring"].to_numpy()
    table = rings[["id_str", "file_loc"]].rename(columns={"id_str": "iauname"})
    table["rare-features_ring_fraction"] = np.where(is_ring, 0.5, 0.01)
    table["smooth-or-featured_featured-or-disk_fraction"] = 0.8
    table["disk-edge-on_no_fraction"] = 0.9
    table.loc[0, "rare-features_ring_fraction"] = 0.1
    table.to_parquet(tmp_path / "advanced.parquet")
    finetune_advanced.main(
        f"--catalog {tmp_path}/advanced.parquet --model {model_folder} --split-seed 3 "
        f"--save-dir {tmp_path}/out --id-column iauname --epochs 2 --val 0.2 "
        "--unfreeze-epochs 3 --unfreeze-learning-rate 0.01".split()
    )
    found = Finetuned.load(tmp_path / "out")
    assert found.settings.unfreeze == "some"
    assert set(found.metrics) == {"task", "label", "linear_probe", "stage_1", "final"}
    assert found.metrics["linear_probe"]["n"] == 59
    rejected = pd.read_csv(tmp_path / "out" / "rejected.csv", index_col="id_str")
    assert list(rejected.index) == [table["iauname"][0]]


@pytest.mark.parametrize("program", [finetune_minimal, finetune_advanced])
def test_programs_say_what_is_wrong(program, capsys, tmp_path):
    """Exit status 2 and the option's name; a table that is not there is named."""
    files = ["--catalog", f"{tmp_path}/no.csv", "--model", "m", "--save-dir", "s"]
    with pytest.raises(SystemExit) as end:
        program.main([*files, "--dropout-rate", "1.5"])
    assert end.value.code == 2
    assert "--dropout-rate: found '1.5'" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"no\.csv: expected a table, found no such"):
        program.main(files)
    with pytest.raises(SystemExit) as end:
        program.main(["--help"])
    assert end.value.code == 0
    assert "(default: 64)" in capsys.readouterr().out
