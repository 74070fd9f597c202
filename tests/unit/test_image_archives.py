"""Archives of images: all of them come out, and nothing else, and nowhere else."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from zoobot.data_utils.image_archives import unpack_images
from zoobot.settings.catalog import UnpackImages

RNG = np.random.default_rng(3)
IMAGES = {
    f"{folder}/{name}": RNG.bytes(3000)
    for folder in ("J081", "J082")
    for name in (f"{folder}_a.png", f"{folder} b.JPG", f"{folder}.fits.fz")
}


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(
        path, f"w:{path.suffix.removeprefix('.').replace('tar', '')}"
    ) as t:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            t.addfile(info, io.BytesIO(content))
    return path


WRITERS: dict[str, Callable[[Path, dict[str, bytes]], Path]] = {
    "a.zip": write_zip,
    "a.tar": write_tar,
    "a.tar.gz": write_tar,
    "a.tar.xz": write_tar,
}
with_kinds = pytest.mark.parametrize("name", WRITERS)


def unpack(folder: Path, *archives: Path, folders: str = "keep") -> dict[str, bytes]:
    """What came out, by path."""
    settings = UnpackImages(archives=[path.name for path in archives], folders=folders)
    unpack_images(settings, data_folder=folder, images_folder=folder / "out/images")
    out = folder / "out/images"
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file()
    }


@with_kinds
def test_images_come_out_as_they_went_in(tmp_path: Path, name: str):
    others = {"readme.txt": b"hello", "J081/votes.csv": b"1"}
    others |= {"__MACOSX/J081/._a.png": b"junk", "J081/._J081_a.png": b"junk"}
    archive = WRITERS[name](tmp_path / name, others | IMAGES)
    assert unpack(tmp_path, archive) == IMAGES


def test_parts_make_one_folder_and_folders_may_be_dropped(tmp_path: Path):
    names = sorted(IMAGES)
    one = write_zip(tmp_path / "1.zip", {f"part1/{n}": IMAGES[n] for n in names[:3]})
    two = write_tar(tmp_path / "2.tar", {f"./{n}": IMAGES[n] for n in names[3:]})
    found = unpack(tmp_path, one, two, folders="drop")
    assert found == {Path(name).name: content for name, content in IMAGES.items()}


@pytest.mark.parametrize("folders", ["keep", "drop"])
def test_two_images_of_one_name_are_an_error(tmp_path: Path, folders: str):
    one = write_zip(tmp_path / "1.zip", {"x/a.png": b"1"})
    inside = "x/a.png" if folders == "keep" else "y/a.png"
    two = write_tar(tmp_path / "2.tar", {inside: b"2"})
    with pytest.raises(ValueError, match=rf"2\.tar: found '{inside}'.*1\.zip"):
        unpack(tmp_path, one, two, folders=folders)
    assert list((tmp_path / "out").iterdir()) == []


@with_kinds
@pytest.mark.parametrize(
    "path", ["../a.png", "x/../../a.png", "/tmp/a.png", "C:\\a.png", "..\\a.png"]
)
@pytest.mark.parametrize("folders", ["keep", "drop"])
def test_no_path_leads_out(tmp_path: Path, name: str, path: str, folders: str):
    files = {"good.png": b"1", path: b"2"}
    with pytest.raises(ValueError, match="a path that stays in the folder"):
        unpack(tmp_path, WRITERS[name](tmp_path / name, files), folders=folders)
    assert {one.name for one in tmp_path.rglob("*")} == {name, "out"}


def test_links_are_refused(tmp_path: Path):
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        info = tarfile.TarInfo("link.png")
        info.type, info.linkname = kind, "/etc/passwd"
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            archive.addfile(info)
        with pytest.raises(ValueError, match=r"a\.tar: found 'link\.png'.*is a link"):
            unpack(tmp_path, tmp_path / "a.tar")
    entry = zipfile.ZipInfo("link.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(entry, "/etc/passwd")
    with pytest.raises(ValueError, match=r"a\.zip: found 'link\.png'.*is a link"):
        unpack(tmp_path, tmp_path / "a.zip")


@with_kinds
def test_an_archive_without_images_is_an_error(tmp_path: Path, name: str):
    archive = WRITERS[name](tmp_path / name, {"a.csv": b"1", "b.gif": b"2"})
    with pytest.raises(ValueError, match=rf"{name}: expected png, .*its 2 files"):
        unpack(tmp_path, archive)


@with_kinds
@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_an_archive_cut_short_is_an_error(tmp_path: Path, name: str, share: float):
    archive = WRITERS[name](tmp_path / name, IMAGES)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"unpack_images\.archives: .* cannot"):
        unpack(tmp_path, archive)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_changed_byte_in_a_zip_is_an_error(tmp_path: Path):
    archive = write_zip(tmp_path / "a.zip", IMAGES)
    content = bytearray(archive.read_bytes())
    content[5000] ^= 1
    archive.write_bytes(content)
    with pytest.raises(ValueError, match=r"unpack_images\.archives: .* cannot"):
        unpack(tmp_path, archive)


def test_a_password_is_an_error(tmp_path: Path):
    """The flag of it, in both headers of the only member."""
    archive = write_zip(tmp_path / "a.zip", {"a.png": b"1"})
    content = bytearray(archive.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(ValueError, match=r"unpack_images\.archives: .*encrypted"):
        unpack(tmp_path, archive)


def test_what_is_no_archive_is_named(tmp_path: Path):
    (tmp_path / "a.zip").write_text("id_str,file_loc\n")
    with pytest.raises(ValueError, match=r"unpack_images\.archives: .*a\.zip"):
        unpack(tmp_path, tmp_path / "a.zip")
    with pytest.raises(ValueError, match=r"unpack_images\.archives: .*nowhere"):
        unpack(tmp_path, tmp_path / "nowhere.zip")


def test_what_a_killed_job_left_is_removed(tmp_path: Path):
    left = tmp_path / "out/.images.part/half.png"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"1")
    assert unpack(tmp_path, write_zip(tmp_path / "a.zip", IMAGES)) == IMAGES
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"images"}


def test_files_that_are_there_stay(tmp_path: Path):
    archive = write_zip(tmp_path / "a.zip", IMAGES)
    mine = tmp_path / "out/images/mine.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"1")
    with pytest.raises(ValueError, match="images: found files in it"):
        unpack(tmp_path, archive)
    assert mine.read_bytes() == b"1"
