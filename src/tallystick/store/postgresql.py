"""PostgreSQL: several processes, several writers."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from tallystick.errors import StoreError

OLDEST: Final = 14
"""The oldest major version that is tried in tests of ours or known to have everything that is used."""

CONNECT_SECONDS: Final = 10
STATEMENT_SECONDS: Final = 300
LOCK_SECONDS: Final = 30
IDLE_SECONDS: Final = 120

SCHEMA_LOCK: Final = 7_421_001_533
"""The advisory lock of whoever changes the schema; the number means nothing."""


def make_engine(database: str) -> Engine:
    """An engine on the server that a libpq URI names. Raises `StoreError` where it cannot be used, saying why."""
    try:
        import psycopg
        from psycopg import conninfo
    except ImportError as error:
        raise StoreError(
            f"PostgreSQL needs psycopg: pip install 'tallystick[postgresql]' ({error})", code="invalid_database"
        ) from None
    try:
        parameters: dict[str, Any] = conninfo.conninfo_to_dict(database)
    except psycopg.ProgrammingError:
        # libpq's own words would repeat a part of the address, maybe of the password.
        raise StoreError("the database address is not one that libpq can read", code="invalid_database") from None
    parameters = {"connect_timeout": CONNECT_SECONDS, "application_name": "tallystick", **parameters}

    def connect() -> Any:
        # libpq reads the address itself, so that all of its forms work: sockets, several hosts, service files.
        return psycopg.connect(conninfo.make_conninfo(**parameters))

    engine = create_engine(
        "postgresql+psycopg://", creator=connect, pool_size=8, max_overflow=56, pool_pre_ping=True, pool_timeout=30
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "checkin", _let_the_server_say_who_writes)
    try:
        _check(engine)
    except StoreError:
        engine.dispose()
        raise
    return engine


def _prepare(connection: Any, _record: object) -> None:
    connection.execute(
        f"SET statement_timeout = '{STATEMENT_SECONDS}s'; SET lock_timeout = '{LOCK_SECONDS}s';"
        f" SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'; SET TIME ZONE 'UTC'"
    )
    connection.commit()


def _let_the_server_say_who_writes(connection: Any, _record: object) -> None:
    # Behind a reader SQLAlchemy leaves READ WRITE, which would be asked for even where the server is set to refuse.
    if connection is not None and not connection.closed:
        connection.read_only = None


def lift_limits(connection: Connection) -> None:
    """Lets a transaction that reads whole tables take its time, and plans for the last row, not for the first."""
    connection.exec_driver_sql(
        "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;"
        " SET LOCAL cursor_tuple_fraction = 1"
    )


def _check(engine: Engine) -> None:
    try:
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            version = driver.info.server_version // 10000
            encoding = driver.info.parameter_status("server_encoding")
    except OperationalError as error:
        raise StoreError(f"PostgreSQL cannot be reached: {str(error.orig).strip()}", code="unreachable") from None
    if version < OLDEST:
        raise StoreError(f"the server is PostgreSQL {version}; {OLDEST} or newer is needed", code="server_too_old")
    if encoding != "UTF8":
        raise StoreError(f"the database has the encoding {encoding}; UTF8 is needed", code="invalid_database")
