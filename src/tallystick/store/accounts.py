"""Accounts, their state rows and their API keys."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, select, tuple_, update

from tallystick.errors import Conflict, NotFound
from tallystick.model.accounts import KeyKind
from tallystick.store import schema
from tallystick.store.rows import is_storable, parts, run

_account = schema.account
_state = schema.account_state
_key = schema.api_key


class AccountRow(NamedTuple):
    """An account with its state. `recorded_at` is the newest of its jobs', `closed_through` a month's index."""

    id: int
    name: str
    currency: str
    created_at: int
    time_zone: str
    version: int
    live_jobs: int
    recorded_at: int
    closed_through: int | None


class KeyRow(NamedTuple):
    """An API key of an account; `id` counts from 1 within it."""

    account_id: int
    id: int
    name: str
    kind: KeyKind
    created_at: int
    revoked_at: int | None


def _accounts() -> Select[Any]:
    return select(
        _account.c.id,
        _account.c.name,
        _account.c.currency,
        _account.c.created_at,
        _state.c.time_zone,
        _state.c.version,
        _state.c.live_jobs,
        _state.c.recorded_at,
        _state.c.closed_through,
    ).join(_state, _state.c.account_id == _account.c.id)


def account_named(connection: Connection, name: str) -> AccountRow:
    """The account of that name. Raises `NotFound` (code ``unknown_account``)."""
    row = connection.execute(_accounts().where(_account.c.name == name)).first() if is_storable(name) else None
    if row is None:
        raise NotFound("there is no such account", code="unknown_account")
    return AccountRow(*row)


def account_numbered(connection: Connection, account_id: int) -> AccountRow:
    """The account of that number, which must exist."""
    return AccountRow(*connection.execute(_accounts().where(_account.c.id == account_id)).one())


def list_accounts(connection: Connection, *, after: str = "", limit: int | None = None) -> list[AccountRow]:
    """Accounts in the order of their names' bytes, those behind `after`."""
    query = _accounts().where(_account.c.name > after).order_by(_account.c.name).limit(limit)
    return [AccountRow(*row) for row in connection.execute(query)]


def account_ids(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """The numbers of those of `names` that are accounts."""
    found: dict[str, int] = {}
    for part in parts(names):
        rows = connection.execute(select(_account.c.name, _account.c.id).where(_account.c.name.in_(part)))
        found.update((name, number) for name, number in rows)
    return found


def add_account(connection: Connection, name: str, *, time_zone: str, plan: Row[Any], now: int) -> int | None:
    """Registers an account on a plan (a row of `plans.plan_named`) that holds from the beginning; gives its number.

    `None` where the name is taken, also by a transaction that commits at the same time.
    """
    # A first import may bring thousands of accounts in one transaction, for which everybody else waits.
    row = run(
        connection,
        "INSERT INTO account (name, currency, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING RETURNING id",
        (name, plan.currency, now),
    ).first()
    if row is None:
        return None
    account_id: int = row[0]
    run(
        connection,
        "INSERT INTO account_state (account_id, version, live_jobs, recorded_at, time_zone) VALUES (?, 0, 0, 0, ?)",
        (account_id, time_zone),
    )
    run(
        connection,
        "INSERT INTO account_plan (account_id, effective_month, plan_id) VALUES (?, 0, ?)",
        (account_id, plan.id),
    )
    return account_id


def set_time_zone(connection: Connection, account_id: int, time_zone: str) -> None:
    """Changes the zone and the version; the caller rebuilds the rollups in the same transaction."""
    connection.execute(
        update(_state)
        .where(_state.c.account_id == account_id)
        .values(time_zone=time_zone, version=_state.c.version + 1)
    )


def keys_of(connection: Connection, account_id: int) -> list[KeyRow]:
    """An account's keys in the order of their names' bytes."""
    rows = connection.execute(select(_key).where(_key.c.account_id == account_id).order_by(_key.c.name))
    return [_key_row(row) for row in rows]


def key_names(connection: Connection, account_id: int) -> dict[int, str]:
    """The names of an account's keys by their numbers."""
    rows = connection.execute(select(_key.c.id, _key.c.name).where(_key.c.account_id == account_id))
    return {row.id: row.name for row in rows}


def names_of_keys(connection: Connection, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """The names of some keys of any accounts, by account number and key number."""
    found: dict[tuple[int, int], str] = {}
    for part in parts(keys):
        rows = connection.execute(select(_key).where(tuple_(_key.c.account_id, _key.c.id).in_(part)))
        found.update(((row.account_id, row.id), row.name) for row in rows)
    return found


def keys_named(connection: Connection, wanted: Collection[tuple[int, str]]) -> dict[tuple[int, str], KeyRow]:
    """Those of the wanted keys, by account number and name, that exist."""
    found: dict[tuple[int, str], KeyRow] = {}
    for part in parts(wanted):
        rows = connection.execute(select(_key).where(tuple_(_key.c.account_id, _key.c.name).in_(part)))
        found.update(((row.account_id, row.name), _key_row(row)) for row in rows)
    return found


def key_named(connection: Connection, account_id: int, name: str) -> KeyRow:
    """The account's key of that name. Raises `NotFound` (code ``unknown_key``)."""
    found = keys_named(connection, [(account_id, name)]) if is_storable(name) else {}
    if not found:
        raise NotFound("the account has no such API key", code="unknown_key")
    return found[account_id, name]


def add_key(connection: Connection, account_id: int, name: str, *, kind: KeyKind, now: int) -> KeyRow:
    """Registers a key; the caller holds the account's state row. Raises `Conflict` (code ``key_exists``)."""
    added = run(
        connection,
        "INSERT INTO api_key (account_id, id, name, kind, created_at)"
        " SELECT ?, COALESCE(MAX(id), 0) + 1, ?, ?, ? FROM api_key WHERE account_id = ?"
        " ON CONFLICT (account_id, name) DO NOTHING RETURNING id",
        (account_id, name, kind.value, now, account_id),
    ).first()
    if added is None:
        raise Conflict(f"the account has an API key named {name!r} already", code="key_exists")
    return KeyRow(account_id, added[0], name, kind, now, None)


def revoke_key(connection: Connection, key: KeyRow, *, now: int) -> KeyRow:
    """Marks a key revoked; one that is already stays as it was."""
    if key.revoked_at is not None:
        return key
    connection.execute(
        update(_key).where(_key.c.account_id == key.account_id, _key.c.id == key.id).values(revoked_at=now)
    )
    return key._replace(revoked_at=now)


def _key_row(row: Row[Any]) -> KeyRow:
    return KeyRow(**{**row._asdict(), "kind": KeyKind(row.kind)})
