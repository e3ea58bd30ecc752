"""Statements as they are stored: written once, never changed; and how a month is sealed before one is written.

Sealing says that nothing is booked in the account's months up to one any more, nor voided, nor priced anew. So a
statement may be made after it, in any time and from any snapshot, and comes out the same each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select, text, update

from tallystick.model.months import Month
from tallystick.store import schema
from tallystick.store.rows import insert_or
from tallystick.store.schema import LIVE, VOIDED

_statement = schema.statement
_state = schema.account_state


class StatementRow(NamedTuple):
    """A statement as stored; `month` is a month's index, `document` its bytes as text, `final_cost` plain digits.

    `jobs` are the live ones, `late` those of them that came late, `voided` are beside them.
    """

    account_id: int
    month: int
    document: str
    sha256: str
    jobs: int
    final_cost: str
    closed_at: int
    signed_by: str
    signature: str
    late: int
    voided: int


class StatementHead(NamedTuple):
    """What a list shows of a statement, without its document."""

    month: int
    sha256: str
    jobs: int
    late: int
    voided: int
    final_cost: str
    closed_at: int
    signed_by: str
    signature: str


def seal(connection: Connection, account_id: int, month: Month) -> None:
    """Lets nobody book, void or price in the months up to this one any more. The caller holds the state row."""
    connection.execute(update(_state).where(_state.c.account_id == account_id).values(closed_through=month.index))


def first_booking(connection: Connection, account_id: int) -> int | None:
    """The instant of the account's first job that is or was live; `None` without any."""
    return connection.execute(
        text("SELECT MIN(booked_at) FROM job WHERE account_id = :account AND state IN (:live, :voided)"),
        {"account": account_id, "live": LIVE, "voided": VOIDED},
    ).scalar()


def add(connection: Connection, rows: Sequence[StatementRow]) -> None:
    """Stores statements; one that is there already stays as it is."""
    connection.execute(
        insert_or(connection)(_statement).on_conflict_do_nothing(index_elements=["account_id", "month"]),
        [row._asdict() for row in rows],
    )


def last(connection: Connection, account_id: int) -> StatementRow | None:
    """The account's latest statement."""
    row = connection.execute(
        select(_statement).where(_statement.c.account_id == account_id).order_by(_statement.c.month.desc()).limit(1)
    ).first()
    return None if row is None else StatementRow._make(row)


def of_month(connection: Connection, account_id: int, month: Month) -> StatementRow | None:
    """The account's statement of a month."""
    row = connection.execute(
        select(_statement).where(_statement.c.account_id == account_id, _statement.c.month == month.index)
    ).first()
    return None if row is None else StatementRow._make(row)


def heads(connection: Connection, account_id: int) -> Iterator[StatementHead]:
    """The account's statements, the first one first."""
    columns = [_statement.c[name] for name in StatementHead._fields]
    rows = connection.execute(
        select(*columns).where(_statement.c.account_id == account_id).order_by(_statement.c.month)
    )
    return map(StatementHead._make, rows)


def digests(connection: Connection, account_id: int, first: Month, last: Month) -> dict[Month, str]:
    """The SHA-256 of each statement between two months, both included."""
    rows = connection.execute(
        select(_statement.c.month, _statement.c.sha256).where(
            _statement.c.account_id == account_id, _statement.c.month.between(first.index, last.index)
        )
    )
    return {Month(month): sha256 for month, sha256 in rows}
