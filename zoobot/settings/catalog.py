"""Settings of the stages from galaxies and votes to shards."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from zoobot.settings.section import Fraction, Positive, Section, Seed

__all__ = [
    "ChunkCatalog",
    "PrepareCatalog",
    "SimulateSurvey",
    "SplitCatalog",
    "WriteShards",
]


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


class PrepareCatalog(Section):
    """The tables of galaxies that go in."""

    labelled_catalogs: list[str]
    """Tables (csv, csv.gz, parquet) with id_str, file_loc and votes for each answer."""
    unlabelled_catalogs: list[str]
    """Tables of these kinds with id_str and file_loc, of galaxies only to predict."""
    image_folders: list[str]
    """Folders of png and jpg images only to predict; a file's stem is its id_str."""
    rejected_share_max: float = Fraction
    """Largest share of the rows that may be rejected; a larger one stops the run."""

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
    """raw: uint8, exact and fastest to read; jpeg: about ten times smaller."""
    jpeg_quality: int = Field(ge=1, le=100)
    """Quality of the jpeg encoding."""
