"""The digest of a script's code: what changes it, and what does not."""

import shutil
from pathlib import Path

import pytest

from rules.code_digest import ROOT, code_digest, digest_of

FILES = {
    "workflow_scripts/train.py": '"""Doc."""\nfrom zoobot.training import train\n',
    "zoobot/__init__.py": '"""Doc."""\n__version__ = "1"\n',
    "zoobot/training/__init__.py": "",
    "zoobot/training/train.py": (
        '"""Doc."""\n\nfrom zoobot import files\nfrom . import losses\n\n\n'
        'def train():\n    """Doc."""\n    # why\n    return files, losses\n'
    ),
    "zoobot/training/losses.py": (
        "def loss(x):\n    from ..layers import Layer\n    return Layer(x)\n"
    ),
    "zoobot/files.py": "SIZE = 1\n",
    "zoobot/layers.py": "class Layer:\n    pass\n",
    "zoobot/unrelated.py": "SIZE = 1\n",
    "zoobot/data_utils/__init__.py": "",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small package with direct, relative, lazy and missing imports."""
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def digest(project: Path) -> str:
    """Digest of the project's one script."""
    return digest_of(project / "workflow_scripts" / "train.py", root=project)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("zoobot/training/train.py", "# why", "# because\n    # of that"),
        (
            "zoobot/training/train.py",
            '"""Doc."""',
            '"""Another.\n\n    Longer.\n    """',
        ),
        ("zoobot/training/train.py", '"""Doc."""', ""),
        ("zoobot/training/train.py", "\n\n\n", "\n\n\n\n\n"),
        ("zoobot/training/train.py", "files, losses", "(files,\n        losses)"),
        ("workflow_scripts/train.py", "Doc", "Text"),
        ("zoobot/__init__.py", "Doc", "Text"),
        ("zoobot/unrelated.py", "1", "2"),
        ("zoobot/data_utils/__init__.py", "", "SIZE = 1\n"),
    ],
)
def test_what_does_not_count(project, name, old, new):
    """Comments, docstrings, layout, and modules that the script does not reach."""
    before = digest(project)
    text = (project / name).read_text()
    (project / name).write_text(text.replace(old, new, 1))
    assert (project / name).read_text() != text
    assert digest(project) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("workflow_scripts/train.py", "import train", "import train as run"),
        ("zoobot/training/train.py", "return files", "return 1, files"),
        ("zoobot/files.py", "1", "2"),
        ("zoobot/training/losses.py", "(x)\n", "(x, x)\n"),
        ("zoobot/layers.py", "pass", "size = 1"),
        ("zoobot/__init__.py", '"1"', '"2"'),
        ("zoobot/training/__init__.py", "", "SIZE = 1\n"),
    ],
    ids=["script", "direct", "two", "relative", "lazy", "package", "subpackage"],
)
def test_what_counts(project, name, old, new):
    """Code of the script and of all it imports, at any depth, lazily or not."""
    before = digest(project)
    text = (project / name).read_text()
    (project / name).write_text(text.replace(old, new, 1))
    assert digest(project) != before


def test_file_times_and_place_do_not_count(project, tmp_path_factory):
    """A clone has the digest of its original."""
    before = digest(project)
    (project / "zoobot" / "files.py").touch()
    copy = tmp_path_factory.mktemp("clone") / "project"
    shutil.copytree(project, copy, copy_function=shutil.copyfile)
    assert digest(copy) == before


@pytest.mark.parametrize(
    "form", ["from zoobot.layers import Layer", "import zoobot.layers"]
)
def test_every_form_of_import(project, form):
    """A name from a module and a dotted module lead to its file."""
    (project / "workflow_scripts/train.py").write_text(form + "\n")
    before = digest(project)
    (project / "zoobot/layers.py").write_text("class Layer:\n    size = 1\n")
    assert digest(project) != before


def test_a_module_that_appears_later_counts(project):
    """An import that failed, or named something else, may now find a module."""
    (project / "zoobot/training/train.py").write_text("from zoobot.late import x\n")
    before = digest(project)
    (project / "zoobot/late.py").write_text("x = 1\n")
    assert digest(project) != before


@pytest.mark.parametrize(
    "script", sorted(path.stem for path in (ROOT / "workflow_scripts").glob("*.py"))
)
def test_scripts_of_this_project(script):
    """Sixteen hexadecimal digits, the same each time."""
    found = code_digest(script)
    assert len(found) == 16
    assert int(found, 16) >= 0
    assert found == digest_of(ROOT / "workflow_scripts" / f"{script}.py", root=ROOT)


def test_real_chain(tmp_path):
    """An edit of the network's layers reaches the training, not the catalogue."""
    for name in ("workflow_scripts", "zoobot"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")
        )

    def digests() -> list[str]:
        scripts = ("train", "extract_representations", "split_catalog")
        return [
            digest_of(tmp_path / "workflow_scripts" / f"{name}.py", root=tmp_path)
            for name in scripts
        ]

    before = digests()
    assert before[0] == code_digest("train")
    with (tmp_path / "zoobot/estimators/layers.py").open("a") as file:
        file.write("SIZE = 1\n")
    changed = [a != b for a, b in zip(before, digests(), strict=True)]
    assert changed == [True, True, False]
