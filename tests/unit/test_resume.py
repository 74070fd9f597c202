"""A training that is killed ends with the weights of one that nobody disturbed."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests import galaxies, networks
from zoobot.data_utils.shard_digests import content_digest
from zoobot.estimators import define_model
from zoobot.estimators.model_card import load_card, load_head
from zoobot.training import fitting, train
from zoobot.training.batch_progress import BatchProgress

# All that has a state: moments, a schedule, averages, two kinds of dropout. Three
# steps an epoch, the last of them with fewer galaxies. Epochs take a twentieth of a
# second each; the first step takes seconds.
SETTINGS = {
    "batch_size": 10,
    "epochs": 6,
    "optimizer": "adamw",
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup_epochs": 1.0,
    "shift_max_px": 2.0,
}

pytestmark = pytest.mark.usefixtures("small_network")


class Killed(BaseException):
    """What ends a training in these tests; nothing catches it."""


def train_in(folder: Path, shard: Path, *, code: str = "", **changes: object) -> Path:
    """Train the small network, or go on with it; gives the model folder."""
    train.train_member(
        [shard],
        val_shards=[shard],
        schema="gz_decals",
        member=1,
        model_folder=folder / "model",
        tensorboard_folder=folder / "tensorboard",
        checkpoint_folder=folder / "checkpoint",
        code=code,
        settings=networks.train_settings(**SETTINGS | changes),
    )
    return folder / "model"


def history_of(model: Path) -> list[dict[str, str]]:
    """Rows of the history, without what a clock has measured."""
    with (model / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(float(row.pop("seconds")) > 0 for row in rows)
    return rows


def assert_same(found: Path, expected: Path) -> None:
    """Both folders hold the same weights, history and card, to the bit."""
    assert load_card(found) == load_card(expected)
    assert history_of(found) == history_of(expected)
    for one, other in zip(
        define_model.load_encoder(found).get_weights(),
        define_model.load_encoder(expected).get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(load_head(found).kernel, load_head(expected).kernel)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, planted_shard, small_network) -> Path:
    """Model folder of a training that nobody disturbed."""
    return train_in(tmp_path_factory.mktemp("undisturbed"), planted_shard)


def killed_in_batch(epoch: int, batch: int) -> Callable:
    """Die after a step of an epoch, both from 0."""

    class Deadly(BatchProgress):
        def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
            super().on_epoch_begin(epoch, logs)
            self.epoch = epoch

        def on_train_batch_end(self, number: int, logs: dict | None = None) -> None:
            if (self.epoch, number) == (epoch, batch):
                raise Killed

    return lambda patch: patch.setattr(fitting, "BatchProgress", Deadly)


def killed_after_epoch(epoch: int) -> Callable:
    """Die as soon as an epoch's state is written."""
    original = fitting._Keeper.on_epoch_end

    def on_epoch_end(self, number: int, logs: dict | None = None) -> None:
        original(self, number, logs)
        if number == epoch:
            raise Killed

    return lambda patch: patch.setattr(fitting._Keeper, "on_epoch_end", on_epoch_end)


def killed_before_checkpoint(epoch: int) -> Callable:
    """Die at the end of an epoch whose state is not written yet."""

    def on_epoch_end(self, number: int, logs: dict | None = None) -> None:
        if number == epoch:
            raise Killed
        original(self, number, logs)

    original = fitting._Keeper.on_epoch_end
    return lambda patch: patch.setattr(fitting._Keeper, "on_epoch_end", on_epoch_end)


def killed_before_model_folder(patch: pytest.MonkeyPatch) -> None:
    """Die when all epochs are done."""

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    patch.setattr(train, "write_model_folder", die)


def test_killed_training_ends_as_if_undisturbed(
    undisturbed, planted_shard, tmp_path, caplog
):
    """Wherever it dies it goes on after the last finished epoch, to the same bits."""
    caplog.set_level("INFO")
    for death in (
        killed_in_batch(2, 1),  # within the third epoch
        killed_after_epoch(3),  # went on after the second
        killed_before_checkpoint(4),  # between epochs, the fifth is not stored yet
        killed_before_model_folder,  # all epochs are done
    ):
        with pytest.MonkeyPatch.context() as patch:
            death(patch)
            with pytest.raises(Killed):
                train_in(tmp_path, planted_shard)
        assert not (tmp_path / "model").exists()
    model = train_in(tmp_path, planted_shard)
    assert_same(model, undisturbed)
    assert not (tmp_path / "checkpoint").exists()
    resumed = [text for text in caplog.messages if text.startswith("resuming")]
    assert resumed == [f"resuming after epoch {n} of 6" for n in (2, 4, 4, 6)]
    # No epoch that was stored is trained again.
    epochs = [text.split()[1] for text in caplog.messages if text.startswith("epoch ")]
    assert epochs == ["1", "2", "3", "4", "5", "5", "6"]


def test_checkpoints_of_no_use(undisturbed, planted_shard, tmp_path, caplog):
    """One of other settings and code, then a damaged one: training starts anew.

    What differs, or the damaged file, is named in the log.
    """
    state = tmp_path / "checkpoint" / "state.npz"
    with pytest.MonkeyPatch.context() as patch:
        killed_after_epoch(0)(patch)
        with pytest.raises(Killed):
            train_in(tmp_path, planted_shard, code="old", learning_rate=1e-3)
        with pytest.raises(Killed):
            train_in(tmp_path, planted_shard)
    named = "found a training with another code, learning_rate; this one starts anew"
    assert f"{state}: {named}" in caplog.text
    state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])
    assert_same(train_in(tmp_path, planted_shard), undisturbed)
    assert f"{state}: found a damaged file" in caplog.text


def test_kill_9(undisturbed, planted_shard, tmp_path):
    """A real process, killed from outside wherever it is, and started again."""
    program = (
        "import keras, sys\n"
        "from pathlib import Path\n"
        "from tests import networks\n"
        "from tests.unit.test_resume import train_in\n"
        "from zoobot.logs import start_logging\n"
        "start_logging()\n"
        "setattr(keras.applications, networks.SMALL, networks.small_efficientnet)\n"
        "train_in(Path(sys.argv[1]), Path(sys.argv[2]))"
    )

    @contextlib.contextmanager
    def started(log: Path) -> Iterator[subprocess.Popen]:
        with (
            log.open("w") as file,
            subprocess.Popen(
                [sys.executable, "-c", program, str(tmp_path), str(planted_shard)],
                stderr=file,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            ) as process,
        ):
            yield process

    state = tmp_path / "checkpoint" / "state.npz"
    with started(tmp_path / "first.log") as process:
        while not state.exists() and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "model").exists()
    with started(tmp_path / "second.log") as process:
        assert process.wait() == 0, (tmp_path / "second.log").read_text()
    assert "resuming after epoch " in (tmp_path / "second.log").read_text()
    assert_same(tmp_path / "model", undisturbed)


def test_nan_ends_training_without_a_model(
    undisturbed, planted_shard, tmp_path, caplog
):
    """Each time, as the same settings give the same; with others it starts anew."""
    caplog.set_level("INFO")

    class Spoiling(BatchProgress):
        """As a learning rate that is too high may do."""

        def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
            super().on_epoch_begin(epoch, logs)
            if epoch == 2:
                weights = [array * np.nan for array in self.model.get_weights()]
                self.model.set_weights(weights)

    for _ in range(2):
        with (
            pytest.MonkeyPatch.context() as patch,
            pytest.raises(
                FloatingPointError,
                match=r"^epoch 3 of 6, step 1 of 3: the loss is nan\. The state after "
                rf"epoch 2 and .* are kept in {tmp_path}/checkpoint\. .*"
                r"Try a lower learning_rate, or precision float32",
            ),
        ):
            patch.setattr(fitting, "BatchProgress", Spoiling)
            train_in(tmp_path, planted_shard, learning_rate=5e-3)
        assert (tmp_path / "checkpoint" / "state.npz").exists()
        assert not (tmp_path / "model").exists()
    assert_same(train_in(tmp_path, planted_shard), undisturbed)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """Eight galaxies."""
    return galaxies.write_galaxies(tmp_path_factory.mktemp("images"), n_galaxies=8)


def test_digest_of_shards(catalogue, write_shard):
    """Other pixels, votes, galaxies or another order: another digest; else the same."""
    one, again = write_shard(catalogue), write_shard(catalogue)
    assert content_digest([one]) == content_digest([again])
    other_votes, other_image = catalogue.copy(), catalogue.copy()
    other_votes.loc[3, "bar_no"] += 1
    other_image.loc[3, "file_loc"] = catalogue.loc[6, "file_loc"]
    shards = [one, *map(write_shard, (other_votes, other_image, catalogue[:7]))]
    assert shards[2].stat().st_size == one.stat().st_size, "a size says nothing"
    cases = [[shard] for shard in shards]
    cases += [[one, shards[3]], [shards[3], one], [one, one]]
    assert len({content_digest(case) for case in cases}) == len(cases)


def test_digest_reads_what_is_left_of_a_broken_shard(catalogue, write_shard):
    """Readers complain of it; here it is another shard, whatever its lengths say."""
    shard = write_shard(catalogue)
    whole, digest = shard.read_bytes(), content_digest([shard])
    for broken in (whole[:-5], whole[:100], b"", b"\xff" * 50):
        shard.write_bytes(broken)
        assert content_digest([shard]) != digest
