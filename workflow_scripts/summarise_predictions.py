"""Tables of vote fractions: means, intervals, and the proportion asked."""

from pathlib import Path

from zoobot import command_line
from zoobot.predictions import vote_fractions
from zoobot.settings import SummarisePredictions


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, SummarisePredictions)
    parser.add_argument(
        "--predictions",
        type=Path,
        nargs="+",
        required=True,
        help="HDF5 files of concentrations, of one run",
    )
    parser.add_argument(
        "--parquet", type=Path, required=True, help="parquet table to write"
    )
    parser.add_argument("--csv", type=Path, required=True, help="csv table to write")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads that share the work"
    )
    args = command_line.parse(parser, argv)
    vote_fractions.summarise(
        args.predictions,
        parquet=args.parquet,
        csv=args.csv,
        settings=args.settings,
        n_threads=args.threads,
    )


if __name__ == "__main__":
    main()
