"""The report as plain text, for `print`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from tallystick.model.money import plain
from tallystick.model.report import Period

if TYPE_CHECKING:
    from tallystick.model.explanation import ExplainedLine, Explanation
    from tallystick.model.report import UsageReport
    from tallystick.model.simulation import Simulation

_MAX_NAME = 32


def usage_text(report: UsageReport) -> str:
    """A table of months, one of keys and the totals, in plain characters."""
    meters = list(report.totals.tokens)
    unit = f" ({report.currency})" if report.currency else ""
    costs = [f"base{unit}", "savings", "final"]
    months = [
        [m.month, str(m.jobs), *(str(m.tokens[f]) for f in meters), *_money(m.base_cost, m.savings, m.final_cost)]
        for m in report.monthly_breakdown
    ]
    total = report.totals
    months.append(
        [
            "total",
            str(total.jobs),
            *(str(total.tokens[f]) for f in meters),
            *_money(total.base_cost, total.savings, total.final_cost),
        ]
    )
    keys = [
        [
            short(name),
            str(key.jobs),
            *(str(count) for count in key.tokens.values()),
            *_money(key.costs.base, key.costs.savings, key.costs.final),
        ]
        for name, key in report.api_keys.items()
    ]
    lines = [f"Usage {_span(report.period)}", ""]
    lines += text_table(["month", "jobs", *meters, *costs], months, total=True)
    if keys:
        lines += ["", *text_table(["api key", "jobs", *meters, *costs], keys)]
    lines += [
        "",
        f"effective discount {plain(total.effective_discount_percentage)} %, free jobs left {total.free_jobs_left}",
    ]
    return "\n".join(lines)


def explanation_text(explanation: Explanation) -> str:
    """A table of the lines, their sums and what a line means, in plain characters."""
    header = ["month", "api key", "meter", "ranks", "jobs", "quantity", "price per unit", "discount", "cost"]
    rows = [_explained(line) for line in explanation.lines]
    totals = explanation.totals
    rows.append(["total", *[""] * 7, plain(totals.final_cost)])
    return "\n".join(
        [
            f"Usage {_span(explanation.period)} explained ({explanation.currency})",
            "",
            *text_table(header, rows, total=True),
            "",
            f"base {plain(totals.base_cost)}, savings {plain(totals.savings)}",
            "cost = quantity x price per unit, less the discount in percent",
        ]
    )


def simulation_text(simulation: Simulation) -> str:
    """A table of the accounts and the totals, in plain characters."""
    rows = [
        [short(account.account), *_money(account.old, account.new, account.difference)]
        for account in simulation.accounts
    ]
    rows.append(["total", *_money(simulation.old_total, simulation.new_total, simulation.difference)])
    span = _span(Period(simulation.start_month, simulation.end_month))
    header = ["account", "old", "new", "difference"]
    return "\n".join([f"Simulation {span} ({simulation.currency})", "", *text_table(header, rows, total=True)])


def _explained(line: ExplainedLine) -> list[str]:
    price = "free" if line.free_jobs else plain(line.price_per_unit)
    ranks = f"{line.first_rank}-{line.last_rank}"
    discount, cost = _money(line.discount, line.final_cost)
    counts = (str(line.jobs), str(line.quantity))
    return [line.month, short(line.api_key), line.meter, ranks, *counts, price, discount, cost]


def _span(period: Period) -> str:
    first, last = period.start_month, period.end_month
    return first if first == last else f"{first} to {last}"


def _money(*amounts: Decimal) -> list[str]:
    return [plain(amount) for amount in amounts]


def short(name: str) -> str:
    """A name, cut where it is long."""
    return name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, total: bool = False) -> list[str]:
    """The lines of a table; with `total` a line sets off the last row."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    rule = "  ".join("-" * width for width in widths)
    lines = [_line(header, widths), rule, *(_line(row, widths) for row in rows)]
    if total:
        lines.insert(-1, rule)
    return lines


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()
