"""FITS files from strangers: refused unread, whatever they announce, or read."""

import gzip
import io
import tracemalloc

import numpy as np
import pytest
from astropy.io import fits

from tests.fits_files import fluxes, header_of, sky_wcs
from zoobot.data_utils import fits_files
from zoobot.data_utils.cutouts import Field
from zoobot.data_utils.fits_images import DEFAULT_RENDERING, render_cutout, render_fits

PLANES = fluxes(24)
MOST_BYTES = 100e6


def header(**cards):
    """A FITS header as it is stored."""
    text = "".join(str(fits.Card(name, value)) for name, value in cards.items())
    text += "END".ljust(80)
    return text.ljust(-(-len(text) // 2880) * 2880).encode()


def primary(**cards):
    return header(SIMPLE=True, BITPIX=-32, **cards)


def image(*sides):
    return {"NAXIS": len(sides)} | {f"NAXIS{i + 1}": n for i, n in enumerate(sides)}


def packed(**changes):
    """An image compressed by tiles, with some cards of its header changed."""
    stored = io.BytesIO()
    kind = changes.pop("kind", "RICE_1")
    data = np.arange(32 * 32, dtype=np.int32).reshape(32, 32)
    compressed = fits.CompImageHDU(data, compression_type=kind, tile_shape=(8, 32))
    fits.HDUList([fits.PrimaryHDU(), compressed]).writeto(stored)
    stored.seek(0)
    with fits.open(stored, disable_image_compression=True) as hdus:
        hdus[1].header.update(changes)
        content = io.BytesIO()
        hdus.writeto(content, output_verify="ignore")
    return content.getvalue()


def gzip_tile_of_a_bomb():
    """A tile of a few kilobytes that unpacks to 300 MB."""
    bomb = np.frombuffer(gzip.compress(bytes(300_000_000), 9), np.uint8)
    tiles = np.empty(1, dtype=object)
    tiles[0] = bomb
    rows = fits.Column("COMPRESSED_DATA", f"1PB({len(bomb)})", array=tiles)
    table = fits.BinTableHDU.from_columns([rows])
    table.header.update(ZIMAGE=True, ZCMPTYPE="GZIP_1", ZBITPIX=8, ZNAXIS=2)
    table.header.update(ZNAXIS1=100, ZNAXIS2=100, ZTILE1=100, ZTILE2=100)
    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(content)
    return content.getvalue()


def extension(**cards):
    return header(XTENSION="IMAGE", BITPIX=8, PCOUNT=0, GCOUNT=1, **cards)


HOSTILE = {
    "a terabyte": (primary(**image(10**6, 10**6)), "cut short"),
    "more than a number holds": (primary(**image(*[10**9] * 9)), "cut short"),
    "many axes": (primary(NAXIS=10**9), "negative or absurd size"),
    "a negative side": (primary(**image(-5, 5)), "negative or absurd size"),
    "a side that is no number": (primary(NAXIS=2, NAXIS1="1000"), "header is damaged"),
    "a side with a fraction": (primary(NAXIS=2, NAXIS1=1e9), "header is damaged"),
    "a side that repeats": (
        primary(**image(10**6, 10**6), BITPUX=1).replace(
            str(fits.Card("BITPUX", 1)).encode(), str(fits.Card("NAXIS1", 1)).encode()
        ),
        "cut short",
    ),
    "a header without an end": (
        primary().replace(b"END", b"   ") + b"COMMENT".ljust(80) * 36 * 1200,
        "header does not end",
    ),
    "a header that is cut": (primary(**image(9, 9))[:2000], "cut short .in a header"),
    "thousands of extensions": (
        primary(NAXIS=0) + extension(NAXIS=0) * 1100,
        "more than 1000 extensions",
    ),
    "parameters of a terabyte": (
        primary(NAXIS=0)
        + header(XTENSION="IMAGE", BITPIX=8, **image(9, 9), PCOUNT=10**12, GCOUNT=1),
        "cut short",
    ),
    "BITPIX of no kind": (
        primary(**image(9, 9)).replace(b"-32", b"-31") + bytes(2880),
        "damaged",
    ),
    "HCOMPRESS": (packed(kind="HCOMPRESS_1"), "none that is read safely"),
    "an unknown compression": (packed(ZCMPTYPE="ZIP"), "none that is read safely"),
    "a huge tile": (packed(ZTILE1=10**6, ZTILE2=10**6), "tile is too large"),
    "a tile of nothing": (packed(ZTILE2=0), "tile is too large or none"),
    "a compressed terabyte": (packed(ZNAXIS1=10**6, ZNAXIS2=10**6), "too large"),
    "a bomb in a tile": (gzip_tile_of_a_bomb(), "larger than its pixels"),
    "a gzipped bomb": (
        gzip.compress(primary(**image(30_000, 30_000)) + bytes(300_000_000), 1),
        "too large unpacked",
    ),
    "gzip of gzip": (gzip.compress(gzip.compress(primary(NAXIS=0))), "no FITS image"),
}


def refused(path, match):
    """Check that it is refused, with little memory, before its pixels are read."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=match) as error:
            render_fits(path, rendering=DEFAULT_RENDERING)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(str(error.value)) < 500
    return most


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(tmp_path, monkeypatch, name):
    """Each has a reason; none takes memory."""
    monkeypatch.setattr(fits_files, "MAX_UNPACKED_BYTES", 2**25)
    content, reason = HOSTILE[name]
    path = tmp_path / "hostile.fits"
    path.write_bytes(content)
    assert refused(path, reason) < MOST_BYTES


def test_an_honest_packed_file_is_read(tmp_path):
    """What the hostile ones are made of."""
    (tmp_path / "a.fits").write_bytes(packed())
    for kind in ("RICE_1", "GZIP_1", "GZIP_2", "PLIO_1"):
        (tmp_path / "b.fits").write_bytes(packed(kind=kind))
        found = render_fits(tmp_path / "b.fits", rendering=DEFAULT_RENDERING)
        assert found.pixels.shape == (32, 32, 3)


def valid_files():
    """Contents to damage: plain, packed, gzipped, and with coordinates."""
    wcs = sky_wcs((24, 24), arcsec_per_px=0.5).to_header()
    kinds = {
        "plain": [fits.PrimaryHDU(PLANES, header_of(**wcs))],
        "rice": [fits.PrimaryHDU()]
        + [fits.CompImageHDU(p, header_of(**wcs)) for p in PLANES],
        "gzip": [fits.PrimaryHDU()]
        + [
            fits.CompImageHDU(p, header_of(**wcs), compression_type="GZIP_2")
            for p in PLANES
        ],
    }
    for name, hdus in kinds.items():
        content = io.BytesIO()
        fits.HDUList(hdus).writeto(content)
        yield name, content.getvalue()
    yield "gzipped", gzip.compress(content.getvalue(), mtime=0)


VALID = dict(valid_files())


def damaged(content, rng):
    """Some bytes changed, mostly in headers; or a piece lost."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 12)):
        where = int(rng.integers(0, len(content)))
        if rng.random() < 0.5:  # digits for digits: other numbers in a valid header
            digits = [i for i in range(where, len(content)) if 48 <= content[i] <= 57]
            if digits:
                content[digits[0]] = int(rng.integers(48, 58))
                continue
        content[where] = int(rng.integers(0, 256))
    if rng.random() < 0.2:
        del content[int(rng.integers(0, len(content))) :]
    return bytes(content)


@pytest.mark.parametrize("name", VALID)
def test_damaged_files_are_read_or_have_a_reason(tmp_path, name):
    """Never another error, whichever bytes are changed; pictures and cutouts."""
    rng = np.random.default_rng(list(name.encode()))
    field = Field(ra=150.0, dec=2.2, arcsec_per_px=0.5, size_px=16)
    path = tmp_path / "damaged.fits"
    n_bad = 0
    for _ in range(60):
        path.write_bytes(damaged(VALID[name], rng))
        for render in (
            lambda: render_fits(path, rendering=DEFAULT_RENDERING),
            lambda: render_cutout(path, field=field, rendering=DEFAULT_RENDERING),
        ):
            try:
                assert render().pixels.dtype == np.uint8
            except ValueError as error:
                n_bad += 1
                assert str(error)
    assert n_bad > 10
