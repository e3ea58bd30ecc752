"""The migrations make exactly the described schema, once, whoever opens the database and however often."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from tallystick.errors import StoreError
from tallystick.ledger import Ledger
from tallystick.store import migrations, notices
from tallystick.store.database import Store
from tallystick.store.schema import METERED, metadata
from tests.databases import Databases, run
from tests.embedded import TABLES

VERSION = "SELECT version_num FROM alembic_version"


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[str]:
    """The address of a database without any table, of each engine in turn."""
    with databases.empty() as address:
        yield address


def opened_once(database: str) -> None:
    Store(database).close()


def described(database: str) -> dict[str, Any]:
    """What the database says of its tables, in words that do not depend on their order."""
    store = Store(database)
    try:
        with store.snapshot() as connection:
            inspector = inspect(connection)
            return {
                table: {
                    "columns": {
                        column["name"]: (str(column["type"]), column["nullable"], column["default"])
                        for column in inspector.get_columns(table)
                    },
                    "primary": inspector.get_pk_constraint(table)["constrained_columns"],
                    "unique": sorted(tuple(each["column_names"]) for each in inspector.get_unique_constraints(table)),
                    "foreign": sorted(
                        (tuple(each["constrained_columns"]), each["referred_table"], str(each["options"]))
                        for each in inspector.get_foreign_keys(table)
                    ),
                    "indexes": sorted(tuple(map(str, each["column_names"])) for each in inspector.get_indexes(table)),
                }
                for table in inspector.get_table_names()
                if table != "alembic_version"
            }
    finally:
        store.close()


def test_a_new_database_has_what_the_description_says_and_alembic_sees_no_difference(empty_database: str) -> None:
    store = Store(empty_database)
    with store.snapshot() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, metadata)
    store.close()
    assert differences == []


def test_the_tables_made_by_the_migrations_are_those_that_the_description_makes(
    databases: Databases, empty_database: str
) -> None:
    """Also keys, clustering and defaults, which Alembic does not compare."""
    with databases.empty() as other:
        engine_owner = Store(other)
        with engine_owner.transaction() as connection:
            metadata.drop_all(connection)
            metadata.create_all(connection)
        engine_owner.close()
        assert described(empty_database) == described(other)
    assert set(described(empty_database)) == set(TABLES)


def test_a_ledgers_database_adds_the_columns_of_its_meters_and_nothing_else(database: str) -> None:
    Ledger(database).close()
    store = Store(database)
    with store.snapshot() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    store.close()
    meters = ("tokens_transcription", "tokens_note_generation")
    assert sorted((what, table, column.name) for what, _, table, column in differences) == sorted(
        ("remove_column", table, meter) for table in METERED for meter in meters
    )


def test_the_newest_revision_is_the_one_that_opening_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_opening_again_changes_nothing(database: str) -> None:
    with Ledger(database) as ledger:
        ledger.accounts.create("acme")
    before = {table: run(database, f"SELECT * FROM {table}") for table in (*TABLES, "alembic_version")}
    tables = described(database)
    with Ledger(database) as ledger:
        assert ledger.accounts.get("acme").name == "acme"
    assert {table: run(database, f"SELECT * FROM {table}") for table in before} == before
    assert described(database) == tables


@pytest.mark.parametrize("found", [f"{int(migrations.HEAD) + 1:04}", "9999", "abcdef"])
def test_a_schema_that_this_program_does_not_know_is_left_alone(empty_database: str, found: str) -> None:
    opened_once(empty_database)
    run(empty_database, "UPDATE alembic_version SET version_num = ?", found)
    tables = run(empty_database, "SELECT * FROM account")
    with pytest.raises(StoreError, match=f"schema {found}.*newer than this program's {migrations.HEAD}") as caught:
        Store(empty_database)
    assert caught.value.code == "schema_too_new"
    assert run(empty_database, VERSION) == [(found,)]
    assert run(empty_database, "SELECT * FROM account") == tables


def test_a_look_that_was_asked_for_in_the_old_way_is_still_to_be_had(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(migrations, "HEAD", "0009")
        opened_once(empty_database)
    run(empty_database, "INSERT INTO account VALUES (1, 'asked', 'USD', 0), (2, 'told', 'USD', 0)")
    run(empty_database, "INSERT INTO account_state SELECT id, 7, 0, 0, NULL, 'UTC' FROM account")
    run(empty_database, "INSERT INTO notice_mark (account_id, version, announced) VALUES (1, -3, 1), (2, 7, 1)")
    with closing(Store(empty_database)) as store, store.snapshot() as connection:
        assert [account.name for account in notices.changed_after(connection, 0, limit=10)] == ["asked"]


def test_a_migration_that_fails_half_way_leaves_no_table_behind(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the power is gone")

    with monkeypatch.context() as patched:
        patched.setattr("alembic.operations.Operations.create_index", fail)
        with pytest.raises(RuntimeError, match="the power is gone"):
            Store(empty_database)
    store = Store(empty_database)
    with store.snapshot() as connection:
        assert migrations.version(connection) == migrations.HEAD
    store.close()
    assert run(empty_database, "SELECT COUNT(*) FROM job") == [(0,)]


OPEN = """
import sys
from tallystick.ledger import Ledger
print("ready", flush=True)
sys.stdin.readline()
with Ledger(sys.argv[1]) as ledger:
    job = {"id": sys.argv[2], "account": "acme", "api_key": "k", "completed_at": "2025-01-01T00:00:00Z", "tokens": {}}
    assert ledger.record([job]).accepted == 1
"""


def test_processes_that_open_a_new_database_at_the_same_time_all_succeed(empty_database: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, empty_database, f"job {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, "".join(error for _, error in ended)
    assert run(empty_database, VERSION) == [(migrations.HEAD,)]
    assert run(empty_database, "SELECT COUNT(*) FROM account") == [(1,)]
    assert run(empty_database, "SELECT live_jobs FROM account_state") == [(4,)]
    assert run(empty_database, "SELECT COUNT(*), SUM(jobs) FROM usage_month") == [(1, 4)]


def test_every_table_that_grows_with_the_jobs_leads_with_the_account(database: str) -> None:
    """So that it can be distributed by account: each primary and unique key of it holds the account too."""
    tables = described(database)
    for table in ("job", "usage_day", "usage_month", "boundary", "boundary_usage"):
        assert tables[table]["primary"][0] == "account_id"
        assert all(columns[0] == "account_id" for columns in tables[table]["unique"])
        assert all(columns[0] == "account_id" for columns in tables[table]["indexes"])


def test_no_committed_revision_is_named_twice_and_they_follow_each_other() -> None:
    folder = Path(migrations.__file__).parent / "versions"
    names = sorted(file.name for file in folder.glob("[0-9]*.py"))
    assert [re.match(r"\d+", name)[0] for name in names] == [  # type: ignore[index]
        f"{number:04d}" for number in range(1, len(names) + 1)
    ]
