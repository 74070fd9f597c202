"""Metrics of the predictions of held-out galaxies, beside a constant prediction."""

from pathlib import Path

from zoobot import command_line
from zoobot.evaluation import evaluate
from zoobot.settings import Evaluate


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
        "--train", type=Path, required=True, help="parquet table of training votes"
    )
    parser.add_argument(
        "--metrics", type=Path, required=True, help="csv table to write"
    )
    parser.add_argument("--figure", type=Path, required=True, help="png image to write")
    args = command_line.parse(parser, argv)
    evaluate.evaluate(
        args.predictions,
        test=args.test,
        train=args.train,
        metrics=args.metrics,
        figure=args.figure,
        settings=args.settings,
    )


if __name__ == "__main__":
    main()
