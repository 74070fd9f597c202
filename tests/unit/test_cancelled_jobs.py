"""What the plugin for Slurm makes of what Slurm says; tests/slurm has a real one."""

from __future__ import annotations

import asyncio
import logging
import sys

import pytest
import snakemake_executor_plugin_slurm as plugin

from rules.cancelled_jobs import read_first_words_of_states

SAID = r"printf '7|CANCELLED by 1000\n8|COMPLETED\n9|OUT_OF_MEMORY\n'"
"""By sacct, of three jobs."""


def states(command: str) -> dict[str, str] | None:
    found, _ = asyncio.run(plugin.query_job_status(command, logging.getLogger()))
    return found


@pytest.fixture(autouse=True)
def put_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(plugin, "query_job_status", plugin.query_job_status)


def test_a_cancelled_job_is_seen_as_one():
    read_first_words_of_states()
    expected = {"7": "CANCELLED", "8": "COMPLETED", "9": "OUT_OF_MEMORY"}
    assert states(SAID) == expected


def test_no_answer_stays_none():
    read_first_words_of_states()
    assert states("false") is None


def test_without_the_plugin(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "snakemake_executor_plugin_slurm", None)
    read_first_words_of_states()
