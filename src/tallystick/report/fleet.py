"""The provider's view: totals per account, most cost first, and of all."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import NamedTuple

import msgspec

from tallystick.errors import InvalidInput
from tallystick.model.instants import format_instant
from tallystick.model.money import money, plain
from tallystick.model.months import Month
from tallystick.model.overview import AccountTrend
from tallystick.model.plans import Meter
from tallystick.model.report import AccountsReport, AccountUsage, CurrencyTotals, Period
from tallystick.rating.stretches import rate
from tallystick.report.cursors import decode_cursor, encode_cursor
from tallystick.report.history import Reader, Subject
from tallystick.report.period import resolve_months
from tallystick.report.tally import Tally
from tallystick.report.totals import totals
from tallystick.store import accounts, meters, plans, rollups, zones
from tallystick.store.accounts import AccountRow
from tallystick.store.database import Connection


class FleetCursor(msgspec.Struct, frozen=True):
    """The last account shown: its cost and name."""

    final_cost: str
    account: str


class _Rated(NamedTuple):
    account: AccountRow
    tally: Tally

    @property
    def order(self) -> tuple[Decimal, bytes]:
        """Most cost first, then by the name's bytes."""
        return self.tally.final.copy_negate(), self.account.name.encode()


def accounts_report(
    connection: Connection,
    start_month: str | None,
    end_month: str | None,
    *,
    cursor: str | None,
    limit: int,
    current: Month,
    search: str = "",
) -> tuple[AccountsReport, dict[int, set[int]]]:
    """A page of accounts with their totals, and which boundaries had to be derived, per account.

    Every account is rated for each page, since the order is by cost. `search` leaves out the accounts whose names do
    not hold it, but not from the totals. Raises `InvalidInput` as a report does.
    """
    earliest = rollups.first_month(connection) if start_month is None else None
    first, last = resolve_months(start_month, end_month, current=current, earliest=earliest)
    known_meters = meters.all_meters(connection)
    derived: dict[int, set[int]] = {}
    rated = sorted(_rate_all(connection, first, last, known_meters, derived), key=lambda entry: entry.order)
    found = [entry for entry in rated if search.casefold() in entry.account.name.casefold()] if search else rated
    behind = found if cursor is None else [entry for entry in found if entry.order > _order(cursor)]
    shown = behind[:limit]
    report = AccountsReport(
        period=Period(str(first), str(last)),
        totals=_totals(rated, known_meters),
        accounts=tuple(_account_usage(entry) for entry in shown),
        next_cursor=_cursor(shown[-1]) if len(behind) > limit else None,
    )
    return report, derived


def _order(cursor: str) -> tuple[Decimal, bytes]:
    seen = decode_cursor(cursor, FleetCursor)
    try:
        return money(seen.final_cost).copy_negate(), seen.account.encode()
    except InvalidInput:
        raise InvalidInput.parameter("cursor", "is not a cursor that this call gave", code="invalid_cursor") from None


def _cursor(entry: _Rated) -> str:
    return encode_cursor(FleetCursor(plain(entry.tally.final), entry.account.name))


def _rate_all(
    connection: Connection, first: Month, last: Month, known_meters: tuple[Meter, ...], derived: dict[int, set[int]]
) -> Iterator[_Rated]:
    schedules = plans.schedules(connection)
    everyone = accounts.list_accounts(connection)
    for account, (tally,), ranks in totals(
        connection, everyone, lambda account: [schedules[account.id]], first, last, known_meters
    ):
        if ranks:
            derived[account.id] = ranks
        yield _Rated(account, tally)


def _account_usage(entry: _Rated) -> AccountUsage:
    tally = entry.tally
    return AccountUsage(
        account=entry.account.name,
        currency=entry.account.currency,
        jobs=tally.jobs,
        tokens=tally.tokens_by_field,
        base_cost=tally.base,
        final_cost=tally.final,
        savings=tally.savings,
    )


def _totals(rated: list[_Rated], known_meters: tuple[Meter, ...]) -> tuple[CurrencyTotals, ...]:
    tallies: dict[str, Tally] = {}
    counts: dict[str, int] = {}
    for account, tally in rated:
        tallies.setdefault(account.currency, Tally(known_meters)).merge(tally)
        counts[account.currency] = counts.get(account.currency, 0) + 1
    return tuple(
        CurrencyTotals(
            currency=currency,
            accounts=counts[currency],
            jobs=tally.jobs,
            tokens=tally.tokens_by_field,
            base_cost=tally.base,
            final_cost=tally.final,
            savings=tally.savings,
        )
        for currency, tally in sorted(tallies.items())
    )


def account_trends(
    connection: Connection, names: Collection[str], first: Month, last: Month
) -> tuple[dict[str, AccountTrend], dict[int, set[int]]]:
    """What some accounts cost in each month, by name, and which boundaries had to be derived, per account."""
    known_meters = meters.all_meters(connection)
    numbers = accounts.account_ids(connection, names)
    schedules = plans.schedules(connection, list(numbers.values()))
    usage = rollups.months(connection, list(numbers.values()), first, last, known_meters)
    before = rollups.jobs_before_month(connection, list(numbers.values()), first)
    trends: dict[str, AccountTrend] = {}
    derived: dict[int, set[int]] = {}
    for name, number in numbers.items():
        account = accounts.account_numbered(connection, number)
        subject = Subject(number, zones.calendar(account.time_zone), schedules[number], known_meters)
        reader = Reader(connection, subject)
        costs = []
        for _, stretch in reader.months(first, last, before=before.get(number, 0), usage=usage.get(number, {})):
            tally = Tally(known_meters)
            for line in rate(stretch, known_meters):
                tally.add(line)
            costs.append(tally.final)
        if reader.derived:
            derived[number] = reader.derived
        recorded_at = format_instant(account.recorded_at) if account.recorded_at else None
        trends[name] = AccountTrend(final_costs=tuple(costs), last_recorded_at=recorded_at)
    return trends, derived
