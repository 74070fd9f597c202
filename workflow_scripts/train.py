"""Train one member of the ensemble and write its model folder."""

from pathlib import Path
from typing import Any

from zoobot import command_line
from zoobot.settings.training import Train
from zoobot.training import train


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, Train)
    shards: dict[str, Any] = {"type": Path, "nargs": "+", "required": True}
    parser.add_argument("--train-shards", **shards, help="TFRecords to train on")
    parser.add_argument(
        "--val-shards", **shards, help="TFRecords that choose the best epoch"
    )
    parser.add_argument(
        "--image-size",
        type=int,
        required=True,
        help="side of the stored images, in pixels. With --shards none image files are "
        "resized to it, and --train-shards and --val-shards are parquet tables",
    )
    parser.add_argument(
        "--schema", required=True, help="decision tree: a name or a YAML file"
    )
    parser.add_argument(
        "--member", type=int, default=0, help="number of the model, from 0"
    )
    parser.add_argument(
        "--model", type=Path, required=True, help="model folder to write"
    )
    parser.add_argument(
        "--tensorboard", type=Path, required=True, help="folder for its log"
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        help="folder for the state after each epoch, to go on from after a kill",
    )
    parser.add_argument(
        "--code",
        default="",
        help="version of the code; checkpoints of another are not used",
    )
    parser.add_argument(
        "--threads", type=int, required=True, help="threads to compute with"
    )
    parser.add_argument(
        "--recipe", default="", help="digest of what makes it, stored in its card"
    )
    args = command_line.parse(parser, argv)
    train.train_member(
        args.train_shards,
        val_shards=args.val_shards,
        schema=args.schema,
        member=args.member,
        model_folder=args.model,
        tensorboard_folder=args.tensorboard,
        settings=args.settings,
        checkpoint_folder=args.checkpoint,
        code=args.code,
        threads=args.threads,
        recipe=args.recipe,
        image_size=args.image_size,
    )


if __name__ == "__main__":
    main()
