from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.slurm import pretend


@pytest.fixture(scope="session")
def slurm() -> Iterator[None]:
    """A Slurm on this machine, from nothing, and nothing of it left afterwards."""
    started = pretend.script("up.sh")
    if started.returncode == pretend.CANNOT:
        pytest.skip(started.stderr.strip())  # which names the condition
    assert started.returncode == 0, started.stderr
    yield
    stopped = pretend.script("down.sh")
    assert stopped.returncode == 0, stopped.stderr
