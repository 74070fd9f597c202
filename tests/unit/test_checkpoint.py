"""What is stored at the end of an epoch, and when it is used again."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from zoobot.training.checkpoint import Checkpoint, Record

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 3)).astype(np.float32)
Y = RNG.normal(size=(32, 2)).astype(np.float32)
BELONGS_TO = {"learning_rate": 0.1, "names": ["a", "b"], "code": "1"}


def network(*, seed: int = 0, units: int = 4) -> keras.Model:
    """A model with all that has a state: averages, dropout, moments, a scaled loss."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(units),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2),
        ]
    )
    schedule = keras.optimizers.schedules.CosineDecay(0.1, decay_steps=20)
    inner = keras.optimizers.AdamW(schedule, weight_decay=0.1)
    # So few steps to the next doubling of the factor that its count matters here.
    optimizer = keras.optimizers.LossScaleOptimizer(inner, dynamic_growth_steps=3)
    model.compile(optimizer, "mse", jit_compile=False)
    optimizer.build(model.trainable_variables)
    return model


def train(model: keras.Model, *, n_steps: int) -> list[float]:
    """Losses of some steps, one after another."""
    return [float(model.train_on_batch(X, Y)) for _ in range(n_steps)]


def saved(folder: Path) -> tuple[keras.Model, Checkpoint]:
    """A model after four steps, and its checkpoint of two epochs."""
    model = network()
    checkpoint = Checkpoint(folder, belongs_to=BELONGS_TO)
    for loss in (0.1 + 0.2, 1e-30):
        train(model, n_steps=2)
        checkpoint.record.add({"loss": 1.0, "val_loss": loss}, model=model)
    checkpoint.save(model)
    return model, checkpoint


def restored(folder: Path, *, model: keras.Model | None = None, **changes) -> Record:
    """What another process makes of the folder."""
    checkpoint = Checkpoint(folder, belongs_to=BELONGS_TO | changes)
    checkpoint.restore(model or network(seed=1))
    return checkpoint.record


def variables_of(model: keras.Model) -> list[np.ndarray]:
    """All that trains, copied."""
    return [np.array(v) for v in (*model.variables, *model.optimizer.variables)]


def assert_equal(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    """The same arrays, to the bit."""
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_goes_on_as_if_nothing_had_happened(tmp_path):
    """Restored into a model of another seed: the next losses are equal to the bit."""
    model, checkpoint = saved(tmp_path / "new" / "folder")
    again = network(seed=1)
    record = restored(tmp_path / "new" / "folder", model=again)
    assert record.rows == checkpoint.record.rows
    assert_equal(record.best_weights, checkpoint.record.best_weights)
    assert_equal(variables_of(again), variables_of(model))
    assert train(again, n_steps=5) == train(model, n_steps=5)
    assert_equal(variables_of(again), variables_of(model))


def test_nothing_stored_is_a_pickle(tmp_path):
    """Arrays of numbers, and text."""
    saved(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]
    with np.load(tmp_path / "state.npz", allow_pickle=False) as arrays:
        assert json.loads(arrays["about"].item())["belongs_to"] == BELONGS_TO
        assert not any(array.dtype.hasobject for array in arrays.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.2}, "with another learning_rate;"),
        ({"code": "2", "names": ["b", "a"]}, "with another code, names;"),
        ({"new": 1}, "with another new;"),
    ],
)
def test_another_training_is_not_gone_on_with(tmp_path, caplog, changes, message):
    """What differs is named, and the model stays as it is; so does the file."""
    saved(tmp_path)
    model = network(seed=1)
    before = variables_of(model)
    assert restored(tmp_path, model=model, **changes) == Record()
    assert message in caplog.text
    assert "starts anew" in caplog.text
    assert_equal(variables_of(model), before)
    assert len(restored(tmp_path).rows) == 2


def test_a_file_cut_short_is_not_used(tmp_path, caplog):
    """Wherever it ends; the log names it, and the model stays as it is."""
    saved(tmp_path)
    path = tmp_path / "state.npz"
    whole = path.read_bytes()
    model = network(seed=1)
    before = variables_of(model)
    for length in np.linspace(0, len(whole) - 1, 12).astype(int):
        path.write_bytes(whole[:length])
        caplog.clear()
        assert restored(tmp_path, model=model) == Record()
        assert f"{path}: found a damaged file" in caplog.text
        assert_equal(variables_of(model), before)


def test_a_flipped_byte_is_never_trained_on(tmp_path, caplog):
    """It is noticed, or stands where no number is, as in a date."""
    model, checkpoint = saved(tmp_path)
    path = tmp_path / "state.npz"
    whole = path.read_bytes()
    again = network(seed=1)
    before = variables_of(again)
    n_noticed = 0
    for place in np.random.default_rng(0).integers(len(whole), size=60):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        caplog.clear()
        record = restored(tmp_path, model=again)
        if record == Record():
            n_noticed += 1
            assert "damaged" in caplog.text
            assert_equal(variables_of(again), before)
        else:
            assert record.rows == checkpoint.record.rows
            assert_equal(variables_of(again), variables_of(model))
            variables = [*again.variables, *again.optimizer.variables]
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)
    assert n_noticed > 20


def test_a_strangers_file_runs_no_code(tmp_path, caplog):
    """A pickle in the place of an array is refused."""
    ran = tmp_path / "ran"

    class Hostile:
        def __reduce__(self):
            return Path.touch, (ran,)

    np.savez(tmp_path / "state.npz", about=np.array([Hostile()], dtype=object))
    assert restored(tmp_path) == Record()
    assert "damaged" in caplog.text
    assert not ran.exists()


def test_arrays_of_another_network_are_refused(tmp_path, caplog):
    """As after an edit of the network that no version tells of."""
    saved(tmp_path)
    assert restored(tmp_path, model=network(units=5)) == Record()
    assert "not those of this model" in caplog.text


def test_death_while_writing_leaves_the_epoch_before(tmp_path, monkeypatch):
    """Never half a state: the new one takes the old one's place when it is whole."""
    model, checkpoint = saved(tmp_path)
    expected = variables_of(model)
    original = np.savez

    def killed(path, **arrays):
        original(path, **arrays)
        Path(path).write_bytes(Path(path).read_bytes()[:1000])
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", killed)
    train(model, n_steps=1)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(model)
    again = network(seed=1)
    assert len(restored(tmp_path, model=again).rows) == 2
    assert_equal(variables_of(again), expected)


def test_remove_deletes_its_own_files_alone(tmp_path):
    """Also what a killed process left; a folder with other files stays."""
    _, checkpoint = saved(tmp_path / "a")
    (tmp_path / "a" / ".state.host-1.npz").touch()
    checkpoint.remove()
    assert not (tmp_path / "a").exists()
    checkpoint.remove()
    _, checkpoint = saved(tmp_path / "b")
    (tmp_path / "b" / "mine.txt").touch()
    checkpoint.remove()
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["mine.txt"]


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    """All calls are allowed, and none does anything."""
    monkeypatch.chdir(tmp_path)
    model = network()
    checkpoint = Checkpoint(None, belongs_to={})
    checkpoint.restore(model)
    checkpoint.save(model)
    checkpoint.remove()
    assert not list(tmp_path.iterdir())


def test_the_file_is_a_plain_archive(tmp_path):
    """Without compression: numbers hardly shrink, and epochs are to be quick."""
    saved(tmp_path)
    with zipfile.ZipFile(tmp_path / "state.npz") as archive:
        kinds = {member.compress_type for member in archive.infolist()}
    assert kinds == {zipfile.ZIP_STORED}


@pytest.mark.parametrize(
    ("losses", "best", "over"),
    [
        ([3.0], 0, False),
        ([3.0, 2.0, 1.0], 2, False),
        ([1.0, 1.0], 0, False),
        ([1.0, 2.0, 1.0], 0, True),
        ([3.0, 1.0, 2.0], 1, False),
        ([3.0, 1.0, 2.0, 3.0], 1, True),
        ([4.0, 3.0, 2.0, 1.0, 0.0], 4, True),
    ],
)
def test_when_training_is_over(losses, best, over):
    """After five epochs, or two without a lower validation loss than the best."""
    model = network()
    record = Record()
    assert not record.is_over(epochs=5, patience=2)
    for i, loss in enumerate(losses):
        model.layers[0].bias.assign(np.full(4, i, np.float32))
        record.add({"val_loss": loss}, model=model)
    assert record.best_epoch == best
    assert record.is_over(epochs=5, patience=2) == over
    np.testing.assert_array_equal(record.best_weights[1], np.full(4, best))
    assert record.columns == {"val_loss": losses}
