"""Measure images: simple statistics of morphology, for a baseline."""

from pathlib import Path

from zoobot import command_line
from zoobot.data_utils import measure_images
from zoobot.settings.evaluation import MeasureImages


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, MeasureImages)
    parser.add_argument(
        "--galaxies", type=Path, required=True, help="parquet table of galaxies"
    )
    parser.add_argument(
        "--statistics", type=Path, required=True, help="parquet table to write"
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="processes that measure, default 1"
    )
    args = command_line.parse(parser, argv)
    measure_images.measure_images(
        args.galaxies,
        statistics=args.statistics,
        settings=args.settings,
        n_processes=args.threads,
    )


if __name__ == "__main__":
    main()
