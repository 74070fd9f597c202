"""Predict galaxies with a trained model: vote fractions, representations, or both."""

from pathlib import Path

from zoobot import command_line, program_options
from zoobot.predictions import make_predictions
from zoobot.settings.programs import MakePredictions


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, MakePredictions)
    add = parser.add_argument
    program_options.add_galaxies(parser, with_shards=True)
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
    program_options.add_threads(parser)
    args = command_line.parse(parser, argv)
    make_predictions.make_predictions(
        program_options.described(make_predictions.Galaxies, args),
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
