"""How fast FITS images become pictures, and come back when rows are added.

Draws galaxies in three bands, cubes of 424 pixels, and beside it does with Astropy and
Pillow alone what cannot be done with less: reads the cube, stretches it, encodes a png
file of it. Then the whole of prepare_catalog, first with every picture to draw, then
with one in a hundred.

Run it from the project's folder: ``python -m benchmarks.draw_fits``
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits
from astropy.visualization import LuptonAsinhStretch, ManualInterval, make_lupton_rgb
from PIL import Image

from benchmarks.side_by_side import HEADER, Row, ratio_row, seconds_of_rounds
from zoobot.data_utils.catalogs import prepare_catalog
from zoobot.data_utils.fits_images import DEFAULT_RENDERING, render_fits
from zoobot.data_utils.picture_files import as_png
from zoobot.settings.catalog import PrepareCatalog

__all__ = ["main", "measure"]

SIDE_PX = 424
_SCALES = np.array(DEFAULT_RENDERING.band_scales, np.float32)[:, None, None]


def main(argv: Sequence[str] | None = None) -> None:
    """Read the sizes, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--galaxies", type=int, default=100, help="FITS images")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds")
    args = parser.parse_args(argv)
    print(HEADER, *measure(args.galaxies, rounds=args.rounds), sep="\n")


def measure(n_galaxies: int = 100, *, rounds: int = 5) -> list[Row]:
    """The speed of drawing, and the time of drawing again.

    Parameters
    ----------
    n_galaxies : int
        FITS images.
    rounds : int
        How often each is timed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [_write_cube(folder / f"{i}.fits", seed=i) for i in range(n_galaxies)]
        seconds = seconds_of_rounds(
            {
                "Astropy": lambda: [_by_astropy_alone(path) for path in paths],
                "ours": lambda: [_drawn(path) for path in paths],
                "first": lambda: _prepare(folder, paths, n_new=n_galaxies),
                "again": lambda: _prepare(folder, paths, n_new=-(-n_galaxies // 100)),
            },
            rounds=rounds,
        )
    return [
        ratio_row(
            seconds["Astropy"],
            seconds["ours"],
            what=f"drawing FITS images, 3 bands of {SIDE_PX} px, as png, speed",
            against="getdata, make_lupton_rgb and Pillow alone",
            bar=0.6,
            better="more",
        ),
        ratio_row(
            seconds["again"],
            seconds["first"],
            what=f"prepare_catalog of {n_galaxies} FITS images, 1% of them new",
            against="all of them new",
            bar=0.4,
            better="less",
        ),
    ]


def _write_cube(path: Path, *, seed: int) -> Path:
    """A galaxy with noise, nanomaggies."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((SIDE_PX, SIDE_PX)) - SIDE_PX / 2
    light = np.exp(-np.hypot(x, 2 * y) / 30)
    noise = rng.normal(0, 0.005, (3, SIDE_PX, SIDE_PX))
    bands = np.multiply.outer([0.5, 1.0, 1.4], light) + noise
    header = fits.Header({"BUNIT": "nanomaggy"})
    fits.PrimaryHDU(bands.astype(np.float32), header).writeto(path)
    return path


def _drawn(path: Path) -> bytes:
    return as_png(render_fits(path, rendering=DEFAULT_RENDERING))


def _by_astropy_alone(path: Path) -> bytes:
    blue, green, red = (fits.getdata(path) / _SCALES).astype(np.float32)
    pixels = make_lupton_rgb(
        *(red, green, blue),
        interval=ManualInterval(vmin=DEFAULT_RENDERING.lupton_minimum, vmax=1e15),
        stretch_object=LuptonAsinhStretch(
            DEFAULT_RENDERING.lupton_stretch, DEFAULT_RENDERING.lupton_q
        ),
    )
    content = io.BytesIO()
    picture = Image.fromarray(pixels[::-1])
    picture.save(content, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return content.getvalue()


def _prepare(folder: Path, paths: list[Path], *, n_new: int) -> None:
    """As the workflow does, which removes the pictures of the last run first."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    kept = folder / "kept"
    if n_new == len(paths):
        shutil.rmtree(kept, ignore_errors=True)
    for path in sorted(kept.rglob("*.png"))[:n_new]:
        path.unlink()
    table = pd.DataFrame({"id_str": [p.stem for p in paths], "file_loc": paths})
    table.to_csv(folder / "catalog.csv", index=False)
    prepare_catalog(
        PrepareCatalog(
            labelled_catalogs=[],
            unlabelled_catalogs=["catalog.csv"],
            image_folders=[],
            preset="none",
            columns={},
            file_loc_folder="",
            file_loc_suffix="",
            file_loc_table="",
            volunteers=40,
            rejected_share_max=0.1,
        ),
        schema="gz_decals",
        data_folder=folder,
        labelled=folder / "out/labelled.parquet",
        unlabelled=folder / "out/unlabelled.parquet",
        rejected=folder / "out/rejected.csv",
        kept_images=kept,
        threads=2,
    )


if __name__ == "__main__":
    main()
