"""The usage report of rated months, and its table. Pure: the same stretches give the same report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from tallystick.model.money import percentage_half_even, tidy
from tallystick.model.months import Month
from tallystick.model.plans import Meter
from tallystick.model.report import Costs, KeyUsage, MonthUsage, Period, Totals, UsageReport
from tallystick.model.usagetable import UsageRow, UsageTable
from tallystick.rating.bands import tier_after, tier_of
from tallystick.rating.stretches import Stretch, rate
from tallystick.report.tally import KeyTallies, Tally

Months = Iterable[tuple[Month, Stretch]]


def build_report(
    months: Months,
    meters: tuple[Meter, ...],
    *,
    key_names: Mapping[int, str],
    free_jobs_left: int,
    period: Period,
    currency: str,
) -> UsageReport:
    """The report of rated months. Pure: the same stretches give the same report."""
    totals, keys = Tally(meters), KeyTallies(meters)
    breakdown: list[MonthUsage] = []
    most_tiers = 1
    for month, stretch in months:
        tally = Tally(meters)
        for line in rate(stretch, meters):
            tally.add(line)
            keys.add(line)
        totals.merge(tally)
        most_tiers = max(most_tiers, len(stretch.plan.tiers))
        breakdown.append(_month(month, stretch, tally))
    return UsageReport(
        period=period,
        totals=Totals(
            jobs=totals.jobs,
            tokens=totals.tokens_by_field,
            base_cost=totals.base,
            final_cost=totals.final,
            savings=totals.savings,
            effective_discount_percentage=tidy(percentage_half_even(totals.savings, totals.base)),
            free_jobs_left=free_jobs_left,
        ),
        monthly_breakdown=tuple(breakdown),
        api_keys=keys.report(key_names, most_tiers),
        currency=currency,
    )


def _month(month: Month, stretch: Stretch, tally: Tally) -> MonthUsage:
    return MonthUsage(
        month=str(month),
        jobs=tally.jobs,
        tokens=tally.tokens_by_field,
        base_cost=tally.base,
        final_cost=tally.final,
        savings=tally.savings,
        current_tier_discount=_next_discount(stretch, tally.jobs),
        tiers=tally.tiers(len(stretch.plan.tiers)),
    )


def build_table(
    months: Months, meters: tuple[Meter, ...], *, key_names: Mapping[int, str], currency: str
) -> UsageTable:
    """The report's months and keys as one table. Pure, as the report."""
    rows: list[UsageRow] = []
    for month, stretch in months:
        keys = KeyTallies(meters)
        for line in rate(stretch, meters):
            keys.add(line)
        of_keys = keys.report(key_names, len(stretch.plan.tiers)) or {"": _nothing(meters)}
        rows += [_row(month, name, usage) for name, usage in of_keys.items()]
    return UsageTable(currency=currency, meters=tuple(meter.id for meter in meters), rows=tuple(rows))


def _row(month: Month, name: str, usage: KeyUsage) -> UsageRow:
    return UsageRow(
        month=str(month),
        api_key=name,
        jobs=usage.jobs,
        tokens=usage.tokens,
        base_cost=usage.costs.base,
        savings=usage.costs.savings,
        final_cost=usage.costs.final,
    )


def _nothing(meters: tuple[Meter, ...]) -> KeyUsage:
    tally = Tally(meters)
    costs = Costs(tally.base, tally.final, tally.savings)
    return KeyUsage(jobs=0, tokens=tally.tokens_by_meter, costs=costs, tiers={})


def _next_discount(stretch: Stretch, jobs: int) -> Decimal:
    """The discount that the next job would get at the end of a stretch, if it fell into its month (rating rule 2)."""
    return tidy(tier_of(stretch.plan, tier_after(stretch.plan, stretch.before + jobs, stretch.opening)).discount)
