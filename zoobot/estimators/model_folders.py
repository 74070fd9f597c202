"""Where trained models are: in one folder, or one in each folder of an ensemble."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_model_folder", "members_in", "one_model_in"]

_CARD = "card.json"
_MOST_SHOWN = 5


def is_model_folder(path: str | Path) -> bool:
    """Whether it looks like a model folder."""
    return Path(path, _CARD).is_file()


def members_in(path: str | Path) -> list[Path]:
    """The model in a folder, or those of an ensemble in its folders 0, 1, ...

    Parameters
    ----------
    path : path
        A model folder, or the folder of a run of the workflow with one for each member.

    Returns
    -------
    list of Path
        One or more, in the order of the members' numbers.

    Raises
    ------
    ValueError
        If there is no model; it says what is there.
    """
    path = Path(path)
    if is_model_folder(path):
        return [path]
    if path.is_dir():
        members = [
            one
            for one in path.iterdir()
            if one.name.isdecimal() and is_model_folder(one)
        ]
        if members:
            return sorted(members, key=lambda one: int(one.name))
    raise ValueError(
        f"{path}: expected a model folder, with encoder.keras, head.npz and card.json, "
        f"or an ensemble's folder, with one in each of 0, 1, ...; {_found(path)}"
    )


def one_model_in(path: str | Path) -> Path:
    """The only model in a folder; ValueError if there is none, or there are several."""
    members = members_in(path)
    if len(members) > 1:
        raise ValueError(
            f"{path}: found an ensemble of {len(members)} models, expected one of "
            f"them, as {members[0]}"
        )
    return members[0]


def _found(path: Path) -> str:
    if not path.exists():
        near = sorted(path.parent.glob(f"{path.name}.*")) if path.name else []
        if any(one.suffix == ".index" for one in near):
            return "found a checkpoint of TensorFlow 2, of an earlier release"
        return "found nothing of that name"
    if path.is_file():
        return "found a file"
    names = sorted(one.name for one in path.iterdir())
    if any(name.endswith(".index") or name == "checkpoint" for name in names):
        return "found a checkpoint of TensorFlow 2, of an earlier release"
    more = ", ..." if len(names) > _MOST_SHOWN else ""
    return f"found {', '.join(names[:_MOST_SHOWN]) or 'an empty folder'}{more}"
