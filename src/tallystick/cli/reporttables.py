"""A usage report as tables for a terminal: months, API keys and totals, with a bar for each one's share of the cost."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tallystick.cli.output import Column, console, count, figures, names, table
from tallystick.model.money import EXACT, plain
from tallystick.model.report import Costs

if TYPE_CHECKING:
    from tallystick.model.report import UsageReport

_BAR_CELLS: Final = 8
_EIGHTHS: Final = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


def print_tables(report: UsageReport, screen: Console | None = None) -> None:
    """Prints the report. Where the meters do not fit beside the costs, they get a table of their own."""
    screen = screen or console()
    period = report.period
    until = "" if period.start_month == period.end_month else f" to {period.end_month}"
    money = f", costs in {report.currency}" if report.currency else ""
    screen.print(f"Usage {period.start_month}{until}{money}", style="bold")
    tables = _Tables(report, with_meters=True).built()
    if any(screen.measure(built).minimum > screen.width for built in tables):
        tables = [*_Tables(report, with_meters=False).built(), _meters(report)]
    for built in tables:
        screen.print()
        screen.print(built)
    screen.print()
    screen.print(_closing(report))


class _Tables:
    """The tables of one report, with the meters beside the costs or without."""

    def __init__(self, report: UsageReport, *, with_meters: bool) -> None:
        self._report = report
        self._with_meters = with_meters

    def built(self) -> list[Table]:
        return [self._months(), *([self._keys()] if self._report.api_keys else [])]

    def _months(self) -> Table:
        totals = self._report.totals
        rows = [
            self._row(m.month, m.jobs, m.tokens, Costs(m.base_cost, m.final_cost, m.savings))
            for m in self._report.monthly_breakdown
        ]
        costs = Costs(totals.base_cost, totals.final_cost, totals.savings)
        rows.append([*self._row("total", totals.jobs, totals.tokens, costs)[:-1], ""])
        return table(self._columns(Column("month")), rows, total=True)

    def _keys(self) -> Table:
        keys = self._report.api_keys.items()
        return table(
            self._columns(names("API key")), [self._row(name, key.jobs, key.tokens, key.costs) for name, key in keys]
        )

    def _columns(self, first: Column) -> list[Column]:
        meters = self._report.totals.tokens if self._with_meters else {}
        counts = [figures(name.removesuffix("_tokens").replace("_", "\n") + "\ntokens") for name in meters]
        return [first, figures("jobs"), *counts, figures("base"), figures("savings"), figures("final"), Column("share")]

    def _row(self, name: str, jobs: int, tokens: Mapping[str, int], costs: Costs) -> list[Text | str]:
        counts = tokens.values() if self._with_meters else ()
        amounts = [amount(costs.base), amount(costs.savings), amount(costs.final)]
        return [name, *map(count, (jobs, *counts)), *amounts, bar(costs.final, self._report.totals.final_cost)]


def amount(value: Decimal) -> str:
    """An exact amount, its integer digits in groups of three."""
    whole, _, fraction = plain(value).partition(".")
    return f"{int(whole):,}.{fraction}"


def bar(part: Decimal, whole: Decimal) -> Text:
    """A small bar: the part's share of the whole. What is not nothing shows at least a sliver."""
    if not whole or not part:
        return Text()
    eighths = max(1, int(EXACT.divide_int(part * 8 * _BAR_CELLS, whole)))
    full, rest = divmod(eighths, 8)
    return Text("█" * full + _EIGHTHS[rest], style="cyan")


def _meters(report: UsageReport) -> Table:
    rows = [[name, count(tokens)] for name, tokens in report.totals.tokens.items()]
    return table([names("meter"), figures("total")], rows)


def _closing(report: UsageReport) -> str:
    totals = report.totals
    return (
        f"effective discount {plain(totals.effective_discount_percentage)} %, "
        f"free jobs left {count(totals.free_jobs_left)}, "
        f"discount of the next job {plain(report.monthly_breakdown[-1].current_tier_discount)} %"
    )
