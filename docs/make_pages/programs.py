"""The page of the command-line programs: what each says when asked for --help."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from pathlib import Path
from unittest import mock

from make_pages.changed import write_if_changed

__all__ = ["help_of", "write_page"]

_INTRODUCTION = """\
# Command-line programs

Each rule of the workflow runs one of these programs, and prints the command, so that it
can be pasted into a shell. They run without the workflow, too, from the project's
folder. Here is what each says when it is given `--help`.

"""


def write_page(path: Path, *, folder: Path) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
        Markdown to write.
    folder : Path
        The programs, one a file.
    """
    parts = [_INTRODUCTION]
    for program in sorted(folder.glob("*.py")):
        text = help_of(program.stem)
        parts.append(f"## {program.stem}\n\n```text\n{text.rstrip()}\n```\n\n")
    write_if_changed(path, text="".join(parts))


def help_of(name: str) -> str:
    """What ``python -m workflow_scripts.{name} --help`` prints."""
    program = importlib.import_module(f"workflow_scripts.{name}")
    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
        mock.patch.object(sys, "argv", [f"python -m workflow_scripts.{name}"]),
        mock.patch.dict(os.environ, {"COLUMNS": "88"}),
        mock.patch("zoobot.command_line.start_logging"),
    ):
        program.main(["--help"])
    return printed.getvalue()
