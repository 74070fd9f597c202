"""A job that was cancelled has failed, and does not run for ever.

Of such a job Slurm's accounting says who cancelled it, as in ``CANCELLED by 1000``.
The engine's plugin for Slurm (2.8.0) knows only the first word, takes all else for a
job that still runs, and would wait for it without end.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

__all__ = ["read_first_words_of_states"]

_PLUGIN = "snakemake_executor_plugin_slurm"


def read_first_words_of_states() -> None:
    """Let the plugin, where it is in use, see the first word of what a state says."""
    plugin: Any = sys.modules.get(_PLUGIN)
    query = getattr(plugin, "query_job_status", None)
    if query is None:
        return

    async def query_first_words(
        command: str, logger: logging.Logger
    ) -> tuple[dict[str, str] | None, float | None]:
        states, seconds = await query(command, logger)
        if states is not None:
            states = {job: state.partition(" ")[0] for job, state in states.items()}
        return states, seconds

    plugin.query_job_status = query_first_words
