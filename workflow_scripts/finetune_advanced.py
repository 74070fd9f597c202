"""Finetune a trained model to find rings, in two stages: a new head, then the encoder.

As: finetune_advanced.py --catalog example_ring_catalog_advanced.parquet
--model trained_model --save-dir ring_finder
"""

from pathlib import Path

from zoobot import command_line
from zoobot.settings.finetuning import TWO_STAGES
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
        help="csv or parquet table with ids, paths of images, and the fractions of "
        "volunteers: rare-features_ring_fraction, disk-edge-on_no_fraction, "
        "smooth-or-featured_featured-or-disk_fraction",
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
        help="gets the ring finder, its metrics and predictions of held-out galaxies, "
        "and the rows that were left out",
    )
    for name, default, text in (
        ("ring-fraction-min", 0.25, "a ring if more than this share said ring"),
        ("ring-fraction-max", 0.05, "no ring if less did; in between: left out"),
        ("featured-fraction-min", 0.25, "only galaxies more featured than this"),
        ("face-on-fraction-min", 0.75, "only galaxies more surely not edge-on"),
    ):
        add(
            f"--{name}",
            type=float,
            default=default,
            metavar="SHARE",
            help=f"{text} (default: {default})",
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
    command_line.add_settings(parser, TWO_STAGES)
    args = command_line.parse(parser, argv)
    finetune_catalog.finetune_rings_by_cuts(
        args.catalog,
        model_folder=args.model,
        save_dir=args.save_dir,
        settings=args.settings,
        ring_fraction_min=args.ring_fraction_min,
        ring_fraction_max=args.ring_fraction_max,
        featured_fraction_min=args.featured_fraction_min,
        face_on_fraction_min=args.face_on_fraction_min,
        image_folder=args.image_folder,
        id_column=args.id_column,
        file_column=args.file_column,
        val=args.val,
        test=args.test,
        split_seed=args.split_seed,
    )


if __name__ == "__main__":
    main()
