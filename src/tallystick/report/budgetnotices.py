"""Thresholds of budgets that an account has passed, from the cost that its report has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import NamedTuple

from tallystick.model.budgets import Budget
from tallystick.model.money import EXACT, ZERO, percentage_half_even, plain, tidy
from tallystick.model.months import Month
from tallystick.model.notices import Event, Occurrence
from tallystick.model.plans import Meter, Plan
from tallystick.model.schedule import Schedule
from tallystick.rating.stretches import Sums, base_cost, rate
from tallystick.report.history import Draft, Period, cut
from tallystick.store import accounts, budgets, meters, notices, rollups, zones
from tallystick.store.budgets import WHOLE_ACCOUNT
from tallystick.store.database import Connection
from tallystick.store.notices import ChangedAccount, NoticeKey


class Judged(NamedTuple):
    """An account, the months in which it may have passed something, and how many live jobs came before each."""

    account: ChangedAccount
    schedule: Schedule
    before: Mapping[Month, int]


class Watched(NamedTuple):
    """A month of an account with budgets: its plan, the live jobs before it, its sums, the budgets by their key.

    `names` are those of the budgets' keys, by account number and key number; of other accounts too.
    """

    account: ChangedAccount
    month: Month
    plan: Plan
    before: int
    usage: Sums
    budgets: Mapping[int, Budget]
    names: Mapping[tuple[int, int], str]


class Threshold(NamedTuple):
    """A threshold of a budget, in percent; `key` and `api_key` are the number and the name of the budget's key."""

    key: int
    api_key: str | None
    budget: Budget
    percent: int

    @property
    def text(self) -> str:
        # The amount is part of the notice's key: one that is changed has thresholds of its own.
        return f"{self.percent} % of {plain(self.budget.amount)}"


def passed_budgets(
    connection: Connection, judged: Sequence[Judged], derived: dict[int, set[int]]
) -> Iterator[Occurrence]:
    """The thresholds that the months' costs have reached, of each month that may have reached one that was not said.

    Accounts without budgets cost nothing but one look-up for all. `derived` takes up the boundaries that were not kept.
    """
    kept = budgets.budgets_of(connection, [each.account.id for each in judged])
    months = [month for each in judged if each.account.id in kept for month in each.before]
    if not months:
        return
    known_meters = meters.all_meters(connection)
    usage = rollups.months(connection, list(kept), min(months), max(months), known_meters)
    keys = [(account_id, key) for account_id, own in kept.items() for key in own if key != WHOLE_ACCOUNT]
    names = accounts.names_of_keys(connection, keys)
    watched = [
        Watched(each.account, month, each.schedule.plan_for(month), before, sums, kept[each.account.id], names)
        for each in judged
        for month, before in each.before.items()
        if (sums := usage.get(each.account.id, {}).get(month))
    ]
    open_ones = _with_news_in_reach(connection, watched, known_meters)
    stretches, found = cut(connection, [_draft(each) for each in open_ones], known_meters)
    derived.update(found)
    for each, stretch in zip(open_ones, stretches, strict=True):
        costs = _costs((line.key, line.final_cost) for line in rate(stretch, known_meters))
        yield from (_occurrence(each, passed, costs) for passed in _reached(each, costs))


def _with_news_in_reach(
    connection: Connection, watched: Sequence[Watched], known_meters: tuple[Meter, ...]
) -> list[Watched]:
    """Those where the cost without free jobs and discounts, which the sums tell, reaches a threshold that was not said.

    The final cost is never more. So most accounts need not be rated, most of the time.
    """
    in_reach = [[_notice_key(each, passed) for passed in _in_reach(each, known_meters)] for each in watched]
    said = notices.said_of(connection, list(chain.from_iterable(in_reach)))
    return [each for each, keys in zip(watched, in_reach, strict=True) if not said.issuperset(keys)]


def _in_reach(watched: Watched, known_meters: tuple[Meter, ...]) -> Iterator[Threshold]:
    prices = watched.plan.unit_prices(known_meters)
    most = _costs((key, base_cost(part.tokens, prices)) for key, part in watched.usage.items())
    return _reached(watched, most)


def _reached(watched: Watched, costs: Mapping[int, Decimal]) -> Iterator[Threshold]:
    """The thresholds that some costs have reached."""
    for key, budget in sorted(watched.budgets.items()):
        name = watched.names.get((watched.account.id, key))
        yield from (Threshold(key, name, budget, percent) for percent in budget.passed(costs.get(key, ZERO)))


def _notice_key(watched: Watched, passed: Threshold) -> NoticeKey:
    return NoticeKey(
        watched.account.id, Event.BUDGET_THRESHOLD.value, passed.api_key or "", str(watched.month), passed.text
    )


def _draft(watched: Watched) -> Draft:
    account, month = watched.account, watched.month
    period = Period(month.first_day, month.last_day, watched.before, watched.usage)
    return Draft(account.id, zones.calendar(account.time_zone), watched.plan, watched.before, period)


def _costs(parts: Iterable[tuple[int, Decimal]]) -> dict[int, Decimal]:
    """The cost of each key, and of the whole account."""
    costs = {WHOLE_ACCOUNT: ZERO}
    for key, cost in parts:
        costs[key] = EXACT.add(costs.get(key, ZERO), cost)
        costs[WHOLE_ACCOUNT] = EXACT.add(costs[WHOLE_ACCOUNT], cost)
    return costs


def _occurrence(watched: Watched, passed: Threshold, costs: Mapping[int, Decimal]) -> Occurrence:
    account, amount, cost = watched.account, passed.budget.amount, costs[passed.key]
    data = {
        "account": account.name,
        "api_key": passed.api_key,
        "month": str(watched.month),
        "threshold": passed.percent,
        "amount": tidy(amount),
        "cost": tidy(cost),
        "used_percentage": tidy(percentage_half_even(cost, amount)),
        "currency": account.currency,
    }
    period = str(watched.month)
    return Occurrence(account.name, Event.BUDGET_THRESHOLD, passed.api_key or "", period, passed.text, data)
