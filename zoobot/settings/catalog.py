"""Settings of the stages from galaxies and votes to shards."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from zoobot.schemas import get_schema
from zoobot.settings.section import Fraction, Positive, Section, Seed

__all__ = [
    "PRESET_SCHEMAS",
    "ChunkCatalog",
    "ColumnMap",
    "PrepareCatalog",
    "SimulateSurvey",
    "SplitCatalog",
    "UnpackImages",
    "WriteShards",
    "check_column_map",
    "known_image_columns",
]

PRESET_SCHEMAS = {
    "gz_decals": "gz_decals",
    "gz_decals_dr12": "gz_decals_dr12",
    "gz2": "gz2",
    "gz_challenge": "gz2",
}
"""The decision tree that each released table has the answers of."""

_MAY_SHARE = {"id_str", "file_loc"}


def _check_words(columns: dict[str, str]) -> dict[str, str]:
    for name, column in columns.items():
        if not name.strip() or not column.strip() or "=" in name:
            raise ValueError(
                f"found {name!r}: {column!r}, expected a name without = and the "
                "name of a column"
            )
    return columns


ColumnMap = Annotated[dict[str, str], AfterValidator(_check_words)]
"""What tables call a column, by its name here."""


class SimulateSurvey(Section):
    """The demo's simulated galaxies and volunteers."""

    n_labelled: int = Positive
    """Galaxies that volunteers looked at."""
    n_unlabelled: int = Field(ge=0)
    """Galaxies that no volunteer saw."""
    image_size_px: int = Field(ge=32)
    """Side of the square images, in pixels."""
    file_format: Literal["png", "jpg"]
    """Format of the image files."""
    volunteers_min: int = Positive
    """Fewest volunteers who look at a galaxy."""
    volunteers_max: int = Positive
    """Most volunteers who look at a galaxy."""
    vote_concentration: float = Positive
    """Agreement of the volunteers: the sum of a question's concentrations, in votes."""
    ring_fraction: float = Fraction
    """Share of the face-on disks that have a ring."""
    seed: int = Seed
    """Seed of the galaxies and of their votes."""

    @model_validator(mode="after")
    def _check_volunteers(self) -> Self:
        if self.volunteers_max < self.volunteers_min:
            raise ValueError(
                f"volunteers_max: found {self.volunteers_max}, expected at least "
                f"volunteers_min, {self.volunteers_min}"
            )
        return self


class UnpackImages(Section):
    """Images that come as archives, unpacked into one folder."""

    archives: list[str]
    """Zip and tar files of images. If there are any, relative file_loc, file_loc_folder
    and image_folders are inside them."""
    folders: Literal["keep", "drop"]
    """keep: the folders inside the archives stay; drop: all images in one folder."""


class PrepareCatalog(Section):
    """The tables of galaxies that go in."""

    labelled_catalogs: list[str]
    """Tables (csv, csv.gz, parquet, FITS, VOTable): id_str, file_loc and all votes."""
    unlabelled_catalogs: list[str]
    """Tables of these kinds with id_str and file_loc, of galaxies only to predict."""
    image_folders: list[str]
    """Folders of png, jpg and FITS images only to predict; a file's stem is id_str."""
    preset: Literal["none", "gz_decals", "gz_decals_dr12", "gz2", "gz_challenge"]
    """Released tables to read as they are: their columns, votes and images' names."""
    columns: ColumnMap
    """What the tables call a column, where it is not as here: id_str: iauname."""
    file_loc_folder: str
    """Folder where relative paths of images start; empty: the folder of each table."""
    file_loc_suffix: str
    """What every file_loc lacks at its end, as .png if it is an id; empty: nothing."""
    file_loc_table: str
    """Table of id_str and file_loc, for tables without file_loc; empty: there is none.
    Of preset gz2: gz2_filename_mapping.csv."""
    volunteers: int = Field(gt=0, le=10_000)
    """Preset gz_challenge: how many volunteers its fractions become the votes of."""
    rejected_share_max: float = Fraction
    """Largest share of the rows that may be rejected; a larger one stops the run."""

    @property
    def tables(self) -> list[str]:
        """All tables that are read."""
        tables = [*self.labelled_catalogs, *self.unlabelled_catalogs]
        return [*tables, self.file_loc_table] if self.file_loc_table else tables

    def check_names(self, *, label_cols: list[str], bands: Sequence[str] = ()) -> None:
        """Check what must fit the decision tree and the bands of the images.

        Parameters
        ----------
        label_cols : list of str
            The answers of the decision tree.
        bands : sequence of str
            Bands that images are made of.

        Raises
        ------
        ValueError
            If `columns` has a name that no table may have, or `preset` is of another
            decision tree.
        """
        known = ["id_str", *known_image_columns(bands), *label_cols]
        check_column_map(self.columns, known=known, key="prepare_catalog.columns")
        if self.preset != "none":
            schema = PRESET_SCHEMAS[self.preset]
            if get_schema(schema).label_cols != label_cols:
                raise ValueError(
                    f"prepare_catalog.preset: found {self.preset}, whose tables have "
                    f"the answers of schema {schema}; expected that schema"
                )

    @model_validator(mode="after")
    def _check_file_table(self) -> Self:
        if self.preset == "gz2" and not (
            self.file_loc_table or "file_loc" in self.columns
        ):
            raise ValueError(
                "file_loc_table: empty, expected the path of gz2_filename_mapping.csv, "
                "as the tables of preset gz2 do not say what their images are called"
            )
        return self

    @model_validator(mode="after")
    def _check_anything(self) -> Self:
        if not (
            self.labelled_catalogs or self.unlabelled_catalogs or self.image_folders
        ):
            raise ValueError(
                "labelled_catalogs, unlabelled_catalogs and image_folders are all "
                "empty, expected at least one table or folder"
            )
        return self


def known_image_columns(bands: Sequence[str]) -> list[str]:
    """Give every column of a table that may say where images are.

    Parameters
    ----------
    bands : sequence of str
        Bands that images are made of; they may have a file or a mosaic each.
    """
    by_band = [f"{kind}_{band}" for kind in ("file_loc", "mosaic") for band in bands]
    sky = ["mosaic", "ra", "dec", "petro_th50", "petro_th90"] if bands else []
    return ["file_loc", *by_band, *sky]


def check_column_map(
    columns: Mapping[str, str], *, known: Sequence[str], key: str
) -> None:
    """Check what tables call their columns.

    Parameters
    ----------
    columns : mapping of str to str
        The name here, and the name there.
    known : sequence of str
        Names that there are here.
    key : str
        Of the settings, for the error.

    Raises
    ------
    ValueError
        If a name is none, or two label columns are the same column of a table.
    """
    for name in columns:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" (is it {close[0]!r}?)" if close else ""
            raise ValueError(
                f"{key}: unknown name {name!r}, expected one of {', '.join(known[:8])}"
                f"{', ...' if len(known) > 8 else ''}{hint}"
            )
    # An id may be the name of a file, too.
    votes = [column for name, column in columns.items() if name not in _MAY_SHARE]
    repeated = [column for column, n in Counter(votes).items() if n > 1]
    if repeated:
        names = [name for name, column in columns.items() if column == repeated[0]]
        raise ValueError(
            f"{key}: {' and '.join(names)} are both {repeated[0]!r}, expected a column "
            "each"
        )


class SplitCatalog(Section):
    """Which galaxies train, choose the best epoch, and are held out."""

    train: float = Fraction
    """Share of the labelled galaxies that train the model."""
    val: float = Fraction
    """Share that chooses the best epoch."""
    test: float = Fraction
    """Share held out for the evaluation."""
    seed: int = Seed
    """Seed of the hash of id_str that decides."""
    galaxies_per_shard: int = Positive
    """Most galaxies in one TFRecord shard (one job each); half as many at least."""

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(
                f"train + val + test: found {self.train} + {self.val} + {self.test} = "
                f"{total:.6g}, expected 1"
            )
        return self


class ChunkCatalog(Section):
    """How the survey is cut for the sweep of the encoder."""

    galaxies_per_chunk: int = Positive
    """Most galaxies that one job predicts; half as many at least."""


class WriteShards(Section):
    """How images are stored for training."""

    image_size_px: int = Field(ge=16)
    """Side to which images are resized, in pixels."""
    encoding: Literal["raw", "jpeg"]
    """raw: uint8, exact and fastest to read; jpeg: some four times smaller."""
    jpeg_quality: int = Field(ge=1, le=100)
    """Quality of the jpeg encoding."""
