"""The forecast, put into the shape in which it is answered. Pure: the same known gives the same forecast."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, TypeVar

from tallystick.model.budgets import BudgetUse
from tallystick.model.forecast import (
    BudgetForecast,
    CostEstimate,
    Estimate,
    Forecast,
    FreeJobsForecast,
    MonthEnd,
    SoFar,
    TierForecast,
)
from tallystick.model.money import tidy
from tallystick.model.months import format_day
from tallystick.model.usage import Usage, added
from tallystick.rating.bands import free_jobs_left
from tallystick.report.outlook import INTERVAL_PERCENTAGE, LEAST_BUSY_DAYS, LEAST_DAYS, WINDOW_DAYS, Whole
from tallystick.report.projection import (
    Costs,
    Known,
    Projection,
    Reach,
    final_costs,
    sum_exact,
    tier_ahead,
)

Value = TypeVar("Value")

_UNKNOWN = Reach(None, None, None)


class Past(NamedTuple):
    """What has been reached, and on which day: the end of the free jobs, and budgets by the name of their key."""

    free_jobs: int | None
    budgets: Mapping[str | None, int]


def build_forecast(
    known: Known, keys: Mapping[str, int], budgets: Sequence[BudgetUse], past: Past, *, currency: str
) -> Forecast:
    """The forecast of what is known. Pure: the same gives the same."""
    lacking = too_little(known.days, "account")
    projection = None if lacking else Projection(known)
    spent = final_costs(known.stretch, known.meters)
    return Forecast(
        month=str(known.month),
        today=format_day(known.today),
        interval_percentage=INTERVAL_PERCENTAGE,
        so_far=_so_far(known, spent),
        month_end=None if projection is None else _month_end(known, projection),
        too_little=lacking,
        free_jobs=_free_jobs(known, projection, past.free_jobs),
        next_tier=_next_tier(known, projection),
        budgets=tuple(_budget(known, projection, use, keys, past, lacking) for use in budgets),
        currency=currency,
    )


def too_little(days: Sequence[Usage], whose: str) -> str | None:
    """What a history lacks for a forecast, in a sentence; `None` where it has enough."""
    busy = sum(1 for day in days if day.jobs)
    # Nothing is said of what came before: a forecast looks no further back.
    if not busy:
        seen = f"the {whose} had no jobs in the {WINDOW_DAYS} days before today"
        return f"{seen}; a forecast needs {LEAST_DAYS} days of them"
    if len(days) < LEAST_DAYS:
        told = "1 day" if len(days) == 1 else f"{len(days)} days"
        return f"the {whose}'s jobs of the last {WINDOW_DAYS} days go back {told}; a forecast needs {LEAST_DAYS}"
    if busy < LEAST_BUSY_DAYS:
        return f"the {whose} had jobs on {busy} of the last {len(days)} days; a forecast needs {LEAST_BUSY_DAYS}"
    return None


def _so_far(known: Known, spent: Mapping[int, Decimal]) -> SoFar:
    usage = _total(known)
    return SoFar(jobs=usage.jobs, tokens=_by_meter(known, usage.tokens), final_cost=tidy(sum_exact(spent.values())))


def _month_end(known: Known, projection: Projection) -> MonthEnd:
    so_far, days = _total(known), projection.days_left
    tokens = [
        _estimate(count, ahead) for count, ahead in zip(so_far.tokens, projection.outlook.tokens(days), strict=True)
    ]
    return MonthEnd(
        jobs=_estimate(so_far.jobs, projection.outlook.jobs(days)),
        tokens=_by_meter(known, tokens),
        final_cost=_cost_estimate(projection.cost(days)),
    )


def _free_jobs(known: Known, projection: Projection | None, ended: int | None) -> FreeJobsForecast | None:
    standing = known.standing
    free_jobs = standing.plan.free_jobs
    if not free_jobs:
        return None
    left = free_jobs_left(*standing)
    reach = projection.end_of_free_jobs() if projection is not None and left else _UNKNOWN
    return FreeJobsForecast(**_dates(known, reach, ended), free_jobs=free_jobs, left=left)


def _next_tier(known: Known, projection: Projection | None) -> TierForecast | None:
    standing = known.standing
    found = tier_ahead(standing, standing, _UNKNOWN) if projection is None else projection.next_tier()
    if found is None:
        return None
    return TierForecast(
        **_dates(known, found.reach, None),
        tier=found.number,
        after_jobs=found.tier.after_jobs,
        discount=tidy(found.tier.discount),
        jobs_left=found.jobs_left,
    )


def _budget(
    known: Known,
    projection: Projection | None,
    use: BudgetUse,
    keys: Mapping[str, int],
    past: Past,
    lacking: str | None,
) -> BudgetForecast:
    key = keys.get(use.api_key or "")
    if lacking is None and key is not None:
        lacking = too_little(known.key_days[key], "API key")
    reach, month_end = _UNKNOWN, None
    if projection is not None and lacking is None:
        cost = projection.cost if key is None else partial(projection.key_cost, key)
        month_end = _cost_estimate(cost(projection.days_left))
        reach = _UNKNOWN if use.api_key in past.budgets else projection.reaching(use.amount, cost)
    return BudgetForecast(
        **_dates(known, reach, past.budgets.get(use.api_key)),
        api_key=use.api_key,
        amount=use.amount,
        cost=use.cost,
        month_end_cost=month_end,
        too_little=lacking,
    )


def _dates(known: Known, reach: Reach, past: int | None) -> dict[str, Any]:
    if past is not None:
        return {"reached": True, **dict.fromkeys(Reach._fields, format_day(past))}
    days = {name: None if days is None else format_day(known.today + days) for name, days in reach._asdict().items()}
    return {"reached": False, **days}


def _total(known: Known) -> Usage:
    nothing = Usage(0, (0,) * len(known.meters))
    return added([(0, nothing), *((0, usage) for usage in known.stretch.usage.values())])[0]


def _by_meter(known: Known, values: Iterable[Value]) -> dict[str, Value]:
    return {meter.id: value for meter, value in zip(known.meters, values, strict=True)}


def _estimate(so_far: int, ahead: Whole) -> Estimate:
    return Estimate(expected=so_far + ahead.expected, low=so_far + ahead.low, high=so_far + ahead.high)


def _cost_estimate(costs: Costs) -> CostEstimate:
    return CostEstimate(expected=tidy(costs.expected), low=tidy(costs.low), high=tidy(costs.high))
