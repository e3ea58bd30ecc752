"""Notices that were said, and how far each account has been looked at."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, exists, select, text, tuple_, update

from tallystick.model.instants import FIRST, LAST
from tallystick.model.months import Month
from tallystick.model.notices import Event
from tallystick.store import schema
from tallystick.store.rows import Columns, for_each, insert_or, parts

PROVIDER: Final = 0
"""Stands for the provider where an account's number is expected; no account has it."""

_notice = schema.notice
_mark = schema.notice_mark
_item = schema.rejected_item


class ChangedAccount(NamedTuple):
    """An account with something in it that no notifier has looked at. `recorded_at` is the newest of its jobs'.

    `marked` is the version as of which it was looked at, `asked` how many looks were asked for beside its jobs;
    `closed_through` the last month that is closed, `told_through` the last one whose statement it was told of, both as
    a month's index (-1: none was).
    """

    id: int
    name: str
    currency: str
    version: int
    time_zone: str
    recorded_at: int
    marked: int | None
    asked: int
    closed_through: int | None
    told_through: int

    @property
    def has_new_jobs(self) -> bool:
        """Whether jobs of it were not looked at. Otherwise a look was asked for, or there is a statement to tell of."""
        return self.version != self.marked


class NoticeKey(NamedTuple):
    """What a notice is said once for."""

    account_id: int
    event: str
    subject: str
    period: str
    threshold: str


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

    @property
    def key(self) -> NoticeKey:
        return NoticeKey(self.account_id, self.event, self.subject, self.period, self.threshold)


_CHANGED: Final = (
    "SELECT s.account_id, a.name, a.currency, s.version, s.time_zone, s.recorded_at, m.version,"
    " COALESCE(m.asked, 0), s.closed_through, COALESCE(m.told_through, -1)"
    " FROM account_state AS s JOIN account AS a ON a.id = s.account_id"
    " LEFT JOIN notice_mark AS m ON m.account_id = s.account_id WHERE (m.version IS NULL OR m.version <> s.version"
    " OR m.asked <> m.answered OR s.closed_through > COALESCE(m.told_through, -1))"
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
    """Remembers that accounts were looked at as of their versions.

    A mark whose version was changed since the account was read stays: somebody has looked at it already, or its state
    was changed by something else than jobs. A look that was asked for since then is still to be had.
    """
    if accounts:
        # In the order in which others ask for looks, so that nobody waits in a circle.
        connection.execute(_MARK, [account._asdict() for account in sorted(accounts)])


_MARK: Final = text(
    "INSERT INTO notice_mark (account_id, version, announced, told_through) VALUES (:id, :version, 0, :told_through)"
    " ON CONFLICT (account_id) DO UPDATE SET version = excluded.version, told_through = excluded.told_through,"
    " answered = :asked WHERE notice_mark.version = :marked"
)

_ASK: Final = text(
    "INSERT INTO notice_mark (account_id, version, announced, asked) VALUES (:account, :versions, 0, 1)"
    " ON CONFLICT (account_id) DO UPDATE"
    " SET version = notice_mark.version + excluded.version, asked = notice_mark.asked + 1"
)
_ASK_OF_PLAN: Final = text(
    "INSERT INTO notice_mark (account_id, version, announced, asked) SELECT DISTINCT account_id, 0, 0, 1"
    " FROM account_plan AS p WHERE plan_id = :plan AND EXISTS (SELECT 1 FROM usage_month AS u"
    " WHERE u.account_id = p.account_id AND u.month >= :month) ORDER BY account_id"
    " ON CONFLICT (account_id) DO UPDATE SET asked = notice_mark.asked + 1"
)


def ask_for_look(connection: Connection, account_id: int, *, versions: int = 0) -> None:
    """Lets an account be looked at again, since something else than its jobs has changed what it is to hear of.

    `versions` is how many versions the account's state has moved by that.
    """
    connection.execute(_ASK, {"account": account_id, "versions": versions})


def ask_for_looks(connection: Connection, plan_id: int, month: Month) -> None:
    """As `ask_for_look`, for the accounts that are or were or will be on a plan and have jobs in a month or after it.

    The others have passed nothing there.
    """
    connection.execute(_ASK_OF_PLAN, {"plan": plan_id, "month": month.index})


class ClosedMonth(NamedTuple):
    """A month's statement, as far as its notice tells of it; `month` is a month's index."""

    month: int
    jobs: int
    final_cost: str
    closed_at: int


def closed_months(connection: Connection, account_id: int, *, after: int) -> list[ClosedMonth]:
    """The statements of an account's months behind one, the first one first."""
    table = schema.statement
    query = select(*(table.c[field] for field in ClosedMonth._fields)).where(
        table.c.account_id == account_id, table.c.month > after
    )
    return [ClosedMonth._make(row) for row in connection.execute(query.order_by(table.c.month))]


class LateJobs(NamedTuple):
    """Jobs of closed months: how many, and the instants between which they were completed, both included."""

    jobs: int
    first: int
    last: int


_LATE: Final = (
    "SELECT COUNT(*), MIN(completed_at), MAX(completed_at) FROM job WHERE account_id = :account AND state = :live"
    " AND booked_at <> completed_at AND booked_at >= :start AND booked_at < :end"
    " AND completed_at >= :first AND completed_at < :last"
)


def late_jobs(
    connection: Connection, account_id: int, booked: tuple[int, int], completed: tuple[int, int] = (FIRST, LAST)
) -> LateJobs | None:
    """An account's live jobs that were booked and completed between these instants, and are booked late."""
    values = dict(zip(("start", "end", "first", "last"), (*booked, *completed), strict=True))
    jobs, first, last = connection.execute(text(_LATE), {"account": account_id, "live": schema.LIVE, **values}).one()
    return LateJobs(jobs, first, last) if jobs else None


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


_KEY: Final[Columns] = dict(zip(NoticeKey._fields, ("int", "text", "text", "text", "text"), strict=True))
_SAID: Final = f"SELECT 1 FROM notice WHERE {' AND '.join(f'notice.{field} = {{{field}}}' for field in _KEY)}"


def said_of(connection: Connection, keys: Collection[NoticeKey]) -> set[NoticeKey]:
    """Those of some keys under which a notice was said."""
    asked = list(keys)
    return {key for key, found in zip(asked, for_each(connection, _KEY, asked, _SAID), strict=True) if list(found)}


def say(connection: Connection, rows: Sequence[NoticeRow]) -> list[NoticeRow]:
    """Stores those notices whose key is new, and gives them. Whoever says the same at the same time waits for this."""
    said = []
    statement = insert_or(connection)(_notice).on_conflict_do_nothing().returning(_notice.c.id)
    # In one order everywhere, so that those who say the same wait for each other and never in a circle.
    for row in sorted(rows, key=lambda row: row.key):
        new = connection.execute(statement, row._asdict()).scalar()
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
