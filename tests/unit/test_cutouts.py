"""Cutouts of a simulated sky: galaxies in the middle, of the right size, north up."""

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import Sip

from tests.fits_files import BANDS, gaussian_sky, header_of, sky_wcs
from zoobot.data_utils.cutouts import CutoutReader, Field, petrosian_scale
from zoobot.data_utils.fits_files import open_fits
from zoobot.data_utils.fits_images import DEFAULT_RENDERING, render_cutout
from zoobot.data_utils.fits_planes import find_planes

SHAPE = (300, 420)
SCALE = 0.3
RA, DEC = 150.003, 2.1965  # off the mosaic's middle by 36 and 42 pixels
GREY = DEFAULT_RENDERING.model_copy(
    update={"bands": ["r"], "band_scales": [0.014], "missing_share_max": 0.3}
)


def mosaic(folder, *, angle=0.0, image=None, name="mosaic.fits", packed=False, **sky):
    """A mosaic with one galaxy of sigma 2 arcsec, 4 from east to west."""
    wcs = sky_wcs(SHAPE, arcsec_per_px=SCALE, angle=angle)
    if image is None:
        where = {"ra": RA, "dec": DEC, "sigma": 2.0, "e_sigma": 4.0} | sky
        image = gaussian_sky(wcs, SHAPE, **where)
    header = header_of(**wcs.to_header())
    hdus = [fits.PrimaryHDU(image, header)]
    if packed:
        options = {"compression_type": "RICE_1", "quantize_level": 16}
        image = image + np.random.default_rng(0).normal(0, 1e-3, image.shape)
        hdus = [fits.PrimaryHDU(), fits.CompImageHDU(image, header, **options)]
    fits.HDUList(hdus).writeto(folder / name, overwrite=True)
    return folder / name


def cutout(path, **changes):
    field = {"ra": RA, "dec": DEC, "arcsec_per_px": 0.25, "size_px": 100} | changes
    with open_fits(path) as hdus:
        plane = find_planes(hdus, bands=["r"], rendering=GREY)["r"]
        return CutoutReader(Field(**field)).read(plane)


def moments(image):
    """Centroid and standard deviations of light, in pixels: columns, then rows."""
    y, x = np.indices(image.shape)
    total = image.sum()
    centre = [(image * axis).sum() / total for axis in (x, y)]
    widths = [
        np.sqrt((image * (axis - mean) ** 2).sum() / total)
        for axis, mean in zip((x, y), centre, strict=True)
    ]
    return centre, widths


@pytest.mark.parametrize("angle", [0, 30, 90, 200])
@pytest.mark.parametrize(("scale", "size"), [(0.25, 160), (0.3, 130), (1.3, 31)])
def test_galaxy_is_in_the_middle_with_its_size(tmp_path, angle, scale, size):
    """Also if the mosaic is rotated, the pixels are larger, or the side is odd."""
    image = cutout(
        mosaic(tmp_path, angle=angle), arcsec_per_px=scale, size_px=size
    ).astype(float)
    assert image.shape == (size, size)
    image[~np.isfinite(image)] = 0
    centre, widths = moments(image)
    np.testing.assert_allclose(centre, (size - 1) / 2, rtol=0, atol=0.1)
    # Means over a pixel, and bilinear steps, widen a little: variances add up.
    for width, sigma in zip(widths, (4.0, 2.0), strict=True):
        smoothed = np.sqrt(sigma**2 + max(scale, SCALE) ** 2 / 3)
        assert sigma * 0.99 < width * scale < smoothed * 1.02
    # A mosaic's own flux per pixel: the peak stays what it is, whatever the scale.
    assert 0.85 < image.max() <= 1


@pytest.mark.parametrize("angle", [0, 75])
def test_north_is_up_and_east_left_in_the_picture(tmp_path, angle):
    """A companion 5 arcsec north, 8 east, is up on the left."""
    wcs = sky_wcs(SHAPE, arcsec_per_px=SCALE, angle=angle)
    centre = SkyCoord(RA, DEC, unit="deg")
    companion = centre.spherical_offsets_by(8 * units.arcsec, 5 * units.arcsec)
    image = gaussian_sky(
        wcs, SHAPE, ra=companion.ra.deg, dec=companion.dec.deg, sigma=0.6
    )
    path = mosaic(tmp_path, angle=angle, image=image)
    field = Field(ra=RA, dec=DEC, arcsec_per_px=0.25, size_px=101)
    picture = render_cutout(path, field=field, rendering=GREY)
    row, column = np.unravel_index(
        picture.pixels[..., 0].argmax(), picture.pixels.shape[:2]
    )
    assert (row, column) == pytest.approx((50 - 20, 50 - 32), abs=1)
    assert picture.arcsec_per_px == 0.25


def test_unrotated_cutout_of_the_same_scale_is_exact(tmp_path):
    """Where pixels fall on pixels, they are those of the mosaic."""
    image = np.random.default_rng(0).normal(0, 1, SHAPE).astype("f4")
    path = mosaic(tmp_path, image=image)
    wcs = sky_wcs(SHAPE, arcsec_per_px=SCALE)
    ra, dec = wcs.wcs_pix2world(200, 150, 0)
    found = cutout(path, ra=float(ra), dec=float(dec), arcsec_per_px=SCALE, size_px=21)
    # Another tangent point, 3 arcsec away, turns by less than 1e-4 of a pixel.
    np.testing.assert_allclose(found, image[140:161, 190:211], rtol=0, atol=2e-3)


def test_packed_and_plain_agree(tmp_path):
    """Of a compressed mosaic only the tiles are unpacked that are needed."""
    plain = cutout(mosaic(tmp_path))
    packed = cutout(mosaic(tmp_path, name="packed.fits.fz", packed=True))
    np.testing.assert_allclose(packed, plain, rtol=0, atol=6e-3)  # its noise is 1e-3


def test_only_a_part_is_read(tmp_path, monkeypatch):
    """The whole mosaic never is."""
    path = mosaic(tmp_path)

    def whole(self):
        raise AssertionError("read as a whole")

    monkeypatch.setattr(fits.PrimaryHDU, "data", property(whole))
    assert np.isfinite(cutout(path)).all()


def test_each_band_has_its_own_mosaic(tmp_path):
    """Also with other coordinates: the galaxy is at one place in all colours."""
    paths = {
        band: mosaic(tmp_path, angle=angle, name=f"{band}.fits")
        for band, angle in zip(BANDS, (0, 10, 130), strict=True)
    }
    field = Field(ra=RA, dec=DEC, arcsec_per_px=0.3, size_px=90)
    found = render_cutout(paths, field=field, rendering=DEFAULT_RENDERING)
    for channel in range(3):
        centre, _ = moments(found.pixels[..., channel].astype(float))
        np.testing.assert_allclose(centre, 44.5, rtol=0, atol=0.3)


def distorted(wcs):
    """By up to 2 pixels at the edge, and twice that in between."""
    wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    a, b = np.zeros((2, 4, 4))
    a[2, 0], a[0, 3], b[1, 1] = 8e-5, 5e-7, -6e-5
    wcs.sip = Sip(a, b, None, None, wcs.wcs.crpix)
    return wcs


def at_the_pole(wcs):
    """A map in which right ascension runs along the rows."""
    wcs.wcs.ctype = ["RA---CAR", "DEC--CAR"]
    wcs.wcs.crval = [150.0, 0.0]
    wcs.wcs.cd = np.diag([-0.12, 8e-5])
    wcs.wcs.crpix = [210, 150 - 89.988 / 8e-5]
    return wcs


@pytest.mark.parametrize(
    ("change", "ra", "dec"),
    [
        (lambda wcs: wcs, RA, DEC),
        (distorted, RA, DEC),
        (at_the_pole, 150.0, 89.988),
    ],
)
def test_every_pixel_is_where_astropy_says(tmp_path, change, ra, dec):
    """In a mosaic that holds its own rows, or columns, as flux."""
    wcs = change(sky_wcs(SHAPE, arcsec_per_px=SCALE, angle=20))
    field = Field(ra=ra, dec=dec, arcsec_per_px=0.2, size_px=141)
    y, x = np.indices((141, 141))
    columns, rows = wcs.world_to_pixel(field.wcs().pixel_to_world(x, y))
    header = header_of(**wcs.to_header(relax=True))
    for expected, flux in zip((rows, columns), np.indices(SHAPE), strict=True):
        path = tmp_path / "places.fits"
        fits.PrimaryHDU(flux.astype("f4"), header).writeto(path, overwrite=True)
        found = cutout(path, ra=ra, dec=dec, arcsec_per_px=0.2, size_px=141)
        seen = np.isfinite(found)
        assert seen.mean() > 0.5
        inside = (expected > 0) & (expected < flux.max())
        seen &= inside
        # float32 of a few hundred, and the positions' own 0.01 pixels.
        np.testing.assert_allclose(found[seen], expected[seen], rtol=0, atol=0.01)


def test_bands_whose_coordinates_differ_only_in_their_frame(tmp_path):
    """Positions of one band are used for the next only where they are the same."""
    wcs = sky_wcs(SHAPE, arcsec_per_px=SCALE)
    field = Field(ra=RA, dec=DEC, arcsec_per_px=0.25, size_px=60)
    columns = np.indices(SHAPE)[1].astype("f4")
    hdus = [fits.PrimaryHDU()]
    for frame in (
        {"RADESYS": "ICRS", "DATE-OBS": "2020-01-01"},
        {"RADESYS": "ICRS", "DATE-OBS": "2021-01-01"},
        {"RADESYS": "FK5", "EQUINOX": 2000.3},
    ):
        hdus.append(
            fits.ImageHDU(columns, header_of(**(dict(wcs.to_header()) | frame)))
        )
    fits.HDUList(hdus).writeto(tmp_path / "frames.fits")
    reader = CutoutReader(field)
    with open_fits(tmp_path / "frames.fits") as opened:
        planes = list(find_planes(opened, bands=BANDS, rendering=GREY).values())
        shared = [reader.read(plane) for plane in planes]
        alone = [CutoutReader(field).read(plane) for plane in planes]
    np.testing.assert_array_equal(shared, alone)
    np.testing.assert_array_equal(shared[0], shared[1])
    # 0.3 years of precession are about 14 arcsec.
    assert np.abs(shared[2] - shared[0]).min() > 10


def test_partly_off_the_mosaic(tmp_path):
    """Pixels off it have no value, and too many reject the cutout."""
    path = mosaic(tmp_path)
    wcs = sky_wcs(SHAPE, arcsec_per_px=SCALE)
    ra, dec = map(float, wcs.wcs_pix2world(2, 150, 0))  # near the eastern edge
    found = cutout(path, ra=ra, dec=dec, arcsec_per_px=SCALE, size_px=101)
    n_off = np.isnan(found).any(axis=0).sum()
    # Columns from -48 on: those whose centre is half a pixel off at most are seen.
    assert n_off == pytest.approx(48, abs=1)
    field = Field(ra=ra, dec=dec, arcsec_per_px=SCALE, size_px=101)
    with pytest.raises(ValueError, match=r"no value \(47.5%, expected at most 30.0%"):
        render_cutout(path, field=field, rendering=GREY)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ({"ra": 150.03}, "off the mosaic .ra 150.030000, dec 2.1965"),
        ({"ra": 330.0, "dec": -2.2}, "off the mosaic"),
        ({"dec": 90.0}, "off the mosaic"),
        ({"ra": np.nan}, "right ascension is none"),
        ({"ra": 400.0}, "right ascension is none"),
        ({"dec": -91.0}, "declination is none"),
        ({"arcsec_per_px": 0.0}, "pixel scale is none"),
    ],
)
def test_positions_that_are_not_there(tmp_path, place, reason):
    with pytest.raises(ValueError, match=reason):
        cutout(mosaic(tmp_path), **place)


def test_mosaics_without_coordinates(tmp_path):
    fits.PrimaryHDU(np.ones((50, 50))).writeto(tmp_path / "plain.fits")
    with pytest.raises(ValueError, match="no coordinates"):
        cutout(tmp_path / "plain.fits")
    header = header_of(CTYPE1="RA---TAN", CTYPE2="RA---TAN")
    fits.PrimaryHDU(np.ones((50, 50)), header).writeto(tmp_path / "odd.fits")
    with pytest.raises(ValueError, match=r"coordinates .* are damaged"):
        cutout(tmp_path / "odd.fits")


@pytest.mark.parametrize("keyword", ["A_ORDER", "WCSAXES"])
def test_coordinates_that_would_take_gigabytes(tmp_path, keyword):
    """A distortion of order 100,000 has 10^10 coefficients."""
    path = mosaic(tmp_path)
    with fits.open(path, mode="update") as hdus:
        hdus[0].header[keyword] = 100_000
    with pytest.raises(ValueError, match=r"coordinates .* are damaged"):
        cutout(path)


def test_galactic_mosaic(tmp_path):
    """Positions are equatorial, whatever the mosaic's own coordinates are."""
    galactic = SkyCoord(RA, DEC, unit="deg").galactic
    wcs = sky_wcs(SHAPE, arcsec_per_px=SCALE, ra=galactic.l.deg, dec=galactic.b.deg)
    wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"]
    y, x = np.indices(SHAPE)
    light = np.exp(-0.5 * ((x - 209.5) ** 2 + (y - 149.5) ** 2) / 6**2).astype("f4")
    fits.PrimaryHDU(light, header_of(**wcs.to_header())).writeto(tmp_path / "g.fits")
    centre, _ = moments(cutout(tmp_path / "g.fits").astype(float))
    np.testing.assert_allclose(centre, 49.5, rtol=0, atol=0.1)


def test_too_wide_a_cutout(tmp_path):
    """A cutout that would read more pixels than fit is refused before it does."""
    wcs = sky_wcs((5000, 5000), arcsec_per_px=0.1)
    path = tmp_path / "large.fits"
    zeros = np.zeros((5000, 5000), np.uint8)
    fits.PrimaryHDU(zeros, header_of(**wcs.to_header())).writeto(path)
    with pytest.raises(ValueError, match="too many pixels of the mosaic"):
        cutout(path, ra=150.0, dec=2.2, arcsec_per_px=5.0, size_px=424)


@pytest.mark.parametrize(
    ("p50", "p90", "scale"),
    [(2.0, 5.0, 0.1), (5.0, 20.0, 0.2), (10.0, 12.0, 0.24), (100.0, 300.0, 4.0)],
)
def test_petrosian_rule(p50, p90, scale):
    """max(min(0.04 p50, 0.02 p90), 0.1), by hand."""
    assert petrosian_scale(p50, p90) == pytest.approx(scale)


@pytest.mark.parametrize("radii", [(0.0, 3.0), (2.0, np.nan), (-1.0, 3.0), (2, np.inf)])
def test_radii_that_are_none(radii):
    with pytest.raises(ValueError, match="Petrosian radius is none"):
        petrosian_scale(*radii)
