"""Every galaxy's principal components as one table."""

from pathlib import Path

from zoobot import command_line
from zoobot.representations import compress_representations


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__)
    add = parser.add_argument
    add("--tables", type=Path, nargs="+", required=True, help="parquet, one a chunk")
    add("--compressed", type=Path, required=True, help="parquet to write: all of them")
    add("--fits", type=Path, required=True, help="FITS table to write: the same")
    args = command_line.parse(parser, argv)
    compress_representations.summarise_representations(
        args.tables, compressed=args.compressed, fits_table=args.fits
    )


if __name__ == "__main__":
    main()
