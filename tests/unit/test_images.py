"""Images: every mode a file can have, and every way in which one can be broken."""

import numpy as np
import pytest
from PIL import Image

from zoobot.data_utils.image_files import BadImageError, IsFitsError
from zoobot.data_utils.images import MIN_SIDE_PX, check_and_digest, load_image

RGB = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
GREY = RGB[..., 0]


def check_image(path):
    """Why an image cannot be used; None if it can."""
    try:
        check_and_digest(path)
    except BadImageError as error:
        return str(error)
    return None


def saved(folder, pixels, *, suffix=".png", **options):
    """Save an array or image, and return the path."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    path = folder / f"galaxy{suffix}"
    image.save(path, **options)
    return path


def test_rgb_is_exact_and_not_flipped(tmp_path):
    """A png of the right size comes out pixel for pixel."""
    found = load_image(saved(tmp_path, RGB), size_px=20)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, RGB)


@pytest.mark.parametrize("mode", ["L", "1", "I;16"])
def test_one_band_is_repeated(tmp_path, mode):
    """Greyscale of any depth gives three equal bands."""
    stored = {"L": GREY, "1": GREY > 127, "I;16": GREY.astype(np.uint16) * 257}[mode]
    expected = {"L": GREY, "1": np.where(GREY > 127, 255, 0), "I;16": GREY}[mode]
    path = saved(tmp_path, stored)
    with Image.open(path) as image:
        assert image.mode == mode
    np.testing.assert_array_equal(
        load_image(path, size_px=20), np.repeat(expected[..., None], 3, axis=2)
    )


def test_16_bit_keeps_the_high_byte(tmp_path):
    """The whole range of 16 bits maps on 0 to 255, nothing is clipped."""
    stored = np.linspace(0, 65535, 400).reshape(20, 20).astype(np.uint16)
    found = load_image(saved(tmp_path, stored), size_px=20)
    np.testing.assert_array_equal(found[..., 1], stored // 256)


def test_palette_is_looked_up(tmp_path):
    """A palette image gives its colours, not its indices."""
    index = GREY % 2
    image = Image.fromarray(index)
    image.putpalette([10, 20, 30, 200, 150, 100] + [0] * 762)
    colours = np.array([[10, 20, 30], [200, 150, 100]], dtype=np.uint8)
    found = load_image(saved(tmp_path, image), size_px=20)
    np.testing.assert_array_equal(found, colours[index])


def test_transparency_lies_over_black(tmp_path):
    """Alpha scales colours towards black."""
    alpha = np.full((20, 20, 1), 51, dtype=np.uint8)
    found = load_image(saved(tmp_path, np.concatenate([RGB, alpha], 2)), size_px=20)
    # 51/255 = 1/5; Pillow may round either way.
    np.testing.assert_allclose(found, RGB / 5, atol=1)


def test_transparent_grey_and_colour_key(tmp_path):
    """Grey with alpha, and a transparent colour of an RGB png, are handled too."""
    half = Image.fromarray(np.dstack([GREY, np.full_like(GREY, 255)]))
    np.testing.assert_array_equal(
        load_image(saved(tmp_path, half), size_px=20)[..., 2], GREY
    )
    white = np.full((20, 20, 3), 255, dtype=np.uint8)
    path = saved(tmp_path, white, transparency=(255, 255, 255))
    assert load_image(path, size_px=20).max() == 0


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_modes(tmp_path, mode):
    """Smooth jpegs of each mode come back close to what was stored."""
    ramp = np.linspace(20, 230, 32).astype(np.uint8)
    grey = np.tile(ramp, (32, 1))
    image = Image.fromarray(np.dstack([grey] * 3)).convert(mode)
    path = saved(tmp_path, image, suffix=".jpg", quality=95)
    # Jpeg quantises: a few levels of error on a smooth ramp.
    found = load_image(path, size_px=32).astype(int)
    np.testing.assert_allclose(found, np.dstack([grey] * 3), atol=6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    """Each EXIF orientation shows the same galaxy upright."""
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, np.ascontiguousarray(undo(RGB)), exif=exif)
    np.testing.assert_array_equal(load_image(path, size_px=20), RGB)


def test_damaged_exif_beside_good_pixels(tmp_path):
    """EXIF that nobody can read leaves the image as stored."""
    path = saved(tmp_path, RGB, exif=b"Exif\x00\x00not a tiff header")
    np.testing.assert_array_equal(load_image(path, size_px=20), RGB)


@pytest.mark.parametrize("shape", [(20, 31), (31, 20), (20, 30)])
def test_central_square(tmp_path, shape):
    """Of a longer side the middle stays."""
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    top, left = ((side - 20) // 2 for side in shape)
    np.testing.assert_array_equal(
        load_image(saved(tmp_path, pixels), size_px=20),
        pixels[top : top + 20, left : left + 20],
    )


def test_resize_averages(tmp_path):
    """Halving keeps the mean, as antialiasing should: no pixel is just skipped."""
    checkers = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    found = load_image(saved(tmp_path, checkers), size_px=16)
    assert found.shape == (16, 16, 3)
    # Every 4 x 4 block of a checkerboard has mean 127.5; weights are symmetric inside.
    np.testing.assert_allclose(found[2:-2, 2:-2], 127.5, atol=2)


def test_content_decides_not_the_suffix(tmp_path):
    """A png called jpg is still a png."""
    path = saved(tmp_path, RGB).rename(tmp_path / "galaxy.jpg")
    np.testing.assert_array_equal(load_image(path, size_px=20), RGB)


def truncated(folder, suffix):
    """An image file that lacks its last third."""
    path = saved(folder, RGB, suffix=suffix)
    content = path.read_bytes()
    path.write_bytes(content[: 2 * len(content) // 3])
    return path


def written(folder, content):
    """A file called png with this content."""
    path = folder / "galaxy.png"
    path.write_bytes(content)
    return path


BROKEN = {
    "does not exist": lambda folder: folder / "nothing.png",
    "not exist": lambda folder: written(folder, b"x") / "below_a_file.png",
    "empty": lambda folder: written(folder, b""),
    "folder": lambda folder: folder,
    "no PNG, JPEG or FITS": lambda folder: written(
        folder, b"<html>404 not found</html>"
    ),
    "JPEG or FITS": lambda folder: saved(folder, RGB, suffix=".gif"),
    r"too small \(7 x 20 px": lambda folder: saved(folder, RGB[:, :7]),
    "not decode completely": lambda folder: truncated(folder, ".png"),
    "decode completely": lambda folder: truncated(folder, ".jpg"),
    "device or pipe": lambda folder: "/dev/null",
    "none that a file can have": lambda folder: str(folder / "a\0b.png"),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_broken_files_have_a_reason(tmp_path, reason):
    """Check and load agree, and the error of load names the file."""
    path = BROKEN[reason](tmp_path)
    with pytest.raises(ValueError, match=reason) as error:
        load_image(path, size_px=20)
    assert str(path) in str(error.value)
    assert str(error.value).endswith(check_image(path))


@pytest.mark.parametrize("start", [b"SIMPLE  =", b"\x1f\x8b"])
def test_what_may_be_fits_is_left_to_the_drawing(tmp_path, start):
    with pytest.raises(IsFitsError):
        check_and_digest(written(tmp_path, start + b" " * 100))


def test_damaged_png_data(tmp_path):
    """A png with the right length and wrong bytes is broken."""
    path = saved(tmp_path, RGB)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert "decode" in check_image(path)


def test_smallest_image(tmp_path):
    """An image of the smallest size is fine."""
    path = saved(tmp_path, RGB[:MIN_SIDE_PX, :MIN_SIDE_PX])
    assert check_image(path) is None


@pytest.mark.parametrize("most", [399, 150])
def test_decompression_bomb(tmp_path, monkeypatch, most):
    """More pixels than Pillow's limit are refused before decoding."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
    assert "too large" in check_image(saved(tmp_path, RGB))


@pytest.mark.parametrize(("stored_px", "levels"), [(60, 0), (97, 2), (41, 2)])
def test_margin_is_left_out(tmp_path, stored_px, levels):
    """The centre of the whole: the same when not resized, else but for rounding."""
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (stored_px, stored_px, 3), dtype=np.uint8)
    path = saved(tmp_path, pixels)
    found = load_image(path, size_px=60, margin_px=7).astype(int)
    expected = load_image(path, size_px=60).astype(int)[7:-7, 7:-7]
    # Pillow rounds to 8 bits after the rows and again after the columns.
    np.testing.assert_allclose(found, expected, rtol=0, atol=levels)
