"""The page of all settings, from their own types, ranges and descriptions."""

from __future__ import annotations

import re
import types
import typing
from pathlib import Path

import yaml
from pydantic.fields import FieldInfo

from make_pages.changed import write_if_changed
from zoobot.configuration import Settings
from zoobot.settings.section import Section

__all__ = ["write_page"]

_INTRODUCTION = """\
# Settings

Every setting of `config.yaml`, section by section. A file of your own, given as
`--configfile my_survey.yaml`, states only what differs; an unknown key, a wrong type or
a value out of range stops the workflow before its first job. Defaults are those of
`config.yaml`, which run the demo; below each stands the reason that the file gives.

"""
_TABLE = """\
| key | type, unit | range | default |
|---|---|---|---|
"""
# What a setting counts or measures, by its name or by words of its description.
_UNITS = {
    r"_px$": "pixels",
    r"_arcsec(onds)?$": "arcsec",
    r"_deg$": "degrees",
    r"_mb$": "MB",
    r"epochs$|^patience$": "epochs",
    r"^n_models$|_models$": "members",
    r"^galaxies_per_|^batch_size$|^n_(un)?labelled$": "galaxies",
    r"^votes_min$|^next_votes$|^concentration_|_concentration$": "votes",
    r"^volunteers": "volunteers",
}


def write_page(path: Path, *, config: Path) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
        Markdown to write.
    config : Path
        config.yaml, for the defaults and the comments behind them.
    """
    shipped = config.read_text("utf-8")
    values, comments = yaml.safe_load(shipped), _comments(shipped)
    top = {n: f for n, f in Settings.model_fields.items() if not _section(f)}
    parts = [_INTRODUCTION, "## Of the whole run\n\n", _TABLE]
    for name, field in top.items():
        key = field.alias or name
        parts.append(_row((key,), field, values, comments))
    for name, field in Settings.model_fields.items():
        section = _section(field)
        if section:
            comment = comments.get((name,))
            parts.append(f"\n## {name}\n\n{section.__doc__}\n")
            parts.append(f"({_plain(comment)})\n\n" if comment else "\n")
            parts.append(_TABLE)
            parts += [
                _row((name, key), entry, values, comments)
                for key, entry in section.model_fields.items()
            ]
    write_if_changed(path, text="".join(parts))


def _section(field: FieldInfo) -> type[Section] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _row(
    keys: tuple[str, ...],
    field: FieldInfo,
    values: dict,
    comments: dict[tuple[str, ...], str],
) -> str:
    value = values
    for key in keys:
        value = value[key]
    comment = comments.get(keys)
    default = f"`{_in_yaml(value)}`" + (f"<br>{_plain(comment)}" if comment else "")
    unit = _unit(keys[-1], field)
    kind = _type(field.annotation) + (f", {unit}" if unit else "")
    description = _plain(" ".join((field.description or "").split()))
    row = (
        f"| **`{keys[-1]}`**<br>{description} | {kind} | {_range(field)} | {default} |"
    )
    return row.replace("\n", " ") + "\n"


def _type(annotation: object) -> str:
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is typing.Literal:
        return "one of a few"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_type, arguments))
    if origin is dict:
        return f"map of {_type(arguments[0])} to {_type(arguments[1])}"
    if origin is not None:
        inner = [_type(argument) for argument in arguments]
        return f"{origin.__name__} of {', '.join(inner)}" if inner else origin.__name__
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    if annotation is type(None):
        return "null"
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _unit(key: str, field: FieldInfo) -> str:
    if field.annotation not in (int, float):
        return ""
    for pattern, unit in _UNITS.items():
        if re.search(pattern, key):
            return unit
    return "share" if _range(field) == "0 to 1" else ""


def _range(field: FieldInfo) -> str:
    choices = _choices(field.annotation)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    bounds = {
        name: getattr(limit, name)
        for limit in field.metadata
        for name in ("ge", "gt", "le", "lt", "pattern", "min_length")
        if getattr(limit, name, None) is not None
    }
    if "pattern" in bounds:
        return f"`{bounds['pattern']}`".replace("|", "\\|")
    if set(bounds) == {"ge", "le"}:
        return f"{bounds['ge']} to {bounds['le']}"
    words = {
        "ge": "at least {}",
        "gt": "more than {}",
        "le": "at most {}",
        "lt": "less than {}",
        "min_length": "{} or more",
    }
    return ", ".join(text.format(bounds[n]) for n, text in words.items() if n in bounds)


def _choices(annotation: object) -> list[object]:
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal:
        return list(arguments)
    return [choice for argument in arguments for choice in _choices(argument)]


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\*_|<>`\[\]{}])", r"\\\1", text)


def _in_yaml(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()
    return text.removesuffix("...").strip().replace("|", "\\|")


def _comments(text: str) -> dict[tuple[str, ...], str]:
    """What stands behind # on the line of each key, by the path of keys to it."""
    lines = text.splitlines()
    found: dict[tuple[str, ...], str] = {}

    def visit(node: yaml.MappingNode, before: tuple[str, ...]) -> None:
        for key, value in node.value:
            keys = (*before, key.value)
            # The line of a scalar's end; of a section, that of its name.
            is_block = isinstance(value, yaml.MappingNode) and not value.flow_style
            mark = key.end_mark if is_block else value.end_mark
            if mark.line < len(lines):
                comment = re.search(r"\s# ?(.*)$", lines[mark.line][mark.column :])
                if comment:
                    found[keys] = comment.group(1).strip()
            if isinstance(value, yaml.MappingNode):
                visit(value, keys)

    visit(yaml.compose(text, Loader=yaml.SafeLoader), ())
    return found
