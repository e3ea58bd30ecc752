"""A usage report as tables for a terminal: months, API keys and totals, with a bar for each one's share of the cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.console import Console
from rich.text import Text

from tallystick.cli.output import Column, console, count, figures, names, print_rows, width_needed
from tallystick.model.money import EXACT, grouped, plain
from tallystick.model.report import Costs

if TYPE_CHECKING:
    from tallystick.model.report import UsageReport

_BAR_CELLS: Final = 8
_EIGHTHS: Final = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


class _Layout(NamedTuple):
    """Which columns there are besides the name, the jobs, the final cost and its share."""

    meters: bool
    costs: tuple[str, ...]


_LAYOUTS: Final = (
    _Layout(True, ("base", "savings")),
    _Layout(True, ("savings",)),
    _Layout(True, ()),
    _Layout(False, ("base", "savings")),
    _Layout(False, ()),
)
"""From the widest to the narrowest; what a layout leaves out stands below the tables in sum."""

_Rows = list[list[Text | str]]


def print_tables(report: UsageReport, screen: Console | None = None) -> None:
    """Prints the report with as many columns as the screen has room for. No figure is ever cropped for want of it."""
    screen = screen or console()
    period = report.period
    until = "" if period.start_month == period.end_month else f" to {period.end_month}"
    screen.print(f"Usage {period.start_month}{until}", style="bold")
    drawings = (_Drawing(report, layout) for layout in _LAYOUTS)
    drawing = next((d for d in drawings if d.width_needed <= screen.width), _Drawing(report, _LAYOUTS[-1]))
    for columns, rows, has_total in drawing.tables():
        screen.print()
        print_rows(screen, columns, rows, total=has_total)
    screen.print()
    for line in _closing(report):
        screen.print(line)


class _Drawing:
    """The tables of one report in one layout."""

    def __init__(self, report: UsageReport, layout: _Layout) -> None:
        self._report = report
        self._layout = layout
        self._whole = report.totals.final_cost

    @property
    def width_needed(self) -> int:
        return max(width_needed(columns, rows) for columns, rows, _ in self.tables())

    def tables(self) -> list[tuple[Sequence[Column], _Rows, bool]]:
        """Columns and rows of each table, and whether the last row is the sum of the others."""
        tables: list[tuple[Sequence[Column], _Rows, bool]] = [(self._columns(Column("month")), self._months(), True)]
        if self._report.api_keys:
            tables.append((self._columns(names("API key")), self._keys(), False))
        if not self._layout.meters:
            meters = [[name, count(tokens)] for name, tokens in self._report.totals.tokens.items()]
            tables.append(([names("meter"), figures("total")], [list(row) for row in meters], False))
        return tables

    def _months(self) -> _Rows:
        rows = [
            self._row(m.month, m.jobs, m.tokens, Costs(m.base_cost, m.final_cost, m.savings))
            for m in self._report.monthly_breakdown
        ]
        totals = self._report.totals
        total = self._row("total", totals.jobs, totals.tokens, Costs(totals.base_cost, self._whole, totals.savings))
        return [*rows, [*total[:-1], ""]]

    def _keys(self) -> _Rows:
        return [self._row(name, key.jobs, key.tokens, key.costs) for name, key in self._report.api_keys.items()]

    def _columns(self, first: Column) -> list[Column]:
        meters = self._report.totals.tokens if self._layout.meters else {}
        counts = [figures(name.removesuffix("_tokens").replace("_", "\n") + "\ntokens") for name in meters]
        return [first, figures("jobs"), *counts, *map(figures, self._layout.costs), figures("cost"), Column("share")]

    def _row(self, name: str, jobs: int, tokens: Mapping[str, int], costs: Costs) -> list[Text | str]:
        counts = tokens.values() if self._layout.meters else ()
        amounts = [grouped(getattr(costs, cost)) for cost in (*self._layout.costs, "final")]
        return [name, *map(count, (jobs, *counts)), *amounts, bar(costs.final, self._whole)]


def bar(part: Decimal, whole: Decimal) -> Text:
    """A small bar: the part's share of the whole. What is not nothing shows at least a sliver."""
    if not whole or not part:
        return Text()
    eighths = max(1, int(EXACT.divide_int(part * 8 * _BAR_CELLS, whole)))
    full, rest = divmod(eighths, 8)
    return Text("█" * full + _EIGHTHS[rest], style="cyan")


def _closing(report: UsageReport) -> list[str]:
    totals = report.totals
    currency = f" {report.currency}" if report.currency else ""
    next_discount = plain(report.monthly_breakdown[-1].current_tier_discount)
    facts = (
        f"effective discount {plain(totals.effective_discount_percentage)} %",
        f"free jobs left {count(totals.free_jobs_left)}",
        f"discount of the next job {next_discount} %",
    )
    sums = f"base {grouped(totals.base_cost)} less savings {grouped(totals.savings)} makes {grouped(totals.final_cost)}"
    return [sums + currency, ", ".join(facts)]
