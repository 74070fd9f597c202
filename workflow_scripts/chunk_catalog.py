"""Cut all galaxies, labelled or not, into the chunks that the encoder sweeps."""

from pathlib import Path

from zoobot import command_line
from zoobot.data_utils import splits
from zoobot.settings.catalog import ChunkCatalog


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, ChunkCatalog)
    add = parser.add_argument
    add("--labelled", type=Path, required=True, help="parquet of labelled galaxies")
    add("--unlabelled", type=Path, required=True, help="parquet of the others")
    add("--chunks-folder", type=Path, required=True, help="folder of parquet to write")
    args = command_line.parse(parser, argv)
    splits.chunk_catalog(
        args.labelled,
        unlabelled=args.unlabelled,
        chunks_folder=args.chunks_folder,
        settings=args.settings,
    )


if __name__ == "__main__":
    main()
