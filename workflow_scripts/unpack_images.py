"""Unpack the images of archives into one folder."""

from pathlib import Path

from zoobot import command_line
from zoobot.data_utils import image_archives
from zoobot.settings.catalog import UnpackImages


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, UnpackImages)
    add = parser.add_argument
    add("--data-folder", type=Path, required=True, help="where relative paths start")
    add("--images-folder", type=Path, required=True, help="folder to write")
    args = command_line.parse(parser, argv)
    image_archives.unpack_images(
        args.settings, data_folder=args.data_folder, images_folder=args.images_folder
    )


if __name__ == "__main__":
    main()
