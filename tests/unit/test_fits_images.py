"""FITS images: every layout gives the same picture, and bad ones have a reason."""

import gzip

import numpy as np
import pytest
import yaml
from astropy.io import fits
from scipy.stats import norm

from tests import fits_files
from tests.fits_files import BANDS, fluxes, header_of, write_bands
from tests.workflow.workflow import ROOT
from zoobot.data_utils.fits_images import DEFAULT_RENDERING, render_fits
from zoobot.data_utils.stretch import lupton_picture, noise_scale

PLANES = fluxes()
MASK = np.zeros(PLANES.shape[1:], np.uint8)
MASK[3, 5] = 4


def rendering(**changes):
    """The default settings, but for some."""
    return DEFAULT_RENDERING.model_validate(DEFAULT_RENDERING.model_dump() | changes)


def rendered(path, **changes):
    return render_fits(path, rendering=rendering(**changes)).pixels


def by_hand(
    planes, *, scales=(0.008, 0.014, 0.019), minimum=-0.5, stretch=6.844, q=6.844
):
    """The published formula, pixel by pixel, the top row last in the file."""
    _, height, width = planes.shape
    picture = np.zeros((height, width, 3))
    for row in range(height):
        for column in range(width):
            blue, green, red = (
                float(planes[i, row, column]) / scales[i] - minimum for i in range(3)
            )
            mean = (red + green + blue) / 3
            if mean <= 0:
                continue
            f = np.arcsinh(q * mean / stretch) * 0.1 / np.arcsinh(0.1 * q)
            colour = np.maximum([band * f / mean for band in (red, green, blue)], 0)
            picture[height - 1 - row, column] = colour / max(1, *colour)
    return picture * 255


def test_settings_are_those_of_the_file():
    """The default of the Python interface is the workflow's."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert DEFAULT_RENDERING.model_dump() == config["render_fits"]


@pytest.mark.parametrize("layout", fits_files.LAYOUTS)
@pytest.mark.parametrize("suffix", [".fits", ".fits.gz"])
def test_every_layout_shows_the_same_picture(tmp_path, layout, suffix):
    """Which is that of the published formula."""
    path = tmp_path / f"galaxy{suffix}"
    fits_files.LAYOUTS[layout](path, PLANES)
    found = rendered(path)
    assert (found.dtype, found.shape) == (np.uint8, (40, 40, 3))
    # Fractions are cut off, and float32 may round the last of them.
    np.testing.assert_allclose(found + 0.5, by_hand(PLANES), rtol=0, atol=0.51)


def test_galaxy_zoo_decals_levels():
    """Black at -0.5 scales; full brightness at 300, as published."""
    grey = np.array([-0.5, 0.0, 10.0, 299.0, 302.0])
    planes = np.multiply.outer([0.008, 0.014, 0.019], grey[None])
    levels = by_hand(planes)[0, :, 0]
    assert levels[0] == 0
    assert levels[3] < 255
    assert levels[4] == pytest.approx(255, abs=1e-9)
    assert levels[3] > 254.5
    # asinh(10.5) / asinh(300)
    assert levels[2] / 255 == pytest.approx(
        np.arcsinh(10.5) / np.arcsinh(300), abs=1e-3
    )


def test_grey_is_near_to_what_galaxy_zoo_decals_drew():
    """Which stretched each band by itself, by an asinh that is linear around 0."""
    flux = np.geomspace(0.01, 299, 60)
    planes = np.multiply.outer([0.008, 0.014, 0.019], flux[None]).astype("f4")
    scales = np.array(DEFAULT_RENDERING.band_scales)
    found = lupton_picture(planes, scales=scales, rendering=DEFAULT_RENDERING)
    levels = np.arcsinh(flux) - np.arcsinh(-0.5)
    levels *= 255 / (np.arcsinh(300) - np.arcsinh(-0.5))
    difference = found[0].astype(int) - np.floor(levels)[:, None]
    assert np.abs(difference).max() <= 8


def test_files_by_band(tmp_path):
    """One file a band, also gzipped."""
    expected = by_hand(PLANES)
    for suffix in (".fits", ".fits.gz"):
        paths = write_bands(tmp_path, PLANES, suffix=suffix)
        np.testing.assert_allclose(rendered(paths) + 0.5, expected, rtol=0, atol=0.51)


@pytest.mark.parametrize("layers", [["2", "0", "1"], ["SCI_z", "sci_g", "3"]])
def test_layers_say_where_bands_are(tmp_path, layers):
    """Planes of a cube by number; extensions by name or number."""
    path = tmp_path / "galaxy.fits"
    if layers[0].isdigit():
        fits_files.cube(path, PLANES)
    else:
        fits_files.extensions_by_name(path, PLANES)
        layers = [*layers[:2], "4"]
    np.testing.assert_array_equal(
        rendered(path, layers=layers),
        pixels_of(tmp_path, PLANES[[2, 0, 1]]),
    )


def pixels_of(folder, planes, **changes):
    """The picture of planes, through a plain cube."""
    path = folder / "cube.fits"
    fits.PrimaryHDU(planes, header_of()).writeto(path, overwrite=True)
    return rendered(path, **changes)


def test_axis_of_the_bands(tmp_path):
    """Header or setting decide where the shape does not."""
    cube = np.random.default_rng(0).normal(0, 0.1, (9, 9, 9)).astype("f4")
    numbers = {"layers": ["0", "4", "8"]}
    first = pixels_of(tmp_path, cube[[0, 4, 8]])
    last = pixels_of(tmp_path, np.moveaxis(cube[..., [0, 4, 8]], -1, 0))
    assert not np.array_equal(first, last)
    for axis, expected in (("auto", first), ("first", first), ("last", last)):
        found = pixels_of(tmp_path, cube, band_axis=axis, **numbers)
        np.testing.assert_array_equal(found, expected)
    # FITS counts axes from the last of the array: 1, 2, 3 are bands, x, y.
    path = tmp_path / "by_header.fits"
    sky = {"CTYPE1": "WAVE", "CTYPE2": "RA---TAN", "CTYPE3": "DEC--TAN"}
    fits.PrimaryHDU(cube, header_of(**sky)).writeto(path)
    np.testing.assert_array_equal(rendered(path, **numbers), last)


def test_the_first_row_is_at_the_bottom(tmp_path):
    """As viewers of FITS show it; columns stay."""
    planes = np.zeros((3, 20, 30), "f4")
    planes[:, 2, 5] = 1.0
    found = pixels_of(tmp_path, planes).sum(axis=2)
    assert np.unravel_index(found.argmax(), found.shape) == (17, 5)


def test_red_is_the_last_band(tmp_path):
    """A galaxy bright in z alone is red, in g alone blue."""
    for band, channel in (("g", 2), ("r", 1), ("z", 0)):
        planes = np.zeros((3, 16, 16), "f4")
        planes[BANDS.index(band), 8, 8] = 1
        assert pixels_of(tmp_path, planes)[7, 8].argmax() == channel


def test_one_band_is_grey(tmp_path):
    """By the settings, or because the file has one; with the scale of that band."""
    path = tmp_path / "galaxy.fits"
    expected = by_hand(PLANES[[1, 1, 1]], scales=[0.014] * 3)
    fits.PrimaryHDU(PLANES[1], header_of("r")).writeto(path)
    picture = render_fits(path, rendering=DEFAULT_RENDERING)
    assert picture.is_grey
    np.testing.assert_allclose(picture.pixels + 0.5, expected, rtol=0, atol=0.51)
    found = render_fits(path, rendering=rendering(bands=["r"], band_scales=[0.014]))
    assert not found.is_grey
    np.testing.assert_array_equal(found.pixels, picture.pixels)


def test_two_bands(tmp_path):
    """Green is their mean."""
    mean = (PLANES[0] / 0.008 + PLANES[2] / 0.019) / 2 * 0.014
    expected = by_hand(np.stack([PLANES[0], mean, PLANES[2]]))
    found = pixels_of(
        tmp_path, PLANES[[0, 2]], bands=["g", "z"], band_scales=[0.008, 0.019]
    )
    np.testing.assert_allclose(found + 0.5, expected, rtol=0, atol=0.51)


def test_scales_from_the_noise(tmp_path):
    """A picture does not depend on the unit, or on a constant background."""
    noisy = {"band_scales": []}
    expected = pixels_of(tmp_path, PLANES, **noisy)
    moved = (PLANES * np.array([3, 50, 0.1])[:, None, None] + 20).astype("f8")
    found = pixels_of(tmp_path, moved, **noisy).astype(int)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1)
    zeros, scales = np.transpose([noise_scale(plane) for plane in PLANES])
    by_number = PLANES - zeros[:, None, None].astype("f4")
    found = pixels_of(tmp_path, by_number, band_scales=list(scales))
    np.testing.assert_allclose(found.astype(int), expected, rtol=0, atol=1)


def test_noise_below_a_galaxy():
    """Of 40,000 pixels of Gaussian noise, a fifth of which is covered by a galaxy."""
    rng = np.random.default_rng(0)
    image = rng.normal(7.0, 2.0, (200, 200))
    background, noise = noise_scale(image)
    # Standard errors of the median, 1.25 sigma / sqrt(n), and of the half distances.
    assert background == pytest.approx(7.0, abs=4 * 1.25 * 2 / 200)
    assert noise == pytest.approx(2.0, abs=4 * 2.2 * 2 / 200)
    image[:40] += 1000
    image[50, :20] = np.nan
    background, noise = noise_scale(image)
    # Of what is left the median is the quantile 5/8, 0.32 sigma up, and so on.
    assert background == pytest.approx(7 + 2 * norm.ppf(0.625), abs=0.06)
    below = 7 + 2 * norm.ppf(0.3125)
    assert noise == pytest.approx((background - below) / norm.ppf(0.75), abs=0.1)
    assert noise_scale(np.ones((5, 5))) == (1.0, 1.0)
    assert noise_scale(np.full((5, 5), np.nan)) == (0.0, 1.0)


@pytest.mark.parametrize("kind", ["nan", "inf", "BLANK", "mask", "packed"])
def test_pixels_without_a_value_are_black(tmp_path, kind):
    """Whichever way a file says so, in any band; the others are as before."""
    planes, mask = PLANES.copy(), {"mask_extension": ""}
    path = tmp_path / "galaxy.fits"
    hdus = [fits.PrimaryHDU(planes, header_of())]
    if kind in ("nan", "inf"):
        planes[1, 3, 5] = {"nan": np.nan, "inf": np.inf}[kind]
    elif kind == "packed":
        planes[1, 3, 5] = np.nan
        hdus = [fits.PrimaryHDU()] + [fits.CompImageHDU(p, header_of()) for p in planes]
    elif kind == "mask":
        hdus.append(fits.ImageHDU(MASK, name="DQ"))
        mask = {"mask_extension": "dq"}
    else:
        whole = np.round(planes / 1e-5).astype(np.int32)
        whole[1, 3, 5] = -(2**31)
        hdus = [fits.PrimaryHDU(whole, header_of())]
    fits.HDUList(hdus).writeto(path)
    if kind == "BLANK":
        with fits.open(path, "update", do_not_scale_image_data=True) as file:
            file[0].header.update(BSCALE=1e-5, BLANK=-(2**31))
    picture = render_fits(path, rendering=rendering(**mask))
    black = (picture.pixels == 0).all(axis=2)
    assert black[36, 5]
    assert picture.missing_share == pytest.approx(1 / 1600)
    others = np.ones(black.shape, bool)
    others[36, 5] = False
    expected = by_hand(PLANES)
    # Whole numbers of 1e-5, and lossy packing, are not quite what was stored.
    tolerance = {"BLANK": 1, "packed": 12}.get(kind, 0.51)
    np.testing.assert_allclose(
        picture.pixels[others] + 0.5, expected[others], rtol=0, atol=tolerance
    )


def test_too_many_pixels_without_a_value(tmp_path):
    """Above the share that the setting allows."""
    planes = PLANES.copy()
    planes[0, :8] = np.nan  # a fifth
    assert pixels_of(tmp_path, planes, missing_share_max=0.2).shape == (40, 40, 3)
    with pytest.raises(ValueError, match=r"no value \(20.0%, expected at most 19.0%"):
        pixels_of(tmp_path, planes, missing_share_max=0.19)


def test_scale_and_unit_are_read(tmp_path):
    """From the coordinates, or CDELT; or not at all."""
    path = tmp_path / "galaxy.fits"
    wcs = fits_files.sky_wcs((40, 40), arcsec_per_px=0.262, angle=30)
    for cards, scale in (
        (wcs.to_header(), 0.262),
        ({"CDELT1": -1e-4, "CDELT2": 1e-4}, 0.36),
        ({}, np.nan),
    ):
        fits.PrimaryHDU(PLANES, header_of(**cards)).writeto(path, overwrite=True)
        picture = render_fits(path, rendering=DEFAULT_RENDERING)
        assert picture.arcsec_per_px == pytest.approx(scale, nan_ok=True)
        assert picture.unit == "nanomaggy"


def test_surface_brightness_needs_the_size_of_a_pixel(tmp_path):
    """MJy/sr times the pixel's solid angle is a flux."""
    wcs = fits_files.sky_wcs((40, 40), arcsec_per_px=0.5)
    steradian = (0.5 / 3600 * np.pi / 180) ** 2
    planes = PLANES * (3.631e-6 / 1e6 / steradian)
    path = tmp_path / "galaxy.fits"
    header = header_of(BUNIT="MJy/sr", **wcs.to_header())
    fits.PrimaryHDU(planes, header).writeto(path)
    np.testing.assert_allclose(rendered(path) + 0.5, by_hand(PLANES), rtol=0, atol=0.51)
    fits.PrimaryHDU(planes, header_of(BUNIT="MJy/sr")).writeto(path, overwrite=True)
    with pytest.raises(ValueError, match="BUNIT 'MJy/sr'"):
        rendered(path)


def written(folder, *hdus):
    path = folder / "galaxy.fits"
    fits.HDUList(list(hdus)).writeto(path)
    return path


def extensions(names):
    def make(folder):
        hdus = [fits.ImageHDU(PLANES[0], name=name) for name in names]
        return written(folder, fits.PrimaryHDU(), *hdus)

    return make


def only_a_table(folder):
    column = fits.Column("x", "E", array=[1.0])
    return written(
        folder, fits.PrimaryHDU(), fits.BinTableHDU.from_columns([column], name="CAT")
    )


def a_band_missing(folder):
    paths = write_bands(folder, PLANES)
    return paths | {"r": ""}


def a_file_missing(folder):
    paths = write_bands(folder, PLANES)
    return paths | {"r": folder / "gone.fits"}


def other_shape(folder):
    paths = write_bands(folder, PLANES)
    fits.PrimaryHDU(PLANES[0, :30, :30], header_of()).writeto(
        paths["z"], overwrite=True
    )
    return paths


def other_scale(folder):
    paths = write_bands(folder, PLANES)
    for band, scale in (("g", 0.3), ("z", 0.2)):
        header = fits_files.sky_wcs((40, 40), arcsec_per_px=scale).to_header()
        fits.PrimaryHDU(PLANES[0], header).writeto(paths[band], overwrite=True)
    return paths


def cut_short(n_lost):
    def make(folder):
        path = written(folder, fits.PrimaryHDU(PLANES, header_of()))
        path.write_bytes(path.read_bytes()[:-n_lost])
        return path

    return make


def gzip_cut_short(folder):
    path = folder / "galaxy.fits.gz"
    fits_files.cube(path, PLANES)
    path.write_bytes(path.read_bytes()[:-500])
    return path


def holding(content):
    def make(folder):
        path = folder / "galaxy.fits"
        path.write_bytes(content)
        return path

    return make


BAD = {
    r"holds no image \(only PrimaryHDU \(\), CAT": only_a_table,
    "holds no image": lambda folder: written(folder, fits.PrimaryHDU()),
    r"holds no image ": lambda folder: written(folder, fits.PrimaryHDU(np.ones(9))),
    "band z is missing .found extensions of g, r": extensions(["g", "r", "other"]),
    "band g is there more than once": extensions(["g_sci", "g_err", "r", "z"]),
    "another number of bands .2 images: A": extensions(["A", "B"]),
    r"cube has another number of bands \(shape": lambda folder: written(
        folder, fits.PrimaryHDU(np.ones((4, 20, 20)))
    ),
    "too many axes": lambda folder: written(
        folder, fits.PrimaryHDU(np.ones((2, 2, 20, 20)))
    ),
    "band r is missing .no file is given": a_band_missing,
    "band r: file does not exist": a_file_missing,
    "bands differ in shape": other_shape,
    "bands differ in pixel scale .g 0.3": other_scale,
    "cut short .* extension 0 would": cut_short(6000),
    "cut short .in a header": cut_short(40 * 40 * 12 + 2000),
    "does not unpack": gzip_cut_short,
    "is no FITS image": holding(gzip.compress(b"not FITS" * 100)),
    "no FITS image": holding(b"SIMPLE text"),
    r"too small \(7 x 40 px": lambda folder: written(
        folder, fits.PrimaryHDU(PLANES[:, :, :7])
    ),
    "BUNIT 'adu'": lambda folder: written(
        folder, fits.PrimaryHDU(PLANES, header_of(BUNIT="adu"))
    ),
    "BUNIT 'furlongs per": lambda folder: written(
        folder, fits.PrimaryHDU(PLANES, header_of(BUNIT="furlongs per fortnight"))
    ),
    "no value .100.0%": lambda folder: written(
        folder, fits.PrimaryHDU(np.full((3, 20, 20), np.nan))
    ),
}


@pytest.mark.parametrize("reason", BAD)
def test_bad_images_have_a_reason(tmp_path, reason):
    sources = BAD[reason](tmp_path)
    with pytest.raises(ValueError, match=reason) as error:
        render_fits(sources, rendering=DEFAULT_RENDERING)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mask_extension": "DQ"}, "lacks the mask DQ"),
        ({"layers": ["0", "1", "3"]}, r"lacks plane 3 \(of band z"),
        ({"layers": ["SCI", "1", "2"]}, r"lacks layer SCI \(of band g"),
    ],
)
def test_settings_that_a_file_does_not_fit(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        pixels_of(tmp_path, PLANES, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bands": []}, "expected one to 3 names"),
        ({"bands": ["g", "g", "z"]}, "each once"),
        ({"bands": ["g", "r/", "z"]}, "expected letters"),
        ({"band_scales": [1.0]}, "expected 3, one a band"),
        ({"band_scales": [1.0, 0.0, 1.0]}, "expected numbers above 0"),
        ({"layers": ["0"]}, "expected 3, one a band"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(ValueError, match=message):
        rendering(**changes)
