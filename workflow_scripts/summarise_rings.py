"""Join the ring probabilities of all chunks into one table, most likely rings first."""

from pathlib import Path

from zoobot import command_line
from zoobot.data_utils import ring_tables


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__)
    parser.add_argument(
        "--tables", type=Path, nargs="+", required=True, help="chunks' tables"
    )
    parser.add_argument("--parquet", type=Path, required=True, help="table to write")
    parser.add_argument("--csv", type=Path, required=True, help="the same as csv")
    parser.add_argument("--fits", type=Path, required=True, help="the same as FITS")
    args = command_line.parse(parser, argv)
    ring_tables.summarise_rings(
        args.tables, parquet=args.parquet, csv=args.csv, fits_table=args.fits
    )


if __name__ == "__main__":
    main()
