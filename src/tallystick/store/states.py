"""Accounts' state rows: the one thing for which writers of an account contend."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, text

from tallystick.model.calendar import Calendar
from tallystick.model.months import Month
from tallystick.store import zones
from tallystick.store.rows import parts


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


_LOCK = text(
    "SELECT account_id, version, live_jobs, recorded_at, closed_through, time_zone"
    " FROM account_state WHERE account_id IN :ids ORDER BY account_id"
).bindparams(bindparam("ids", expanding=True))


def lock(connection: Connection, account_ids: Collection[int]) -> dict[int, StateRow]:
    """The state rows of some accounts, held until the transaction ends.

    A write transaction of SQLite holds the whole database, so that reading is enough.
    """
    rows: dict[int, StateRow] = {}
    for part in parts(sorted(account_ids)):
        rows.update((row.account_id, StateRow(*row)) for row in connection.execute(_LOCK, {"ids": part}))
    return rows


def advance(connection: Connection, advances: Iterable[Advance]) -> None:
    """Adds to the state rows, each of which the caller holds."""
    connection.exec_driver_sql(
        "UPDATE account_state SET version = version + 1, live_jobs = live_jobs + ?, recorded_at = ?"
        " WHERE account_id = ?",
        list(advances),
    )
