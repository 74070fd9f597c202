"""Put a catalogue beside a table: the same galaxies by id, or by position on the sky.

The nearest row of the catalogue within the radius is taken, or the first with the same
id. Tables may be csv, csv.gz, parquet, FITS or VOTable, by their suffix. Positions are
of one frame and epoch, as ICRS.
"""

from pathlib import Path

from zoobot import command_line
from zoobot.tables import crossmatch


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__)
    add = parser.add_argument
    add("--table", type=Path, required=True, help="table whose galaxies are looked for")
    add("--catalog", type=Path, required=True, help="catalogue to look for them in")
    add(
        "--matched",
        type=Path,
        required=True,
        help="table to write (.parquet, .csv, .fits): columns of both, n_matches (rows "
        "of the catalogue that match), n_sharing (rows of the table with this same row "
        "of the catalogue) and separation (arcsec)",
    )
    add(
        "--by",
        choices=["position", "id"],
        default="position",
        help="what is the same in both (default: %(default)s)",
    )
    add(
        "--radius-arcsec",
        type=float,
        default=2.0,
        help="largest separation, in arcsec (default: %(default)s)",
    )
    add(
        "--keep",
        choices=["matched", "all"],
        default="matched",
        help="rows of the table to write: those with a match, or all (default: "
        "%(default)s)",
    )
    add(
        "--positions",
        type=Path,
        help="table with the positions of the table's galaxies, by id, as the survey's "
        "catalogue (default: they are in the table)",
    )
    add(
        "--catalog-columns",
        nargs="+",
        metavar="COLUMN",
        help="columns of the catalogue to take (default: all but lists)",
    )
    for name, default in (("id", "id_str"), ("ra", "ra"), ("dec", "dec")):
        for source in ("table", "catalog", "positions"):
            add(
                f"--{source}-{name}",
                default=default,
                metavar="COLUMN",
                help=f"column of the {source} (default: {default})"
                if name == "id"
                else f"column of the {source}, in degrees unless it has another unit "
                f"(default: {default})",
            )
    args = command_line.parse(parser, argv)
    positions = crossmatch.Source(
        args.positions, args.positions_id, args.positions_ra, args.positions_dec
    )
    crossmatch.cross_match(
        crossmatch.Source(args.table, args.table_id, args.table_ra, args.table_dec),
        catalog=crossmatch.Source(
            *(args.catalog, args.catalog_id, args.catalog_ra, args.catalog_dec),
            columns=args.catalog_columns,
        ),
        matched=args.matched,
        by=args.by,
        radius_arcsec=args.radius_arcsec,
        keep=args.keep,
        positions=positions if args.positions else None,
    )


if __name__ == "__main__":
    main()
