"""The provider's view: totals per account, most cost first, and of all."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import msgspec

from tallystick.errors import InvalidInput
from tallystick.model.money import money, plain
from tallystick.model.months import Month
from tallystick.model.plans import Meter
from tallystick.model.report import AccountsReport, AccountUsage, CurrencyTotals, Period
from tallystick.rating.stretches import rate
from tallystick.report.cursors import decode_cursor, encode_cursor
from tallystick.report.history import Reader, Subject
from tallystick.report.period import resolve_months
from tallystick.report.tally import Tally
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
) -> tuple[AccountsReport, dict[int, set[int]]]:
    """A page of accounts with their totals, and which boundaries had to be derived, per account.

    Every account is rated for each page, since the order is by cost. Raises `InvalidInput` as a report does.
    """
    earliest = rollups.first_month(connection) if start_month is None else None
    first, last = resolve_months(start_month, end_month, current=current, earliest=earliest)
    known_meters = meters.all_meters(connection)
    derived: dict[int, set[int]] = {}
    rated = sorted(_rate_all(connection, first, last, known_meters, derived), key=lambda entry: entry.order)
    behind = rated if cursor is None else [entry for entry in rated if entry.order > _order(cursor)]
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
    everyone = accounts.list_accounts(connection)
    ids = [account.id for account in everyone]
    schedules = plans.schedules(connection)
    usage = rollups.months(connection, ids, first, last, known_meters)
    before = rollups.jobs_before_month(connection, ids, first)
    for account in everyone:
        subject = Subject(account.id, zones.calendar(account.time_zone), schedules[account.id], known_meters)
        reader = Reader(connection, subject)
        tally = Tally(known_meters)
        months = usage.get(account.id, {})
        if months:
            for _, stretch in reader.months(first, last, before=before.get(account.id, 0), usage=months):
                for line in rate(stretch, known_meters):
                    tally.add(line)
        if reader.derived:
            derived[account.id] = reader.derived
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
