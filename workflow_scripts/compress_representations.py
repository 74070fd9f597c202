"""Principal components of one chunk's representations."""

from pathlib import Path

from zoobot import command_line
from zoobot.representations import compress_representations
from zoobot.settings.representations import CompressRepresentations


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, CompressRepresentations)
    add = parser.add_argument
    add("--representations", type=Path, required=True, help="HDF5 file")
    add("--model", type=Path, required=True, help="npz: the fitted PCA")
    add(
        "--compressed", type=Path, required=True, help="parquet to write: id_str, pca_0"
    )
    args = command_line.parse(parser, argv)
    compress_representations.compress_representations(
        args.representations,
        model=args.model,
        compressed=args.compressed,
        settings=args.settings,
    )


if __name__ == "__main__":
    main()
