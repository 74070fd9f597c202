"""Tables of vote fractions: the posterior of each, and who is asked what."""

from pathlib import Path

from zoobot import command_line
from zoobot.predictions import vote_fraction_tables
from zoobot.settings.predictions import SummarisePredictions


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
    for kind, table in (("", "all that is known"), ("friendly-", "for people")):
        for suffix in ("parquet", "csv", "fits"):
            parser.add_argument(
                f"--{kind}{suffix}",
                type=Path,
                required=True,
                help=f"{suffix} table to write: {table}",
            )
    parser.add_argument(
        "--threads", type=int, default=1, help="threads that share the work"
    )
    args = command_line.parse(parser, argv)
    vote_fraction_tables.summarise(
        args.predictions,
        advanced=vote_fraction_tables.TableFiles(args.parquet, args.csv, args.fits),
        friendly=vote_fraction_tables.TableFiles(
            args.friendly_parquet, args.friendly_csv, args.friendly_fits
        ),
        settings=args.settings,
        n_threads=args.threads,
    )


if __name__ == "__main__":
    main()
