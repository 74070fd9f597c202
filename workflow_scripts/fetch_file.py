"""Keep a table or an archive that was fetched, if it is one."""

from pathlib import Path

from zoobot import command_line
from zoobot.data_utils import fetched_files


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--source", type=Path, required=True, help="what was fetched")
    parser.add_argument("--file", type=Path, required=True, help="its place, to write")
    args = command_line.parse(parser, argv)
    fetched_files.keep_file(args.source, file=args.file)


if __name__ == "__main__":
    main()
