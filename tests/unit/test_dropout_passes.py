"""Dropout passes: what a prediction may and may not depend on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import networks
from workflow_scripts import predict as script
from zoobot.data_utils import hdf5
from zoobot.estimators.model_card import Head, save_card, save_head
from zoobot.predictions import dropout_passes
from zoobot.schemas import get_schema
from zoobot.settings.predictions import Predict

SCHEMA = get_schema("gz2")
N_FEATURES = 48
N_ANSWERS = len(SCHEMA.label_cols)
# A float32 sigmoid of a float32 sum, times 100.
FLOAT32 = 1e-4


def make_model(folder: Path, *, member: int = 0, dropout_rate: float = 0.2) -> Path:
    """Write a model folder without an encoder, its head drawn from the member."""
    folder.mkdir(parents=True, exist_ok=True)
    card = networks.model_card(
        schema=SCHEMA,
        crop_size_px=24,
        input_size_px=24,
        shift_max_px=4.0,
        n_features=N_FEATURES,
        dropout_rate=dropout_rate,
        member=member,
        weights_digest=f"digest{member}",
    )
    rng = np.random.default_rng(member)
    kernel = rng.normal(0, 0.5, size=(N_FEATURES, N_ANSWERS)).astype(np.float32)
    save_card(folder, card)
    save_head(folder, Head(kernel, rng.normal(-2, 1, N_ANSWERS).astype(np.float32)))
    return folder


def draw_features(n_galaxies: int, *, n_views: int | None = None) -> np.ndarray:
    """Representations, (n_galaxies, n_features[, n_views])."""
    shape = (n_galaxies, N_FEATURES) + (() if n_views is None else (n_views,))
    return np.random.default_rng(9).gamma(1.0, size=shape).astype(np.float32)


def make_representations(
    path: Path, *, values: np.ndarray, member: int = 0, ids: list[str] | None = None
) -> Path:
    """Write representations of a member; ids are g0, g1, ... unless given."""
    ids = ids or [f"g{i}" for i in range(len(values))]
    with hdf5.create(
        path,
        dataset="representations",
        id_str=ids,
        label_cols=[f"feat_{i}" for i in range(values.shape[1])],
        n_passes=values.shape[2] if values.ndim == 3 else None,
        attributes={"model_digest": f"digest{member}", "schema": SCHEMA.to_json()},
    ) as dataset:
        dataset[...] = values
    return path


def run(
    folder: Path,
    *,
    values: np.ndarray,
    n_samples: int = 3,
    seed: int = 5,
    ids: list[str] | None = None,
    dropout_rate: float = 0.2,
) -> hdf5.GalaxyRows:
    """Predict with one member and read the result."""
    model = make_model(folder / "model", dropout_rate=dropout_rate)
    path = make_representations(folder / "r.hdf5", values=values, ids=ids)
    dropout_passes.predict(
        [path],
        models=[model],
        predictions=folder / "p.hdf5",
        settings=Predict(n_samples=n_samples, seed=seed),
    )
    return hdf5.read(folder / "p.hdf5", dataset="predictions")


def head_by_hand(x: np.ndarray, *, member: int = 0) -> np.ndarray:
    """Concentrations without dropout, written out in double precision."""
    rng = np.random.default_rng(member)
    kernel = rng.normal(0, 0.5, size=(N_FEATURES, N_ANSWERS)).astype(np.float32)
    bias = rng.normal(-2, 1, N_ANSWERS).astype(np.float32)
    return 0.02 + 100 / (1 + np.exp(-(x.astype(float) @ kernel + bias)))


def test_rate_zero_is_the_plain_head(tmp_path: Path) -> None:
    """Without dropout every pass is the head applied to the representation."""
    values = draw_features(7)
    found = run(tmp_path, values=values, dropout_rate=0.0)
    assert found.values.shape == (7, N_ANSWERS, 3)
    assert found.label_cols == SCHEMA.label_cols
    for i in range(3):
        np.testing.assert_allclose(
            found.values[:, :, i], head_by_hand(values), rtol=0, atol=FLOAT32
        )


def test_masks_keep_the_mean() -> None:
    """A mask is 0 or 1 / (1 - rate), drops that share, and averages to 1."""
    card = networks.model_card(n_features=20_000, dropout_rate=0.2)
    mask = dropout_passes.draw_mask(seed=1, member=0, index=0, card=card)
    assert set(np.unique(mask)) == {np.float32(0), np.float32(1.25)}
    # Standard error of the share dropped: sqrt(0.16 / 20000) = 0.003.
    assert (mask == 0).mean() == pytest.approx(0.2, abs=0.012)


def test_masks_differ_by_pass_member_and_seed() -> None:
    """Each pass of each member has a stream of its own, and the same one again."""
    card = networks.model_card(n_features=N_FEATURES)
    names = [(1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 0)]

    def mask(name: tuple[int, int, int]) -> bytes:
        seed, member, index = name
        return dropout_passes.draw_mask(
            seed=seed, member=member, index=index, card=card
        ).tobytes()

    assert len({mask(name) for name in names}) == len(names)
    assert mask((1, 0, 0)) == mask((1, 0, 0))


def test_a_pass_is_one_network_for_all_galaxies(tmp_path: Path) -> None:
    """Galaxies with one representation get one prediction; passes differ."""
    values = np.repeat(draw_features(1), 4, axis=0)
    found = run(tmp_path, values=values).values
    np.testing.assert_array_equal(found, found[:1].repeat(4, axis=0))
    assert not np.array_equal(found[:, :, 0], found[:, :, 1])


def test_neither_batch_nor_order_matters(tmp_path: Path) -> None:
    """A galaxy alone, or the others in another order: the same bits."""
    values = draw_features(65)
    whole = run(tmp_path / "whole", values=values).values
    order = np.random.default_rng(2).permutation(65)
    shuffled = run(
        tmp_path / "shuffled", values=values[order], ids=[f"g{i}" for i in order]
    )
    assert shuffled.id_str == [f"g{i}" for i in order]
    np.testing.assert_array_equal(shuffled.values, whole[order])
    alone = run(tmp_path / "alone", values=values[64:], ids=["g64"])
    np.testing.assert_array_equal(alone.values, whole[64:])


def test_more_passes_leave_the_first_ones_alone(tmp_path: Path) -> None:
    """Pass i is the same whatever n_samples is."""
    values = draw_features(5)
    few = run(tmp_path / "few", values=values, n_samples=2).values
    many = run(tmp_path / "many", values=values, n_samples=6).values
    np.testing.assert_array_equal(many[:, :, :2], few)
    other = run(tmp_path / "other", values=values, n_samples=2, seed=6).values
    assert not np.array_equal(other, few)


def test_views_take_turns(tmp_path: Path) -> None:
    """Pass i sees view i mod n_views."""
    values = draw_features(5, n_views=2)
    both = run(tmp_path / "both", values=values, n_samples=4).values
    for view in range(2):
        single = run(tmp_path / f"{view}", values=values[:, :, view], n_samples=4)
        np.testing.assert_array_equal(both[:, :, view::2], single.values[:, :, view::2])


def test_members_are_matched_by_id(tmp_path: Path) -> None:
    """The second member's rows stand in another order; the script gets both."""
    values = draw_features(4)
    paths, models = [], []
    for member, order in enumerate(([0, 1, 2, 3], [3, 1, 0, 2])):
        ids = [f"g{i}" for i in order]
        models.append(
            make_model(tmp_path / f"m{member}", member=member, dropout_rate=0.0)
        )
        paths.append(
            make_representations(
                tmp_path / f"r{member}.hdf5",
                values=values[order],
                member=member,
                ids=ids,
            )
        )
    script.main(
        [
            *("--representations", *map(str, paths)),
            *("--models", *map(str, models)),
            *("--predictions", str(tmp_path / "p.hdf5")),
            *("--n-samples", "2", "--seed", "1"),
        ]
    )
    found = hdf5.read(tmp_path / "p.hdf5", dataset="predictions")
    assert found.id_str == ["g0", "g1", "g2", "g3"]
    assert found.attributes["model_digest"] == "digest0 digest1"
    for i in range(4):
        expected = head_by_hand(values, member=i // 2)
        np.testing.assert_allclose(
            found.values[:, :, i], expected, rtol=0, atol=FLOAT32
        )


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["g0", "g1", "x"], "2 are in one of the two only, the first is g2"),
        (["g0", "g1"], "found 2 galaxies, expected the 3 .* the first is g2"),
        (["g0", "g1", "g1"], "id_str g1 repeats"),
    ],
)
def test_other_galaxies_are_refused(
    tmp_path: Path, ids: list[str], message: str
) -> None:
    """Members must have seen the same galaxies."""
    first = make_representations(tmp_path / "r0.hdf5", values=draw_features(3))
    values = draw_features(len(ids))
    second = make_representations(
        tmp_path / "r1.hdf5", values=values, member=1, ids=ids
    )
    models = [make_model(tmp_path / f"m{i}", member=i) for i in range(2)]
    with pytest.raises(ValueError, match=message):
        dropout_passes.predict(
            [first, second],
            models=models,
            predictions=tmp_path / "p.hdf5",
            settings=Predict(n_samples=1, seed=1),
        )
    assert not (tmp_path / "p.hdf5").exists()


def test_representations_of_another_model_are_refused(tmp_path: Path) -> None:
    """A retrained model does not read what the old one wrote."""
    path = make_representations(tmp_path / "r.hdf5", values=draw_features(2), member=9)
    with pytest.raises(ValueError, match="representations of model digest9, expected"):
        dropout_passes.predict(
            [path],
            models=[make_model(tmp_path / "model")],
            predictions=tmp_path / "p.hdf5",
            settings=Predict(n_samples=1, seed=1),
        )


def test_a_broken_representation_is_named(tmp_path: Path) -> None:
    """NaN in a representation is an error that names the galaxy."""
    values = draw_features(3)
    values[1, 7] = np.nan
    with pytest.raises(ValueError, match="in 1 galaxies, the first is g1"):
        run(tmp_path, values=values)


def test_extreme_logits_stay_positive(tmp_path: Path) -> None:
    """No overflow warning, and a range that starts at 0 never gives a 0."""
    card = networks.model_card(concentration_min=0.0, concentration_max=100.0)
    features = np.array([[-1e4], [1e4]], dtype=np.float32)
    head = Head(np.ones((1, 2), np.float32), np.zeros(2, np.float32))
    found = dropout_passes.concentrations_of_pass(
        features, mask=np.ones(1, np.float32), head=head, card=card
    )
    assert found.dtype == np.float32
    assert (found[0] > 0).all()
    np.testing.assert_array_equal(found[1], 100)


def test_rows_of_a_large_product_are_independent() -> None:
    """With 1280 features, where a float32 sum does depend on its number of rows."""
    rng = np.random.default_rng(11)
    card = networks.model_card(n_features=1280, concentration_max=100)
    features = rng.gamma(1.0, size=(1003, 1280)).astype(np.float32)
    kernel = rng.normal(0, 0.05, size=(1280, 34)).astype(np.float32)
    head = Head(kernel, np.zeros(34, np.float32))
    mask = dropout_passes.draw_mask(seed=1, member=0, index=0, card=card)

    def predict(rows: slice) -> np.ndarray:
        return dropout_passes.concentrations_of_pass(
            features[rows], mask=mask, head=head, card=card
        )

    whole = predict(slice(None))
    for rows in (slice(0, 1), slice(500, 507), slice(3, 1003)):
        np.testing.assert_array_equal(predict(rows), whole[rows])
