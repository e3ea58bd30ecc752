"""Thresholds of budgets that an account has passed, from the cost that its report has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from tallystick.model.budgets import Budget
from tallystick.model.money import EXACT, ZERO, percentage_half_even, plain, tidy
from tallystick.model.months import Month
from tallystick.model.notices import Event, Occurrence
from tallystick.model.schedule import Schedule
from tallystick.rating.stretches import Sums, rate
from tallystick.report.history import Draft, Period, cut
from tallystick.store import accounts, budgets, meters, rollups, zones
from tallystick.store.budgets import WHOLE_ACCOUNT
from tallystick.store.database import Connection
from tallystick.store.notices import ChangedAccount


class Judged(NamedTuple):
    """An account, the months in which it may have passed something, and how many live jobs came before each."""

    account: ChangedAccount
    schedule: Schedule
    before: Mapping[Month, int]


def passed_budgets(connection: Connection, judged: list[Judged], derived: dict[int, set[int]]) -> Iterator[Occurrence]:
    """The thresholds that the months' costs have reached, said already or not.

    Accounts without budgets cost nothing but one look-up for all. `derived` takes up the boundaries that were not kept.
    """
    kept = budgets.budgets_of(connection, [each.account.id for each in judged])
    watched = [each for each in judged if each.account.id in kept]
    if not watched:
        return
    known_meters = meters.all_meters(connection)
    months = [month for each in watched for month in each.before]
    usage = rollups.months(connection, list(kept), min(months), max(months), known_meters)
    places = [(each, month) for each in watched for month in each.before if month in usage.get(each.account.id, {})]
    drafts = [_draft(each, month, usage[each.account.id][month]) for each, month in places]
    stretches, found = cut(connection, drafts, known_meters)
    derived.update(found)
    for (each, month), stretch in zip(places, stretches, strict=True):
        costs = _costs((line.key, line.final_cost) for line in rate(stretch, known_meters))
        yield from _passed(connection, each.account, month, kept[each.account.id], costs)


def _draft(judged: Judged, month: Month, sums: Sums) -> Draft:
    account, before = judged.account, judged.before[month]
    period = Period(month.first_day, month.last_day, before, sums)
    plan = judged.schedule.plan_for(month)
    return Draft(account.id, zones.calendar(account.time_zone), plan, before, period)


def _costs(lines: Iterator[tuple[int, Decimal]]) -> dict[int, Decimal]:
    """The final cost of each key, and of the whole account."""
    costs = {WHOLE_ACCOUNT: ZERO}
    for key, cost in lines:
        costs[key] = EXACT.add(costs.get(key, ZERO), cost)
        costs[WHOLE_ACCOUNT] = EXACT.add(costs[WHOLE_ACCOUNT], cost)
    return costs


def _passed(
    connection: Connection,
    account: ChangedAccount,
    month: Month,
    kept: Mapping[int, Budget],
    costs: Mapping[int, Decimal],
) -> Iterator[Occurrence]:
    names = accounts.key_names(connection, account.id) if kept.keys() - {WHOLE_ACCOUNT} else {}
    for key, budget in sorted(kept.items()):
        cost = costs.get(key, ZERO)
        for percent in budget.passed(cost):
            data = {
                "account": account.name,
                "api_key": names.get(key),
                "month": str(month),
                "threshold": percent,
                "amount": tidy(budget.amount),
                "cost": tidy(cost),
                "used_percentage": tidy(percentage_half_even(cost, budget.amount)),
                "currency": account.currency,
            }
            # The amount is part of the key: one that is changed has thresholds of its own.
            threshold = f"{percent} % of {plain(budget.amount)}"
            yield Occurrence(account.name, Event.BUDGET_THRESHOLD, names.get(key, ""), str(month), threshold, data)
