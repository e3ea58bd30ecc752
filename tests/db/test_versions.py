"""What a database's schema is can be seen without changing it; an upgrade says from what to what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tallystick.errors import StoreError
from tallystick.ledger import Ledger
from tallystick.ledger.maintenance import open_maintenance
from tallystick.store import migrations
from tallystick.store.database import Store
from tests.databases import Databases, SqliteDatabases, file_of, is_sqlite, run

TABLES = {
    "sqlite": "SELECT name FROM sqlite_schema",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}


@pytest.fixture
def empty(databases: Databases) -> Iterator[str]:
    """The address of a database that exists and has no tables."""
    with databases.empty() as address:
        if is_sqlite(address):
            file_of(address).touch()
        yield address


def tables(database: str) -> int:
    return len(run(database, TABLES["sqlite" if is_sqlite(database) else "postgresql"]))


def test_a_database_that_a_ledger_opened_is_current(database: str) -> None:
    with Ledger(database) as ledger:
        version = ledger.maintenance.version()
    assert (version.schema, version.program, version.state) == (migrations.HEAD, migrations.HEAD, "current")
    assert version.engine.startswith("SQLite 3." if is_sqlite(database) else "PostgreSQL 1")


def test_looking_at_an_empty_database_leaves_it_empty(empty: str) -> None:
    with open_maintenance(empty) as maintenance:
        version = maintenance.version()
    assert (version.schema, version.state) == (None, "empty")
    assert tables(empty) == 0


def test_an_empty_database_gets_its_tables_once(empty: str) -> None:
    with open_maintenance(empty) as maintenance:
        change = maintenance.upgrade()
        assert (change.before, change.after) == (None, migrations.HEAD)
        assert maintenance.version().state == "current"
        again = maintenance.upgrade()
    assert (again.before, again.after) == (migrations.HEAD, migrations.HEAD)


def test_a_schema_of_a_later_program_is_seen_and_left_alone(database: str) -> None:
    run(database, "UPDATE alembic_version SET version_num = '9999'")
    with open_maintenance(database) as maintenance:
        version = maintenance.version()
        assert (version.schema, version.state) == ("9999", "newer")
        with pytest.raises(StoreError, match="has schema 9999, which is newer") as caught:
            maintenance.upgrade()
    assert caught.value.code == "schema_too_new"
    assert run(database, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_a_schema_of_an_earlier_program_is_behind(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    had = migrations.HEAD
    monkeypatch.setattr(migrations, "HEAD", "9999")
    with open_maintenance(database) as maintenance:
        version = maintenance.version()
    assert (version.schema, version.program, version.state) == (had, "9999", "behind")


def test_a_ledger_that_is_to_make_no_database_makes_none(sqlite: SqliteDatabases) -> None:
    with sqlite.empty() as address:
        with pytest.raises(StoreError, match=r"there is no database .*tallystick\.db") as caught:
            Ledger(address, create=False)
        assert caught.value.code == "no_database"
        assert not file_of(address).exists()


def test_a_ledger_that_is_to_make_no_database_makes_no_tables(empty: str) -> None:
    with pytest.raises(StoreError, match="it has no tables") as caught:
        Ledger(empty, create=False)
    assert caught.value.code == "no_database"
    assert tables(empty) == 0


def test_a_ledger_that_is_to_make_no_database_brings_an_older_one_up_to_date(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(migrations, "HEAD", "0008")
        with closing(Store(empty)) as store:
            assert store.schema() == "0008"
    with Ledger(empty, create=False) as ledger:
        assert ledger.maintenance.version().state == "current"


def test_taking_care_of_a_file_that_is_not_there_makes_none(sqlite: SqliteDatabases) -> None:
    with sqlite.empty() as address:
        with (
            pytest.raises(StoreError, match=r"there is no database .*tallystick\.db") as caught,
            open_maintenance(address),
        ):
            pass
        assert caught.value.code == "no_database"
        assert not file_of(address).exists()
