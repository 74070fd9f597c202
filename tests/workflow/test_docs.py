"""The documentation: every block of it runs, and it says what is there."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest
import yaml

import zoobot
from tests.workflow import remote_survey
from tests.workflow.doc_blocks import Block, Reader, blocks_of, start_reading
from tests.workflow.workflow import ROOT
from zoobot.configuration import Settings
from zoobot.settings.section import Section

PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
CITATION = ROOT / "CITATION.cff"
with_pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@pytest.mark.slow
@with_pages
def test_blocks_run(
    finished_project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    page: Path,
):
    """One after another, as a reader would; the tiny run stands for the demo."""
    blocks = blocks_of(page)
    if not blocks:
        return
    reader = start_reading(finished_project, folder=tmp_path / "project")
    monkeypatch.chdir(reader.folder)
    if page.stem == "python":  # which trains
        import keras

        from tests import networks

        small = networks.small_efficientnet
        monkeypatch.setattr(keras.applications, "EfficientNetB0", small)
    with contextlib.ExitStack() as stack:
        if page.stem == "elsewhere":  # which plans to fetch
            survey = remote_survey.write_survey(tmp_path / "published")
            web = stack.enter_context(remote_survey.web_server(survey))
            reader.published = web.address
        for block in blocks:
            reader.do(block)


@pytest.mark.parametrize(
    "block",
    [
        Block("", "make demo", 1),
        Block("bash", "make coffee", 1),
        Block("bash", "curl example.org", 1),
        Block("bash", ".venv/bin/pip install no-such-package", 1),
        Block("bash", "python -m workflow_scripts.fit_pca --no-such-option", 1),
        Block("python", "assert 1 + 1 == 3", 1),
        Block("yaml", "train: {epochs: 5}", 1),
        Block("yaml", "# my.yaml\ntrain: {epoch: 5}", 1),
        Block("yaml", "# my.yaml\nquestions: {bar: {answers: [yes]}}", 1),
    ],
    ids=lambda block: block.text.replace("\n", " "),
)
def test_a_block_that_does_not_run_is_an_error(block: Block, tmp_path: Path):
    with pytest.raises((AssertionError, ValueError)):
        Reader(tmp_path, survey=tmp_path).do(block)


@with_pages
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target and not target.startswith("made/"):
            assert (page.parent / target).exists(), target


def test_every_page_is_in_the_table_of_contents():
    listed = set(re.findall(r"^(\w+)$", (ROOT / "docs/index.md").read_text(), re.M))
    pages = {page.stem for page in PAGES if page.parent == ROOT / "docs"}
    assert pages - {"index"} <= listed


@pytest.mark.slow
def test_every_figure_and_table_is_explained(finished_project: Path):
    text = (ROOT / "docs/evaluation.md").read_text()
    for path in (finished_project / "results/evaluation").iterdir():
        assert f"`{path.name.removeprefix('tiny_')}`" in text, path.name


def test_the_page_of_settings_has_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each key with its default, and the comments of the shipped file, word by word."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    from make_pages import settings

    settings.write_page(tmp_path / "settings.md", config=ROOT / "config.yaml")
    page = re.sub(r"\\(.)", r"\1", (tmp_path / "settings.md").read_text())
    n_settings = 0
    for field in Settings.model_fields.values():
        kind = field.annotation
        is_section = isinstance(kind, type) and issubclass(kind, Section)
        n_settings += len(kind.model_fields) if is_section else 1
    assert len(re.findall(r"^\| \*\*`\w+`\*\*", page, re.M)) == n_settings
    assert (
        "| **`crop_size_px`**<br>Side of the part of the stored image that the network "
        "sees, in pixels. | whole number, pixels | at least 16 | `64`<br>central part"
    ) in page
    assert "one of a few | `tensorflow`, `openvino` |" in page
    comments = re.findall(
        r"^ *\w+:.*?\s#\s(.+)$", (ROOT / "config.yaml").read_text(), re.M
    )
    assert len(comments) > 50
    for comment in comments:
        assert comment.strip() in page, comment


@pytest.mark.slow
def test_the_page_of_programs_has_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(ROOT / "docs")
    from make_pages import programs

    programs.write_page(tmp_path / "programs.md", folder=ROOT / "workflow_scripts")
    page = (tmp_path / "programs.md").read_text()
    for path in ROOT.glob("workflow_scripts/*.py"):
        assert f"usage: python -m workflow_scripts.{path.stem} [-h]" in page
        for option in re.findall(r'"(--[a-z][a-z-]*)"', path.read_text()):
            assert f"{option} " in page, f"{path.stem}: {option}"


def test_the_page_on_planning_shows_what_its_code_prints():
    blocks = blocks_of(ROOT / "docs/planning.md")
    code = next(i for i, block in enumerate(blocks) if "def plan(" in block.text)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(blocks[code].text, "<block>", "exec"), {})
    assert blocks[code + 1].language == "text"
    assert printed.getvalue() == blocks[code + 1].text


def test_citation_file_is_valid():
    """The fields that version 1.2.0 of the format asks for, and their forms."""
    citation = yaml.safe_load(CITATION.read_text())
    assert citation["cff-version"] == "1.2.0"
    assert str(citation["version"]) == zoobot.__version__
    assert citation["license"] == "BSD-3-Clause"
    assert set(citation) <= {
        *("cff-version", "message", "title", "authors", "type", "abstract", "version"),
        *("license", "keywords", "preferred-citation", "references"),
    }
    papers = [citation["preferred-citation"], *citation["references"]]
    for entry in [citation, *papers]:
        assert entry["title"] and entry["authors"]
        for author in entry["authors"]:
            assert set(author) in ({"name"}, {"family-names", "given-names"})
    for paper in papers:
        assert paper["type"] == "article"
        assert re.fullmatch(r"10\.\d{4,9}/\S+", paper["doi"])
        assert all(isinstance(paper[key], int) for key in ("year", "volume", "start"))


def test_the_same_papers_are_named_everywhere():
    citation = yaml.safe_load(CITATION.read_text())
    page = (ROOT / "docs/citation.md").read_text()
    for paper in [citation["preferred-citation"], *citation["references"]]:
        assert paper["doi"] in page
        assert f"MNRAS {paper['volume']}, {paper['start']}" in page
