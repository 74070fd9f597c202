"""A model's folder that is not as it was written is refused, and the file named."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from tests import networks
from zoobot.data_utils.tasks import Task
from zoobot.estimators import define_model, model_card
from zoobot.estimators.finetuning_head import get_finetuning_head
from zoobot.estimators.model_files import save_network
from zoobot.estimators.weights_digests import joined, sha256_of
from zoobot.training.finetuned import Finetuned

pytestmark = pytest.mark.faults

FILES = ("encoder.keras", "head.npz", "card.json")


@pytest.fixture(scope="module")
def encoder(small_network: None) -> keras.Model:
    return new_encoder(seed=0)


def new_encoder(*, seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return define_model.get_encoder(networks.SMALL, input_size=32, channels=1)


@pytest.fixture(scope="module")
def written(encoder: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model's folder."""
    folder = tmp_path_factory.mktemp("model")
    rng = np.random.default_rng(0)
    head = model_card.Head(
        kernel=rng.normal(size=(networks.N_FEATURES, 34)).astype(np.float32),
        bias=rng.normal(size=34).astype(np.float32),
    )
    return networks.write_model(
        folder, encoder=encoder, head=head, image_size_px=40, shift_max_px=4.0
    )


@pytest.fixture
def model(written: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(written, tmp_path / "model"))


def load(folder: Path) -> None:
    """All that jobs read of a model."""
    model_card.load_card(folder)
    model_card.load_head(folder)
    define_model.load_encoder(folder)


def refused(folder: Path, name: str) -> str:
    """The error, which names the file and says what to do."""
    with pytest.raises(
        ValueError, match=r"elete it and run the workflow again"
    ) as error:
        load(folder)
    assert str(folder) in str(error.value)
    assert name in str(error.value)
    return str(error.value)


def test_as_it_was_written(model: Path):
    load(model)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(model: Path, name: str):
    (model / name).unlink()
    refused(model, name)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short(model: Path, name: str, share: float):
    content = (model / name).read_bytes()
    (model / name).write_bytes(content[: int(share * len(content))])
    refused(model, name)


@pytest.mark.parametrize("name", ["encoder.keras", "head.npz"])
def test_a_flipped_bit(model: Path, name: str):
    """In the weights, wherever it is; their archives have checksums, too."""
    content = (model / name).read_bytes()
    for place in np.random.default_rng(0).integers(len(content) // 2, size=5):
        middle = len(content) // 4 + int(place)
        damaged = bytearray(content)
        damaged[middle] ^= 4
        (model / name).write_bytes(damaged)
        refused(model, name)


def test_an_encoder_of_another_training(model: Path):
    """As after a copy that was interrupted: valid, but not the card's."""
    define_model.save_encoder(model, new_encoder(seed=1))
    assert "found weights with sha256" in refused(model, "encoder.keras")


def test_a_head_of_another_training(model: Path):
    head = model_card.load_head(model)
    model_card.save_head(model, dataclasses.replace(head, bias=head.bias + 1))
    assert "found weights with sha256" in refused(model, "head.npz")


@pytest.mark.parametrize("change", [{"input_size_px": 64}, {"channels": 3}])
def test_a_card_of_another_shape(model: Path, change: dict):
    """The same weights fit images of any size."""
    card = model_card.load_card(model)
    model_card.save_card(model, dataclasses.replace(card, **change))
    assert "found a network from (None, 32, 32, 1)" in refused(model, "encoder.keras")


def test_saved_later_is_the_same_to_the_byte(
    encoder: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Then who reads it need not run again."""
    now = time.localtime()
    for name, year in (("now", 2030), ("later", 2031)):
        moment = time.struct_time((year, *now[1:]))
        monkeypatch.setattr(time, "localtime", lambda *_, at=moment: at)
        save_network(tmp_path / name / "encoder.keras", encoder)
    contents = [
        (tmp_path / name / "encoder.keras").read_bytes() for name in ("now", "later")
    ]
    assert contents[0] == contents[1]


@pytest.fixture
def finetuned(model: Path, tmp_path: Path) -> tuple[Path, Finetuned]:
    """The folder of a finetuned model, and what was saved in it."""
    task = Task("binary", "ring")
    head = get_finetuning_head(
        task,
        n_features=networks.N_FEATURES,
        hidden_units=4,
        dropout_rate=0.5,
        mean=np.zeros(networks.N_FEATURES),
        variance=np.ones(networks.N_FEATURES),
        start_at=np.array([0.5]),
    )
    encoder = new_encoder(seed=1)
    card = model_card.load_card(model)
    digest = joined(
        encoder=sha256_of(encoder.get_weights()), head=sha256_of(head.get_weights())
    )
    saved = Finetuned(
        task=task,
        card=dataclasses.replace(
            card, weights_digest=digest, finetuned_from=card.weights_digest
        ),
        settings=networks.finetune_settings(),
        head=head,
        model_folder=model,
        trained_encoder=encoder,
        constant=np.array([0.5]),
    )
    saved.save(tmp_path / "rings")
    return tmp_path / "rings", saved


def test_a_finetuned_model(finetuned: tuple[Path, Finetuned], model: Path):
    """Its card is of its own weights, not of the model's that it was made from."""
    folder, saved = finetuned
    found = Finetuned.load(folder)
    for one, other in (
        (found.head, saved.head),
        (found.encoder, saved.encoder),
    ):
        for mine, expected in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, expected)
    shutil.copy(model / "encoder.keras", folder)
    with pytest.raises(ValueError, match=r"encoder.keras: found weights with sha256"):
        _ = Finetuned.load(folder).encoder
    saved.head.layers[-1].bias.assign_add([1.0])
    save_network(folder / "head.keras", saved.head)
    with pytest.raises(ValueError, match=r"head.keras: found weights with sha256"):
        Finetuned.load(folder)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("task.json", None, r"task.json: expected a file .*No such file"),
        ("task.json", "{", r"task.json: expected a file \(JSON\)"),
        ("task.json", "{}", r"task.json: found no 'constant'"),
        ("metrics.json", "[1]", r"metrics.json: expected a file"),
        ("held_out.csv", None, r"held_out.csv: expected predictions"),
        ("head.keras", "nothing", r"head.keras: expected a network"),
        ("card.json", None, r"expected a model folder with a card.json"),
    ],
)
def test_a_damaged_finetuned_model(
    finetuned: tuple[Path, Finetuned], name: str, content: str | None, match: str
):
    """The error names the file."""
    folder, _ = finetuned
    path = folder / name
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=match):
        Finetuned.load(folder)


def test_the_task_of_another_model(finetuned: tuple[Path, Finetuned]):
    """A task belongs to its weights: classes might be others."""
    folder, _ = finetuned
    content = json.loads((folder / "task.json").read_text())
    (folder / "task.json").write_text(json.dumps(content | {"weights_digest": "a-b"}))
    with pytest.raises(ValueError, match=r"task.json: found the task of other weights"):
        Finetuned.load(folder)
