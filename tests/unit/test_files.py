"""A file under its final name is complete."""

import errno
import os
import socket
import subprocess

import pytest

from zoobot.files import written_whole


def test_written_under_its_name(tmp_path):
    """Folders are made, and nothing else is left."""
    path = tmp_path / "a" / "b" / "table.csv"
    with written_whole(path) as beside:
        assert beside.parent == path.parent
        assert beside.suffix == ".csv"
        beside.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_failure_leaves_what_was_there(tmp_path):
    """A block that fails neither writes nor destroys."""
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(KeyError), written_whole(path) as beside:
        beside.write_text("half")
        raise KeyError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_failure_before_writing(tmp_path):
    """The error of the block arrives, not one about the missing file."""
    with pytest.raises(KeyError), written_whole(tmp_path / "table.csv"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_writes_nothing(tmp_path):
    """No empty file appears."""
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "table.csv"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_replaces_a_file(tmp_path):
    """The second time wins."""
    path = tmp_path / "table.csv"
    for text in ("first", "second"):
        with written_whole(path) as beside:
            beside.write_text(text)
    assert path.read_text() == "second"


@pytest.mark.faults
def test_leftovers_of_killed_jobs_are_removed(tmp_path):
    """Of jobs of this host that are no more, not of those that still write."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    host = socket.gethostname()
    names = [
        f".table.{host}-{gone.pid}.csv",
        f".card.{host}-{gone.pid}",
        f".table.{host}-{os.getppid()}.csv",
        f".table.elsewhere-{gone.pid}.csv",
        f"table.{host}-{gone.pid}.csv",
        ".gitignore",
    ]
    for name in names:
        (tmp_path / name).touch()
    with written_whole(tmp_path / "table.csv") as beside:
        beside.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {*names[2:], "table.csv"}


def test_other_errors_are_not_taken_for_the_disk(tmp_path):
    """An input that may not be read is no problem of the output."""
    with pytest.raises(PermissionError) as caught, written_whole(tmp_path / "a.csv"):
        raise PermissionError(errno.EACCES, "Permission denied", "/data/image.png")
    assert caught.value.filename == "/data/image.png"
