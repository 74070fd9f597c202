"""Pictures are drawn once: as long as they would be drawn the same."""

import errno
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from PIL import Image

from tests import fits_files
from tests.catalogs import COLUMNS, draw_images, prepare, write_csv
from tests.fits_files import BANDS, fluxes, header_of, sky_wcs, write_bands
from zoobot.data_utils.fits_images import DEFAULT_RENDERING, Picture, render_fits
from zoobot.data_utils.kept_pictures import KeptPictures
from zoobot.data_utils.picture_files import as_png, picture_of

PLACES = {"east": (150.002, 2.2), "west": (149.99, 2.19)}


def write_mosaic(path, *, factor=1.0):
    wcs = sky_wcs((300, 300), arcsec_per_px=0.5)
    sky = np.random.default_rng(0).normal(0, 0.1, (3, 300, 300)) * factor
    header = header_of(**wcs.to_header())
    fits.PrimaryHDU(sky.astype("f4"), header).writeto(path, overwrite=True)


@pytest.fixture
def survey(tmp_path):
    """Cubes, a galaxy in three files, cutouts of a mosaic, and a png file."""
    for number, name in enumerate("abc"):
        fits_files.cube(tmp_path / f"{name}.fits", fluxes(seed=number))
    draw_images(tmp_path, ["d.png"])
    write_csv(
        tmp_path / "files.csv",
        [[name, f"{name}.fits"] for name in "abc"] + [["d", "d.png"]],
        columns=COLUMNS[:2],
    )
    write_bands(tmp_path, fluxes(seed=9))
    write_csv(
        tmp_path / "bands.csv",
        [["by band", *(f"galaxy_{band}.fits" for band in BANDS)]],
        columns=["id_str", *(f"file_loc_{band}" for band in BANDS)],
    )
    write_mosaic(tmp_path / "sky.fits")
    write_csv(
        tmp_path / "sky.csv",
        [[name, *place, "sky.fits"] for name, place in PLACES.items()],
        columns=["id_str", "ra", "dec", "mosaic"],
    )
    return tmp_path


class Run:
    """What a run wrote, and which pictures it drew."""

    def __init__(self, folder, *, keeps=True, code="code", **changes):
        shutil.rmtree(folder / "out" / "images", ignore_errors=True)
        kept = folder / "kept" if keeps else None
        before = inodes(folder / "kept")
        # Of a file that is open the number is given to no other.
        opened = [path.open() for path in (folder / "kept").rglob("*.png")]
        rendering = DEFAULT_RENDERING.model_copy(
            update={"cutout_size_px": 60, "arcsec_per_px": 0.5} | changes
        )
        tables = ["files.csv", "bands.csv", "sky.csv"]
        result = prepare(
            folder,
            unlabelled=tables,
            rendering=rendering,
            kept_images=kept,
            code=code,
        )
        for file in opened:
            file.close()
        assert result.rejected.empty
        self.table = result.unlabelled.set_index("id_str")
        paths = self.table["file_loc"]
        self.contents = {
            galaxy: Path(path).read_bytes() for galaxy, path in paths.items()
        }
        # A file that is there still is the one that an earlier run wrote.
        self.drawn = {
            galaxy
            for galaxy, path in paths.items()
            if Path(path).stat().st_ino not in before and galaxy != "d"
        }


def inodes(folder):
    return {path.stat().st_ino for path in folder.rglob("*.png")}


ALL = {"a", "b", "c", "by band", *PLACES}


def check_same(found, expected):
    pd.testing.assert_frame_equal(found.table, expected.table)
    assert found.contents == expected.contents


def test_only_what_is_new_is_drawn(survey, caplog):
    """Rows appended and removed; nothing of those that are gone stays."""
    caplog.set_level(logging.INFO)
    fresh = Run(survey, keeps=False)
    first = Run(survey)
    assert first.drawn == ALL
    check_same(first, fresh)
    assert Run(survey).drawn == set()
    assert "drew 0 pictures" in caplog.text
    assert "kept 6 more that an earlier run drew" in caplog.text
    fits_files.cube(survey / "e.fits", fluxes(seed=7))
    rows = [["e", "e.fits"], ["b", "b.fits"], ["c", "c.fits"], ["d", "d.png"]]
    write_csv(survey / "files.csv", rows, columns=COLUMNS[:2])
    again = Run(survey)
    assert again.drawn == {"e"}
    kept = {path.read_bytes() for path in (survey / "kept").rglob("*.png")}
    assert kept == {again.contents[galaxy] for galaxy in (ALL | {"e"}) - {"a"}}
    check_same(again, Run(survey, keeps=False))


def swap(folder):
    for name, seed in (("a", 1), ("b", 0)):
        (folder / f"{name}.fits").unlink()
        fits_files.cube(folder / f"{name}.fits", fluxes(seed=seed))


def another_band(folder):
    path = folder / "galaxy_r.fits"
    fits.PrimaryHDU(fluxes(seed=5)[1], header_of("r")).writeto(path, overwrite=True)


@pytest.mark.parametrize(
    ("change", "drawn"),
    [
        (lambda folder: touch_later(folder / "a.fits"), set()),
        (lambda folder: touch_later(folder / "sky.fits"), set(PLACES)),
        (lambda folder: write_mosaic(folder / "sky.fits", factor=2), set(PLACES)),
        (swap, {"a", "b"}),
        (another_band, {"by band"}),
    ],
)
def test_files_that_change(survey, change, drawn):
    """Whatever they are replaced by, pictures are those of a fresh run."""
    Run(survey)
    change(survey)
    found = Run(survey)
    assert found.drawn == drawn
    check_same(found, Run(survey, keeps=False))


def touch_later(path):
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000_000))


def test_drawn_otherwise_is_drawn_anew(survey):
    """By other settings or other code; what these drew is gone."""
    Run(survey)
    assert Run(survey, code="other code").drawn == ALL
    found = Run(survey, code="other code", lupton_minimum=-0.2)
    assert found.drawn == ALL
    check_same(found, Run(survey, keeps=False, lupton_minimum=-0.2))
    assert len(list((survey / "kept").rglob("*.png"))) == len(ALL)


def test_a_run_that_fails_keeps_what_it_drew(survey):
    rows = [["a", "a.fits"], *([str(i), "gone.png"] for i in range(9))]
    write_csv(survey / "more.csv", rows, columns=COLUMNS[:2])
    options = {"kept_images": survey / "kept", "code": "code"}
    with pytest.raises(ValueError, match="rejected_share_max"):
        prepare(survey, unlabelled=["more.csv"], rejected_share_max=0.1, **options)
    before = inodes(survey / "kept")
    assert len(before) == 1
    prepare(survey, unlabelled=["more.csv"], **options)
    assert inodes(survey / "kept") == before


@pytest.mark.parametrize("damage", ["bit", "cut", "emptied", "another picture"])
def test_a_damaged_picture_is_drawn_anew(survey, caplog, damage):
    """Also if both the kept and the given file were damaged, which may be one."""
    first = Run(survey)
    path = next(
        path
        for path in (survey / "kept").rglob("*.png")
        if path.read_bytes() == first.contents["a"]
    )
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(survey / "other.png")
    path.write_bytes(
        {
            "bit": bytes(content),
            "cut": bytes(content[:-20]),
            "emptied": b"",
            "another picture": (survey / "other.png").read_bytes(),
        }[damage]
    )
    again = Run(survey)
    assert f"{path}: found damaged, and drawn anew" in caplog.text
    check_same(again, first)
    assert path.read_bytes() == first.contents["a"]
    assert Run(survey).drawn == set()


def test_every_changed_byte_is_noticed(tmp_path):
    """Of the picture, of what is said of it, and of the file's frame."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(9, 9, 3), dtype=np.uint8)
    picture = Picture(pixels, float("nan"), "nanomaggy", True, 0.125)
    content = as_png(picture)
    (tmp_path / "a.png").write_bytes(content)
    with Image.open(tmp_path / "a.png") as image:
        image.verify()
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
    found = picture_of(content)
    assert (found.unit, found.is_grey, found.missing_share) == (
        "nanomaggy",
        True,
        0.125,
    )
    assert np.isnan(found.arcsec_per_px)
    for position in range(len(content)):
        other = bytearray(content)
        other[position] ^= 1 << rng.integers(8)
        assert picture_of(bytes(other)) is None, position
        assert picture_of(content[:position]) is None
    assert picture_of(content + b"\0") is None


def test_without_links_pictures_are_copied(survey, monkeypatch):
    """As on file systems that have none."""

    def no_link(source, path):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(path))

    monkeypatch.setattr(os, "link", no_link)
    first = Run(survey)
    kept = {path: path.stat().st_ino for path in (survey / "kept").rglob("*.png")}
    check_same(Run(survey), first)
    for path, inode in kept.items():
        assert path.stat().st_ino == inode
    check_same(first, Run(survey, keeps=False))


def test_files_that_cannot_be_read_have_no_key(tmp_path):
    """Drawing says why; and a pipe is not waited for."""
    kept = KeptPictures(tmp_path / "kept", rendering=DEFAULT_RENDERING, code="")
    os.mkfifo(tmp_path / "pipe")
    for path in ("gone.fits", "pipe", "a\0b"):
        assert kept.key("a", str(tmp_path / path), field=None) is None
    kept.finish()
    assert not (tmp_path / "kept").exists()


def test_what_a_kept_picture_shows_is_what_render_fits_draws(survey):
    first = Run(survey)
    expected = render_fits(survey / "a.fits", rendering=DEFAULT_RENDERING).pixels
    for run in (first, Run(survey)):
        with Image.open(run.table.loc["a", "file_loc"]) as image:
            np.testing.assert_array_equal(np.asarray(image), expected)
