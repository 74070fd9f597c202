"""Principal components of representations, fitted to them if none are given."""

from pathlib import Path

from zoobot import command_line
from zoobot.representations import fit_and_compress
from zoobot.settings.representations import CompressRepresentations


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, CompressRepresentations)
    add = parser.add_argument
    add(
        "--representations",
        type=Path,
        nargs="+",
        required=True,
        help="HDF5 files of one model",
    )
    add(
        "--model",
        type=Path,
        help="npz: a fitted PCA (default: fitted to these representations, and stored "
        "beside the table as {name}_model.npz)",
    )
    add(
        "--compressed", type=Path, required=True, help="parquet to write: id_str, pca_0"
    )
    args = command_line.parse(parser, argv)
    fit_and_compress.fit_and_compress(
        args.representations,
        compressed=args.compressed,
        settings=args.settings,
        model=args.model,
    )


if __name__ == "__main__":
    main()
