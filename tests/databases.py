"""Databases for the tests, of either engine, each as a ledger leaves a new one and cheap enough for every test.

A test that takes the fixture `database` runs once on each engine with the address of a database of its own.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote, urlsplit

import psycopg

from tallystick.ledger import Ledger
from tests.postgresql import Server, execute

ENGINES: Final = ("sqlite", "postgresql")

POSTGRES: Final = "TALLYSTICK_TEST_POSTGRES"
"""Names a PostgreSQL to be used instead of one that the tests start: a URI of somebody who may create databases."""

_numbers = count(1)


class Databases(Protocol):
    """Where databases of one engine come from. Every database is gone when its block ends."""

    @property
    def engine(self) -> str:
        """One of `ENGINES`."""

    def empty(self) -> Any:
        """A context manager for the address of a database without any table."""

    def fresh(self) -> Any:
        """The same with tables and the standard plan in it."""

    def copy(self, address: str) -> Any:
        """The same with everything in it that another has, which nobody uses now."""

    def close(self) -> None:
        """Removes what all of them share."""


class SqliteDatabases:
    """Files in a folder of their own."""

    engine = "sqlite"

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tallystick-"))

    @cached_property
    def _template(self) -> Path:
        # Making the tables takes far longer than copying them.
        file = self._folder / "template.db"
        Ledger(f"sqlite:///{file}").close()
        return file

    @contextmanager
    def empty(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            yield f"sqlite:///{folder}/tallystick.db"

    def fresh(self) -> Any:
        return self._copied(self._template)

    def copy(self, address: str) -> Any:
        return self._copied(file_of(address))

    @contextmanager
    def _copied(self, file: Path) -> Iterator[str]:
        with self.empty() as address:
            shutil.copyfile(file, file_of(address))
            yield address

    def close(self) -> None:
        shutil.rmtree(self._folder)


class PostgresqlDatabases:
    """Databases of a server: that which the environment names, otherwise one of our own."""

    engine = "postgresql"

    def __init__(self) -> None:
        self._named = os.environ.get(POSTGRES)
        self._prefix = f"tallystick_test_{os.getpid()}_{os.urandom(4).hex()}"

    @cached_property
    def server(self) -> Server:
        """A server of our own; also tests of what only its owner may do ask for it."""
        return Server().create()

    def address(self, name: str) -> str:
        """The address of a database on the server that is used."""
        if self._named is None:
            return self.server.uri(name)
        return urlsplit(self._named)._replace(path=f"/{quote(name)}").geturl()

    def execute(self, *statements: str) -> None:
        """Statements about databases and roles."""
        execute(self._named or self.server.uri("postgres"), statements)

    @cached_property
    def _template(self) -> str:
        name = f"{self._prefix}_template"
        self.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        Ledger(self.address(name)).close()
        return name

    @contextmanager
    def _created(self, template: str) -> Iterator[str]:
        name = f"{self._prefix}_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        try:
            yield self.address(name)
        finally:
            forget(self.address(name))
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def empty(self) -> Any:
        return self._created("template0")

    def fresh(self) -> Any:
        return self._created(self._template)

    def copy(self, address: str) -> Any:
        forget(address)
        return self._created(unquote(urlsplit(address).path.removeprefix("/")))

    def close(self) -> None:
        if self._named is not None and "_template" in self.__dict__:
            self.execute(f"DROP DATABASE {self._template} WITH (FORCE)")
        if "server" in self.__dict__:
            self.server.close()


def is_sqlite(database: str) -> bool:
    """Whether the address is that of a file."""
    return database.startswith("sqlite:")


def file_of(database: str) -> Path:
    """The file of a database of SQLite."""
    assert is_sqlite(database)
    return Path(database.removeprefix("sqlite:///"))


def run(database: str, statement: str, *arguments: object) -> list[Any]:
    """What the database itself answers, behind the ledger's back; ``?`` stands for the arguments on either engine."""
    if is_sqlite(database):
        with closing(sqlite3.connect(file_of(database))) as connection, connection:
            connection.execute("PRAGMA foreign_keys = ON")
            return connection.execute(statement, arguments).fetchall()
    cursor = _connected(database).execute(statement.replace("%", "%%").replace("?", "%s").encode(), arguments)
    return cursor.fetchall() if cursor.description else []


# A test asks its database many times, and PostgreSQL starts a process for each connection.
_connections: dict[str, psycopg.Connection[Any]] = {}


def _connected(database: str) -> psycopg.Connection[Any]:
    known = _connections.get(database)
    if known is None or known.closed:
        known = _connections[database] = psycopg.connect(database, autocommit=True)
    return known


def forget(database: str) -> None:
    known = _connections.pop(database, None)
    if known is not None:
        known.close()
