"""Sweep a model's encoder over one chunk of galaxies and write representations."""

from pathlib import Path

from zoobot import command_line
from zoobot.representations import extract
from zoobot.settings.representations import ExtractRepresentations


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, ExtractRepresentations)
    parser.add_argument(
        "--chunk",
        type=Path,
        required=True,
        help="table (csv, csv.gz, parquet, FITS, VOTable) with id_str and file_loc",
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument(
        "--representations", type=Path, required=True, help="HDF5 to write"
    )
    parser.add_argument(
        "--threads", type=int, help="threads that decode and compute, default all cores"
    )
    args = command_line.parse(parser, argv)
    extract.extract_representations(
        args.chunk,
        model_folder=args.model,
        representations=args.representations,
        settings=args.settings,
        threads=args.threads,
    )


if __name__ == "__main__":
    main()
