"""The forecast of an account's running month: what is known of it, read from a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from tallystick.model.budgets import BudgetUse
from tallystick.model.forecast import Forecast
from tallystick.model.money import EXACT, ZERO
from tallystick.model.plans import Meter
from tallystick.model.usage import Usage
from tallystick.rating.bands import free_jobs_left, last_free_rank
from tallystick.rating.stretches import Stretch
from tallystick.report.budgets import budget_report
from tallystick.report.foreseen import Past, build_forecast
from tallystick.report.outlook import WINDOW_DAYS
from tallystick.report.projection import Known, final_costs, sum_exact
from tallystick.report.usage import Opened, read_months
from tallystick.store import accounts, boundaries, rollups
from tallystick.store.database import Connection


def forecast(connection: Connection, opened: Opened, *, now: int, of_keys: bool) -> Forecast:
    """The forecast of the month that runs `now`; without `of_keys` only the whole account's budget is in it."""
    budgets = budget_report(connection, opened, now=now).budgets
    budgets = budgets if of_keys else tuple(use for use in budgets if use.api_key is None)
    known, keys = _read(connection, opened, [use.api_key for use in budgets if use.api_key is not None], now)
    past = Past(_free_jobs_end(connection, opened, known), _days_passed(opened, known, keys, budgets))
    return build_forecast(known, keys, budgets, past, currency=opened.account.currency)


def _read(connection: Connection, opened: Opened, names: Sequence[str], now: int) -> tuple[Known, dict[str, int]]:
    """What a projection needs, and the numbers of the named keys."""
    account, subject, _ = opened
    ((month, stretch),) = read_months(connection, opened, None, None, now=now).months
    today = subject.calendar.day_of(now)
    start, end = subject.calendar.day_span(today)
    earliest = rollups.first_day(connection, account.id)
    first = today if earliest is None else max(earliest, today - WINDOW_DAYS)
    numbers = {name: key for key, name in accounts.key_names(connection, account.id).items() if name in set(names)}
    place = connection, account.id, first, today - 1, subject.meters
    by_key = rollups.key_days(*place, numbers.values())
    known = Known(
        month=month,
        today=today,
        elapsed=(now - start) / (end - start),
        stretch=stretch,
        schedule=subject.schedule,
        meters=subject.meters,
        days=_every_day(rollups.day_sums(*place), today, subject.meters),
        key_days={key: _every_day(sums, today, subject.meters) for key, sums in by_key.items()},
    )
    return known, numbers


def _every_day(sums: Mapping[int, Usage], today: int, meters: tuple[Meter, ...]) -> list[Usage]:
    """The sums of each day from the first that has any up to yesterday."""
    nothing = Usage(0, (0,) * len(meters))
    return [sums.get(day, nothing) for day in range(min(sums, default=today), today)]


def _free_jobs_end(connection: Connection, opened: Opened, known: Known) -> int | None:
    """The day of the last free job, where the account has had it."""
    plan, jobs, opening = known.standing
    if not plan.free_jobs or free_jobs_left(plan, jobs, opening):
        return None
    return boundaries.day_of_rank(connection, opened.account.id, last_free_rank(plan, opening))


def _days_passed(
    opened: Opened, known: Known, keys: Mapping[str, int], budgets: Iterable[BudgetUse]
) -> dict[str | None, int]:
    """The days on which the month's cost reached those budgets that it has reached."""
    passed = [use for use in budgets if use.cost >= use.amount]
    if not passed:
        return {}
    costs = _costs_by_day(opened.reader.days(known.month.first_day, known.month.last_day), known.meters)
    days: dict[str | None, int] = {}
    for use in passed:
        key, total = keys.get(use.api_key or ""), ZERO
        for day, by_key in costs:
            total = EXACT.add(total, sum_exact(by_key.values()) if key is None else by_key.get(key, ZERO))
            if total >= use.amount:
                days[use.api_key] = day
                break
    return days


def _costs_by_day(
    days: Iterable[tuple[int, Stretch]], meters: tuple[Meter, ...]
) -> list[tuple[int, dict[int, Decimal]]]:
    return [(day, final_costs(stretch, meters)) for day, stretch in days]
