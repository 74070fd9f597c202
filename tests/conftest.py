"""What all tests share: a quiet TensorFlow, small networks, and drawn galaxies."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

# Before the first import of TensorFlow or Matplotlib, which read them only then.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

import pandas as pd
import pytest

import zoobot
from tests import galaxies

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_sessionstart() -> None:
    """Refuse to test another zoobot, such as an installed release."""
    found = Path(zoobot.__file__).resolve()
    assert found.is_relative_to(REPOSITORY), (
        f"zoobot: found {found}, expected the package of {REPOSITORY}"
    )


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo what a program's start of logging does to the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """24 galaxies of known votes, of three kinds in turn, their images written."""
    folder = tmp_path_factory.mktemp("planted")
    return galaxies.write_galaxies(folder, n_galaxies=24)
