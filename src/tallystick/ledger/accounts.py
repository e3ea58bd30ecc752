"""Accounts and their API keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from tallystick.errors import Conflict, InvalidInput
from tallystick.ledger.audit import note
from tallystick.model.accounts import Account, ApiKey, AssignedPlan, KeyKind
from tallystick.model.instants import format_instant
from tallystick.model.months import Month
from tallystick.model.names import check_name
from tallystick.model.plans import version_name
from tallystick.model.schedule import Schedule
from tallystick.settings import Settings
from tallystick.store import accounts, meters, notices, plans, states, sums, zones
from tallystick.store.accounts import AccountRow, KeyRow
from tallystick.store.database import Connection, Store
from tallystick.store.rows import is_storable


class AccountPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some accounts in the order of their names, and the cursor of the next ones (`None` at the end)."""

    accounts: tuple[Account, ...]
    next_cursor: str | None = None


class Accounts:
    """Registers, lists and changes accounts and keys."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], int]) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock

    def create(self, name: str, *, time_zone: str | None = None, plan: str | None = None) -> Account:
        """Registers an account.

        Raises `InvalidInput` for a name or zone that is none, `NotFound` (code ``unknown_plan``) and `Conflict`
        (code ``account_exists``).
        """
        _checked("name", name)
        time_zone = self._settings.default_time_zone if time_zone is None else time_zone
        zones.calendar(time_zone)
        with self._store.transaction() as connection:
            row = plans.plan_named(connection, self._settings.default_plan if plan is None else plan)
            if accounts.add_account(connection, name, time_zone=time_zone, plan=row, now=self._clock()) is None:
                raise Conflict(f"there is an account named {name!r} already", code="account_exists")
            note(connection, self._clock(), "account.create", name, time_zone=time_zone, plan=row.name)
            return self._shown(connection, [accounts.account_named(connection, name)])[0]

    def get(self, name: str) -> Account:
        """The account of that name. Raises `NotFound` (code ``unknown_account``)."""
        with self._store.snapshot() as connection:
            return self._shown(connection, [accounts.account_named(connection, name)])[0]

    def list(self, *, cursor: str | None = None, limit: int = 100) -> AccountPage:
        """Accounts in the order of their names, at most `limit` behind the cursor."""
        if not 1 <= limit <= 1000:
            raise InvalidInput.parameter("limit", "must lie between 1 and 1000", code="invalid_parameter")
        if cursor is not None and not is_storable(cursor):
            raise InvalidInput.parameter("cursor", "is not a cursor that this call gave", code="invalid_cursor")
        with self._store.snapshot() as connection:
            rows = accounts.list_accounts(connection, after=cursor or "", limit=limit + 1)
            shown = self._shown(connection, rows[:limit])
        # Names hold no secret and sort as they are, so that the last one is the cursor.
        return AccountPage(accounts=shown, next_cursor=shown[-1].name if len(rows) > limit else None)

    def change(
        self, name: str, *, time_zone: str | None = None, plan: str | None = None, plan_from: str | None = None
    ) -> Account:
        """Changes an account's zone, or puts it on a plan from a month on (by default the current one).

        A new zone rebuilds the account's rollups in one transaction, and is refused once a month is closed. Raises
        `InvalidInput`, `NotFound` and `Conflict` (code ``currency_fixed`` for a plan in another currency,
        ``month_closed`` for one that would hold from a closed month on).
        """
        if time_zone is not None:
            zones.calendar(time_zone)
        month = None if plan_from is None else Month.parse(plan_from, "plan_from")
        if month is not None and plan is None:
            raise InvalidInput.parameter("plan_from", "says from when a plan holds; give the plan too")
        with self._store.transaction() as connection:
            account_id = accounts.account_named(connection, name).id
            # One change of an account at a time, each seeing what the last one left.
            states.lock(connection, [account_id])
            account = accounts.account_numbered(connection, account_id)
            if time_zone is not None and time_zone != account.time_zone:
                _change_zone(connection, account, time_zone)
            if plan is not None:
                month = month or zones.calendar(time_zone or account.time_zone).month_of(self._clock())
                row = plans.plan_named(connection, plan)
                _check_open(account, month)
                plans.assign(connection, account.id, account.currency, row, effective_from=month)
                # By its prices, tiers and free jobs the account may have passed something, and need not do another job.
                notices.ask_for_look(connection, account.id)
            told = None if month is None else str(month)
            note(connection, self._clock(), "account.change", name, time_zone=time_zone, plan=plan, plan_from=told)
            return self._shown(connection, [accounts.account_named(connection, name)])[0]

    def create_key(self, account: str, name: str, *, kind: str = KeyKind.LIVE) -> ApiKey:
        """Registers an API key. Raises `InvalidInput`, `NotFound` and `Conflict` (code ``key_exists``)."""
        _checked("name", name)
        if kind not in set(KeyKind):
            raise InvalidInput.parameter("kind", "must be live or sandbox")
        with self._store.transaction() as connection:
            account_id = accounts.account_named(connection, account).id
            states.lock(connection, [account_id])
            row = accounts.add_key(connection, account_id, name, kind=KeyKind(kind), now=self._clock())
            note(connection, self._clock(), "key.create", account, key=name, kind=row.kind.value)
        return _shown_key(account, row)

    def keys(self, account: str) -> tuple[ApiKey, ...]:
        """An account's keys in the order of their names. Raises `NotFound`."""
        with self._store.snapshot() as connection:
            account_id = accounts.account_named(connection, account).id
            return tuple(_shown_key(account, row) for row in accounts.keys_of(connection, account_id))

    def revoke_key(self, account: str, name: str) -> ApiKey:
        """Marks a key revoked, which it stays. Its jobs are still accepted: they happened. Raises `NotFound`."""
        with self._store.transaction() as connection:
            account_id = accounts.account_named(connection, account).id
            key = accounts.key_named(connection, account_id, name)
            note(connection, self._clock(), "key.revoke", account, key=name)
            return _shown_key(account, accounts.revoke_key(connection, key, now=self._clock()))

    def _shown(self, connection: Connection, rows: Sequence[AccountRow]) -> tuple[Account, ...]:
        schedules = plans.schedules(connection, [row.id for row in rows])
        now = self._clock()
        return tuple(
            Account(
                name=row.name,
                time_zone=row.time_zone,
                plan=schedules[row.id].plan_for(zones.calendar(row.time_zone).month_of(now)).name,
                currency=row.currency,
                created_at=format_instant(row.created_at),
                plans=_assigned(schedules[row.id]),
            )
            for row in rows
        )


def _assigned(schedule: Schedule) -> tuple[AssignedPlan, ...]:
    return tuple(AssignedPlan(plan=plan, plan_from=version_name(month)) for month, plan in schedule.assignments)


def _check_open(account: AccountRow, month: Month) -> None:
    """Raises `Conflict` where a plan would hold from a closed month on (design rule 8)."""
    if account.closed_through is None or month.index > account.closed_through:
        return
    closed = Month(account.closed_through)
    raise Conflict(
        f"the account's months are closed through {closed}, and a statement never changes afterwards; "
        f"a plan can hold from {closed + 1} on",
        code="month_closed",
    )


def _change_zone(connection: Connection, account: AccountRow, time_zone: str) -> None:
    if account.closed_through is not None:
        raise InvalidInput.parameter(
            "time_zone", "cannot change any more: the account has statements", code="zone_fixed"
        )
    accounts.set_time_zone(connection, account.id, time_zone)
    sums.rebuild(connection, account.id, zones.calendar(time_zone), meters.all_meters(connection))
    notices.ask_for_look(connection, account.id, versions=1)


def _checked(field: str, name: str) -> None:
    try:
        check_name(name)
    except InvalidInput as error:
        raise InvalidInput.parameter(field, error.detail, code=error.code) from None


def _shown_key(account: str, row: KeyRow) -> ApiKey:
    return ApiKey(
        account=account,
        name=row.name,
        kind=row.kind,
        created_at=format_instant(row.created_at),
        revoked_at=None if row.revoked_at is None else format_instant(row.revoked_at),
    )
