"""Finetune a trained model on your own table: a new head, the encoder stays as it is.

As: finetune_minimal.py --catalog example_ring_catalog_basic.csv --model trained_model
--save-dir finetuned
"""

from pathlib import Path

from zoobot import command_line
from zoobot.settings.finetuning import USUAL
from zoobot.training import finetune_catalog


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__)
    add = parser.add_argument
    add(
        "--catalog",
        type=Path,
        required=True,
        metavar="TABLE",
        help="csv or parquet table with ids, paths of images, and labels",
    )
    add(
        "--model",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="trained model, as results/models/demo/0",
    )
    add(
        "--save-dir",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="gets the finetuned model, its metrics and predictions of held-out "
        "galaxies, and the rows that were left out",
    )
    add(
        "--label",
        default="ring",
        metavar="COLUMN",
        help="column of the labels; for votes, the decision tree (default: ring)",
    )
    add(
        "--task",
        default="binary",
        choices=["binary", "classes", "fraction", "votes"],
        help="what labels are: 0 or 1, names of classes, numbers from 0 to 1, or "
        "counts of volunteers (default: binary)",
    )
    add(
        "--image-folder",
        type=Path,
        metavar="FOLDER",
        help="where relative paths of images start (default: the table's folder)",
    )
    add("--id-column", default="id_str", help="column of ids (default: id_str)")
    add("--file-column", default="file_loc", help="of paths (default: file_loc)")
    add(
        "--test",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="share of the galaxies that is held out for metrics (default: 0.2)",
    )
    add(
        "--val",
        type=float,
        default=0.1,
        metavar="SHARE",
        help="share of the galaxies that chooses the best epoch (default: 0.1)",
    )
    add("--split-seed", type=int, default=42, help="of the split (default: 42)")
    command_line.add_settings(parser, USUAL)
    args = command_line.parse(parser, argv)
    finetune_catalog.finetune_catalog(
        args.catalog,
        label=args.label,
        task=args.task,
        model_folder=args.model,
        save_dir=args.save_dir,
        settings=args.settings,
        image_folder=args.image_folder,
        id_column=args.id_column,
        file_column=args.file_column,
        val=args.val,
        test=args.test,
        split_seed=args.split_seed,
    )


if __name__ == "__main__":
    main()
