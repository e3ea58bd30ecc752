"""The report as plain text, for `print`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from tallystick.model.money import plain

if TYPE_CHECKING:
    from tallystick.model.report import UsageReport

_MAX_NAME = 32


def usage_text(report: UsageReport) -> str:
    """A table of months, one of keys and the totals, in plain characters."""
    meters = list(report.totals.tokens)
    period = report.period
    unit = f" ({report.currency})" if report.currency else ""
    span = (
        period.start_month if period.start_month == period.end_month else f"{period.start_month} to {period.end_month}"
    )
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
            _short(name),
            str(key.jobs),
            *(str(count) for count in key.tokens.values()),
            *_money(key.costs.base, key.costs.savings, key.costs.final),
        ]
        for name, key in report.api_keys.items()
    ]
    lines = [f"Usage {span}", ""]
    lines += _table(["month", "jobs", *meters, *costs], months, total=True)
    if keys:
        lines += ["", *_table(["api key", "jobs", *meters, *costs], keys)]
    lines += [
        "",
        f"effective discount {plain(total.effective_discount_percentage)} %, free jobs left {total.free_jobs_left}",
    ]
    return "\n".join(lines)


def _money(*amounts: Decimal) -> list[str]:
    return [plain(amount) for amount in amounts]


def _short(name: str) -> str:
    return name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], *, total: bool = False) -> list[str]:
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
