"""CSV for spreadsheets and programs: RFC 4180 in UTF-8, exact figures, and no cell that a spreadsheet would run.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, and names are what others chose.
So text that begins with one of these, or with an apostrophe, gets an apostrophe in front, unless it is a plain
number. Who reads the text back takes one leading apostrophe away.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import Final

_PLAIN_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_BEGINS_A_FORMULA: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "'")
"""Also in the full width of East Asian keyboards, which spreadsheets read alike."""


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    """A header and rows. Every cell that is text is guarded; whole numbers are what they are."""
    lines = CsvLines()
    guarded_rows = ([guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return (lines.written([columns]) + lines.written(guarded_rows)).decode()


def guarded(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula."""
    if text.startswith(_BEGINS_A_FORMULA) and not _PLAIN_NUMBER.fullmatch(text):
        return f"'{text}"
    return text


class CsvLines:
    """Writes lines of CSV. Cells stand as they are given: whoever gives text guards it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._writer = csv.writer(self)

    def write(self, part: str) -> None:
        """Takes what the `csv` module makes of a row."""
        self._parts.append(part)

    def written(self, rows: Iterable[Sequence[str | int]]) -> bytes:
        """Some rows in UTF-8."""
        self._writer.writerows(rows)
        taken = "".join(self._parts).encode()
        self._parts.clear()
        return taken
