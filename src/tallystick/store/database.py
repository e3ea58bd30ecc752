"""Opening a database, and the two ways to use it: a snapshot to read from, a transaction to write in."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tallystick.errors import StoreError, StoreUnavailable
from tallystick.model.maintenance import DatabaseVersion
from tallystick.store import migrations, postgresql, sqlite
from tallystick.store.rows import is_sqlite

_CONTENDED: Final = ("40P01", "40001")
"""PostgreSQL's codes of a deadlock and of a serialisation failure."""

_PASSING: Final = ("25006", "25P03", "25P04")
"""PostgreSQL's codes of a write on a standby, which may take over or has been put back, and of a transaction ended
because it did nothing or took too long. The driver does not count them among what may work again."""


_ATTEMPTS: Final = 3
"""How often a transaction is tried that other writers may stand in the way of."""

Written = TypeVar("Written")

__all__ = ["Connection", "Store", "WriteContended"]


class WriteContended(StoreUnavailable):
    """Two writers stood in each other's way and this one gave in; at once it will likely succeed."""

    code = "write_contended"


class Store:
    """An open database. Safe to share between threads.

    `database` is ``sqlite:///FILE`` or any address that libpq takes (``postgresql://…``). A new database gets its
    tables, unless `create=False`: then there must be one. An older one is brought up to date, unless `upgrade=False`:
    then it must exist and is taken as it is. Raises `StoreError` where it cannot be opened, saying why.
    """

    def __init__(self, database: str, *, create: bool = True, upgrade: bool = True) -> None:
        self._engine = _make_engine(database, create=create and upgrade)
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        # SQLite has one writer. Waiting on a lock of our own is fair and wakes at once; SQLite's own waiting polls.
        self._writer: AbstractContextManager[Any] = threading.Lock() if self.is_sqlite else nullcontext()
        try:
            if upgrade:
                if not create and self.schema() is None:
                    raise StoreError(
                        "there is no database of Tallystick at this address: it has no tables", code="no_database"
                    )
                self.upgrade()
        except BaseException:
            self._engine.dispose()
            raise

    def upgrade(self) -> str | None:
        """Brings the schema up to date and gives the revision that it had, `None` for a new database."""
        # Looked at first, since a replica lets nobody write and need not be written.
        before = self.schema()
        if before == migrations.HEAD:
            return before
        with self.transaction() as connection:
            if not is_sqlite(connection):
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({postgresql.SCHEMA_LOCK})")
            migrations.upgrade(connection)
        return before

    def schema(self) -> str | None:
        """The revision of the schema, `None` where there is none."""
        with self.snapshot() as connection:
            return migrations.version(connection)

    def version(self) -> DatabaseVersion:
        """The engine, the schema and how it stands to this program's."""
        with self.snapshot() as connection:
            release = connection.exec_driver_sql(
                "SELECT sqlite_version()" if self.is_sqlite else "SHOW server_version"
            ).scalar_one()
            schema = migrations.version(connection)
        return DatabaseVersion(
            engine=f"{'SQLite' if self.is_sqlite else 'PostgreSQL'} {release}",
            schema=schema,
            program=migrations.HEAD,
            state=migrations.state_of(schema),
        )

    def close(self) -> None:
        """Ends every connection."""
        self._engine.dispose()

    def check_writable(self) -> None:
        """Raises `StoreError` where nothing can be written now, be it that the disk is full: it writes, durably."""
        with self.transaction() as connection:
            connection.exec_driver_sql(
                "INSERT INTO counter (name, value) VALUES ('written', 1)"
                " ON CONFLICT (name) DO UPDATE SET value = counter.value + 1"
            )

    def size_bytes(self) -> int:
        """The size of the database: of its pages in SQLite, of its files in PostgreSQL."""
        query = (
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
            if self.is_sqlite
            else "SELECT pg_database_size(current_database())"
        )
        with self.snapshot() as connection:
            size: int = connection.exec_driver_sql(query).scalar_one()
        return size

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection that reads the state of one moment, whatever is written meanwhile. Works on a replica."""
        with _translated(), self._engine.connect() as plain:
            connection = plain
            if not self.is_sqlite:
                connection = plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose writes become durable together when the block ends, or not at all when it raises."""
        with _translated(), self._writer, self._engine.connect() as plain:
            connection = plain.execution_options(**{sqlite.WRITES: True})
            with connection.begin():
                yield connection

    def retried(self, write: Callable[[Connection], Written]) -> Written:
        """What `write` gives, in a transaction of its own, which is tried again where another writer stood in its way.

        Raises `WriteContended` where that goes on, and what `transaction` does.
        """
        for _ in range(_ATTEMPTS - 1):
            with suppress(WriteContended), self.transaction() as connection:
                return write(connection)
        with self.transaction() as connection:
            return write(connection)


def _make_engine(database: str, *, create: bool) -> Engine:
    scheme = database.partition(":")[0]
    if scheme == "sqlite":
        return sqlite.make_engine(database, create=create)
    if scheme in ("postgresql", "postgres"):
        return postgresql.make_engine(database)
    raise StoreError(
        "the database address is not one that Tallystick knows; use sqlite:///FILE or postgresql://…",
        code="invalid_database",
    )


@contextmanager
def _translated() -> Iterator[None]:
    """Turns what the driver raises into errors of ours, so that nobody above knows the driver."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise _store_error(error) from error
    except DBAPIError as error:
        if _no_database(str(error.orig)) or getattr(error.orig, "sqlstate", None) in _PASSING:
            raise _store_error(error) from error
        raise StoreError(f"the database refused a statement: {error.orig}") from error
    except sqlite3.DatabaseError as error:
        raise _store_error(error) from error


def _store_error(error: Any) -> StoreError:
    cause = getattr(error, "orig", None) or error
    reason = str(cause).strip()
    if getattr(cause, "sqlstate", None) in _CONTENDED:
        return WriteContended(f"other writers stood in the way: {reason}")
    if _no_database(reason):
        return StoreError(f"the database cannot be opened: {reason}")
    return StoreUnavailable(f"the database cannot be used now: {reason}")


def _no_database(reason: str) -> bool:
    """Whether SQLite's words mean that waiting will not help."""
    return any(words in reason for words in ("unable to open", "not a database", "image is malformed", "readonly"))
