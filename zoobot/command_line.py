"""Command-line programs whose options are files and one section of the settings."""

from __future__ import annotations

import argparse
import shlex
from typing import Any

import pydantic

from zoobot.logs import start_logging
from zoobot.parent_process import end_with_parent
from zoobot.settings.section import Section

__all__ = ["option_string", "parse", "parser"]


def parser(
    description: str | None, section: type[Section] | None = None
) -> argparse.ArgumentParser:
    """A parser that knows the options of one section of the settings.

    Parameters
    ----------
    description : str
        The program's docstring.
    section : subclass of Section, optional
        Each field becomes an option of the same name, with its docstring as help.
    """
    result = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.set_defaults(section=section)
    if section is not None:
        group = result.add_argument_group(f"settings ({section.__doc__})")
        for name, field in section.model_fields.items():
            kind = getattr(field.annotation, "__origin__", None)
            group.add_argument(
                _option(name),
                required=True,
                metavar="NAME=VALUE" if kind is dict else "VALUE",
                nargs="*" if kind in (list, dict) else None,
                action=_StorePairs if kind is dict else "store",
                help=(field.description or "").replace("%", "%%"),
            )
    return result


def parse(
    program: argparse.ArgumentParser, argv: list[str] | None = None
) -> argparse.Namespace:
    """Start logging, read the command line, and check the settings in it.

    In a job of a workflow, the process ends from now on when the workflow does.

    Returns
    -------
    argparse.Namespace
        The program's own options, and ``settings``, the section.
    """
    start_logging()
    end_with_parent()
    args = program.parse_args(argv)
    if args.section is not None:
        values = {name: getattr(args, name) for name in args.section.model_fields}
        try:
            args.settings = args.section.model_validate(values, strict=False)
        except pydantic.ValidationError as error:
            problem = error.errors()[0]
            name = _option(str(problem["loc"][0])) + ": " if problem["loc"] else ""
            program.error(f"{name}found {problem['input']!r}. {problem['msg']}")
    return args


def option_string(section: Section) -> str:
    """A section as sorted options of a command line: one string that rules track."""
    return " ".join(
        f"{_option(name)} {_words(value)}".rstrip()
        for name, value in sorted(section.model_dump().items())
    )


class _StorePairs(argparse.Action):
    """Store words such as id_str=iauname as a mapping."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        pairs: dict[str, str] = {}
        for word in values:
            name, equals, value = word.partition("=")
            if not equals or name in pairs:
                why = "name=value, each name once"
                parser.error(f"{option_string}: found {word!r}, expected {why}")
            pairs[name] = value
        setattr(namespace, self.dest, pairs)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        value = [f"{name}={one}" for name, one in sorted(value.items())]
    values = value if isinstance(value, list) else [value]
    return " ".join(shlex.quote(str(v)) for v in values)
