"""Rows and lists in the shapes that statements take, on either engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, CursorResult
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

Value = TypeVar("Value")

MOST_IN_A_LIST: Final = 500
"""Values in one IN list; SQLite takes at most 32,766 parameters in a statement."""

_UNIQUE_VIOLATION: Final = "23505"
"""PostgreSQL's code of it."""

_MOST_ROWS: Final = 256
"""Rows in one statement of SQLite; more make it no faster."""

Columns = dict[str, str]
"""Column names and their types in PostgreSQL."""


def parts(values: Iterable[Value], size: int = MOST_IN_A_LIST) -> Iterator[list[Value]]:
    """The values in lists of at most `size`."""
    iterator = iter(values)
    while part := list(islice(iterator, size)):
        yield part


def is_storable(text: str) -> bool:
    """Whether a database can hold a text. PostgreSQL holds no NUL, neither engine a lone surrogate."""
    return "\0" not in text and text.encode(errors="replace").decode() == text


def is_sqlite(connection: Connection) -> bool:
    """Whether the connection is one to SQLite; otherwise it is one to PostgreSQL."""
    return connection.dialect.name == "sqlite"


def insert_or(connection: Connection) -> Any:
    """SQLAlchemy's ``insert`` of the engine, which knows ON CONFLICT."""
    return sqlite.insert if is_sqlite(connection) else postgresql.insert


def run(
    connection: Connection, statement: str, values: Sequence[Any] = (), options: Mapping[str, Any] | None = None
) -> CursorResult[Any]:
    """Runs a statement with ``?`` for its values past SQLAlchemy's compiler, which costs more than short statements."""
    if not is_sqlite(connection):
        statement = statement.replace("?", "%s")
    return connection.exec_driver_sql(statement, tuple(values), execution_options=options)


def for_each(
    connection: Connection, given: Columns, rows: Sequence[Sequence[Any]], select: str
) -> Iterator[Iterable[Sequence[Any]]]:
    """What a SELECT gives for each of some rows, in their order; it names their values as ``{column}``.

    Each answer is to be read before the next one is asked for, not necessarily to its end. SQLite runs the SELECT once
    for each row, past SQLAlchemy, which would cost more than a short statement, and stops where nobody reads on.
    PostgreSQL runs it for all rows at once, since each would cost a journey to the server.
    """
    if is_sqlite(connection):
        statement = select.format_map({column: f"?{number}" for number, column in enumerate(given, 1)})
        driver: Any = connection.connection.driver_connection
        return (driver.execute(statement, row) for row in rows)
    return iter(_for_all(connection, given, rows, select.format_map({column: f"given.{column}" for column in given})))


def _for_all(
    connection: Connection, given: Columns, rows: Sequence[Sequence[Any]], select: str
) -> list[list[Sequence[Any]]]:
    found: list[list[Sequence[Any]]] = [[] for _ in rows]
    if rows:
        arrays = ", ".join(f"%s::{kind}[]" for kind in given.values())
        columns = zip(zip(*rows, strict=True), given.values(), strict=True)
        for row in connection.exec_driver_sql(
            f"SELECT given.number, found.* FROM unnest({arrays}) WITH ORDINALITY AS given ({', '.join(given)}, number)"
            f" CROSS JOIN LATERAL ({select}) AS found",
            tuple(array_literal(column, kind) for column, kind in columns),
        ):
            found[row[0] - 1].append(row[1:])
    return found


def array_literal(values: Iterable[Any], kind: str) -> str:
    """An array as PostgreSQL writes it. The driver's own way looks at each value and costs more than the insert."""
    if kind == "text":
        quoted = (f'"{_escaped(value)}"' if "\\" in value or '"' in value else f'"{value}"' for value in values)
        return "{" + ",".join(quoted) + "}"
    return "{" + ",".join(map(str, values)) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def insert(connection: Connection, table: str, columns: Columns, rows: Sequence[Sequence[Any]], then: str = "") -> int:
    """Inserts rows, `then` being what follows (ON CONFLICT …); gives how many went in or were changed."""
    return _insert(connection, "INSERT", table, columns, rows, then)


def insert_new(connection: Connection, table: str, columns: Columns, rows: Sequence[Sequence[Any]]) -> int:
    """Inserts those rows that contradict no unique key; gives how many.

    In SQLite, OR IGNORE says the same as ON CONFLICT DO NOTHING but can never fail halfway, so that no copy of each
    page is kept for undoing the statement: that doubles its speed. A savepoint would bring the copies back.
    PostgreSQL looks twice into each unique index where there is an ON CONFLICT, which takes half as long again; as
    most rows are new, it is told only after it has found one that is not.
    """
    if is_sqlite(connection):
        return _insert(connection, "INSERT OR IGNORE", table, columns, rows, "")
    try:
        with connection.begin_nested():
            return _insert(connection, "INSERT", table, columns, rows, "")
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) != _UNIQUE_VIOLATION:
            raise
    return _insert(connection, "INSERT", table, columns, rows, "ON CONFLICT DO NOTHING")


def _insert(
    connection: Connection, verb: str, table: str, columns: Columns, rows: Sequence[Sequence[Any]], then: str
) -> int:
    """SQLite takes several rows a statement: one for each row would let go of the interpreter and take it up again
    each time, which costs more than the insert where other threads are busy. PostgreSQL takes them as one array
    for each column.
    """
    head = f"{verb} INTO {table} ({', '.join(columns)})"
    if not is_sqlite(connection):
        arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
        values = tuple(
            array_literal(column, kind) for column, kind in zip(zip(*rows, strict=True), columns.values(), strict=True)
        )
        return connection.exec_driver_sql(f"{head} SELECT * FROM unnest({arrays}) {then}", values).rowcount
    changed = 0
    iterator = iter(rows)
    for count in _lengths(len(rows)):
        values = tuple(chain.from_iterable(islice(iterator, count)))
        changed += connection.exec_driver_sql(_with_values(head, len(columns), count, then), values).rowcount
    return changed


def _lengths(rows: int) -> Iterator[int]:
    """Parts of so many rows, each a power of two: the driver has such a statement prepared already."""
    while rows:
        length = min(_MOST_ROWS, 1 << (rows.bit_length() - 1))
        yield length
        rows -= length


@lru_cache(maxsize=256)
def _with_values(head: str, columns: int, rows: int, then: str) -> str:
    row = f"({', '.join(['?'] * columns)})"
    return f"{head} VALUES {', '.join([row] * rows)} {then}"
