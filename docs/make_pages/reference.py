"""Pages of the library, a module each, for Sphinx to fill with their docstrings."""

from __future__ import annotations

import ast
from pathlib import Path

from make_pages.changed import write_if_changed

__all__ = ["write_pages"]

_NO_FOLDER = "zoobot"


def write_pages(pages: Path, *, library: Path) -> None:
    """Write a page for each module and one for each folder; remove those of others.

    Parameters
    ----------
    pages : Path
        Folder of pages to write.
    library : Path
        Folder of the package.
    """
    folders: dict[str, list[Path]] = {}
    for module in sorted(library.rglob("*.py")):
        if module.name != "__init__.py":
            name = ".".join(module.relative_to(library.parent).parent.parts)
            folders.setdefault(name, []).append(module)
    wanted = {}
    for folder, modules in folders.items():
        names = [f"{folder}.{module.stem}" for module in modules]
        wanted[f"{folder}.rst"] = _folder_page(folder, modules, names)
        for name in names:
            wanted[f"{name}.rst"] = _module_page(name)
    for page in pages.glob("*.rst"):
        if page.name not in wanted:
            page.unlink()
    for file, text in wanted.items():
        write_if_changed(pages / file, text=text)


def _folder_page(folder: str, modules: list[Path], names: list[str]) -> str:
    title = "zoobot, the rest" if folder == _NO_FOLDER else folder
    lines = [title, "=" * len(title), ""]
    lines += [_summary(modules[0].parent / "__init__.py"), ""]
    for module, name in zip(modules, names, strict=True):
        lines += [f":doc:`{module.stem} <{name}>`", f"   {_summary(module)}", ""]
    lines += [".. toctree::", "   :hidden:", ""]
    lines += [f"   {name}" for name in names]
    return "\n".join(lines) + "\n"


def _module_page(name: str) -> str:
    title = name.rpartition(".")[-1]
    lines = [title, "=" * len(title), "", f"``import {name}``", ""]
    return "\n".join([*lines, f".. automodule:: {name}", "   :members:", ""])


def _summary(module: Path) -> str:
    text = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())
