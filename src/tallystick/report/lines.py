"""The lines of an explanation: a month's rated jobs, taken apart by key, meter and price. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tallystick.model.explanation import ExplainedLine, ExplainedMonth, ExplainedPlan, ExplainedTotals, Explanation
from tallystick.model.money import ZERO, tidy
from tallystick.model.months import Month
from tallystick.model.plans import Meter, PlanVersion
from tallystick.model.report import Period
from tallystick.model.usage import jobs_of
from tallystick.rating.bands import tier_of
from tallystick.rating.stretches import Line, Stretch, covered_ranks, meter_cost, rate
from tallystick.report.tally import KeyTallies, Tally


class PricedMonth(NamedTuple):
    """A month's jobs, and the plan version that prices them."""

    month: Month
    stretch: Stretch
    version: PlanVersion


def build_explanation(
    months: Sequence[PricedMonth],
    meters: tuple[Meter, ...],
    *,
    key_names: Mapping[int, str],
    period: Period,
    currency: str,
) -> Explanation:
    """The explanation of rated months. Pure: the same stretches give the same lines."""
    totals, keys = Tally(meters), KeyTallies(meters)
    rated = [(priced, list(rate(priced.stretch, meters))) for priced in months]
    for _, lines in rated:
        for line in lines:
            totals.add(line)
            keys.add(line)
    order = {key: place for place, key in enumerate(keys.in_order(key_names))}
    return Explanation(
        period=period,
        currency=currency,
        totals=ExplainedTotals(base_cost=totals.base, final_cost=totals.final, savings=totals.savings),
        months=tuple(_month(priced) for priced in months),
        lines=tuple(
            explained
            for priced, lines in rated
            # Sorting keeps the order of ranks within a key.
            for line in sorted(lines, key=lambda line: order[line.key])
            for explained in explained_lines(priced, line, meters, key_names)
        ),
        plans=_plans(months),
    )


def explained_lines(
    priced: PricedMonth, line: Line, meters: tuple[Meter, ...], key_names: Mapping[int, str]
) -> Iterator[ExplainedLine]:
    """One rated line, by meter."""
    month, stretch, version = priced
    first_rank, last_rank = covered_ranks(stretch, line.band)
    discount = tier_of(stretch.plan, line.band.tier).discount
    prices = stretch.plan.unit_prices(meters)
    for place in _shown_meters(line.usage.tokens, stretch, meters):
        quantity = line.usage.tokens[place]
        price = ZERO if line.band.free else prices[place]
        base, final = meter_cost(quantity, price, discount)
        yield ExplainedLine(
            month=str(month),
            api_key=key_names[line.key],
            meter=meters[place].id,
            tier=line.band.tier,
            first_rank=first_rank,
            last_rank=last_rank,
            jobs=line.usage.jobs,
            free_jobs=line.usage.jobs if line.band.free else 0,
            quantity=quantity,
            price_per_unit=tidy(price),
            discount=tidy(discount),
            base_cost=tidy(base),
            final_cost=tidy(final),
            plan=version.plan.name,
            plan_version=version.version,
        )


def _shown_meters(tokens: tuple[int, ...], stretch: Stretch, meters: tuple[Meter, ...]) -> list[int]:
    """The places of the meters that were used; where none was, that of the plan's first one."""
    used = [place for place, count in enumerate(tokens) if count]
    return used or [meters.index(stretch.plan.meters[0].meter)]


def _month(priced: PricedMonth) -> ExplainedMonth:
    return ExplainedMonth(
        month=str(priced.month),
        jobs_before=priced.stretch.before,
        jobs=jobs_of(priced.stretch.usage),
        plan=priced.version.plan.name,
        plan_version=priced.version.version,
    )


def _plans(months: Sequence[PricedMonth]) -> tuple[ExplainedPlan, ...]:
    """Each plan version of the months once, in the order in which they come."""
    versions = {(month.version.plan.name, month.version.effective_from): month.version for month in months}
    return tuple(
        ExplainedPlan(plan=version.plan.name, plan_version=version.version, document=version.plan.to_document())
        for version in versions.values()
    )
