"""The tiny survey once more, as FITS images in every form, with the model that it has.

The images are made so that drawing them gives the survey's png images: catalogue and
predictions must then be those of the png files.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from astropy.io import fits
from PIL import Image

from rules.recipes import recipes_of
from tests.fits_files import header_of, sky_wcs
from tests.workflow.workflow import ROOT, TINY, copy_project, snakemake
from zoobot.configuration import Settings, read_settings
from zoobot.schemas import get_schema

pytestmark = pytest.mark.slow

VOTES = get_schema("gz_decals").label_cols
BANDS = ("g", "r", "z")
RENDERING = yaml.safe_load((ROOT / "config.yaml").read_text())["render_fits"]
SIDE = 48
COLUMNS = 5  # of galaxies on the mosaic
PLACES = range(130, 150)
BAD = {
    "cut": "file_loc: FITS file is cut short",
    "table": "file_loc: FITS file holds no image",
    "off": "mosaic: position lies off the mosaic",
}


def fluxes_of(path: Path) -> np.ndarray:
    """Nanomaggies in each band, (3, side, side), that are drawn as a picture is."""
    with Image.open(path) as image:
        levels = np.asarray(image.convert("RGB"))[::-1].astype(float)
    colours = np.minimum((levels + 0.5) / 255, 1)
    # f(I) is the mean of the colours, and each of them is its flux times f(I) / I.
    q, stretch = RENDERING["lupton_q"], RENDERING["lupton_stretch"]
    stretched = colours.mean(axis=2)
    intensity = np.sinh(stretched * np.arcsinh(0.1 * q) / 0.1) * stretch / q
    red, green, blue = np.moveaxis(colours * (intensity / stretched)[..., None], 2, 0)
    scales = np.array(RENDERING["band_scales"])[:, None, None]
    above = np.stack([blue, green, red]) + RENDERING["lupton_minimum"]
    return (above * scales).astype(np.float32)


def write_cubes(rows: pd.DataFrame, folder: Path, *, suffix: str) -> pd.DataFrame:
    """One file a galaxy, with all bands."""
    names = [f"{galaxy}{suffix}" for galaxy in rows["id_str"]]
    for name, source in zip(names, rows["file_loc"], strict=True):
        fits.PrimaryHDU(fluxes_of(source), header_of()).writeto(folder / name)
    return rows.assign(file_loc=names)


def write_by_band(rows: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """A file for each band."""
    for galaxy, source in zip(rows["id_str"], rows["file_loc"], strict=True):
        for band, flux in zip(BANDS, fluxes_of(source), strict=True):
            hdu = fits.PrimaryHDU(flux, header_of(band))
            hdu.writeto(folder / f"{galaxy}.{band}.fits")
    files = {f"file_loc_{b}": rows["id_str"] + f".{b}.fits" for b in BANDS}
    return rows.drop(columns="file_loc").assign(**files)


def write_mosaic(rows: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Galaxies side by side, pixel by pixel."""
    n_rows = -(-len(rows) // COLUMNS)
    sky = np.zeros((3, n_rows * SIDE, COLUMNS * SIDE), np.float32)
    wcs = sky_wcs(sky.shape[1:], arcsec_per_px=RENDERING["arcsec_per_px"])
    places = []
    for number, source in enumerate(rows["file_loc"]):
        row, column = (SIDE * place for place in divmod(number, COLUMNS))
        sky[:, row : row + SIDE, column : column + SIDE] = fluxes_of(source)
        middle = (SIDE - 1) / 2
        places.append(wcs.wcs_pix2world(column + middle, row + middle, 0))
    header = header_of(**wcs.to_header())
    fits.PrimaryHDU(sky, header).writeto(folder / "sky.fits")
    ra, dec = np.array(places, float).T
    return rows.drop(columns="file_loc").assign(ra=ra, dec=dec, mosaic="sky.fits")


def write_bad(folder: Path, like: pd.DataFrame) -> pd.DataFrame:
    """Files from which nothing can be drawn."""
    content = (folder / like["file_loc"].iloc[0]).read_bytes()
    (folder / "cut.fits").write_bytes(content[:-5000])
    column = fits.Column("x", "E", array=[1.0])
    table = fits.BinTableHDU.from_columns([column])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(folder / "table.fits")
    names = ["cut", "table"]
    return pd.DataFrame({"id_str": names, "file_loc": [f"{n}.fits" for n in names]})


class Survey:
    """A project with the survey as FITS, and the one with the png files."""

    def __init__(self, folder: Path, original: Path) -> None:
        self.original = original / "results"
        self.project = copy_project(folder / "project")
        self.folder = folder / "survey"
        self.folder.mkdir()
        tables = {
            name: pd.read_csv(self.original / f"survey/{name}.csv", dtype=str)
            for name in ("labelled", "unlabelled")
        }
        for table in tables.values():
            table["file_loc"] = [
                str(self.original / "survey" / path) for path in table["file_loc"]
            ]
        self._write(**tables)
        changes = {
            "data_folder": str(self.folder),
            "prepare_catalog": {
                "labelled_catalogs": ["files.csv", "bands.csv", "sky.csv"],
                "unlabelled_catalogs": ["unlabelled.csv"],
            },
            "prepare_ring_catalog": {
                "catalogs": [str(self.original / "survey/labelled.csv")]
            },
            "render_fits": {"cutout_size_px": SIDE},
        }
        self.configfile = folder / "fits.yaml"
        self.configfile.write_text(yaml.safe_dump(changes))
        self._take_models()

    def _write(self, labelled: pd.DataFrame, unlabelled: pd.DataFrame) -> None:
        files = [
            write_cubes(labelled[:60], self.folder, suffix=".fits"),
            write_cubes(labelled[60:100], self.folder, suffix=".fits.gz"),
            labelled[150:],
        ]
        pd.concat(files).to_csv(self.folder / "files.csv", index=False)
        bands = write_by_band(labelled[100:130], self.folder)
        bands.to_csv(self.folder / "bands.csv", index=False)
        sky = write_mosaic(labelled[PLACES.start : PLACES.stop], self.folder)
        off = sky[:1].assign(id_str="off", dec=3.0)
        pd.concat([sky, off]).to_csv(self.folder / "sky.csv", index=False)
        others = write_cubes(unlabelled, self.folder, suffix=".FIT")
        others = pd.concat([others, write_bad(self.folder, others)])
        others.to_csv(self.folder / "unlabelled.csv", index=False)

    def _take_models(self) -> None:
        """Those of the png survey, as if they were of this one's recipe."""
        results = self.project / "results"
        for name in ("models", "rings/tiny"):
            shutil.copytree(self.original / name, results / name)
        (results / "representations").mkdir()
        for path in (self.original / "representations").glob("tiny_pca5_*"):
            shutil.copy2(path, results / "representations")
        path = results / "models/tiny/0/card.json"
        card = json.loads(path.read_text())
        path.write_text(json.dumps(card | {"recipe": recipes_of(self.settings).train}))

    @property
    def settings(self) -> Settings:
        config = yaml.safe_load((ROOT / "config.yaml").read_text())
        for path in (TINY, self.configfile):
            for name, value in yaml.safe_load(path.read_text()).items():
                is_section = isinstance(value, dict)
                config[name] = config[name] | value if is_section else value
        return read_settings(config)

    def run(self, *options: str) -> str:
        result = snakemake(
            self.project, *options, configfiles=(TINY, self.configfile), cores=2
        )
        assert result.returncode == 0, result.stdout
        return result.stdout

    def table(self, name: str, *, of_png: bool = False) -> pd.DataFrame:
        results = self.original if of_png else self.project / "results"
        return pd.read_parquet(results / name).set_index("id_str")


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory, finished_project: Path) -> Survey:
    """The survey as FITS, with all that follows from its images."""
    survey = Survey(tmp_path_factory.mktemp("fits"), finished_project)
    printed = survey.run()
    kept = "Kept as they are: trained members 0, principal components, ring finder"
    assert kept in printed
    return survey


def test_the_same_galaxies_with_the_same_votes(survey: Survey):
    for name in ("labelled", "unlabelled"):
        found = survey.table(f"catalog/{name}.parquet")
        expected = survey.table(f"catalog/{name}.parquet", of_png=True)
        assert sorted(found.index) == sorted(expected.index)
        if name == "labelled":
            votes = found.loc[expected.index, VOTES]
            pd.testing.assert_frame_equal(votes, expected[VOTES])


def test_bad_images_are_listed_with_their_reasons(survey: Survey):
    path = survey.project / "results/catalog/rejected.csv"
    reasons = pd.read_csv(path).set_index("id_str")["reason"]
    assert set(reasons.index) == set(BAD)
    for galaxy, reason in BAD.items():
        assert reasons[galaxy].startswith(reason)


def test_pictures_are_those_of_the_png_files(survey: Survey):
    """As the network sees them: upright, red where red, to one level in rounding."""
    images = survey.project / "results/catalog/images"
    n_drawn = 0
    for name in ("labelled", "unlabelled"):
        found = survey.table(f"catalog/{name}.parquet")["file_loc"]
        expected = survey.table(f"catalog/{name}.parquet", of_png=True)["file_loc"]
        for galaxy, path in found.items():
            n_drawn += Path(path).is_relative_to(images)
            pixels = [
                np.asarray(Image.open(one).convert("RGB")).astype(int)
                for one in (path, expected[galaxy])
            ]
            difference = np.abs(pixels[0] - pixels[1])
            assert difference.max() <= 1, galaxy
            assert difference.mean() < 0.05, galaxy
    assert n_drawn == 150 + 20 == len(list(images.rglob("*.png")))


@pytest.mark.parametrize(
    "name", ["predictions/tiny_vote_fractions", "rings/tiny_rings"]
)
def test_predictions_are_those_of_the_png_files(survey: Survey, name: str):
    """The dropped units are of the galaxy; a level is 0.004 of the brightness."""
    found = survey.table(f"{name}.parquet")
    expected = survey.table(f"{name}.parquet", of_png=True)
    assert sorted(found.index) == sorted(expected.index)
    numbers = expected.select_dtypes("number").columns
    found, expected = (one.loc[expected.index, numbers] for one in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.01)
    assert (survey.project / "results/report.html").stat().st_size > 100_000


def test_galaxies_that_come_later_are_drawn_alone(survey: Survey):
    """The workflow removes all pictures first; those that it kept come back."""
    before = survey.table("catalog/unlabelled.parquet")
    path = survey.folder / "unlabelled.csv"
    rows = pd.read_csv(path, dtype=str)
    new = rows[rows["id_str"] == before.index[0]].assign(id_str="new")
    pd.concat([rows, new]).to_csv(path, index=False)
    survey.run("--until", "prepare_catalog")
    log = (survey.project / "results/logs/prepare_catalog.log").read_text()
    assert "drew 1 pictures of FITS images" in log
    assert "kept 170 more that an earlier run drew" in log
    after = survey.table("catalog/unlabelled.parquet")
    pd.testing.assert_frame_equal(after.drop("new"), before)
    assert all(Path(path).is_file() for path in after["file_loc"])
