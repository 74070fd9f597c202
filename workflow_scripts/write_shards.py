"""Write one TFRecord shard: ids, images and votes of some galaxies."""

from pathlib import Path

from zoobot import command_line
from zoobot.data_utils import shard_writer
from zoobot.settings.catalog import WriteShards


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, WriteShards)
    parser.add_argument(
        "--catalog", type=Path, required=True, help="table of galaxies, parquet"
    )
    parser.add_argument("--shard", type=Path, required=True, help="TFRecord to write")
    parser.add_argument("--threads", type=int, default=1, help="images decoded at once")
    args = command_line.parse(parser, argv)
    shard_writer.write_shard(
        args.catalog, shard=args.shard, settings=args.settings, threads=args.threads
    )


if __name__ == "__main__":
    main()
