"""Label galaxies as rings or not by the cuts; list the rest with reasons."""

from pathlib import Path

from zoobot import command_line
from zoobot.data_utils import ring_catalogs
from zoobot.settings.rings import PrepareRingCatalog


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, PrepareRingCatalog)
    add = parser.add_argument
    add("--survey", type=Path, nargs="+", required=True, help="parquet of its galaxies")
    add("--data-folder", type=Path, required=True, help="where relative paths start")
    add("--split-train", type=float, required=True, help="train of split_catalog")
    add("--split-val", type=float, required=True, help="val of split_catalog")
    add("--split-seed", type=int, required=True, help="seed of split_catalog")
    add("--catalog", type=Path, required=True, help="csv file to write")
    add("--rejected", type=Path, required=True, help="csv file to write")
    args = command_line.parse(parser, argv)
    ring_catalogs.prepare_ring_catalog(
        args.settings,
        survey=args.survey,
        data_folder=args.data_folder,
        catalog=args.catalog,
        rejected=args.rejected,
        train=args.split_train,
        val=args.split_val,
        seed=args.split_seed,
    )


if __name__ == "__main__":
    main()
