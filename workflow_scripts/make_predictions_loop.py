"""Predict many galaxies, some at a time, each some in a file {run_name}_{index}.hdf5.

A loop that was stopped goes on, if it is run again.
"""

from pathlib import Path

from zoobot import command_line
from zoobot.predictions import make_predictions
from zoobot.settings.programs import MakePredictionsLoop


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, MakePredictionsLoop)
    add = parser.add_argument
    where = parser.add_argument_group("galaxies, one of these")
    where.add_argument("--images", type=Path, help="folder of images")
    where.add_argument(
        "--catalog",
        type=Path,
        nargs="+",
        default=[],
        help="tables with id_str and file_loc",
    )
    add(
        "--file-format",
        nargs="+",
        default=["png", "jpg", "fits"],
        help="which files of the folder: png, jpg, fits (default: all)",
    )
    add(
        "--model",
        type=Path,
        required=True,
        help="model folder, or a folder with those of an ensemble in 0, 1, ...",
    )
    add("--save-dir", type=Path, required=True, help="folder for the HDF5 files")
    add("--run-name", required=True, help="what their names begin with")
    add(
        "--kind",
        choices=["predictions", "representations"],
        default="predictions",
        help="what to write: concentrations of votes (galaxy, answer, pass), or "
        "representations (galaxy, feature) by the first model (default: predictions)",
    )
    add("--threads", type=int, help="threads to compute with (default: all cores)")
    args = command_line.parse(parser, argv)
    make_predictions.make_predictions_loop(
        make_predictions.Galaxies(
            images=args.images,
            file_formats=args.file_format,
            catalogs=args.catalog,
        ),
        model=args.model,
        save_dir=args.save_dir,
        run_name=args.run_name,
        kind=args.kind,
        settings=args.settings,
        threads=args.threads,
    )


if __name__ == "__main__":
    main()
