"""Ring probability of every galaxy in one chunk."""

from pathlib import Path

from zoobot import command_line
from zoobot.settings.finetuning import Finetune
from zoobot.training import rings


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, Finetune)
    parser.add_argument(
        "--chunk", type=Path, required=True, help="table of galaxies, parquet"
    )
    parser.add_argument(
        "--representations", type=Path, required=True, help="HDF5 of the chunk"
    )
    parser.add_argument(
        "--rings", type=Path, required=True, help="folder of the ring finder"
    )
    parser.add_argument(
        "--table", type=Path, required=True, help="table to write, parquet"
    )
    args = command_line.parse(parser, argv)
    rings.find_rings(
        args.chunk,
        representations=args.representations,
        ring_folder=args.rings,
        ring_table=args.table,
        settings=args.settings,
    )


if __name__ == "__main__":
    main()
