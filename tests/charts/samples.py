"""Reports to draw, made from simple rules so that a test knows every figure in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from tallystick.model.forecast import CostEstimate, Estimate, Forecast, MonthEnd, SoFar
from tallystick.model.months import Month
from tallystick.model.report import (
    Costs,
    DailyReport,
    DayUsage,
    KeyUsage,
    MonthUsage,
    Period,
    Totals,
    UsageReport,
)
from tallystick.model.simulation import Simulation, build_simulation

EXACT_COST = Decimal("1204.123456789012345678")
"""More digits than a float has."""


def monthly(months: int = 3, keys: Sequence[str] = ("a", "b"), cost: Decimal = EXACT_COST) -> UsageReport:
    """Months from 2025-01 on, the i-th with i jobs, i times `cost`, of which an eighth is saved from the second on."""
    first = Month.parse("2025-01")
    rows = tuple(_month(str(first + place), place + 1, cost) for place in range(months))
    final, saved = sum_of(rows, "final_cost"), sum_of(rows, "savings")
    return UsageReport(
        period=Period(rows[0].month, rows[-1].month),
        totals=Totals(
            jobs=sum(row.jobs for row in rows),
            tokens={},
            base_cost=final + saved,
            final_cost=final,
            savings=saved,
            effective_discount_percentage=Decimal(0),
            free_jobs_left=0,
        ),
        monthly_breakdown=rows,
        api_keys={name: _key(place + 1, final / 2 ** (place + 1)) for place, name in enumerate(keys)},
        currency="USD",
    )


def simulated() -> Simulation:
    """Seven accounts: two pay less, three more, one of them having paid nothing, and two the same."""
    costs = {
        "halved": ("10", "5"),
        "a little less": ("100", "95.000000000000000001"),
        "the same": ("3.5", "3.5"),
        "nothing": ("0", "0"),
        "just five percent": ("100", "105"),
        "nearly ten percent": ("100", "109.999999999999999999"),
        "new": ("0", "0.000000000000000001"),
    }
    return build_simulation(
        [(name, Decimal(old), Decimal(new)) for name, (old, new) in costs.items()],
        start_month="2025-01",
        end_month="2025-03",
        currency="USD",
    )


def foreseen(month: str = "2025-03", expected: str = "4000.5", *, tells: bool = True) -> Forecast:
    """A forecast of a month, which `tells` something or has too little history for it."""
    cost = CostEstimate(Decimal(expected), Decimal("3900.25"), Decimal("4100.125"))
    return Forecast(
        month=month,
        today=f"{month}-20",
        interval_percentage=80,
        so_far=SoFar(jobs=3, tokens={}, final_cost=3 * EXACT_COST),
        month_end=MonthEnd(jobs=Estimate(5, 4, 6), tokens={}, final_cost=cost) if tells else None,
        too_little=None if tells else "too little",
        free_jobs=None,
        next_tier=None,
        budgets=(),
    )


def sum_of(rows: Sequence[MonthUsage], field: str) -> Decimal:
    """The sum of a cost over months."""
    return sum((getattr(row, field) for row in rows), Decimal(0))


def _month(month: str, number: int, cost: Decimal) -> MonthUsage:
    base = number * cost
    saved = base / 8 if number > 1 else Decimal(0)
    return MonthUsage(
        month=month,
        jobs=number,
        tokens={},
        base_cost=base,
        final_cost=base - saved,
        savings=saved,
        current_tier_discount=Decimal("12.5"),
        tiers={"tier1": 1, "tier2": number - 1},
    )


def _key(jobs: int, cost: Decimal) -> KeyUsage:
    return KeyUsage(jobs=jobs, tokens={}, costs=Costs(cost, cost, Decimal(0)), tiers={})


def daily(days: int = 5, keys: Sequence[str] = ("a", "b")) -> DailyReport:
    """Days from 2025-01-01 on; on the i-th the j-th key has i * j transcription tokens and j notes."""
    first = date(2025, 1, 1)
    rows = tuple(_day(str(first + timedelta(place)), place + 1, keys) for place in range(days))
    return DailyReport(start=rows[0].day, end=rows[-1].day, days=rows, currency="USD")


def _day(day: str, number: int, keys: Sequence[str]) -> DayUsage:
    of_keys = {
        name: KeyUsage(
            jobs=1,
            tokens={"transcription": number * place, "note_generation": place},
            costs=Costs(Decimal(1), Decimal(1), Decimal(0)),
            tiers={},
        )
        for place, name in enumerate(keys, 1)
    }
    tokens = {
        "transcription_tokens": sum(key.tokens["transcription"] for key in of_keys.values()),
        "note_tokens": sum(key.tokens["note_generation"] for key in of_keys.values()),
    }
    zero = Decimal(0)
    return DayUsage(
        day=day, jobs=len(keys), tokens=tokens, base_cost=zero, final_cost=zero, savings=zero, api_keys=of_keys
    )
