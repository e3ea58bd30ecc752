"""A transaction becomes durable whole or not at all, and a snapshot shows one moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tallystick.errors import NotFound, StoreError
from tallystick.store import accounts, plans, quarantine, tokens
from tallystick.store.database import Connection, Store, WriteContended
from tallystick.store.rows import parts
from tests.databases import run

COUNT = "SELECT value FROM counter WHERE name = 'n'"


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    store = Store(database)
    yield store
    store.close()


def set_counter(store: Store, value: int) -> None:
    with store.transaction() as connection:
        connection.execute(text("DELETE FROM counter"))
        connection.execute(text("INSERT INTO counter (name, value) VALUES ('n', :value)"), {"value": value})


def fail_half_way(store: Store) -> None:
    with store.transaction() as connection:
        connection.execute(text("UPDATE counter SET value = 2"))
        raise KeyError("half way")


def insert_again(store: Store) -> None:
    with store.transaction() as connection:
        connection.execute(text("UPDATE counter SET value = 2"))
        connection.execute(text("INSERT INTO counter (name, value) VALUES ('n', 3)"))


def test_what_a_failing_block_wrote_is_gone(store: Store, database: str) -> None:
    set_counter(store, 1)
    with pytest.raises(KeyError, match="half way"):
        fail_half_way(store)
    assert run(database, COUNT) == [(1,)]
    set_counter(store, 3)
    assert run(database, COUNT) == [(3,)]


def test_a_statement_that_fails_undoes_the_whole_block_and_is_an_error_of_ours(store: Store, database: str) -> None:
    set_counter(store, 1)
    with pytest.raises(StoreError, match="the database refused a statement"):
        insert_again(store)
    assert run(database, COUNT) == [(1,)]


def test_a_snapshot_shows_one_moment_whatever_is_written_meanwhile(store: Store) -> None:
    set_counter(store, 1)
    with store.snapshot() as connection:
        assert connection.execute(text(COUNT)).scalar() == 1
        set_counter(store, 2)
        assert connection.execute(text(COUNT)).scalar() == 1
    with store.snapshot() as connection:
        assert connection.execute(text(COUNT)).scalar() == 2


def test_many_threads_may_write_at_once_and_none_is_lost(store: Store, database: str) -> None:
    set_counter(store, 0)
    start = threading.Barrier(8)

    def add_ten() -> None:
        start.wait()
        for _ in range(10):
            with store.transaction() as connection:
                connection.execute(text("UPDATE counter SET value = value + 1"))

    threads = [threading.Thread(target=add_ten) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run(database, COUNT) == [(80,)]


def test_a_check_that_the_store_can_be_written_writes_and_touches_nothing_else(store: Store, database: str) -> None:
    set_counter(store, 1)
    store.check_writable()
    store.check_writable()
    assert run(database, "SELECT name, value FROM counter ORDER BY name") == [("n", 1), ("written", 2)]


@pytest.mark.parametrize("name", ["nobody", "", "a\0b", "\ud800", "x" * 5000, "'; DROP TABLE account; --", "%s ? :x"])
def test_a_name_that_nobody_has_is_not_found_whatever_it_holds(store: Store, name: str) -> None:
    with store.snapshot() as connection:
        with pytest.raises(NotFound) as caught:
            accounts.account_named(connection, name)
        assert caught.value.code == "unknown_account"
        with pytest.raises(NotFound) as caught:
            plans.plan_named(connection, name)
        assert caught.value.code == "unknown_plan"
        with pytest.raises(NotFound) as caught:
            accounts.key_named(connection, 1, name)
        assert caught.value.code == "unknown_key"
        with pytest.raises(NotFound) as caught:
            tokens.token_numbered(connection, name)
        assert caught.value.code == "unknown_token"


def test_lists_longer_than_a_statement_takes_are_asked_in_parts(store: Store) -> None:
    assert [len(part) for part in parts(range(1201))] == [500, 500, 201]
    assert list(parts([])) == []
    names = [f"account {number}" for number in range(1201)]
    with store.transaction() as connection:
        plan = plans.plan_named(connection, "standard")
        for name in names[::400]:
            assert accounts.add_account(connection, name, time_zone="UTC", plan=plan, now=1) is not None
        assert set(accounts.account_ids(connection, names)) == set(names[::400])
        assert accounts.add_account(connection, names[0], time_zone="UTC", plan=plan, now=2) is None
        quarantine.remove(connection, range(40_000))


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_what_gave_in_to_another_writer_is_written_once_by_a_later_attempt(
    store: Store, database: str, failures: int
) -> None:
    set_counter(store, 0)
    attempts: list[None] = []

    def write(connection: Connection) -> str:
        connection.execute(text("UPDATE counter SET value = value + 1"))
        attempts.append(None)
        if len(attempts) <= failures:
            raise WriteContended("another writer stood in the way")
        return "written"

    assert store.retried(write) == "written"
    assert len(attempts) == failures + 1
    assert run(database, COUNT) == [(1,)]


def test_who_gives_in_again_and_again_is_told_and_has_written_nothing(store: Store, database: str) -> None:
    set_counter(store, 0)
    attempts: list[None] = []

    def write(connection: Connection) -> None:
        connection.execute(text("UPDATE counter SET value = value + 1"))
        attempts.append(None)
        raise WriteContended("another writer stood in the way")

    with pytest.raises(WriteContended):
        store.retried(write)
    assert len(attempts) == 3
    assert run(database, COUNT) == [(0,)]
