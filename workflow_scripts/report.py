"""Write the report: headline figures and pictures on one page, and as text."""

import dataclasses
from pathlib import Path

from zoobot import command_line
from zoobot.evaluation import report


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__)
    parser.add_argument("--run-name", required=True, help="said in the title")
    for field in dataclasses.fields(report.ReportInputs):
        parser.add_argument(
            "--" + field.name.replace("_", "-"),
            type=Path,
            nargs="+" if field.name == "survey" else None,
            required=True,
            help="result of an earlier stage",
        )
    parser.add_argument("--html", type=Path, required=True, help="page to write")
    parser.add_argument("--headline", type=Path, required=True, help="text to write")
    args = command_line.parse(parser, argv)
    names = [field.name for field in dataclasses.fields(report.ReportInputs)]
    report.write_report(
        report.ReportInputs(**{name: getattr(args, name) for name in names}),
        run_name=args.run_name,
        html=args.html,
        headline=args.headline,
    )


if __name__ == "__main__":
    main()
