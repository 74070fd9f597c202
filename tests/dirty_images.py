"""Image files of every kind that a survey's folder may hold, good and bad.

Each function writes one file to the path that it is given; ``GOOD`` and ``BAD`` are all
of them by name, the bad ones with what their reason says.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

__all__ = ["BAD", "GOOD"]

SIDE_PX = 48
RGB = np.random.default_rng(0).integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
_PNG = b"\x89PNG\r\n\x1a\n"

Plant = Callable[[Path], object]


def in_mode(mode: str, *, as_file: str = "PNG", **options: object) -> Plant:
    """An image in one of Pillow's modes."""
    image = Image.fromarray(RGB).convert(mode)
    return lambda path: image.save(path, as_file, **options)


def of_size(width: int, height: int) -> Plant:
    return lambda path: Image.new("RGB", (width, height), "gray").save(path, "PNG")


def of_16_bits(path: Path) -> None:
    Image.fromarray(RGB[..., 0].astype(np.uint16) * 257).save(path, "PNG")


def animated(as_file: str) -> Plant:
    """A file of two frames, of which the first is the galaxy."""
    first, second = Image.fromarray(RGB), Image.fromarray(255 - RGB)
    return lambda path: first.save(path, as_file, save_all=True, append_images=[second])


def cut_short(as_file: str) -> Plant:
    def plant(path: Path) -> None:
        in_mode("RGB", as_file=as_file)(path)
        content = path.read_bytes()
        path.write_bytes(content[: 2 * len(content) // 3])

    return plant


def holding(content: bytes) -> Plant:
    return lambda path: path.write_bytes(content)


def decompression_bomb(path: Path) -> None:
    """A png of a few bytes that says it has 20,000 x 20,000 pixels."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        _PNG
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(bytes(60_001)))
        + _chunk(b"IEND", b"")
    )


def text_bomb(path: Path) -> None:
    """A png of which a comment grows a thousandfold when unpacked."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "a" * 2**23, zip=True)
    Image.fromarray(RGB).save(path, "PNG", pnginfo=notes)


def _chunk(kind: bytes, content: bytes) -> bytes:
    length, check = len(content), zlib.crc32(kind + content)
    return struct.pack(">I", length) + kind + content + struct.pack(">I", check)


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def link_to_nothing(path: Path) -> None:
    path.symlink_to("gone.png")


def link_to_an_image(path: Path) -> None:
    target = path.with_name(f"target of {path.name}")
    in_mode("RGB")(target)
    path.symlink_to(target.name)


GOOD: dict[str, tuple[str, Plant]] = {
    "png": ("a.png", in_mode("RGB")),
    "jpg": ("a.jpg", in_mode("RGB", as_file="JPEG")),
    "jpeg, in capitals": ("A.JPEG", in_mode("RGB", as_file="JPEG")),
    "alpha": ("alpha.png", in_mode("RGBA")),
    "grey": ("grey.png", in_mode("L")),
    "grey and alpha": ("grey_alpha.png", in_mode("LA")),
    "grey jpg": ("grey.jpg", in_mode("L", as_file="JPEG")),
    "16 bits": ("16.png", of_16_bits),
    "1 bit": ("1.png", in_mode("1")),
    "palette": ("palette.png", in_mode("P")),
    "CMYK": ("cmyk.jpg", in_mode("CMYK", as_file="JPEG")),
    "animated png": ("animated.png", animated("PNG")),
    "jpg of several pictures": ("several.jpg", animated("MPO")),
    "progressive jpg": ("later.jpg", in_mode("RGB", as_file="JPEG", progressive=True)),
    "png called jpg": ("png.jpg", in_mode("RGB")),
    "jpg called png": ("jpg.png", in_mode("RGB", as_file="JPEG")),
    "without a suffix": ("suffix", in_mode("RGB")),
    "wide": ("wide.png", of_size(90, 48)),
    "narrow": ("narrow.png", of_size(8, 200)),
    "smallest": ("smallest.png", of_size(8, 8)),
    "link to an image": ("link.png", link_to_an_image),
    "spaces": ("name with  spaces .png", in_mode("RGB")),
    "unicode": ("галактика_ñ_星系_🌌.png", in_mode("RGB")),
    "combining accents": ("e\u0301.png", in_mode("RGB")),
    "quotes": ('it\'s "quoted".png', in_mode("RGB")),
    "line end": ("two\nlines.png", in_mode("RGB")),
    "carriage return": ("two\rlines.png", in_mode("RGB")),
    "commas": ("a,b,,c;d.png", in_mode("RGB")),
    "shell": ("$(touch pwned) `touch pwned`; touch pwned #&|.png", in_mode("RGB")),
    "braces and percents": ("{wildcard} %s {0} %(x)d.png", in_mode("RGB")),
    "backslash": ("back\\slash\\n.png", in_mode("RGB")),
    "option": ("--help.png", in_mode("RGB")),
    "formula": ("=1+1.png", in_mode("RGB")),
    "html": ("<script>alert(1)<script>.png", in_mode("RGB")),
    "longest name": ("n" * 251 + ".png", in_mode("RGB")),
    "name NA": ("NA", in_mode("RGB")),
}

BAD: dict[str, tuple[str, Plant, str]] = {
    "missing": ("missing.png", lambda path: None, "file does not exist"),
    "empty file": ("empty.png", holding(b""), "file is empty (0 bytes)"),
    "page saved as jpg": (
        "page.jpg",
        holding(b"<!doctype html><title>404 Not Found</title>"),
        "file is no PNG, JPEG or FITS image",
    ),
    "cut png": ("cut.png", cut_short("PNG"), "image does not decode completely"),
    "cut jpg": ("cut.jpg", cut_short("JPEG"), "image does not decode completely"),
    "only a signature": (
        "signature.png",
        holding(_PNG),
        "file is no PNG, JPEG or FITS",
    ),
    "gif called png": (
        "gif.png",
        animated("GIF"),
        "file is no PNG, JPEG or FITS image",
    ),
    "zeros": ("zeros.jpg", holding(bytes(5000)), "file is no PNG, JPEG or FITS image"),
    "1 x 1": ("1x1.png", of_size(1, 1), "image is too small (1 x 1 px, expected 8"),
    "a line": ("line.png", of_size(300, 7), "image is too small (300 x 7 px"),
    "bomb": ("bomb.png", decompression_bomb, "image is too large"),
    "bomb in a comment": ("text.png", text_bomb, "image does not decode completely"),
    "link to itself": ("loop.png", link_to_itself, "symbolic links"),
    "link to nothing": ("dangling.png", link_to_nothing, "file does not exist"),
    "folder": ("folder.png", Path.mkdir, "path is a folder, not an image file"),
    "pipe": ("pipe.png", os.mkfifo, "path is a device or pipe"),
    "device": ("/dev/zero", lambda path: None, "path is a device or pipe"),
    "below a file": ("below", lambda path: None, "file does not exist"),
    "name too long": ("n" * 300 + ".png", lambda path: None, "File name too long"),
    "path too long": ("folder/" * 900 + "a.png", lambda path: None, "name too long"),
    "address": ("https://x.org/a.png", lambda path: None, "file does not exist"),
    "home": ("~/a.png", lambda path: None, "file does not exist"),
    "NUL in the name": ("a\0b.png", lambda path: None, "none that a file can have"),
    "another row in the name": (
        "a.png,1,1\nx,b.png",
        lambda path: None,
        "is a quote missing in the table?",
    ),
    "no name": ("", lambda path: None, "file_loc: empty"),
}
