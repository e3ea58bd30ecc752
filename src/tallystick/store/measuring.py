"""What the benchmark asks of a database behind the ledger's back: bare floors, and accounts of many jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection

from tallystick.model.accounts import KeyKind
from tallystick.model.instants import DAY, SECOND
from tallystick.model.months import Month
from tallystick.model.plans import Meter
from tallystick.store import accounts, jobs, plans
from tallystick.store import meters as meter_columns
from tallystick.store.database import Store
from tallystick.store.jobs import JobRow
from tallystick.store.rows import is_sqlite, parts, run
from tallystick.store.schema import LIVE

_FIRST_NUMBER: Final = 10**12
"""Makes the numbers of jobs equally long, so that their ids sort as they do."""


@contextmanager
def bare_connection(store: Store) -> Iterator[Any]:
    """A connection of the driver itself, as durable as all of the store's, outside of any transaction."""
    with store.transaction() as connection:
        driver: Any = connection.connection.driver_connection
        driver.commit()
        yield driver


def insert_bare(connection: Any, rows: Sequence[JobRow], meters: tuple[Meter, ...], *, commit_jobs: int) -> None:
    """Nothing but ``executemany`` into the table of jobs, a commit for every `commit_jobs`.

    `connection` is one of `bare_connection`.
    """
    names = jobs.column_names(meters)
    sqlite = type(connection).__module__ == "sqlite3"
    places = ", ".join(["?" if sqlite else "%s"] * len(names))
    statement = f"INSERT INTO job ({', '.join(names)}) VALUES ({places})"
    for part in parts([row.values() for row in rows], commit_jobs):
        cursor = connection.cursor()
        if sqlite:
            cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany(statement, part)
        connection.commit()


def select_one(connection: Connection) -> int:
    """The least that a read can ask."""
    found: int = connection.exec_driver_sql("SELECT 1").scalar_one()
    return found


def group_by(connection: Connection, account_id: int, meters: tuple[Meter, ...]) -> int:
    """A report without ranks, straight from the jobs: their number and tokens per key and month; gives its rows."""
    seconds = f"booked_at / {SECOND}"
    month = f"strftime('%Y-%m', {seconds}, 'unixepoch')"
    if not is_sqlite(connection):
        month = f"date_trunc('month', to_timestamp({seconds}))"
    sums = ", ".join(f"SUM({column})" for column in meter_columns.columns(meters))
    rows = run(
        connection,
        f"SELECT key_id, {month} AS month, COUNT(*), {sums} FROM job WHERE account_id = ? AND state = ?"
        " GROUP BY key_id, month",
        (account_id, LIVE),
    )
    return len(rows.all())


def add_account(connection: Connection, name: str, keys: Sequence[str], *, plan: str, now: int) -> int:
    """Registers an account in UTC and its keys; gives its number."""
    account_id = accounts.add_account(
        connection, name, time_zone="UTC", plan=plans.plan_named(connection, plan), now=now
    )
    assert account_id is not None
    for key in keys:
        accounts.add_key(connection, account_id, key, kind=KeyKind.LIVE, now=now)
    return account_id


def add_many(
    connection: Connection,
    account_id: int,
    numbers: range,
    meters: tuple[Meter, ...],
    *,
    start: int,
    step: int,
    keys: int,
) -> None:
    """Adds live jobs, the one of number n at `start` + n * `step`, without touching any rollup.

    The account's keys 1 to `keys` take turns.
    """
    source = "generate_series(?::bigint, ?::bigint) AS numbers (n)"
    if is_sqlite(connection):
        source = (
            "(WITH RECURSIVE numbers (n) AS (SELECT ? UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
            " SELECT n FROM numbers)"
        )
    moment = f"{start} + n * {step}"
    tokens = [f"n * {7919 + place} %s 5000" for place in range(len(meters))]
    key = f"1 + n %s {keys}"
    job_id = f"'job-' || ({_FIRST_NUMBER} + n)"
    values = ", ".join([str(account_id), str(LIVE), moment, job_id, key, moment, moment, *tokens])
    # The driver of PostgreSQL takes a single % for a placeholder.
    values = values.replace("%s", "%" if is_sqlite(connection) else "%%")
    run_numbers = (numbers.start, numbers.stop - 1)
    run(
        connection,
        f"INSERT INTO job ({', '.join(jobs.column_names(meters))}) SELECT {values} FROM {source}",
        run_numbers,
    )


def sum_up(connection: Connection, account_id: int, months: Sequence[Month], meters: tuple[Meter, ...]) -> None:
    """The rollups of an account in UTC that has none yet, and its count of live jobs, from its jobs."""
    columns = meter_columns.columns(meters)
    into = ", ".join(["key_id", "jobs", *columns])
    sums = ", ".join(f"SUM({column})" for column in columns)
    run(
        connection,
        f"INSERT INTO usage_day (account_id, day, {into}) SELECT account_id, booked_at / {DAY} AS day, key_id,"
        f" COUNT(*), {sums} FROM job WHERE account_id = ? AND state = ? GROUP BY account_id, day, key_id",
        (account_id, LIVE),
    )
    for month in months:
        run(
            connection,
            f"INSERT INTO usage_month (account_id, month, {into}) SELECT account_id, {month.index}, key_id, SUM(jobs),"
            f" {sums} FROM usage_day WHERE account_id = ? AND day BETWEEN ? AND ? GROUP BY account_id, key_id",
            (account_id, month.first_day, month.last_day),
        )
    run(
        connection,
        "UPDATE account_state SET version = version + 1, live_jobs ="
        " (SELECT SUM(jobs) FROM usage_month WHERE usage_month.account_id = account_state.account_id)"
        " WHERE account_id = ?",
        (account_id,),
    )


def settle(store: Store) -> None:
    """Does now what PostgreSQL would do by itself some time after so many jobs came in."""
    if not store.is_sqlite:
        with bare_connection(store) as connection:
            connection.autocommit = True
            connection.execute("VACUUM ANALYZE")
            connection.autocommit = False


def execute_alone(database: str, statement: str) -> None:
    """Runs a statement of PostgreSQL that takes no transaction."""
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statement.encode())


def version(connection: Connection) -> str:
    """The engine and its version, for people."""
    if is_sqlite(connection):
        return f"SQLite {connection.exec_driver_sql('SELECT sqlite_version()').scalar_one()}"
    number = connection.exec_driver_sql("SHOW server_version").scalar_one()
    return f"PostgreSQL {str(number).partition(' ')[0]}"
