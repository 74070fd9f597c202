"""Simulate a survey: images of galaxies and the votes of volunteers."""

from pathlib import Path

from zoobot import command_line
from zoobot.demo import survey
from zoobot.settings.catalog import SimulateSurvey


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, SimulateSurvey)
    parser.add_argument("--folder", type=Path, required=True, help="Where to write.")
    parser.add_argument(
        "--threads", type=int, default=1, help="Processes that draw, default 1."
    )
    args = command_line.parse(parser, argv)
    survey.simulate_survey(
        args.folder, settings=args.settings, n_processes=args.threads
    )


if __name__ == "__main__":
    main()
