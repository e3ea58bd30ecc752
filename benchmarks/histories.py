"""Large histories made cheaply by SQLite itself, and a count of what SQLite does for a call.

An account's first day holds enough jobs for every boundary of the standard plan, whatever its size, so that two
accounts of different sizes differ in nothing but the number of their jobs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, event, text

from tallystick.ledger import Ledger
from tallystick.model.instants import DAY, parse_instant

START: Final = parse_instant("2025-01-01T00:00:00Z")
DAYS: Final = 90
KEYS: Final = 10
FIRST_DAY_JOBS: Final = 5500
"""A few more than the last tier of the standard plan needs."""

PERIOD: Final = ("2025-01", "2025-03")
NOW: Final = START + DAYS * DAY

_JOBS: Final = """
    WITH RECURSIVE
        numbers (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < :jobs - 1),
        instants (i, instant) AS (
            SELECT i, CASE
                WHEN i < :first_day_jobs THEN :start + i * (:day / :first_day_jobs)
                ELSE :start + :day + (i - :first_day_jobs) * (:day * (:days - 1) / (:jobs - :first_day_jobs))
            END FROM numbers
        )
    INSERT INTO job (account_id, state, booked_at, id, key_id, completed_at, recorded_at,
                     tokens_transcription, tokens_note_generation)
    SELECT :account, 0, instant, printf('job_%09d', i), 1 + i % :keys, instant, :now, 100 + i % 901, i % 403
    FROM instants
"""

_SUMS: Final = "COUNT(*), SUM(tokens_transcription), SUM(tokens_note_generation)"
_DAYS: Final = f"""
    INSERT INTO usage_day (account_id, day, key_id, jobs, tokens_transcription, tokens_note_generation)
    SELECT account_id, booked_at / :day AS day, key_id, {_SUMS} FROM job WHERE account_id = :account
    GROUP BY day, key_id
"""
_MONTHS: Final = f"""
    INSERT INTO usage_month (account_id, month, key_id, jobs, tokens_transcription, tokens_note_generation)
    SELECT account_id, strftime('%Y', booked_at / 1000000, 'unixepoch') * 12
        + strftime('%m', booked_at / 1000000, 'unixepoch') - 1 AS month, key_id, {_SUMS}
    FROM job WHERE account_id = :account GROUP BY month, key_id
"""

GROUP_BY: Final = f"SELECT key_id, {_SUMS} FROM job WHERE account_id = :account AND state = 0 GROUP BY key_id"
"""What a report without rollups would have to begin with."""


def add_account(ledger: Ledger, name: str, jobs: int) -> int:
    """Gives a ledger over SQLite an account with so many live jobs over 90 days and ten keys; gives its number."""
    ledger.accounts.create(name)
    for number in range(1, KEYS + 1):
        ledger.accounts.create_key(name, f"key {number:02d}")
    with ledger._store.transaction() as connection:
        account: int = connection.execute(
            text("SELECT id FROM account WHERE name = :name"), {"name": name}
        ).scalar_one()
        _fill(connection, account, jobs)
    return account


def _fill(connection: Connection, account: int, jobs: int) -> None:
    values = {
        "account": account,
        "jobs": jobs,
        "first_day_jobs": FIRST_DAY_JOBS,
        "start": START,
        "day": DAY,
        "days": DAYS,
        "keys": KEYS,
        "now": NOW,
    }
    for statement in (_JOBS, _DAYS, _MONTHS):
        connection.execute(text(statement), values)
    connection.execute(
        text("UPDATE account_state SET version = 1, live_jobs = :jobs, recorded_at = :now WHERE account_id = :account"),
        values,
    )


def forget_boundaries(ledger: Ledger) -> None:
    """Throws away every boundary that is kept."""
    with ledger._store.transaction() as connection:
        connection.execute(text("DELETE FROM boundary_usage"))
        connection.execute(text("DELETE FROM boundary"))


class Cost(NamedTuple):
    """What SQLite did: steps of its virtual machine, and rows that it handed out."""

    steps: int
    rows: int


class Counter:
    """Counts what all connections of a ledger over SQLite do within `counting`."""

    def __init__(self, ledger: Ledger) -> None:
        self._engine = ledger._store._engine
        self._steps = 0
        self._rows = 0

    @property
    def cost(self) -> Cost:
        """What the last block cost."""
        return Cost(self._steps, self._rows)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Counts from zero what is done in the block."""
        self._steps = self._rows = 0
        event.listen(self._engine, "checkout", self._begin)
        event.listen(self._engine, "checkin", self._end)
        try:
            yield
        finally:
            event.remove(self._engine, "checkout", self._begin)
            event.remove(self._engine, "checkin", self._end)

    def _begin(self, connection: sqlite3.Connection, *_: Any) -> None:
        connection.row_factory = self._row
        connection.set_progress_handler(self._step, 1)

    def _end(self, connection: sqlite3.Connection, *_: Any) -> None:
        connection.row_factory = None
        connection.set_progress_handler(None, 1)

    def _step(self) -> int:
        self._steps += 1
        return 0

    def _row(self, _: sqlite3.Cursor, row: tuple[Any, ...]) -> tuple[Any, ...]:
        self._rows += 1
        return row
