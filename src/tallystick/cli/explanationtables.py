"""An explanation as tables for a terminal: one for each month and API key, a line for each price."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.console import Console

from tallystick.cli.output import Column, console, count, figures, print_rows, visible
from tallystick.model.money import grouped, plain

if TYPE_CHECKING:
    from tallystick.model.explanation import ExplainedLine, Explanation

_COLUMNS: Final[Sequence[Column]] = (
    Column("meter"),
    figures("ranks"),
    figures("jobs"),
    figures("quantity"),
    figures("per unit"),
    figures("discount"),
    figures("cost"),
)


def print_explanation(explanation: Explanation, screen: Console | None = None) -> None:
    """Prints the lines, each of which can be multiplied again, and their sums."""
    screen = screen or console()
    period = explanation.period
    until = "" if period.start_month == period.end_month else f" to {period.end_month}"
    screen.print(f"Usage {period.start_month}{until} explained", style="bold")
    for (month, key), lines in groupby(explanation.lines, key=lambda line: (line.month, line.api_key)):
        own = list(lines)
        screen.print()
        screen.print(f"{month}  {visible(key)}", style="bold")
        screen.print(f"plan {_plan(own[0])}")
        print_rows(screen, _COLUMNS, [_row(line) for line in own])
    totals = explanation.totals
    base, savings, final = map(grouped, (totals.base_cost, totals.savings, totals.final_cost))
    screen.print()
    screen.print(f"base {base} less savings {savings} makes {final} {explanation.currency}")
    screen.print("cost = quantity × price per unit, less the discount; free jobs have the price 0")


def _plan(line: ExplainedLine) -> str:
    return f"{visible(line.plan)}, from {line.plan_version or 'the beginning'}"


def _row(line: ExplainedLine) -> list[str]:
    ranks = count(line.first_rank)
    if line.last_rank != line.first_rank:
        ranks += f"–{count(line.last_rank)}"
    price = "free" if line.free_jobs else grouped(line.price_per_unit)
    discount = f"{plain(line.discount).removesuffix('.0')} %"
    return [line.meter, ranks, count(line.jobs), count(line.quantity), price, discount, grouped(line.final_cost)]
