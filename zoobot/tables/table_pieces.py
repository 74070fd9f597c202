"""Some rows of a table, as every reader of tables gives them."""

from __future__ import annotations

import dataclasses
import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

__all__ = ["Table", "check_columns"]

_MOST_NAMES_SHOWN = 12


@dataclasses.dataclass(frozen=True)
class Table:
    """Some columns of a file, and the rows that do not fit its header."""

    path: Path
    columns: pa.Table
    """The columns asked for, in that order; all text if the file is csv."""
    malformed: list[tuple[dict[str, str], str]]
    """What could be read of each malformed row, and what is wrong with it."""
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What the file calls a column, where that is not what it is called here."""

    def __getitem__(self, column: str) -> pa.ChunkedArray:
        """Give one column, (n_rows,)."""
        return self.columns[column]

    def __len__(self) -> int:
        """Count the rows that are not malformed."""
        return self.columns.num_rows

    def name_of(self, column: str) -> str:
        """Say what the file calls a column, for messages."""
        return self.names.get(column, column)

    def renamed(self, names: Mapping[str, str]) -> Table:
        """Give the columns other names.

        Parameters
        ----------
        names : mapping of str to str
            The columns to have, and what each is called now; one may have two names.
        """
        columns = {name: self.columns[old] for name, old in names.items()}
        malformed = [
            ({name: known.get(old, "") for name, old in names.items()}, reason)
            for known, reason in self.malformed
        ]
        return Table(self.path, pa.table(columns), malformed, names)


def check_columns(path: Path, found: Sequence[str], *, expected: Sequence[str]) -> None:
    """Refuse a table that lacks a column, or has one twice.

    Parameters
    ----------
    path : Path
        The table.
    found, expected : sequence of str
        Its columns, and those it should have.

    Raises
    ------
    ValueError
        With the columns that are missing, those found, and similar names.
    """
    repeated = [name for name, count in Counter(found).items() if count > 1]
    if set(repeated) & set(expected):
        raise ValueError(
            f"{path}: columns repeat: {_names(repeated)}; expected each once"
        )
    missing = [name for name in expected if name not in found]
    if not missing:
        return
    similar = {name: _similar(name, found) for name in missing}
    hints = [f"{name}: is it {close[0]!r}?" for name, close in similar.items() if close]
    raise ValueError(
        f"{path}: columns missing: {_names(missing)}; found {_names(found)}; "
        f"expected {_names(expected)}" + (f" ({_names(hints, ' ')})" if hints else "")
    )


def _similar(name: str, found: Sequence[str]) -> list[str]:
    """The most similar name, if any: some programs write all in capitals."""
    by_lower = {one.lower(): one for one in found}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=1)
    return [by_lower[one] for one in close]


def _names(names: Sequence[str], separator: str = ", ") -> str:
    shown = separator.join(map(_printable, names[:_MOST_NAMES_SHOWN]))
    left = len(names) - _MOST_NAMES_SHOWN
    return shown + (f" and {left} more" if left > 0 else "")


def _printable(name: str) -> str:
    return name if name.isprintable() else repr(name)
