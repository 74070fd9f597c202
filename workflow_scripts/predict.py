"""Dropout passes of the head over stored representations: concentrations of votes."""

from pathlib import Path

from zoobot import command_line
from zoobot.predictions import dropout_passes
from zoobot.settings.predictions import Predict


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, Predict)
    parser.add_argument(
        "--representations",
        type=Path,
        nargs="+",
        required=True,
        help="HDF5 files of the same galaxies, one for each member of the ensemble",
    )
    parser.add_argument(
        "--models",
        type=Path,
        nargs="+",
        required=True,
        help="model folders of the members, in the same order",
    )
    parser.add_argument(
        "--predictions", type=Path, required=True, help="HDF5 file to write"
    )
    args = command_line.parse(parser, argv)
    dropout_passes.predict(
        args.representations,
        models=args.models,
        predictions=args.predictions,
        settings=args.settings,
    )


if __name__ == "__main__":
    main()
