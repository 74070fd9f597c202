"""Command-line programs whose options are files and one section of the settings."""

from __future__ import annotations

import argparse
import contextlib
import shlex
from pathlib import Path
from typing import Any

import pydantic
import yaml

from zoobot.logs import start_logging
from zoobot.parent_process import end_with_parent
from zoobot.settings.section import Section

__all__ = ["add_settings", "option_string", "parse", "parser"]

_CONFIG = Path(__file__).resolve().parents[1] / "config.yaml"


def parser(
    description: str | None, section: type[Section] | None = None
) -> argparse.ArgumentParser:
    """A parser that knows the options of one section of the settings.

    Parameters
    ----------
    description : str
        The program's docstring.
    section : subclass of Section, optional
        Each field becomes an option of the same name, with its docstring as help. What
        is not given on the command line is as in the project's config.yaml.
    """
    result = _Parser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.set_defaults(section=section)
    if section is not None:
        group = result.add_argument_group(f"settings ({section.__doc__})")
        for name, field in section.model_fields.items():
            kind = getattr(field.annotation, "__origin__", None)
            group.add_argument(
                _option(name),
                metavar="NAME=VALUE" if kind is dict else "VALUE",
                nargs="*" if kind in (list, dict) else None,
                action=_StorePairs if kind is dict else "store",
                help=(field.description or "").replace("%", "%%"),
            )
        group.add_argument(
            "--config",
            type=Path,
            metavar="FILE",
            default=_CONFIG,
            help="YAML file whose values hold for settings that are not given "
            f"(default: {_CONFIG.name} of this project)",
        )
    return result


def add_settings(program: argparse.ArgumentParser, defaults: Section) -> None:
    """Add an option for each field of settings that have values already.

    What is chosen becomes ``settings`` of what `parse` returns.

    Parameters
    ----------
    program : ArgumentParser
        From `parser`, without a section.
    defaults : Section
        What holds where an option is not given.
    """
    group = program.add_argument_group(f"settings ({type(defaults).__doc__})")
    for name, field in type(defaults).model_fields.items():
        about = f"{field.description} (default: {getattr(defaults, name)})"
        group.add_argument(
            _option(name),
            metavar="VALUE",
            default=getattr(defaults, name),
            help=about.replace("%", "%%"),
        )
    program.set_defaults(defaults=defaults, config=_CONFIG)


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
    section = _section_of(args)
    if section is not None:
        values = {name: getattr(args, name) for name in section.model_fields}
        try:
            values = _completed(values, section=section, config=args.config)
            args.settings = section.model_validate(values, strict=False)
        except pydantic.ValidationError as error:
            problem = error.errors()[0]
            name = _option(str(problem["loc"][0])) + ": " if problem["loc"] else ""
            program.error(f"{name}found {problem['input']!r}. {problem['msg']}")
        except ValueError as error:
            program.error(str(error))
    return args


def _section_of(args: argparse.Namespace) -> type[Section] | None:
    """Whose fields are among the options."""
    defaults = getattr(args, "defaults", None)
    return args.section if defaults is None else type(defaults)


def option_string(section: Section) -> str:
    """A section as sorted options of a command line: one string that rules track.

    Without what is the machine's, a change of which is to run nothing anew.
    """
    values = section.model_dump(exclude=set(section.of_machine))
    return " ".join(
        f"{_option(name)} {_words(value)}".rstrip()
        for name, value in sorted(values.items())
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


class _Parser(argparse.ArgumentParser):
    """Tells each setting's default in its help; config.yaml is read only then."""

    def format_help(self) -> str:
        section = self.get_default("section")
        with contextlib.suppress(ValueError):
            config = {} if section is None else _read(_CONFIG)
            names = () if section is None else section.model_fields
            for action in self._actions:
                if action.dest in names:
                    stated = _stated(section, action.dest, config)
                    for value in stated.values():
                        action.help = f"{action.help} (default: {_shown(value)})"
        return super().format_help()


def _completed(
    values: dict[str, Any], *, section: type[Section], config: Path
) -> dict[str, Any]:
    """The values that are given, and of a settings file those that are not."""
    missing = [name for name, value in values.items() if value is None]
    if not missing:
        return values
    found = _read(config)
    for name in missing:
        stated = _stated(section, name, found)
        if not stated:
            raise ValueError(f"{_option(name)}: not given, and not found in {config}")
        values = values | stated
    return values


def _read(config: Path) -> dict[str, Any]:
    """Sections of a settings file."""
    try:
        found = yaml.safe_load(config.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(
            f"--config: {config}: expected a YAML file; {error}"
        ) from error
    if not isinstance(found, dict):
        raise ValueError(f"--config: {config}: expected sections of settings")
    return found


def _stated(
    section: type[Section], name: str, config: dict[str, Any]
) -> dict[str, Any]:
    """What a settings file says of a field, by its name; empty if nothing."""
    for key in section.keys_of(name):
        values = config.get(key)
        if isinstance(values, dict) and name in values:
            return {name: values[name]}
    return {}


def _shown(value: Any) -> str:
    return _words(value).replace("%", "%%") or "none"
