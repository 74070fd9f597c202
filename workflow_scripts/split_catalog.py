"""Split the labelled galaxies by a hash of their ids; cut the splits into shards."""

from pathlib import Path

from zoobot import command_line
from zoobot.data_utils import splits
from zoobot.settings.catalog import SplitCatalog


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, SplitCatalog)
    add = parser.add_argument
    add("--labelled", type=Path, required=True, help="parquet of labelled galaxies")
    add("--train-catalog", type=Path, required=True, help="parquet to write")
    add("--val-catalog", type=Path, required=True, help="parquet to write")
    add("--test-catalog", type=Path, required=True, help="parquet to write")
    add("--shards-folder", type=Path, required=True, help="folder of parquet to write")
    args = command_line.parse(parser, argv)
    splits.split_catalog(
        args.labelled,
        train_catalog=args.train_catalog,
        val_catalog=args.val_catalog,
        test_catalog=args.test_catalog,
        shards_folder=args.shards_folder,
        settings=args.settings,
    )


if __name__ == "__main__":
    main()
