"""Cost and jobs by month, from the usage report."""

from __future__ import annotations

from collections.abc import Sequence

from tallystick.charts.table import Table
from tallystick.charts.wording import by_name, ceiling, counted, months_of, priced, whole_ticks
from tallystick.model.money import grouped, plain
from tallystick.model.report import MonthUsage, UsageReport


def cost_values(report: UsageReport, _: Sequence[str]) -> dict[str, object]:
    """What the specification of cost by month is filled with."""
    currency = report.currency
    return {
        "title": "Cost by month",
        "subtitle": _subtitle(report, currency),
        "unit": currency or "cost",
        "ceiling": ceiling(report.totals.base_cost),
        "rows": [{**month.to_dict(), "shown": _shown_cost(month, currency)} for month in report.monthly_breakdown],
    }


def _shown_cost(month: MonthUsage, currency: str) -> dict[str, str]:
    final, saved = priced(month.final_cost, currency), priced(month.savings, currency)
    return {
        "text": f"{month.month}: final cost {final}, saved {saved}",
        "final_cost": final,
        "savings": saved,
        "base_cost": priced(month.base_cost, currency),
        "discount": f"{plain(month.current_tier_discount)} %",
    }


def cost_sentence(report: UsageReport) -> str:
    """Cost by month in words."""
    totals, currency = report.totals, report.currency
    told = (
        f"Cost by month, {months_of(report.period)}: final cost {priced(totals.final_cost, currency)}, "
        f"saved {priced(totals.savings, currency)} of {priced(totals.base_cost, currency)}."
    )
    if len(report.monthly_breakdown) == 1 or not totals.base_cost:
        return told
    most = max(report.monthly_breakdown, key=lambda month: month.final_cost)
    least = min(report.monthly_breakdown, key=lambda month: month.final_cost)
    return (
        f"{told} Most in {most.month}, {priced(most.final_cost, currency)}; "
        f"least in {least.month}, {priced(least.final_cost, currency)}."
    )


def cost_table(report: UsageReport) -> Table:
    """Cost by month as a table."""
    rows = [
        (month.month, plain(month.base_cost), plain(month.savings), plain(month.final_cost))
        for month in report.monthly_breakdown
    ]
    return Table(("month", "base_cost", "savings", "final_cost"), tuple(rows))


def job_values(report: UsageReport, _: Sequence[str]) -> dict[str, object]:
    """What the specification of jobs by month is filled with."""
    rows = [
        {
            "month": month.month,
            "jobs": month.jobs,
            "shown": {
                "text": f"{month.month}: {counted(month.jobs, 'job')}",
                "jobs": f"{month.jobs:,}",
                "tiers": by_name(month.tiers),
            },
        }
        for month in report.monthly_breakdown
    ]
    return {
        "title": "Jobs by month",
        "subtitle": _subtitle(report, ""),
        "unit": "jobs",
        "ceiling": ceiling(report.totals.jobs),
        "ticks": whole_ticks(max((month.jobs for month in report.monthly_breakdown), default=0)),
        "rows": rows,
    }


def job_sentence(report: UsageReport) -> str:
    """Jobs by month in words."""
    told = f"Jobs by month, {months_of(report.period)}: {counted(report.totals.jobs, 'job')}."
    if len(report.monthly_breakdown) == 1 or not report.totals.jobs:
        return told
    most = max(report.monthly_breakdown, key=lambda month: month.jobs)
    least = min(report.monthly_breakdown, key=lambda month: month.jobs)
    return f"{told} Most in {most.month}, {most.jobs:,}; fewest in {least.month}, {least.jobs:,}."


def job_table(report: UsageReport) -> Table:
    """Jobs by month as a table."""
    tiers = tuple(report.monthly_breakdown[0].tiers)
    rows = [
        (month.month, str(month.jobs), *(str(month.tiers.get(tier, 0)) for tier in tiers))
        for month in report.monthly_breakdown
    ]
    return Table(("month", "jobs", *tiers), tuple(rows))


def _subtitle(report: UsageReport, currency: str) -> str:
    totals = report.totals
    if not currency:
        return f"{months_of(report.period)} · {counted(totals.jobs, 'job')}"
    saved = f", {grouped(totals.savings)} saved" if totals.savings else ""
    return f"{months_of(report.period)} · {priced(totals.final_cost, currency)}{saved}"
