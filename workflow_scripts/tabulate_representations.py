"""Every galaxy's representation as one table, laid out as the released ones."""

from pathlib import Path

from zoobot import command_line
from zoobot.representations import feature_tables


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__)
    add = parser.add_argument
    add(
        "--representations",
        type=Path,
        nargs="+",
        required=True,
        help="HDF5 files of representations, of one model",
    )
    add("--features", type=Path, required=True, help="parquet to write: all of them")
    args = command_line.parse(parser, argv)
    feature_tables.tabulate_representations(
        args.representations, features=args.features
    )


if __name__ == "__main__":
    main()
