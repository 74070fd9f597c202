"""Finetune a trained model on a ring catalogue and measure it on held-out galaxies."""

from pathlib import Path

from zoobot import command_line
from zoobot.settings.finetuning import Finetune
from zoobot.training import rings


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, Finetune)
    parser.add_argument(
        "--catalog", type=Path, required=True, help="prepared catalogue, csv"
    )
    parser.add_argument(
        "--representations",
        type=Path,
        nargs="+",
        required=True,
        help="HDF5 of the survey",
    )
    parser.add_argument(
        "--model", type=Path, required=True, help="trained model's folder"
    )
    parser.add_argument("--rings", type=Path, required=True, help="folder to write")
    parser.add_argument("--label", required=True, help="column, or decision tree")
    parser.add_argument("--task", required=True, help="what kind of labels these are")
    parser.add_argument(
        "--recipe", default="", help="digest of what makes it, stored in its card"
    )
    args = command_line.parse(parser, argv)
    rings.finetune_rings(
        args.catalog,
        representations=args.representations,
        model_folder=args.model,
        ring_folder=args.rings,
        settings=args.settings,
        label=args.label,
        task=args.task,
        recipe=args.recipe,
    )


if __name__ == "__main__":
    main()
