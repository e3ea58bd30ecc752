"""Trying a price plan on the history: what every account would have paid under it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

from tallystick.errors import InvalidInput
from tallystick.model.months import Month
from tallystick.model.plans import BEGINNING, Plan, PlanVersion
from tallystick.model.schedule import Schedule
from tallystick.model.simulation import Simulation, build_simulation
from tallystick.report.totals import totals
from tallystick.store import accounts, meters, plans, rollups
from tallystick.store.database import Connection

Hear = Callable[[int, int], None]
"""Hears how many accounts are done, and of how many."""


def simulate(
    connection: Connection,
    plan: Plan,
    start: str | None,
    end: str | None,
    *,
    account: str | None,
    current: Month,
    hear: Hear,
) -> tuple[Simulation, ...]:
    """The old and the new cost of every account, or of one, for each currency one simulation.

    The plan is taken as the only one that each account ever had: its counts begin with the account's first job. Without
    months the whole history up to the current one. Raises `InvalidInput` and `NotFound`.
    """
    rows = accounts.list_accounts(connection) if account is None else [accounts.account_named(connection, account)]
    only = None if account is None else [row.id for row in rows]
    first, last = _months(start, end, current=current, earliest=rollups.first_month(connection, only))
    schedules = plans.schedules(connection, only)
    alone = Schedule([(BEGINNING, plan.name)], {plan.name: [PlanVersion(BEGINNING, plan)]})
    found: dict[str, list[tuple[str, Decimal, Decimal]]] = defaultdict(list)
    known_meters = meters.all_meters(connection)
    rated = totals(connection, rows, lambda row: (schedules[row.id], alone), first, last, known_meters)
    for number, (row, (old, new), _) in enumerate(rated, 1):
        found[row.currency].append((row.name, old.final, new.final))
        if number % 100 == 0 or number == len(rows):
            hear(number, len(rows))
    if not found:
        found[plan.currency] = []
    return tuple(
        build_simulation(found[currency], start_month=str(first), end_month=str(last), currency=currency)
        for currency in sorted(found)
    )


def _months(start: str | None, end: str | None, *, current: Month, earliest: Month | None) -> tuple[Month, Month]:
    """The first and the last month; of any number, since a simulation does not show them one by one."""
    last = current if end is None else Month.parse(end, "to")
    first = min(last, earliest or last) if start is None else Month.parse(start, "from")
    if last < first and end is None:
        raise InvalidInput.parameter("from", f"{first} lies after the current month, {last}", code="invalid_period")
    if last < first:
        raise InvalidInput.parameter("to", f"{last} lies before the first month, {first}", code="invalid_period")
    return first, last
