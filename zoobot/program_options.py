"""Options that several programs share, and the objects of the library they describe."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TypeVar

__all__ = ["add_galaxies", "add_labelled_table", "add_threads", "described"]

T = TypeVar("T")


def add_galaxies(program: argparse.ArgumentParser, *, with_shards: bool) -> None:
    """Add options for galaxies to predict, and the model that does.

    Parameters
    ----------
    program : ArgumentParser
    with_shards : bool
        Whether galaxies may come from TFRecords.
    """
    where = program.add_argument_group("galaxies, one of these")
    where.add_argument("--images", type=Path, help="folder of images")
    where.add_argument(
        "--catalog",
        dest="catalogs",
        metavar="TABLE",
        type=Path,
        nargs="+",
        default=[],
        help="tables with id_str and file_loc",
    )
    if with_shards:
        where.add_argument(
            "--shards", type=Path, nargs="+", default=[], help="TFRecords of galaxies"
        )
    program.add_argument(
        "--file-format",
        dest="file_formats",
        metavar="FORMAT",
        nargs="+",
        default=["png", "jpg", "fits"],
        help="which files of the folder: png, jpg, fits (default: all)",
    )
    program.add_argument(
        "--model",
        type=Path,
        required=True,
        help="model folder, or a folder with those of an ensemble in 0, 1, ...",
    )


def add_threads(program: argparse.ArgumentParser) -> None:
    """Add the option for how many threads compute."""
    program.add_argument(
        "--threads", type=int, help="threads to compute with (default: all cores)"
    )


def add_labelled_table(program: argparse.ArgumentParser) -> None:
    """Add options for the model to finetune, and how its table is read and split."""
    add = program.add_argument
    add(
        "--model",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="trained model, as results/models/demo/0",
    )
    add(
        "--image-folder",
        type=Path,
        metavar="FOLDER",
        help="where relative paths of images start (default: the table's folder)",
    )
    add("--id-column", default="id_str", help="column of ids (default: id_str)")
    add("--file-column", default="file_loc", help="of paths (default: file_loc)")
    for name, default, text in (
        ("test", 0.2, "is held out for metrics"),
        ("val", 0.1, "chooses the best epoch"),
    ):
        add(
            f"--{name}",
            type=float,
            default=default,
            metavar="SHARE",
            help=f"share of the galaxies that {text} (default: {default})",
        )
    add("--split-seed", type=int, default=42, help="of the split (default: 42)")


def described(kind: type[T], args: argparse.Namespace) -> T:
    """Make a dataclass of the options that are called as its fields.

    Parameters
    ----------
    kind : dataclass
        A field without an option has its default.
    args : Namespace
        From `zoobot.command_line.parse`.
    """
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: getattr(args, name) for name in names if name in args})
