"""What the commands print: JSON for programs, tables for people."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import typer

from tallystick.model.wire import encode

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_LEAST_WIDTH: Final = 12
"""A column that gives way gets no narrower than this."""

_GAP: Final = 2


class Column(NamedTuple):
    """A column of a table. Where the terminal is narrow, those that do not stay `whole` give way."""

    header: str
    fit: Literal["whole", "crop", "wrap"] = "whole"
    align: Literal["left", "right"] = "left"


def figures(header: str) -> Column:
    """A column of figures, which stand to the right."""
    return Column(header, align="right")


def names(header: str) -> Column:
    """A column of names, which may be long and are cropped then."""
    return Column(header, "crop")


def print_json(value: object) -> None:
    """`value` as JSON on standard output, money as plain numbers, in UTF-8 whatever the terminal speaks."""
    typer.echo(encode(value, indent=2))


def note(text: str) -> None:
    """A remark for the person at the terminal, on standard error so that standard output stays clean."""
    typer.echo(visible(text), err=True)


def tell(text: str) -> None:
    """A remark of a sentence or more, on standard error, its lines broken where the terminal ends."""
    note(textwrap.fill(text, console(stderr=True).width))


def console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: a name in square brackets is no markup."""
    from rich.console import Console

    file = sys.stderr if stderr else sys.stdout
    return Console(file=file, markup=False, emoji=False, highlight=False)


def table(columns: Sequence[Column], rows: Sequence[Sequence[Text | str]], *, total: bool = False) -> Table:
    """A table that fits the terminal; with `total` a line sets off the last row."""
    from rich import box
    from rich.table import Table

    built = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", show_edge=False)
    for i, column in enumerate(columns):
        built.add_column(
            column.header,
            justify=column.align,
            no_wrap=column.fit == "whole",
            min_width=_least_width(column, [row[i] for row in rows]),
        )
    for i, row in enumerate(rows):
        cells = [_cell(value, column) for value, column in zip(row, columns, strict=True)]
        built.add_row(*cells, end_section=total and i == len(rows) - 2)
    return built


def print_rows(
    screen: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text | str]], *, total: bool = False
) -> None:
    """Prints a table, as wide as its figures need: what does not fit goes over the screen's edge, and none is cut."""
    width = screen.width
    screen.width = max(width, width_needed(columns, rows))
    screen.print(table(columns, rows, total=total))
    screen.width = width


def width_needed(columns: Sequence[Column], rows: Sequence[Sequence[Text | str]]) -> int:
    """The cells of a line in which every figure is whole, and no name cropped below the least width."""
    widths = [_least_width(column, [row[i] for row in rows]) for i, column in enumerate(columns)]
    return sum(widths) + _GAP * (len(columns) - 1)


def _least_width(column: Column, values: Sequence[Text | str]) -> int:
    from rich.cells import cell_len

    widest = max(map(cell_len, [*column.header.split("\n"), *(visible(str(value)) for value in values)]))
    return widest if column.fit == "whole" else min(widest, _LEAST_WIDTH)


def _cell(value: Text | str, column: Column) -> Text:
    from rich.text import Text

    if isinstance(value, Text):
        return value
    if column.fit == "wrap":
        return Text(visible(value), overflow="fold")
    return Text(visible(value), no_wrap=True, overflow="ellipsis")


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Text | str]], *, nothing: str) -> None:
    """A table on standard output, or the sentence `nothing` on standard error where there are no rows."""
    if rows:
        print_rows(console(), columns, rows)
    else:
        note(nothing)


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """One thing's fields, a line each."""
    from rich import box
    from rich.table import Table

    built = Table(box=box.SIMPLE, pad_edge=False, show_edge=False, show_header=False)
    built.add_column(style="bold", no_wrap=True)
    built.add_column(overflow="fold")
    for name, value in fields:
        built.add_row(name, visible(value))
    console().print(built)


def visible(text: str) -> str:
    """`text` with every character that a terminal would obey or hide written as its escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def day(instant: str | None) -> str:
    """The date of an instant, or a dash."""
    return instant[:10] if instant else "—"


def count(number: int) -> str:
    """An integer in groups of three digits."""
    return f"{number:,}"
