"""Store the images and labels of your own galaxies in TFRecord shards.

As: create_shards.py --labelled-catalog my.csv --shard-dir shards --img-size 300
--eval-size 5000
"""

from pathlib import Path

from zoobot import command_line
from zoobot.data_utils import create_shards


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__)
    add = parser.add_argument
    add(
        "--labelled-catalog",
        type=Path,
        required=True,
        metavar="TABLE",
        help="table with id_str, file_loc (path of the image; a relative one is below "
        "the table's folder) and a column for each label",
    )
    add(
        "--shard-dir",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="gets the folders train, val, test and unlabelled with shards, and a "
        "record of how they were made",
    )
    add(
        "--img-size",
        type=int,
        required=True,
        metavar="PIXELS",
        help="side to which images are resized, in pixels",
    )
    add(
        "--eval-size",
        type=int,
        required=True,
        metavar="N",
        help="galaxies of the labelled table to hold out to test, as test shards",
    )
    add(
        "--val-size",
        type=int,
        default=0,
        metavar="N",
        help="others that choose the best epoch of a training, as val shards "
        "(default: %(default)s)",
    )
    add(
        "--unlabelled-catalog",
        type=Path,
        metavar="TABLE",
        help="table with id_str and file_loc (default: none)",
    )
    add(
        "--max-labelled",
        type=int,
        metavar="N",
        help="most galaxies of the labelled table, drawn by a hash of id_str "
        "(default: all)",
    )
    add(
        "--max-unlabelled",
        type=int,
        metavar="N",
        help="most galaxies of the unlabelled table (default: all)",
    )
    labels = parser.add_mutually_exclusive_group()
    labels.add_argument(
        "--schema",
        default="gz_decals",
        help="decision tree whose answers are the labels: gz_decals, gz_decals_dr12, "
        "gz2, or your own YAML file (default: %(default)s)",
    )
    labels.add_argument(
        "--columns",
        nargs="+",
        metavar="COLUMN",
        help="labels instead of a decision tree's: columns of numbers, as ring",
    )
    add(
        "--encoding",
        choices=["raw", "jpeg"],
        default="raw",
        help="raw is exact and fastest to read, jpeg about ten times smaller "
        "(default: %(default)s)",
    )
    add(
        "--jpeg-quality",
        type=int,
        default=95,
        metavar="1-100",
        help="of the jpeg encoding (default: %(default)s)",
    )
    add(
        "--galaxies-per-shard",
        type=int,
        default=1024,
        metavar="N",
        help="most galaxies in a shard (default: %(default)s)",
    )
    add(
        "--seed",
        type=int,
        default=42,
        help="decides which galaxies are held out or drawn (default: %(default)s)",
    )
    add(
        "--overwrite",
        action="store_true",
        help="replace shards that are in the folder already (default: stop there)",
    )
    add(
        "--threads",
        type=int,
        metavar="N",
        help="images decoded at once (default: one for each core)",
    )
    args = command_line.parse(parser, argv)
    create_shards.create_shards(
        args.labelled_catalog,
        shard_dir=args.shard_dir,
        img_size=args.img_size,
        eval_size=args.eval_size,
        val_size=args.val_size,
        unlabelled_catalog=args.unlabelled_catalog,
        max_labelled=args.max_labelled,
        max_unlabelled=args.max_unlabelled,
        schema=args.schema,
        columns=args.columns,
        encoding=args.encoding,
        jpeg_quality=args.jpeg_quality,
        galaxies_per_shard=args.galaxies_per_shard,
        seed=args.seed,
        overwrite=args.overwrite,
        threads=args.threads,
    )


if __name__ == "__main__":
    main()
