"""A digest of the code a script runs, so that an edit reruns the rules it reaches.

The workflow engine does not see edits in an imported package, and takes a touched
script for a changed one. The digest is of the parsed syntax of a script and of all
modules of the package that it imports, directly or not: comments, docstrings and layout
do not count, neither do file times.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "zoobot"


@cache
def code_digest(script: str) -> str:
    """Digest of ``workflow_scripts/<script>.py`` and of what it imports of the package.

    Parameters
    ----------
    script : str
        Name of a script without its suffix.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    return digest_of(ROOT / "workflow_scripts" / f"{script}.py", root=ROOT)


def digest_of(script: Path, *, root: Path) -> str:
    """Digest of a script and of the package's modules below `root` that it reaches."""
    code = {}
    code[script.name], imported = _read(script.read_text(), package="")
    todo, looked_at = set(imported), set()
    while todo:
        module = todo.pop()
        looked_at.add(module)
        path = _source(module, root)
        if path is None:
            continue
        is_package = path.name == "__init__.py"
        package = module if is_package else module.rpartition(".")[0]
        code[module], imported = _read(path.read_text(), package=package)
        todo |= imported - looked_at
    return hashlib.sha256(repr(sorted(code.items())).encode()).hexdigest()[:16]


def _source(module: str, root: Path) -> Path | None:
    """File of a module of the package; None for a name that is not one."""
    if module.partition(".")[0] != PACKAGE:
        return None
    path = root.joinpath(*module.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@cache  # of the text: scripts have most of their modules in common
def _read(text: str, *, package: str) -> tuple[str, frozenset[str]]:
    """The syntax of a file, and the modules that it may import."""
    tree = ast.parse(text)
    return _syntax(tree), _imports(tree, package=package)


def _imports(tree: ast.Module, *, package: str) -> frozenset[str]:
    """Every module that the code may import, lazily or not, and parent packages."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return frozenset(
        ".".join(name.split(".")[:n])
        for name in names
        for n in range(1, name.count(".") + 2)
    )


def _syntax(tree: ast.Module) -> str:
    """The code without docstrings, comments and line numbers."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                statement for statement in body if not _is_docstring(statement)
            ]
    return ast.dump(tree)


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
