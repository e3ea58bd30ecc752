"""Opening a database, and the two ways to use it: a snapshot to read from, a transaction to write in."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tallystick.errors import StoreError, StoreUnavailable
from tallystick.store import migrations

BUSY_SECONDS: Final = 30
"""How long a writer waits for another process that is writing to the same SQLite file."""

_WRITES: Final = "tallystick_writes"


class Store:
    """An open database. Safe to share between threads.

    Raises `StoreError` where the database cannot be opened, saying why.
    """

    def __init__(self, database: str) -> None:
        self._engine = _make_engine(database)
        # SQLite has one writer. Waiting on a lock of our own is fair and wakes at once; SQLite's own waiting polls.
        self._writer = threading.Lock()
        try:
            with self.transaction() as connection:
                migrations.upgrade(connection)
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Ends every connection."""
        self._engine.dispose()

    def check_writable(self) -> None:
        """Raises `StoreError` where nothing can be written now."""
        with self.transaction() as connection:
            connection.exec_driver_sql("UPDATE counter SET value = value WHERE name = ''")

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection that reads the state of one moment, whatever is written meanwhile."""
        with _translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose writes become durable together when the block ends, or not at all when it raises."""
        with _translated(), self._writer, self._engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection


def _make_engine(database: str) -> Engine:
    try:
        url = make_url(database)
    except ArgumentError:
        raise StoreError(
            f"{database!r} is not a database address; use sqlite:///FILE", code="invalid_database"
        ) from None
    if url.get_backend_name() != "sqlite":
        raise StoreError(
            f"{url.get_backend_name()!r} is not a database that Tallystick knows; use sqlite:///FILE",
            code="invalid_database",
        )
    return _make_sqlite_engine(url)


def _make_sqlite_engine(url: URL) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise StoreError("a database in memory would be lost; name a file: sqlite:///FILE", code="invalid_database")
    folder = Path(str(url.database)).absolute().parent
    if not folder.is_dir():
        raise StoreError(f"there is no folder {folder} to hold the database", code="invalid_database")
    # Every thread of the server may hold a reader at once; an idle connection costs little.
    engine = create_engine(url, pool_size=8, max_overflow=64, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Python's module would begin transactions by itself, and not before reads; _begin_sqlite does it instead.
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "temp_store = MEMORY",
        "cache_size = -65536",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    # IMMEDIATE takes the write lock now: a transaction that reads first could not get it later.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _translated() -> Iterator[None]:
    """Turns what the driver raises into errors of ours, so that nobody above knows the driver."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise _store_error(error) from error
    except DBAPIError as error:
        raise StoreError(f"the database refused a statement: {error.orig}") from error
    except sqlite3.DatabaseError as error:
        raise _store_error(error) from error


def _store_error(error: Any) -> StoreError:
    reason = str(getattr(error, "orig", None) or error)
    if "unable to open" in reason or "not a database" in reason or "readonly" in reason:
        return StoreError(f"the database cannot be opened: {reason}")
    return StoreUnavailable(f"the database cannot be used now: {reason}")
