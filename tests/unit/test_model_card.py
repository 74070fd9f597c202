"""A model folder without its encoder: card and head."""

import dataclasses
import json
import zipfile

import numpy as np
import pytest

from tests import networks
from zoobot.estimators.model_card import (
    Head,
    load_card,
    load_head,
    save_card,
    save_head,
)

CARD = networks.model_card(
    architecture="EfficientNetB0",
    image_size_px=300,
    crop_size_px=225,
    shift_max_px=37.5,
    input_size_px=224,
    n_features=5,
    seed=42,
    member=1,
    n_train=1000,
    best_epoch=3,
    val_loss=21.123456789012345,
    weights_digest="0" * 64,
    versions={"python": "3.11"},
)
RNG = np.random.default_rng(0)
HEAD = Head(
    RNG.normal(size=(5, 34)).astype(np.float32), RNG.normal(size=34).astype(np.float32)
)


def test_card_round_trip(tmp_path):
    """Every field comes back, the tree among them."""
    save_card(tmp_path, CARD)
    assert load_card(tmp_path) == CARD


def test_head_round_trip(tmp_path):
    """Exact numbers, in a zip file of plain arrays."""
    save_card(tmp_path, CARD)
    save_head(tmp_path, HEAD)
    found = load_head(tmp_path)
    np.testing.assert_array_equal(found.kernel, HEAD.kernel)
    np.testing.assert_array_equal(found.bias, HEAD.bias)
    with zipfile.ZipFile(tmp_path / "head.npz") as file:
        assert sorted(file.namelist()) == ["bias.npy", "kernel.npy"]


def test_no_card(tmp_path):
    """A folder that is no model's is named."""
    with pytest.raises(ValueError, match=r"expected a model folder with a card.json"):
        load_card(tmp_path)


@pytest.mark.parametrize("change", ["more", "fewer"])
def test_card_of_another_version(tmp_path, change):
    """Keys that differ are named, whether they are too many or too few."""
    save_card(tmp_path, CARD)
    content = json.loads((tmp_path / "card.json").read_text())
    if change == "more":
        content["greyness"] = 1
    else:
        del content["greyscale"]
    (tmp_path / "card.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"card.json: keys differ .*grey"):
        load_card(tmp_path)


def test_head_of_another_model(tmp_path):
    """A head that does not fit the card is refused with both shapes."""
    save_card(tmp_path, dataclasses.replace(CARD, n_features=6))
    save_head(tmp_path, HEAD)
    with pytest.raises(ValueError, match=r"found kernel \(5, 34\).*expected \(6, 34\)"):
        load_head(tmp_path)


def test_a_pickle_is_not_run(tmp_path):
    """An array of objects, which would need a pickle, is refused."""
    save_card(tmp_path, CARD)
    kernel = np.array([{"code": 1}], dtype=object)
    np.savez(tmp_path / "head.npz", kernel=kernel, bias=HEAD.bias)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_head(tmp_path)
