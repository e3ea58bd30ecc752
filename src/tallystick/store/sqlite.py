"""SQLite: one file, one writer, durable commits."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from tallystick.errors import StoreError

BUSY_SECONDS: Final = 30
"""How long a writer waits for another process that is writing to the same file."""

_SWITCH_PAUSE_SECONDS: Final = 0.01

WRITES: Final = "tallystick_writes"
"""The execution option of a connection that will write."""


def make_engine(database: str, *, create: bool = True) -> Engine:
    """An engine on the file that ``sqlite:///FILE`` names, which need not exist where `create`. Raises `StoreError`."""
    try:
        url = make_url(database)
    except ArgumentError:
        raise StoreError(
            f"{database!r} is not a database address; use sqlite:///FILE", code="invalid_database"
        ) from None
    if url.host or url.query or "\0" in database:
        raise StoreError("a file is named by sqlite:///FILE, without a host or parameters", code="invalid_database")
    name = url.database
    if name in (None, "", ":memory:"):
        raise StoreError("a database in memory would be lost; name a file: sqlite:///FILE", code="invalid_database")
    folder = Path(str(name)).absolute().parent
    if not folder.is_dir():
        raise StoreError(f"there is no folder {folder} to hold the database", code="invalid_database")
    if not create and not Path(str(name)).exists():
        raise StoreError(f"there is no database {name}", code="no_database")
    # Every thread of the server may hold a reader at once. The connection used last is used again: it has the newest
    # pages, and the others need not hold 16 MiB of them each.
    engine = create_engine(
        database, pool_size=8, max_overflow=64, pool_use_lifo=True, connect_args={"timeout": BUSY_SECONDS}
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    # Python's module would begin transactions by itself, and not before reads; _begin does it instead.
    connection.isolation_level = None
    _use_wal(connection)
    for pragma in (
        "synchronous = FULL",
        "foreign_keys = ON",
        "temp_store = MEMORY",
        "cache_size = -8192",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switches to write-ahead logging, which the file remembers from then on.

    SQLite's own waiting does not cover the switch: where several processes open a new file at once, all but one are
    told at once that it is locked.
    """
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # The low byte is the kind of error; the rest is detail.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_SWITCH_PAUSE_SECONDS)
        else:
            return


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    # IMMEDIATE takes the write lock now: a transaction that reads first could not get it later.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
