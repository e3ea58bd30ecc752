"""Accounts' state rows: the one thing for which writers of an account contend."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, text

from tallystick.model.calendar import Calendar
from tallystick.model.months import Month
from tallystick.store import zones
from tallystick.store.rows import array_literal, insert, is_sqlite, parts, run


class StateRow(NamedTuple):
    """An account's state: what ingest must know to book a job."""

    account_id: int
    version: int
    live_jobs: int
    recorded_at: int
    closed_through: int | None
    time_zone: str

    @property
    def calendar(self) -> Calendar:
        return zones.calendar(self.time_zone)

    @property
    def open_from(self) -> int | None:
        """The first instant of the first open month; `None` while no month is closed."""
        return None if self.closed_through is None else self.calendar.month_start(Month(self.closed_through) + 1)


class Advance(NamedTuple):
    """What a transaction adds to a state row."""

    live_jobs: int
    recorded_at: int
    account_id: int


_COLUMNS: Final = "account_id, version, live_jobs, recorded_at, closed_through, time_zone"
_READ: Final = text(f"SELECT {_COLUMNS} FROM account_state WHERE account_id IN :ids").bindparams(
    bindparam("ids", expanding=True)
)

# An upsert locks in the order of its rows, and works where the table is distributed over machines, which
# SELECT … FOR UPDATE over several accounts does not. Its condition never holds: rows are locked all the same, and not
# written anew.
_LOCK: Final = (
    "INSERT INTO account_state (account_id, version, live_jobs, recorded_at, time_zone)"
    " SELECT id, 0, 0, 0, '' FROM unnest(?::int[]) AS id ORDER BY id"
    " ON CONFLICT (account_id) DO UPDATE SET version = 0 WHERE FALSE"
)


def lock(connection: Connection, account_ids: Collection[int]) -> dict[int, StateRow]:
    """The state rows of some accounts, which exist, held until the transaction ends.

    A write transaction of SQLite holds the whole database, so that reading is enough.
    """
    if is_sqlite(connection):
        wanted, values = "IN (SELECT value FROM json_each(?))", json.dumps(list(account_ids))
    else:
        wanted, values = "= ANY(?::int[])", array_literal(sorted(account_ids), "int")
        run(connection, _LOCK, [values])
    rows = run(connection, f"SELECT {_COLUMNS} FROM account_state WHERE account_id {wanted}", [values])
    return {row[0]: StateRow._make(row) for row in rows}


def read(connection: Connection, account_id: int) -> StateRow:
    """The state row of an account, which exists, as a snapshot shows it."""
    return StateRow._make(connection.execute(_READ, {"ids": [account_id]}).one())


def advance(connection: Connection, advances: Sequence[Advance]) -> None:
    """Adds to the state rows, each of which the caller holds."""
    # An upsert takes many rows a statement, which exist; an UPDATE of SQLite would be a statement for each.
    insert(
        connection,
        "account_state",
        {"account_id": "int", "version": "bigint", "live_jobs": "bigint", "recorded_at": "bigint", "time_zone": "text"},
        [(advance.account_id, 0, advance.live_jobs, advance.recorded_at, "") for advance in advances],
        "ON CONFLICT (account_id) DO UPDATE SET version = account_state.version + 1,"
        " live_jobs = account_state.live_jobs + excluded.live_jobs, recorded_at = excluded.recorded_at",
    )


def known(connection: Connection, account_ids: Collection[int]) -> set[int]:
    """Those of the numbers under which there is a state row."""
    return {row.account_id for part in parts(account_ids) for row in connection.execute(_READ, {"ids": part})}


def recount(connection: Connection, account_id: int) -> None:
    """Sets a state row, which the caller holds, to what the account's rollups and jobs have."""
    connection.execute(
        text(
            "UPDATE account_state SET version = version + 1, live_jobs ="
            " (SELECT COALESCE(SUM(jobs), 0) FROM usage_month WHERE account_id = :account) WHERE account_id = :account"
        ),
        {"account": account_id},
    )
    newest = connection.execute(
        text("SELECT COALESCE(MAX(recorded_at), 0) FROM job WHERE account_id = :account"), {"account": account_id}
    ).scalar_one()
    connection.execute(
        text("UPDATE account_state SET recorded_at = :newest WHERE account_id = :account AND recorded_at < :newest"),
        {"account": account_id, "newest": newest},
    )
