"""Whether files of two runs, in two folders, say the same."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from zoobot.data_utils.splits import ORDER


def assert_same(
    found: Path, expected: Path, *, roots: tuple[Path, Path], whole: bool = True
) -> None:
    """Compare two files, or two folders file by file.

    To the byte, but for what cannot be the same: the projects' own folders in tables of
    paths, and the time that training took. A folder that need not be whole may lack
    files as long as it lacks their list, which is written last.
    """
    if expected.is_dir():
        names = sorted(path.name for path in expected.iterdir() if path.name[0] != ".")
        own = sorted(path.name for path in found.iterdir() if path.name[0] != ".")
        if whole or ORDER in own:
            assert own == names, found
        assert set(own) <= set(names), found
        for name in own:
            assert_same(found / name, expected / name, roots=roots)
    elif found.read_bytes() != expected.read_bytes():
        contents = [
            _content(path, root)
            for path, root in zip((found, expected), roots, strict=True)
        ]
        assert contents[0] == contents[1], found


def _content(path: Path, root: Path) -> object:
    """What a file says, without what differs between any two runs."""
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        return table.to_csv(float_format=None).replace(str(root), "")
    if path.name == "history.csv":
        table = pd.read_csv(path)
        return table.drop(columns=[c for c in table if "second" in c]).to_csv()
    return path.read_bytes().replace(str(root).encode(), b"")
