"""Rows and lists in the shapes that statements take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

Value = TypeVar("Value")

MOST_IN_A_LIST: Final = 500
"""Values in one IN list; SQLite takes at most 32,766 parameters in a statement."""


def parts(values: Iterable[Value], size: int = MOST_IN_A_LIST) -> Iterator[list[Value]]:
    """The values in lists of at most `size`."""
    iterator = iter(values)
    while part := list(islice(iterator, size)):
        yield part


def placeholders(columns: Sequence[str]) -> str:
    """As many placeholders as there are columns."""
    return ", ".join("?" for _ in columns)
