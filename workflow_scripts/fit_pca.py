"""Fit an Incremental PCA to the representations of one model."""

from pathlib import Path

from zoobot import command_line
from zoobot.representations import fit_pca
from zoobot.settings.representations import CompressRepresentations


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, CompressRepresentations)
    add = parser.add_argument
    add("--representations", type=Path, nargs="+", required=True, help="HDF5 files")
    add("--model", type=Path, required=True, help="npz to write: the fitted PCA")
    add("--variance", type=Path, required=True, help="csv to write: explained variance")
    add("--figure", type=Path, required=True, help="png to write, of that table")
    add("--recipe", default="", help="digest of what makes it, stored with it")
    args = command_line.parse(parser, argv)
    fit_pca.fit_pca(
        args.representations,
        model=args.model,
        variance=args.variance,
        figure=args.figure,
        settings=args.settings,
        recipe=args.recipe,
    )


if __name__ == "__main__":
    main()
