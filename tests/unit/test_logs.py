"""Log lines and progress."""

import logging
import sys
import warnings

import keras
import numpy as np
import pytest

from zoobot import logs
from zoobot.logs import start_logging, track
from zoobot.training.batch_progress import BatchProgress


@pytest.mark.parametrize("size", [1, 3])
def test_track_yields_everything(caplog, size):
    """All items in order; the last line counts units, not items."""
    caplog.set_level(logging.INFO)
    assert list(track("abcd", total=10, what="galaxies", size=size)) == list("abcd")
    assert caplog.messages[-1].startswith(f"{min(4 * size, 10)} galaxies in ")


def test_track_items_of_different_sizes(caplog):
    """Files count as the galaxies in them."""
    caplog.set_level(logging.INFO)
    items = ["a", "bcd", "", "ef"]
    assert list(track(items, total=6, what="galaxies", size=len)) == items
    assert caplog.messages[-1].startswith("6 galaxies in ")


def test_track_nothing(caplog):
    """No item, no division by zero."""
    caplog.set_level(logging.INFO)
    assert list(track([], total=0, what="galaxies")) == []
    assert caplog.messages == ["0 galaxies in 0.0 s"]


def test_track_reports_on_the_way(caplog, monkeypatch):
    """A line every ten seconds, with what is done, the rate and the time left."""
    caplog.set_level(logging.INFO)
    clock = iter(range(0, 1000, 8))  # seconds: start, each item, end
    monkeypatch.setattr(logs.time, "monotonic", lambda: float(next(clock)))
    list(track(range(4), total=4, what="galaxies"))
    assert caplog.messages == [
        "2 of 4 galaxies, 0.1 a second, 16 s left",
        "4 of 4 galaxies, 0.1 a second, 0 s left",
        "4 galaxies in 40.0 s",
    ]


def test_track_on_a_terminal(capsys, monkeypatch):
    """A progress bar that ends at the total, also if the last batch is not full."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(track("abcd", total=10, what="galaxies", size=3)) == list("abcd")
    assert "10/10" in capsys.readouterr().err


def test_start_logging(capsys):
    """Lines and warnings go to standard error, with the time and the module."""
    start_logging()
    logging.getLogger("zoobot.somewhere").info("read %d rows", 3)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # As without pytest, which shows warnings itself.
        logging._warnings_showwarning = warnings.showwarning
        warnings.showwarning = logging._showwarning
        warnings.warn("careful", stacklevel=1)
    lines = capsys.readouterr().err
    assert "INFO zoobot.somewhere: read 3 rows" in lines
    assert "UserWarning: careful" in lines


@pytest.mark.parametrize(
    ("n_galaxies", "expected"),
    [
        (None, ["1 of 3 batches", "2 of 3 batches", "3 of 3 batches"]),
        (5, ["1 of 5 galaxies", "3 of 5 galaxies", "5 of 5 galaxies"]),
    ],
)
def test_a_training_shows_its_galaxies(caplog, monkeypatch, n_galaxies, expected):
    """Those done, in each epoch from the start; the last batch is not full."""
    caplog.set_level(logging.INFO)
    clock = iter(range(0, 10000, 11))
    monkeypatch.setattr(logs.time, "monotonic", lambda: float(next(clock)))
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    ones = np.ones((5, 1), np.float32)
    callbacks = [BatchProgress(n_galaxies)]
    model.fit(ones, ones, batch_size=2, epochs=2, verbose=0, callbacks=callbacks)
    lines = [message.split(",")[0] for message in caplog.messages if " of " in message]
    assert lines == expected * 2
