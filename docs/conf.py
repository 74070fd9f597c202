"""How Sphinx builds the documentation: ``make docs``; nothing is downloaded for it."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]
# Before TensorFlow and Matplotlib are imported for their docstrings and pictures.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")

from make_pages import pictures, programs, reference, settings  # noqa: E402

import zoobot  # noqa: E402

project = "zoobot"
author = "the zoobot workflow's developers"
copyright = f"2026, {author}"
version = release = zoobot.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
root_doc = "index"
exclude_patterns = ["_build", "make_pages"]
html_theme = "furo"
html_title = f"zoobot {release}"
html_show_sourcelink = False
html_copy_source = False

# Single backticks in docstrings are names of this library.
default_role = "py:obj"
myst_heading_anchors = 3
myst_enable_extensions = ["substitution"]
autodoc_typehints = "none"  # numpydoc's sections have them, with shapes
autodoc_member_order = "bysource"
add_module_names = False
numpydoc_show_class_members = False
numpydoc_validation_checks = {
    "GL01",  # one line of summary, not begun on the line below the quotes
    "GL05",
    "GL06",  # sections of numpydoc only,
    "GL07",  # in its order
    "PR02",  # no parameter that is not there
    "SS01",  # a summary
}

made = HERE / "made"
made.mkdir(exist_ok=True)
settings.write_page(made / "settings.md", config=ROOT / "config.yaml")
programs.write_page(made / "programs.md", folder=ROOT / "workflow_scripts")
reference.write_pages(made / "api", library=ROOT / "zoobot")
myst_substitutions = {
    "pictured": pictures.make_pictures(made / "pictures", results=ROOT / "results")
}


def _sections_as_rubrics(app, what, name, obj, options, lines):
    """Headings in a module's docstring must not become chapters of its page."""
    if what == "module":
        for i, line in enumerate(lines[1:], start=1):
            if line and set(line) == {"-"}:
                lines[i - 1 : i + 1] = [f".. rubric:: {lines[i - 1]}", ""]


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _sections_as_rubrics)
