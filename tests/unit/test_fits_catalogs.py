"""Catalogues whose images are FITS: pictures where file_loc leads, or a reason."""

import builtins
import hashlib
import logging
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from tests import fits_files
from tests.catalogs import COLUMNS, draw_images, prepare, write_csv
from tests.fits_files import (
    BANDS,
    fluxes,
    gaussian_sky,
    header_of,
    sky_wcs,
    write_bands,
)
from zoobot.data_utils.fits_images import DEFAULT_RENDERING, render_fits
from zoobot.data_utils.images import load_image
from zoobot.data_utils.rendered_images import GalaxyImage, PictureFolder

PLANES = fluxes()
VOTES = (3, 2, 1, 1)
BY_BAND = ["id_str", *(f"file_loc_{band}" for band in BANDS)]
SKY = ["id_str", "ra", "dec", "mosaic", "petro_th50", "petro_th90"]


def expected_picture():
    """What the pictures of PLANES show."""
    path = Path("expected.fits")
    fits.PrimaryHDU(PLANES, header_of()).writeto(path)
    return render_fits(path, rendering=DEFAULT_RENDERING).pixels


@pytest.fixture
def expected(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return expected_picture()


def test_formats_mixed_in_one_catalogue(tmp_path, expected, caplog):
    """Png and jpg files stay; FITS files become pictures in the folder of results."""
    caplog.set_level(logging.INFO)
    draw_images(tmp_path, ["a.png", "b.jpg"])
    fits_files.cube(tmp_path / "c.fits", PLANES)
    fits_files.packed(tmp_path / "d.fits.fz", PLANES)
    fits_files.cube(tmp_path / "e.fits.gz", PLANES)
    fits.PrimaryHDU(PLANES[1], header_of("r")).writeto(tmp_path / "grey.fits")
    names = ["a.png", "b.jpg", "c.fits", "d.fits.fz", "e.fits.gz", "grey.fits"]
    write_csv(tmp_path / "l.csv", [[name, name, *VOTES] for name in names])
    result = prepare(tmp_path, labelled=["l.csv"])
    table = result.labelled.set_index("id_str")
    assert list(table.index) == names
    for name in ("a.png", "b.jpg"):
        assert table.loc[name, "file_loc"] == str(tmp_path / name)
    for name in names[2:5]:
        path = Path(table.loc[name, "file_loc"])
        assert path.is_relative_to(tmp_path / "out" / "images")
        np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)
        np.testing.assert_array_equal(load_image(path, size_px=40), expected)
    assert table["file_loc"].is_unique
    for path, digest in zip(table["file_loc"], table["image_digest"], strict=True):
        content = Path(path).read_bytes()
        assert digest == hashlib.blake2b(content, digest_size=16).hexdigest()
    assert "drew 4 pictures of FITS images" in caplog.text
    assert "nanomaggy: 4" in caplog.text
    assert "1 of them are grey" in caplog.text
    assert "4 of them do not say the size of a pixel" in caplog.text


@pytest.mark.parametrize("name", ["a.png", "b.jpg"])
def test_a_png_or_jpg_file_is_opened_once(tmp_path, monkeypatch, name):
    """To open one takes long on the file systems of clusters."""
    draw_images(tmp_path, [name])
    path = str(tmp_path / name)
    builtin_open = builtins.open
    opened = []

    def noted_open(file, *args, **options):
        opened.append(file)
        return builtin_open(file, *args, **options)

    monkeypatch.setattr("builtins.open", noted_open)
    pictures = PictureFolder(tmp_path / "images", DEFAULT_RENDERING)
    found = pictures.check(GalaxyImage("a", path, "file_loc"))
    assert opened == [path]
    assert (found.file_loc, found.reason) == (path, "")


def test_files_by_band(tmp_path, expected):
    """Of each band one column; reasons name the column."""
    write_bands(tmp_path, PLANES)
    files = [f"galaxy_{band}.fits" for band in BANDS]
    rows = [
        ["good", *files],
        ["gone", files[0], "gone.fits", files[2]],
        ["empty", files[0], "", files[2]],
        ["a page", *files[:2], "by_band.csv"],
    ]
    write_csv(tmp_path / "by_band.csv", rows, columns=BY_BAND)
    result = prepare(tmp_path, unlabelled=["by_band.csv"])
    good = result.unlabelled.set_index("id_str")["file_loc"]
    assert list(good.index) == ["good"]
    np.testing.assert_array_equal(load_image(good["good"], size_px=40), expected)
    assert result.reason("gone") == "file_loc_r: file does not exist"
    assert result.reason("empty").startswith("file_loc_r: empty, expected the path")
    assert result.reason("a page") == "file_loc_z: file is no FITS image"
    blamed = result.rejected.set_index("id_str")["file_loc"]
    assert blamed["gone"] == str(tmp_path / "gone.fits")


def write_mosaic(path, places, *, angle=20.0):
    """A mosaic with a galaxy of sigma 3 arcsec at each place."""
    shape = (500, 400)
    wcs = sky_wcs(shape, arcsec_per_px=0.5, angle=angle)
    light = sum(
        gaussian_sky(wcs, shape, ra=ra, dec=dec, sigma=3.0) for ra, dec in places
    )
    fits.PrimaryHDU(np.stack([light] * 3), header_of(**wcs.to_header())).writeto(path)


PLACES = [(150.002, 2.2), (149.99, 2.19)]


def widths(path):
    """Standard deviation of the light of a linear picture, and its centre, pixels."""
    light = np.asarray(Image.open(path))[..., 0].astype(float)
    y, x = np.indices(light.shape)
    centre = [(light * axis).sum() / light.sum() for axis in (x, y)]
    variance = (light * (x - centre[0]) ** 2).sum() / light.sum()
    return np.sqrt(variance), centre


def test_cutouts_from_a_mosaic(tmp_path):
    """By position, with a fixed scale or by the Petrosian radii."""
    write_mosaic(tmp_path / "sky.fits", PLACES)
    rows = [
        ["a", *PLACES[0], "sky.fits", 5, 20],  # 0.2 arcsec per pixel
        ["b", *PLACES[1], "sky.fits", 10, 15],  # 0.3
        ["off", 151, 2.2, "sky.fits", 5, 20],
        ["no radius", *PLACES[0], "sky.fits", "", 20],
        ["no number", "12h30m", 2.2, "sky.fits", 5, 20],
        ["no mosaic", *PLACES[0], "gone.fits", 5, 20],
        ["at the edge", 150.0275, 2.2, "sky.fits", 5, 20],
    ]
    write_csv(tmp_path / "u.csv", rows, columns=SKY)
    # Almost linear: widths can be measured.
    linear = {
        "band_scales": [1.0, 1.0, 1.0],
        "lupton_minimum": 0.0,
        "lupton_q": 1e-3,
        "lupton_stretch": 1.0,
        "cutout_size_px": 200,
    }
    reasons = {
        "off": "mosaic: position lies off the mosaic (ra 151",
        "no number": "ra: found '12h30m', expected degrees from",
        "no mosaic": "mosaic: file does not exist",
        "at the edge": "mosaic: too many pixels have no value (",
    }
    for kind, scales in (("fixed", (0.25, 0.25)), ("petrosian", (0.2, 0.3))):
        values = DEFAULT_RENDERING.model_dump() | linear
        values |= {"cutout_scale": kind, "arcsec_per_px": 0.25}
        rendering = DEFAULT_RENDERING.model_validate(values)
        result = prepare(tmp_path, unlabelled=["u.csv"], rendering=rendering)
        found = result.unlabelled.set_index("id_str")["file_loc"]
        for galaxy, scale in zip("ab", scales, strict=True):
            sigma, centre = widths(found[galaxy])
            # The other galaxy is 56 arcsec away, outside.
            np.testing.assert_allclose(centre, 99.5, rtol=0, atol=0.1)
            assert sigma * scale == pytest.approx(3.0, rel=0.04)  # levels cut off
        for galaxy, reason in reasons.items():
            assert result.reason(galaxy).startswith(reason)
        if kind == "petrosian":
            assert "radius is none (petro_th50 nan" in result.reason("no radius")
        else:
            assert "no radius" in found.index


def test_a_picture_is_another_file_if_it_shows_something_else(tmp_path):
    """Source or rendering: file_loc and digest change, so that all downstream does."""
    write_csv(tmp_path / "u.csv", [["a", "a.fits"]], columns=COLUMNS[:2])
    found = []
    for factor, minimum in ((1, -0.5), (1, -0.5), (2, -0.5), (1, 0.0)):
        (tmp_path / "a.fits").unlink(missing_ok=True)
        fits_files.cube(tmp_path / "a.fits", PLANES * factor)
        rendering = DEFAULT_RENDERING.model_copy(update={"lupton_minimum": minimum})
        result = prepare(tmp_path, unlabelled=["u.csv"], rendering=rendering)
        row = result.unlabelled.iloc[0]
        found.append((row["file_loc"], row["image_digest"]))
    assert found[0] == found[1]
    assert len({path for path, _ in found}) == len({digest for _, digest in found}) == 3


def test_every_bad_file_has_a_reason(tmp_path):
    """Rows in are rows out and rows rejected."""
    column = fits.Column("x", "E", array=[1.0])
    table = fits.BinTableHDU.from_columns([column])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "table.fits")
    names = ["g", "r"]
    hdus = [fits.ImageHDU(PLANES[0], name=name) for name in names]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "two.fits")
    fits_files.cube(tmp_path / "cut.fits", PLANES)
    content = (tmp_path / "cut.fits").read_bytes()
    (tmp_path / "cut.fits").write_bytes(content[:9000])
    announce(tmp_path / "bomb.fits", NAXIS=2, NAXIS1=10**6, NAXIS2=10**6)
    (tmp_path / "text.fits").write_text("no FITS at all")
    reasons = {
        "table": "FITS file holds no image",
        "two": "band z is missing",
        "cut": "FITS file is cut short",
        "bomb": "FITS file is cut short",
        "text": "file is no PNG, JPEG or FITS image",
        "gone": "file does not exist",
    }
    rows = [[name, f"{name}.fits"] for name in reasons]
    write_csv(tmp_path / "u.csv", [*rows, ["good", "good.png"]], columns=COLUMNS[:2])
    draw_images(tmp_path, ["good.png"])
    result = prepare(tmp_path, unlabelled=["u.csv"])
    assert len(result) == len(reasons) + 1
    for name, reason in reasons.items():
        assert result.reason(name).startswith(f"file_loc: {reason}")
    assert not list((tmp_path / "out" / "images").iterdir())


def announce(path, **cards):
    """A FITS file of one header that announces data, and none behind it."""
    values = {"SIMPLE": True, "BITPIX": -32} | cards
    text = "".join(str(fits.Card(name, value)) for name, value in values.items())
    path.write_bytes((text + "END".ljust(80)).ljust(2880).encode())


def test_a_folder_of_fits_images(tmp_path):
    """A stem is the id, also of compressed files."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.fits", "b.fits.gz", "c.FIT", "d.x.fts"):
        fits_files.cube(
            folder / "new.fits.gz" if "gz" in name else folder / "new.fits", PLANES
        )
        next(folder.glob("new*")).rename(folder / name)
    fits_files.packed(folder / "e.fits.fz", PLANES)
    (folder / "notes.gz").write_bytes(b"")
    result = prepare(tmp_path, images=["images"])
    assert sorted(result.unlabelled["id_str"]) == ["a", "b", "c", "d.x", "e"]


def test_a_unit_that_is_none_stops_at_once(tmp_path):
    write_csv(tmp_path / "u.csv", [["a", "a.fits"]], columns=COLUMNS[:2])
    rendering = DEFAULT_RENDERING.model_copy(update={"unit": "nanomagies"})
    with pytest.raises(ValueError, match=r"render_fits.unit: found 'nanomagies'"):
        prepare(tmp_path, unlabelled=["u.csv"], rendering=rendering)


def test_load_image_reads_fits(tmp_path, expected):
    """As any other image: resized, and with settings of one's own."""
    path = tmp_path / "a.fits"
    fits_files.cube(path, PLANES)
    np.testing.assert_array_equal(load_image(path, size_px=40), expected)
    small = load_image(path, size_px=20).astype(float)
    assert np.corrcoef(small.ravel(), expected[::2, ::2].ravel())[0, 1] > 0.9
    grey = DEFAULT_RENDERING.model_copy(update={"bands": ["x"], "band_scales": [1.0]})
    with pytest.raises(ValueError, match=r"a\.fits: FITS cube has another number"):
        load_image(path, size_px=40, rendering=grey)
