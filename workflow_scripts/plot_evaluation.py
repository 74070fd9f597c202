"""Draw the figures of the evaluation, the calibration and the training."""

from pathlib import Path

from zoobot import command_line
from zoobot.evaluation import all_figures


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__)
    parser.add_argument(
        "--evaluation",
        type=Path,
        required=True,
        help="how the tables' and figures' paths begin: {this}_metrics.csv and so on",
    )
    parser.add_argument(
        "--histories",
        type=Path,
        nargs="+",
        required=True,
        help="training history of each member, csv",
    )
    args = command_line.parse(parser, argv)
    all_figures.plot_evaluation(args.evaluation, histories=args.histories)


if __name__ == "__main__":
    main()
