"""Predict many galaxies, some at a time, each some in a file {run_name}_{index}.hdf5.

A loop that was stopped goes on, if it is run again.
"""

from pathlib import Path

from zoobot import command_line, program_options
from zoobot.predictions import make_predictions
from zoobot.settings.programs import MakePredictionsLoop


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, MakePredictionsLoop)
    add = parser.add_argument
    program_options.add_galaxies(parser, with_shards=False)
    add("--save-dir", type=Path, required=True, help="folder for the HDF5 files")
    add("--run-name", required=True, help="what their names begin with")
    add(
        "--kind",
        choices=["predictions", "representations"],
        default="predictions",
        help="what to write: concentrations of votes (galaxy, answer, pass), or "
        "representations (galaxy, feature) by the first model (default: predictions)",
    )
    program_options.add_threads(parser)
    args = command_line.parse(parser, argv)
    make_predictions.make_predictions_loop(
        program_options.described(make_predictions.Galaxies, args),
        model=args.model,
        save_dir=args.save_dir,
        run_name=args.run_name,
        kind=args.kind,
        settings=args.settings,
        threads=args.threads,
    )


if __name__ == "__main__":
    main()
