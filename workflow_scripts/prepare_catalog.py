"""Check tables, votes and images, and write the survey's galaxies."""

from pathlib import Path

from zoobot import command_line
from zoobot.data_utils import catalogs
from zoobot.settings.images import PrepareAndRender


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, PrepareAndRender)
    add = parser.add_argument
    add("--schema", required=True, help="decision tree: its name or a YAML file")
    add("--data-folder", type=Path, required=True, help="where relative paths start")
    add("--labelled", type=Path, required=True, help="parquet file to write")
    add("--unlabelled", type=Path, required=True, help="parquet file to write")
    add("--rejected", type=Path, required=True, help="csv file to write")
    add("--images-folder", type=Path, help="folder of pictures of FITS images to write")
    add("--kept-images", type=Path, help="folder of pictures that the next run keeps")
    add("--code", default="", help="digest of the code, whose pictures alone are kept")
    add("--threads", type=int, default=1, help="images decoded at the same time")
    args = command_line.parse(parser, argv)
    catalogs.prepare_catalog(
        args.settings,
        schema=args.schema,
        data_folder=args.data_folder,
        labelled=args.labelled,
        unlabelled=args.unlabelled,
        rejected=args.rejected,
        rendering=args.settings,
        images_folder=args.images_folder,
        kept_images=args.kept_images,
        code=args.code,
        threads=args.threads,
    )


if __name__ == "__main__":
    main()
