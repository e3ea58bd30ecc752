"""Tables as data: columns that can be sorted by, rows of cells, and a row of totals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Generic, NamedTuple, TypeVar

from tallystick.errors import InvalidInput
from tallystick.model.report import Costs
from tallystick.web import figures
from tallystick.web.request import PageRequest

Row = TypeVar("Row")


class Cell(NamedTuple):
    """What stands in a cell: the text, its exact value where that is more, where it leads, a bar in percent, and the
    colour of an API key in the charts (``0`` to ``8``).
    """

    text: str
    exact: str = ""
    href: str = ""
    bar: str = ""
    slot: str = ""


def amount(value: Decimal, places: int) -> Cell:
    """An amount of money, rounded for the eye, with all its digits beside."""
    return Cell(figures.money(value, places), figures.exact(value))


def number(value: int, href: str = "") -> Cell:
    """A count, with the link to what is counted where that is anything."""
    return Cell(figures.count(value), href=href if value else "")


def share(part: Decimal, whole: Decimal) -> Cell:
    """A share of a whole in percent, with its bar; empty of nothing."""
    shown = figures.share(part, whole)
    return Cell(f"{shown} %", bar=str(shown)) if whole else Cell("")


class Column(NamedTuple, Generic[Row]):
    """A column: how a row's cell is made, and by what it sorts, if it does. `figure` aligns it right, figures under
    figures.
    """

    id: str
    label: str
    cell: Callable[[Row], Cell]
    by: Callable[[Row], Any] | None
    figure: bool = True
    unit: str = ""


def money_columns(currency: str, places: int, costs: Callable[[Row], Costs]) -> list[Column[Row]]:
    """Base cost, savings and final cost."""

    def column(name: str, label: str, of: Callable[[Row], Decimal]) -> Column[Row]:
        return Column(name, label, lambda row: amount(of(row), places), of, unit=currency)

    return [
        column("base_cost", "Base cost", lambda row: costs(row).base),
        column("savings", "Saved", lambda row: costs(row).savings),
        column("final_cost", "Final", lambda row: costs(row).final),
    ]


class Head(NamedTuple):
    """The head of a column. `sorted` is the value of aria-sort; `href` sorts by the column, where that makes sense."""

    label: str
    unit: str
    figure: bool
    sorted: str
    href: str


class Table(NamedTuple):
    """A table, ready to be shown. `page` counts from 1."""

    id: str
    caption: str
    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    total: Sequence[Cell]
    page: int
    pages: int
    previous: str
    next: str
    size: int


def make_table(
    request: PageRequest,
    *,
    name: str,
    caption: str,
    columns: Sequence[Column[Row]],
    rows: Sequence[Row],
    total: Sequence[Cell],
    default: str,
    rows_per_page: int,
) -> Table:
    """The rows, sorted and cut to a page as the URL's parameters ``NAME_sort`` and ``NAME_page`` say.

    A sort is a column's id, with a minus in front for the largest first. Raises `InvalidInput` for another.
    """
    sort_name, page_name = f"{name}_sort", f"{name}_page"
    wanted = request.values.get(sort_name, default)
    sortable = {each.id: each.by for each in columns if each.by is not None}
    by = sortable.get(wanted.removeprefix("-"))
    if by is None:
        known = ", ".join(sortable)
        raise InvalidInput.parameter(sort_name, f"is not a column; known are {known}", code="invalid_parameter")
    ordered = sorted(rows, key=by, reverse=wanted.startswith("-"))
    pages = max(1, -(-len(ordered) // rows_per_page))
    number = min(page_number(request, page_name), pages)
    shown = ordered[(number - 1) * rows_per_page : number * rows_per_page]

    def turn(to: int) -> str:
        return f"{request.link_here(**{page_name: str(to)})}#{name}" if 1 <= to <= pages else ""

    def head(each: Column[Row]) -> Head:
        if each.by is None:
            return Head(each.label, each.unit, each.figure, "", "")
        ascending, descending = wanted == each.id, wanted == f"-{each.id}"
        other = each.id if descending or not (ascending or each.figure) else f"-{each.id}"
        href = request.link_here(**{sort_name: None if other == default else other, page_name: None})
        state = "ascending" if ascending else "descending" if descending else ""
        return Head(each.label, each.unit, each.figure, state, f"{href}#{name}")

    return Table(
        id=name,
        caption=caption,
        heads=[head(each) for each in columns],
        rows=[[each.cell(row) for each in columns] for row in shown],
        total=total,
        page=number,
        pages=pages,
        previous=turn(number - 1),
        next=turn(number + 1),
        size=len(ordered),
    )


def page_number(request: PageRequest, name: str) -> int:
    """The page that the URL asks for, from 1. Raises `InvalidInput` for what is none."""
    text = request.values.get(name, "1")
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= 1):
        raise InvalidInput.parameter(name, "must be a page's number, from 1", code="invalid_parameter")
    return int(text)
