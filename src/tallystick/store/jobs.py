"""The ledger: jobs as they are stored, appended and walked."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from tallystick.model.plans import Meter
from tallystick.store import meters as meter_columns
from tallystick.store.rows import placeholders
from tallystick.store.schema import LIVE

_COLUMNS = ("account_id", "state", "booked_at", "id", "key_id", "completed_at", "recorded_at")


class JobRow(NamedTuple):
    """A job as stored; `tokens` in the order of the deployment's meters."""

    account_id: int
    state: int
    booked_at: int
    id: str
    key_id: int
    completed_at: int
    recorded_at: int
    tokens: tuple[int, ...]


class Position(NamedTuple):
    """Where a job stands in its account's order of live jobs."""

    booked_at: int
    id: str


def append(connection: Connection, rows: Sequence[JobRow], meters: tuple[Meter, ...]) -> dict[tuple[int, str], JobRow]:
    """Stores the jobs whose ids are new to their accounts, and gives the stored ones of all others.

    `rows` hold each (account, id) once. A repeat is rare, so everything is tried at once and undone where
    fewer rows than given went in.
    """
    statement = _insert(meters)
    values = [(*row[:-1], *row.tokens) for row in rows]
    if not values:
        return {}
    connection.exec_driver_sql("SAVEPOINT append")
    before = _changes(connection)
    connection.exec_driver_sql(statement, values)
    if _changes(connection) - before == len(values):
        connection.exec_driver_sql("RELEASE append")
        return {}
    connection.exec_driver_sql("ROLLBACK TO append")
    connection.exec_driver_sql("RELEASE append")
    known = find(connection, [(row.account_id, row.id) for row in rows], meters)
    fresh = [value for row, value in zip(rows, values, strict=True) if (row.account_id, row.id) not in known]
    if fresh:
        connection.exec_driver_sql(statement, fresh)
    return known


def find(
    connection: Connection, wanted: Collection[tuple[int, str]], meters: tuple[Meter, ...]
) -> dict[tuple[int, str], JobRow]:
    """The stored jobs among the wanted (account, id) pairs, in any state."""
    # CROSS JOIN keeps SQLite's planner from walking the ledger instead of the list.
    rows = connection.exec_driver_sql(
        f"SELECT {_select(meters, 'job.')} FROM json_each(?) AS wanted CROSS JOIN job"
        " ON job.account_id = json_extract(wanted.value, '$[0]') AND job.id = json_extract(wanted.value, '$[1]')",
        (json.dumps(list(wanted)),),
    )
    return {(row.account_id, row.id): row for row in map(_job_row, rows)}


def live_page(
    connection: Connection,
    account_id: int,
    meters: tuple[Meter, ...],
    *,
    after: Position,
    before: int,
    limit: int,
) -> list[JobRow]:
    """At most `limit` live jobs behind a position and booked before an instant, in rank order."""
    rows = connection.exec_driver_sql(
        f"SELECT {_select(meters)} FROM job WHERE account_id = ? AND state = ?"
        " AND (booked_at, id) > (?, ?) AND booked_at < ? ORDER BY booked_at, id LIMIT ?",
        (account_id, LIVE, *after, before, limit),
    )
    return [_job_row(row) for row in rows]


def count_live(connection: Connection, account_id: int, *, start: int, through: Position) -> int:
    """How many live jobs are booked from an instant on and not behind a position; walks just those."""
    found: int = connection.exec_driver_sql(
        "SELECT COUNT(*) FROM job WHERE account_id = ? AND state = ? AND booked_at >= ? AND (booked_at, id) <= (?, ?)",
        (account_id, LIVE, start, *through),
    ).scalar_one()
    return found


def walk_live(connection: Connection, account_id: int, meters: tuple[Meter, ...]) -> Iterator[JobRow]:
    """Every live job of an account in rank order, read as it goes."""
    rows = connection.execution_options(stream_results=True).exec_driver_sql(
        f"SELECT {_select(meters)} FROM job WHERE account_id = ? AND state = ? ORDER BY booked_at, id",
        (account_id, LIVE),
    )
    return map(_job_row, rows)


def _insert(meters: tuple[Meter, ...]) -> str:
    columns = [*_COLUMNS, *meter_columns.columns(meters)]
    return f"INSERT INTO job ({', '.join(columns)}) VALUES ({placeholders(columns)}) ON CONFLICT DO NOTHING"


def _select(meters: tuple[Meter, ...], prefix: str = "") -> str:
    return ", ".join(prefix + column for column in (*_COLUMNS, *meter_columns.columns(meters)))


def _job_row(row: Sequence[Any]) -> JobRow:
    return JobRow._make([*row[: len(_COLUMNS)], tuple(row[len(_COLUMNS) :])])


def _changes(connection: Connection) -> int:
    driver: Any = connection.connection.driver_connection
    changes: int = driver.total_changes
    return changes
