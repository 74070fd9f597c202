"""Shards of a user's own tables, outside the workflow: split, written, recorded."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pydantic

from zoobot.data_utils.shard_catalogs import (
    PARTS,
    check_images_exist,
    checked_galaxies,
    split_galaxies,
)
from zoobot.data_utils.shard_writer import write_galaxies
from zoobot.files import written_whole
from zoobot.logs import Progress
from zoobot.settings.catalog import WriteShards
from zoobot.versions import library_versions

__all__ = ["ShardConfig"]

_RECORD = "shard_config.json"
_SHARD = re.compile(r"s[0-9]+_shard_([0-9]+)\.tfrecord")
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class ShardConfig:
    """How images become shards, and where these are.

    Parameters
    ----------
    shard_dir : path
        Folder that gets the folders ``train``, ``test`` and, if there are such
        galaxies, ``val`` and ``unlabelled``, with the shards
        ``s{size}_shard_{i}.tfrecord``, i = 0, 1, ...; beside them
        ``{folder}_catalog.parquet``, the galaxies in the order of the shards, and
        ``shard_config.json``, which says how all was made.
    size : int
        Side to which images are resized, pixels; 16 or more.
    encoding : {"raw", "jpeg"}
        raw is exact and fastest to read; jpeg is some four times smaller.
    jpeg_quality : int
        Of the jpeg encoding, 1 to 100.
    galaxies_per_shard : int
        Most galaxies in a shard.
    seed : int
        Of the split, which is by a hash of id_str and this.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    shard_dir: str | Path
    size: int
    _: dataclasses.KW_ONLY
    encoding: Literal["raw", "jpeg"] = "raw"
    jpeg_quality: int = 95
    galaxies_per_shard: int = 1024
    seed: int = 42

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        try:
            self._settings()
        except pydantic.ValidationError as error:
            problem = error.errors()[0]
            name = str(problem["loc"][0]).replace("image_size_px", "size")
            raise ValueError(
                f"{name}: found {problem['input']!r}. {problem['msg']}"
            ) from None
        if self.galaxies_per_shard < 1:
            raise ValueError(
                f"galaxies_per_shard: found {self.galaxies_per_shard}, expected 1 or "
                "more"
            )

    @property
    def train_records(self) -> list[str]:
        """Paths of the shards to train on, in order; empty before they are made."""
        return self._records("train")

    @property
    def val_records(self) -> list[str]:
        """Paths of the shards that choose the best epoch, in order, if there are."""
        return self._records("val")

    @property
    def test_records(self) -> list[str]:
        """Paths of the shards of galaxies that are held out, in order."""
        return self._records("test")

    @property
    def unlabelled_records(self) -> list[str]:
        """Paths of the shards of galaxies without labels, in order."""
        return self._records("unlabelled")

    def prepare_shards(
        self,
        labelled_catalog: pd.DataFrame,
        unlabelled_catalog: pd.DataFrame | None = None,
        *,
        columns_to_save: Sequence[str],
        train_test_fraction: float | None = None,
        eval_size: int | None = None,
        val_size: int = 0,
        overwrite: bool = False,
        threads: int | None = None,
    ) -> None:
        """Split the labelled galaxies, and write all to shards.

        Parameters
        ----------
        labelled_catalog : (n_labelled, n) pandas.DataFrame
            Columns id_str (unique), file_loc (path of the image) and `columns_to_save`.
        unlabelled_catalog : (n_unlabelled, n) pandas.DataFrame, optional
            Columns id_str and file_loc.
        columns_to_save : sequence of str
            Labels: whole numbers (stored as int64) or floats (stored as float32).
        train_test_fraction : float, optional
            Share of the labelled galaxies that train; the others are the test galaxies.
            A galaxy's part depends on its id and the seed alone.
        eval_size : int, optional
            Instead of the share: exactly how many labelled galaxies are test galaxies.
        val_size : int
            How many galaxies that would train choose the best epoch instead.
        overwrite : bool
            Whether shards that are there already are replaced; else that is an error.
        threads : int, optional
            Images decoded at once; as many as there are cores if not given.

        Raises
        ------
        ValueError
            If there are shards already, a table or image is not as it should be, or
            the split would leave a part without a galaxy. No shard is left then.
        """
        labelled = checked_galaxies(
            labelled_catalog, columns=columns_to_save, name="labelled_catalog"
        )
        split = split_galaxies(
            labelled,
            fraction=train_test_fraction,
            n_test=eval_size,
            n_val=val_size,
            seed=self.seed,
        )
        if unlabelled_catalog is None:
            unlabelled_catalog = pd.DataFrame({"id_str": [], "file_loc": []})
        unlabelled = checked_galaxies(
            unlabelled_catalog, columns=[], name="unlabelled_catalog"
        )
        check_images_exist([*labelled["file_loc"], *unlabelled["file_loc"]])
        parts = {part: labelled[split == part] for part in PARTS[:-1]}
        parts[PARTS[-1]] = unlabelled
        self._make_room(overwrite=overwrite)
        try:
            self._write(parts, threads=threads or os.cpu_count() or 1)
            self._write_record(
                parts,
                columns_to_save=list(columns_to_save),
                train_test_fraction=train_test_fraction,
                eval_size=eval_size,
                val_size=val_size,
            )
        except BaseException:
            for path in self._own_files():
                path.unlink()
            raise

    def _settings(self) -> WriteShards:
        return WriteShards(
            image_size_px=self.size,
            encoding=self.encoding,
            jpeg_quality=self.jpeg_quality,
        )

    def _records(self, part: str) -> list[str]:
        found = {path: _SHARD.fullmatch(path.name) for path in self._in(part)}
        numbers = {path: int(match[1]) for path, match in found.items() if match}
        mine = [path for path in numbers if path.name.startswith(f"s{self.size}_")]
        return [str(path) for path in sorted(mine, key=numbers.__getitem__)]

    def _in(self, part: str) -> list[Path]:
        folder = Path(self.shard_dir, part)
        return list(folder.iterdir()) if folder.is_dir() else []

    def _own_files(self) -> list[Path]:
        """Files that such a run writes, of any size; no other is ever removed."""
        folder = Path(self.shard_dir)
        tables = [folder / f"{part}_catalog.parquet" for part in PARTS]
        others = [path for path in (folder / _RECORD, *tables) if path.is_file()]
        inside = [path for part in PARTS for path in self._in(part)]
        return [*others, *(path for path in inside if _SHARD.fullmatch(path.name))]

    def _make_room(self, *, overwrite: bool) -> None:
        found = self._own_files()
        if found and not overwrite:
            raise ValueError(
                f"{self.shard_dir}: found {len(found)} files of earlier shards, as "
                f"{found[-1].name}, expected none; ask to overwrite them, or name "
                "another folder"
            )
        for path in found:
            path.unlink()
        if found:
            _log.info("removed %d files of an earlier run", len(found))

    def _write(self, parts: dict[str, pd.DataFrame], *, threads: int) -> None:
        progress = Progress(sum(map(len, parts.values())), "galaxies")
        for part, galaxies in parts.items():
            if galaxies.empty:
                continue
            folder = Path(self.shard_dir, part)
            n_shards = -(-len(galaxies) // self.galaxies_per_shard)
            for i, rows in enumerate(
                np.array_split(np.arange(len(galaxies)), n_shards)
            ):
                write_galaxies(
                    galaxies.iloc[rows],
                    shard=folder / f"s{self.size}_shard_{i}.tfrecord",
                    settings=self._settings(),
                    threads=threads,
                    progress=progress,
                )
            with written_whole(folder.with_name(f"{part}_catalog.parquet")) as beside:
                galaxies.to_parquet(beside, index=False)
        progress.close()

    def _write_record(self, parts: dict[str, pd.DataFrame], **choices: object) -> None:
        """Say how all was made; written last, so that with it all is there."""
        mine = {k: v for k, v in dataclasses.asdict(self).items() if k != "shard_dir"}
        counts = {f"n_{part}": len(galaxies) for part, galaxies in parts.items()}
        shards = {
            part: [f"{part}/{Path(path).name}" for path in self._records(part)]
            for part in parts
        }
        versions = library_versions("tensorflow", "numpy", "PIL")
        record = mine | choices | counts | {"shards": shards, "versions": versions}
        path = Path(self.shard_dir, _RECORD)
        with written_whole(path) as beside:
            beside.write_text(json.dumps(record, indent=2) + "\n")
        for part, galaxies in parts.items():
            if n_shards := len(shards[part]):
                _log.info("%s: %d galaxies, %d shards", part, len(galaxies), n_shards)
        _log.info("%s says how they were made", path)
