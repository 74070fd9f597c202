"""Archives of images: zip and tar, as surveys release them."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from zoobot.data_utils.image_files import SUFFIXES, without_suffix
from zoobot.logs import track
from zoobot.settings.catalog import UnpackImages

__all__ = ["unpack_images"]

_SUFFIXES = tuple(set(itertools.chain.from_iterable(SUFFIXES.values())))
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,  # of a zip file with a password
    NotImplementedError,  # of a zip file packed by a method unknown here
)
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Member:
    """A file in an archive."""

    name: str
    file: IO[bytes]


def unpack_images(
    settings: UnpackImages, *, data_folder: str | Path, images_folder: str | Path
) -> None:
    """Unpack the images of all archives into one folder.

    What is no image by its name (png, jpg, FITS) stays packed, and so does what macOS
    packs beside each file.

    Parameters
    ----------
    settings : UnpackImages
        The archives, and whether their folders are kept.
    data_folder : path
        Where relative paths of archives start.
    images_folder : path
        Folder to write.

    Raises
    ------
    ValueError
        If a file is no archive, is damaged or has no image; if a name in it leads out
        of the folder, is a link, or is that of an image of before; or if there are
        files in the folder already.
    """
    folder = Path(images_folder)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(
            f"{folder}: found files in it, expected an empty folder or none"
        )
    # All of it gets its name at once, as a file would.
    part = folder.with_name(f".{folder.name}.part")
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(parents=True)
    came_from: dict[str, Path] = {}
    archives = [Path(data_folder) / one for one in settings.archives]
    try:
        for path in track(archives, total=len(archives), what="archives"):
            try:
                _unpack(path, part, came_from, drop=settings.folders == "drop")
            except _DAMAGE as error:
                raise ValueError(
                    f"unpack_images.archives: {path}: expected a zip or tar file that "
                    f"can be unpacked, found one that cannot ({error})"
                ) from error
        part.replace(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _unpack(
    path: Path, folder: Path, came_from: dict[str, Path], *, drop: bool
) -> None:
    """Unpack an archive, and say in `came_from` which images are from it."""
    n_before, n_others = len(came_from), 0
    for member in _members(path):
        target = _target(path, member.name, drop=drop)
        if target is None:
            n_others += 1
            continue
        if target in came_from:
            raise ValueError(
                f"{path}: found {member.name!r}, but {target} is there already, from "
                f"{came_from[target]}; expected each image once"
            )
        came_from[target] = path
        _write(folder / target, member.file)
    n_images = len(came_from) - n_before
    if not n_images:
        raise ValueError(
            f"{path}: expected png, jpg or FITS files in this archive, found none "
            f"among its {n_others} files"
        )
    _log.info("unpacked %d images of %s, %d other files", n_images, path, n_others)


def _members(path: Path) -> Iterator[_Member]:
    """Files of an archive, each open until the next is asked for."""
    if not path.is_file():
        raise ValueError(
            f"unpack_images.archives: {path}: expected a zip or tar file, found none"
        )
    yield from _in_zip(path) if zipfile.is_zipfile(path) else _in_tar(path)


def _in_zip(path: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if stat.S_ISLNK(info.external_attr >> 16):
                raise _is_link(path, info.filename)
            if not info.is_dir():
                with archive.open(info) as file:
                    yield _Member(info.filename, file)


def _in_tar(path: Path) -> Iterator[_Member]:
    # As a stream, as members are read in their order.
    with tarfile.open(path, "r|*") as archive:
        for info in archive:
            if info.issym() or info.islnk():
                raise _is_link(path, info.name)
            file = archive.extractfile(info) if info.isfile() else None
            if file is not None:
                with contextlib.closing(file):
                    yield _Member(info.name, file)


def _is_link(path: Path, name: str) -> ValueError:
    return ValueError(f"{path}: found {name!r}, which is a link; expected files")


def _target(path: Path, name: str, *, drop: bool) -> str | None:
    """Where an image goes, from the folder of images; None for what is no image."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0].startswith("/") or ".." in parts or ":" in parts[0]:
        raise ValueError(
            f"{path}: found {name!r}, expected a path that stays in the folder it is "
            "unpacked to"
        )
    is_of_macos = parts[0] == "__MACOSX" or parts[-1].startswith("._")
    if is_of_macos or without_suffix(parts[-1], _SUFFIXES) is None:
        return None
    return parts[-1] if drop else "/".join(parts)


def _write(target: Path, file: IO[bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as written:
        shutil.copyfileobj(file, written, 1 << 20)
