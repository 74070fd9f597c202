"""Whether the stated probabilities come true for held-out galaxies."""

from pathlib import Path

from zoobot import command_line
from zoobot.evaluation import evaluation_files
from zoobot.settings.evaluation import Calibrate


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, Calibrate)
    parser.add_argument(
        "--predictions",
        type=Path,
        nargs="+",
        required=True,
        help="HDF5 files of concentrations, of one run",
    )
    parser.add_argument(
        "--test", type=Path, required=True, help="parquet table of held-out votes"
    )
    for table in ("coverage", "pit", "reliability", "calibration-error"):
        parser.add_argument(
            f"--{table}", type=Path, required=True, help="csv table to write"
        )
    args = command_line.parse(parser, argv)
    evaluation_files.calibrate_files(
        args.predictions,
        test=args.test,
        coverage=args.coverage,
        pit=args.pit,
        reliability=args.reliability,
        calibration_error=args.calibration_error,
        settings=args.settings,
    )


if __name__ == "__main__":
    main()
