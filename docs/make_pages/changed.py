"""Write a page only where it differs, so that only what changed is built again."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_if_changed"]


def write_if_changed(path: Path, *, text: str) -> None:
    """Write a text to a file, unless it holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")
