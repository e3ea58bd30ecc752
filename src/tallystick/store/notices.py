"""Notices that were said, and how far each account has been looked at."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, exists, select, text, tuple_, update

from tallystick.model.notices import Event
from tallystick.store import schema
from tallystick.store.rows import insert, insert_or, parts

PROVIDER: Final = 0
"""Stands for the provider where an account's number is expected; no account has it."""

_notice = schema.notice
_mark = schema.notice_mark
_item = schema.rejected_item


class ChangedAccount(NamedTuple):
    """An account with something in it that no notifier has looked at. `recorded_at` is the newest of its jobs'."""

    id: int
    name: str
    version: int
    time_zone: str
    recorded_at: int


class NoticeRow(NamedTuple):
    """A notice as stored; `body` is what is sent, as JSON."""

    account_id: int
    id: str
    event: str
    subject: str
    period: str
    threshold: str
    said_at: int
    body: str


_CHANGED: Final = (
    "SELECT s.account_id, a.name, s.version, s.time_zone, s.recorded_at FROM account_state AS s"
    " JOIN account AS a ON a.id = s.account_id LEFT JOIN notice_mark AS m ON m.account_id = s.account_id"
    " WHERE (m.version IS NULL OR m.version <> s.version)"
)
_CHANGED_AFTER: Final = text(f"{_CHANGED} AND s.account_id > :after ORDER BY s.account_id LIMIT :limit")
_CHANGED_OF: Final = text(f"{_CHANGED} AND s.account_id IN :ids ORDER BY s.account_id").bindparams(
    bindparam("ids", expanding=True)
)


def changed_after(connection: Connection, after: int, *, limit: int) -> list[ChangedAccount]:
    """Accounts of numbers above `after` that have changed since they were looked at, ascending."""
    return [ChangedAccount._make(row) for row in connection.execute(_CHANGED_AFTER, {"after": after, "limit": limit})]


def changed_of(connection: Connection, account_ids: Collection[int]) -> list[ChangedAccount]:
    """Those of some accounts that have changed since they were looked at."""
    return [
        ChangedAccount._make(row)
        for ids in parts(sorted(account_ids))
        for row in connection.execute(_CHANGED_OF, {"ids": ids})
    ]


def mark(connection: Connection, accounts: Sequence[ChangedAccount]) -> None:
    """Remembers that accounts were looked at as of their versions. A later look is never taken back."""
    insert(
        connection,
        "notice_mark",
        {"account_id": "int", "version": "bigint", "announced": "int"},
        [(account.id, account.version, 0) for account in accounts],
        "ON CONFLICT (account_id) DO UPDATE SET version = excluded.version"
        " WHERE notice_mark.version < excluded.version",
    )


def untold(connection: Connection) -> list[Event]:
    """Of which kinds there is something that the provider was not told of."""
    accounts, items = connection.execute(
        select(exists().where(_mark.c.announced == 0), exists().where(_item.c.told == 0))
    ).one()
    return [*([Event.ACCOUNT_CREATED] if accounts else []), *([Event.QUARANTINE_ADDED] if items else [])]


def new_accounts(connection: Connection) -> list[tuple[int, str]]:
    """The numbers and names of the accounts that the provider was not told of; from here on it counts as told.

    What another transaction holds comes the next time, so that nobody waits in a circle.
    """
    query = (
        select(_mark.c.account_id, schema.account.c.name)
        .join(schema.account, schema.account.c.id == _mark.c.account_id)
        .where(_mark.c.announced == 0)
        .order_by(_mark.c.account_id)
        .with_for_update(skip_locked=True, of=_mark)
    )
    found = [(number, name) for number, name in connection.execute(query)]
    for numbers in parts(number for number, _ in found):
        connection.execute(update(_mark).where(_mark.c.account_id.in_(numbers)).values(announced=1))
    return found


def new_rejections(connection: Connection) -> list[tuple[int, str]]:
    """As `new_accounts`, the numbers and codes of quarantined items."""
    query = (
        select(_item.c.id, _item.c.code).where(_item.c.told == 0).order_by(_item.c.id).with_for_update(skip_locked=True)
    )
    found = [(number, code) for number, code in connection.execute(query)]
    for numbers in parts(number for number, _ in found):
        connection.execute(update(_item).where(_item.c.id.in_(numbers)).values(told=1))
    return found


def said_last(connection: Connection, account_id: int, event: Event) -> int | None:
    """When a notice of that event was said last."""
    found: int | None = connection.execute(
        text("SELECT MAX(said_at) FROM notice WHERE account_id = :account AND event = :event"),
        {"account": account_id, "event": event.value},
    ).scalar()
    return found


def say(connection: Connection, rows: Sequence[NoticeRow]) -> list[NoticeRow]:
    """Stores those notices whose key is new, and gives them. Whoever says the same at the same time waits for this."""
    said = []
    # In one order everywhere, so that those who say the same wait for each other and never in a circle.
    for row in sorted(rows, key=lambda row: (row.account_id, row.event, row.subject, row.period, row.threshold)):
        new = connection.execute(
            insert_or(connection)(_notice).values(row._asdict()).on_conflict_do_nothing().returning(_notice.c.id)
        ).scalar()
        if new is not None:
            said.append(row)
    return said


def page(
    connection: Connection, account_id: int | None, *, before: tuple[int, str] | None, limit: int
) -> list[tuple[NoticeRow, str | None]]:
    """Notices with their accounts' names, the newest first, from before a moment and id; of all where none is named."""
    account = schema.account
    query = (
        select(*(_notice.c[field] for field in NoticeRow._fields), account.c.name)
        .outerjoin(account, account.c.id == _notice.c.account_id)
        .order_by(_notice.c.said_at.desc(), _notice.c.id.desc())
        .limit(limit)
    )
    query = query.where(_notice.c.event != Event.WEBHOOK_TEST)
    if account_id is not None:
        query = query.where(_notice.c.account_id == account_id)
    if before is not None:
        query = query.where(tuple_(_notice.c.said_at, _notice.c.id) < tuple_(*before))
    return [(NoticeRow(*values), name) for *values, name in connection.execute(query)]
