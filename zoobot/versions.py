"""Versions of the software, to store with results."""

from __future__ import annotations

import platform
from importlib import import_module

import zoobot

__all__ = ["library_versions"]


def library_versions(*modules: str) -> dict[str, str]:
    """Versions of Python, of this library, and of modules by name."""
    versions = {"python": platform.python_version(), "zoobot": zoobot.__version__}
    return versions | {name: import_module(name).__version__ for name in modules}
