"""Finetune a trained model to find rings, in two stages: a new head, then the encoder.

As: finetune_advanced.py --catalog example_ring_catalog_advanced.parquet
--model trained_model --save-dir ring_finder
"""

from pathlib import Path

from zoobot import command_line, program_options
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
        help="table (csv, csv.gz, parquet, FITS, VOTable) with ids, paths of images, "
        "and the fractions of volunteers: rare-features_ring_fraction, "
        "disk-edge-on_no_fraction, smooth-or-featured_featured-or-disk_fraction",
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
    program_options.add_labelled_table(parser)
    command_line.add_settings(parser, TWO_STAGES)
    args = command_line.parse(parser, argv)
    finetune_catalog.finetune_rings_by_cuts(
        program_options.described(finetune_catalog.LabelledTable, args),
        model_folder=args.model,
        save_dir=args.save_dir,
        settings=args.settings,
        ring_fraction_min=args.ring_fraction_min,
        ring_fraction_max=args.ring_fraction_max,
        featured_fraction_min=args.featured_fraction_min,
        face_on_fraction_min=args.face_on_fraction_min,
    )


if __name__ == "__main__":
    main()
