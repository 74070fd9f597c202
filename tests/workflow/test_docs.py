"""Every Python block of the documentation runs, in a folder with finished results."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.workflow.workflow import ROOT

pytestmark = pytest.mark.slow

PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(
    finished_project: Path, monkeypatch: pytest.MonkeyPatch, page: Path
):
    """One after another, as a reader would; the tiny run stands for the demo."""
    monkeypatch.chdir(finished_project)
    names: dict[str, object] = {}
    for block in BLOCK.findall(page.read_text()):
        exec(block.replace("/demo/", "/tiny/"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_figure_and_table_is_explained(finished_project: Path):
    text = (ROOT / "docs/evaluation.md").read_text()
    for path in (finished_project / "results/evaluation").iterdir():
        assert f"`{path.name.removeprefix('tiny_')}`" in text, path.name
