"""Fetched files: kept as they are, unless they are no data."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoobot.data_utils.fetched_files import keep_file


@pytest.mark.parametrize("other_disk", [False, True])
def test_a_file_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other_disk: bool
):
    """By another name of the same file, or as a copy; it outlives what was fetched."""

    def refuse(*_: object) -> None:
        raise OSError("Invalid cross-device link")

    if other_disk:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    source = tmp_path / "storage/a.csv"
    source.parent.mkdir()
    source.write_bytes(b"id_str\n1\n")
    keep_file(source, file=tmp_path / "kept/host/a.csv")
    source.unlink()
    assert (tmp_path / "kept/host/a.csv").read_bytes() == b"id_str\n1\n"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "0 bytes"),
        (b"<!DOCTYPE html>\n<title>Sign in</title>", "a web page"),
        (b"\n <html><body>404</body></html>", "a web page"),
    ],
)
def test_no_data_is_an_error(tmp_path: Path, content: bytes, found: str):
    source = tmp_path / "a.zip"
    source.write_bytes(content)
    with pytest.raises(ValueError, match=f"a.zip: found {found}"):
        keep_file(source, file=tmp_path / "kept.zip")
    assert not (tmp_path / "kept.zip").exists()


def test_a_votable_is_no_web_page(tmp_path: Path):
    source = tmp_path / "a.xml"
    source.write_bytes(b"<?xml version='1.0'?><VOTABLE version='1.4'></VOTABLE>")
    keep_file(source, file=tmp_path / "kept.xml")
    assert (tmp_path / "kept.xml").read_bytes() == source.read_bytes()
