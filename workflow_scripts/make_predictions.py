"""Predict galaxies with a trained model: vote fractions, representations, or both."""

from pathlib import Path

from zoobot import command_line
from zoobot.predictions import make_predictions
from zoobot.settings.programs import MakePredictions


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, MakePredictions)
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
    where.add_argument(
        "--shards", type=Path, nargs="+", default=[], help="TFRecords of galaxies"
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
    add(
        "--save-loc",
        type=Path,
        help="predictions to write: .csv or .parquet, a table of vote fractions, or "
        ".hdf5, concentrations of votes (galaxy, answer, pass)",
    )
    add(
        "--representations",
        type=Path,
        help="HDF5 to write: representations (galaxy, feature) by the first model",
    )
    add("--schema", help="decision tree that the model must answer (default: its own)")
    add(
        "--interval",
        type=float,
        default=0.9,
        help="probability that the interval of a vote fraction holds (default: 0.9)",
    )
    add("--threads", type=int, help="threads to compute with (default: all cores)")
    args = command_line.parse(parser, argv)
    make_predictions.make_predictions(
        make_predictions.Galaxies(
            images=args.images,
            file_formats=args.file_format,
            catalogs=args.catalog,
            shards=args.shards,
        ),
        model=args.model,
        settings=args.settings,
        save_loc=args.save_loc,
        representations=args.representations,
        schema=args.schema,
        interval=args.interval,
        threads=args.threads,
    )


if __name__ == "__main__":
    main()
