"""Baselines of the test galaxies: a constant, a linear model on image statistics."""

from pathlib import Path
from typing import Any

from zoobot import command_line
from zoobot.evaluation import baselines
from zoobot.settings.evaluation import PredictBaselines


def main(argv: list[str] | None = None) -> None:
    """Read the command line and call the library."""
    parser = command_line.parser(__doc__, PredictBaselines)
    tables: dict[str, Any] = {"type": Path, "nargs": "+", "required": True}
    parser.add_argument(
        "--statistics", **tables, help="statistics of all these galaxies, or of more"
    )
    parser.add_argument(
        "--train", type=Path, required=True, help="parquet table of training votes"
    )
    parser.add_argument(
        "--test", type=Path, required=True, help="parquet table of test galaxies"
    )
    parser.add_argument(
        "--schema", required=True, help="decision tree: a name or a YAML file"
    )
    parser.add_argument(
        "--constant", type=Path, required=True, help="HDF5 predictions to write"
    )
    parser.add_argument(
        "--linear", type=Path, required=True, help="HDF5 predictions to write"
    )
    args = command_line.parse(parser, argv)
    baselines.predict_baselines(
        args.statistics,
        train=args.train,
        test=args.test,
        schema=args.schema,
        constant=args.constant,
        linear=args.linear,
        settings=args.settings,
    )


if __name__ == "__main__":
    main()
