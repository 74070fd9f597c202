"""Train a model on a folder of shards, as create_shards.py makes them."""

from pathlib import Path

from zoobot import command_line
from zoobot.settings.training import Training
from zoobot.training import run_config


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, Training)
    add = parser.add_argument
    add(
        "--shard-dir",
        type=Path,
        required=True,
        help="folder with the shards to train on in its folder train, and in val, or "
        "else in test, those that choose the best epoch",
    )
    add("--save-dir", type=Path, required=True, help="model folder to write")
    add(
        "--schema",
        default="gz_decals",
        help="decision tree: gz_decals, gz_decals_dr12, gz2 or a YAML file "
        "(default: gz_decals)",
    )
    add(
        "--shard-img-size",
        type=int,
        metavar="PIXELS",
        help="side of the images in the shards, in pixels (default: as they are)",
    )
    add(
        "--crop-size",
        type=int,
        metavar="PIXELS",
        help="side of the part of them that the network sees, in pixels (default: 75%% "
        "of the image's)",
    )
    add(
        "--resize-size",
        type=int,
        metavar="PIXELS",
        help="side to which that part is resized for the network, in pixels (default: "
        "the crop's, down to a multiple of 32, and 32 at least)",
    )
    add(
        "--shift-max",
        type=float,
        metavar="PIXELS",
        help="how far views in training lie off the image's centre at most, in pixels "
        "of the stored image (default: as far as the crop stays on it)",
    )
    add(
        "--member",
        type=int,
        default=0,
        help="number of the model in an ensemble, added to the seed (default: 0)",
    )
    args = command_line.parse(parser, argv)
    run_config.train_on_shards(
        args.shard_dir,
        save_dir=args.save_dir,
        schema=args.schema,
        settings=args.settings,
        shard_img_size=args.shard_img_size,
        crop_size=args.crop_size,
        resize_size=args.resize_size,
        shift_max=args.shift_max,
        member=args.member,
    )


if __name__ == "__main__":
    main()
