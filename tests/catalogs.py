"""Small catalogues and their images, and prepare_catalog run on them."""

import csv
import dataclasses

import pandas as pd
from PIL import Image

from zoobot.data_utils import catalogs
from zoobot.data_utils.fits_images import DEFAULT_RENDERING
from zoobot.schemas import Schema
from zoobot.settings.catalog import PrepareCatalog

TREE = {
    "shape": {"answers": ["round", "flat"]},
    "arms": {"answers": ["yes", "no"], "asked_after": ["shape_flat"]},
}
SCHEMA = Schema(TREE, name="tiny")
COLUMNS = ["id_str", "file_loc", *SCHEMA.label_cols]
GALAXY = ["id_str", "file_loc", "image_digest"]


@dataclasses.dataclass
class Result:
    """What prepare_catalog wrote."""

    labelled: pd.DataFrame
    unlabelled: pd.DataFrame
    rejected: pd.DataFrame

    def reason(self, id_str):
        """Why one galaxy was rejected."""
        reasons = self.rejected.set_index("id_str")["reason"]
        return reasons.loc[id_str]

    def __len__(self):
        """Count all rows."""
        return len(self.labelled) + len(self.unlabelled) + len(self.rejected)


def draw_images(folder, names):
    """Write small images that decode."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (8, 8)).save(folder / name)


def write_csv(path, rows, *, columns=COLUMNS):
    """Write a csv table, its folder too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def catalog_settings(**changes):
    """Settings of prepare_catalog that read tables as they are and reject any row."""
    settings = {
        "labelled_catalogs": [],
        "unlabelled_catalogs": [],
        "image_folders": [],
        "preset": "none",
        "columns": {},
        "file_loc_folder": "",
        "file_loc_suffix": "",
        "file_loc_table": "",
        "volunteers": 40,
        "rejected_share_max": 1.0,
    }
    return PrepareCatalog(**(settings | changes))


def prepare(
    folder,
    *,
    labelled=(),
    unlabelled=(),
    images=(),
    threads=2,
    schema=SCHEMA,
    rendering=DEFAULT_RENDERING,
    kept_images=None,
    code="",
    **changes,
):
    """Run prepare_catalog with paths relative to a folder, and read what it wrote."""
    settings = catalog_settings(
        labelled_catalogs=list(labelled),
        unlabelled_catalogs=list(unlabelled),
        image_folders=list(images),
        **changes,
    )
    out = folder / "out"
    catalogs.prepare_catalog(
        settings,
        schema=schema,
        data_folder=folder,
        labelled=out / "labelled.parquet",
        unlabelled=out / "unlabelled.parquet",
        rejected=out / "rejected.csv",
        rendering=rendering,
        kept_images=kept_images,
        code=code,
        threads=threads,
    )
    return Result(
        pd.read_parquet(out / "labelled.parquet"),
        pd.read_parquet(out / "unlabelled.parquet"),
        pd.read_csv(out / "rejected.csv", dtype=str, keep_default_na=False),
    )
