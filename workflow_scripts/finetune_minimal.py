"""Finetune a trained model on your own table: a new head, the encoder stays as it is.

As: finetune_minimal.py --catalog example_ring_catalog_basic.csv --model trained_model
--save-dir finetuned
"""

from pathlib import Path

from zoobot import command_line, program_options
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
        help="table (csv, csv.gz, parquet, FITS, VOTable) with ids, paths of images, "
        "and labels",
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
    program_options.add_labelled_table(parser)
    command_line.add_settings(parser, USUAL)
    args = command_line.parse(parser, argv)
    finetune_catalog.finetune_catalog(
        program_options.described(finetune_catalog.LabelledTable, args),
        label=args.label,
        task=args.task,
        model_folder=args.model,
        save_dir=args.save_dir,
        settings=args.settings,
    )


if __name__ == "__main__":
    main()
