"""Metrics, errors and worth of the predictions of held-out galaxies."""

from pathlib import Path

from zoobot import command_line
from zoobot.evaluation import evaluation_files
from zoobot.settings.evaluation import Evaluate


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, Evaluate)
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
    parser.add_argument(
        "--baselines",
        type=Path,
        nargs="*",
        required=True,
        help="HDF5 files of concentrations, each called as a baseline is",
    )
    for table in ("metrics", "answers", "confusion", "volunteers", "volunteer-errors"):
        parser.add_argument(
            f"--{table}", type=Path, required=True, help="csv table to write"
        )
    args = command_line.parse(parser, argv)
    evaluation_files.evaluate_files(
        args.predictions,
        test=args.test,
        baselines=args.baselines,
        metrics=args.metrics,
        answers=args.answers,
        confusion=args.confusion,
        volunteers=args.volunteers,
        volunteer_errors=args.volunteer_errors,
        settings=args.settings,
    )


if __name__ == "__main__":
    main()
