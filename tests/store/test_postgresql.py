"""What only PostgreSQL has: addresses, passwords, limits of time, connections that break, standbys."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Final

import pytest
from sqlalchemy import text

from tallystick.errors import StoreError, StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.store import postgresql as engine
from tallystick.store import states
from tallystick.store.database import Store
from tests.databases import PostgresqlDatabases, run
from tests.postgresql import OLDER, Server, execute

PASSWORD: Final = "p@ss/wörd: 100% ‘s3cret’ \\'\" ?host=#"
JANUARY: Final = ("2025-01", "2025-01")


def job(job_id: str = "1", **fields: Any) -> dict[str, Any]:
    return {
        "id": job_id,
        "account": "acme",
        "api_key": "key",
        "completed_at": "2025-01-11T20:12:01Z",
        "tokens": {"transcription": 5},
        **fields,
    }


@pytest.fixture
def server(postgresql: PostgresqlDatabases) -> Server:
    """A server of our own, also where the environment names another."""
    return postgresql.server


@pytest.fixture
def database(postgresql: PostgresqlDatabases) -> Iterator[str]:
    """A fresh database of PostgreSQL."""
    with postgresql.fresh() as address:
        yield address


@pytest.fixture
def locked(server: Server) -> Iterator[str]:
    """A database of somebody who needs a password to enter it, and its name."""
    literal = PASSWORD.replace("'", "''").replace("\\", "\\\\")
    admin = server.uri("postgres")
    execute(admin, [f"CREATE ROLE locked LOGIN PASSWORD E'{literal}'", "CREATE DATABASE safe OWNER locked"])
    yield "safe"
    execute(admin, ["DROP DATABASE safe WITH (FORCE)", "DROP ROLE locked"])


def refusal(database: str, secret: str = "") -> StoreError:
    """Why a database cannot be opened; nothing that is shown of it holds the secret."""
    with pytest.raises(StoreError) as caught:
        Store(database)
    assert not secret or secret not in "".join(traceback.format_exception(caught.value))
    return caught.value


def closed_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


# Opening.


def test_a_server_that_cannot_be_reached_is_named(server: Server) -> None:
    error = refusal(f"postgresql://somebody:s3cret@127.0.0.1:{closed_port()}/ledger", "s3cret")
    assert error.code == "unreachable"
    assert "cannot be reached" in error.detail
    assert "127.0.0.1" in error.detail
    error = refusal("postgresql://somebody:s3cret@/ledger?host=/nowhere", "s3cret")
    assert error.code == "unreachable"
    assert "/nowhere" in error.detail


@pytest.mark.parametrize("address", [Server.uri, Server.tcp_uri], ids=["socket", "tcp"])
def test_a_wrong_password_is_called_that_and_never_shown(
    server: Server, locked: str, address: Callable[..., str]
) -> None:
    error = refusal(address(server, locked, user="locked", password="wr0ng"), "wr0ng")
    assert error.code == "unreachable"
    assert 'password authentication failed for user "locked"' in error.detail
    assert "no password" in refusal(address(server, locked, user="locked")).detail


@pytest.mark.parametrize("address", [Server.uri, Server.tcp_uri], ids=["socket", "tcp"])
def test_the_right_password_opens_whatever_characters_it_has(
    server: Server, locked: str, address: Callable[..., str]
) -> None:
    with Ledger(address(server, locked, user="locked", password=PASSWORD)) as ledger:
        assert ledger.record([job()]).accepted == 1


def test_a_database_that_does_not_exist_is_named(postgresql: PostgresqlDatabases) -> None:
    error = refusal(postgresql.address("never_made"))
    assert error.code == "unreachable"
    assert 'database "never_made" does not exist' in error.detail


def test_somebody_who_may_not_make_tables_is_told_so(server: Server, locked: str) -> None:
    execute(server.uri(locked), ["ALTER DATABASE safe OWNER TO postgres", "REVOKE CREATE ON SCHEMA public FROM PUBLIC"])
    error = refusal(server.uri(locked, user="locked", password=PASSWORD), PASSWORD)
    assert "permission denied for schema public" in error.detail


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://somebody:s3cret@[::1/ledger",
        "postgresql://somebody:s3%zzcret@127.0.0.1/ledger",
        "postgresql://somebody:s3cret@127.0.0.1/ledger?password=s3cret&pasword=s3cret",
        "postgresql://somebody:s3cret@127.0.0.1/s3cret%00",
    ],
)
def test_an_address_that_libpq_cannot_read_is_refused_without_repeating_it(address: str) -> None:
    error = refusal(address, "cret")
    assert error.code == "invalid_database"
    assert "not one that libpq can read" in error.detail


def test_an_older_server_is_refused_with_both_versions(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "OLDEST", 99)
    error = refusal(database)
    assert error.code == "server_too_old"
    assert error.detail.startswith("the server is PostgreSQL ")
    assert error.detail.endswith("; 99 or newer is needed")


def test_an_encoding_that_lacks_most_characters_is_refused(server: Server) -> None:
    admin = server.uri("postgres")
    execute(admin, ["CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"])
    error = refusal(server.uri("latin"))
    execute(admin, ["DROP DATABASE latin"])
    assert error.code == "invalid_database"
    assert "LATIN1" in error.detail


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    error = refusal("postgresql://somebody:s3cret@127.0.0.1/ledger", "s3cret")
    assert "tallystick[postgresql]" in error.detail


def test_every_form_of_an_address_leads_to_the_same_database(server: Server, locked: str) -> None:
    """Over TCP, over a Unix socket, by the short scheme, and where the first of several hosts is down."""
    port, folder = str(server.port), str(server.folder)
    addresses = [
        server.uri(locked),
        server.tcp_uri(locked),
        server.tcp_uri(locked).replace("postgresql://", "postgres://"),
        f"postgresql:///{locked}?user=postgres&host={folder}&port={port}",
        f"postgresql://postgres@127.0.0.1:{closed_port()},127.0.0.1:{port}/{locked}",
        f"postgresql:///{locked}?user=postgres&host=/nowhere,{folder}&port={port}&target_session_attrs=read-write",
    ]
    for number, address in enumerate(addresses):
        with Ledger(address) as ledger:
            assert ledger.record([job(str(number))]).accepted == 1
            assert ledger.usage("acme", *JANUARY).totals.jobs == number + 1


def test_an_older_release_that_is_said_to_do_does() -> None:
    server = Server(OLDER).create()
    try:
        with Ledger(server.uri("postgres")) as ledger:
            assert ledger.record([job(str(number)) for number in range(300)]).accepted == 300
            assert ledger.record([job("7"), job("301")]).duplicates == 1
            assert ledger.usage("acme", *JANUARY).totals.jobs == 301
    finally:
        server.close()


# What is stored.


def test_text_that_must_sort_by_its_bytes_does_so_under_any_locale(database: str) -> None:
    found = run(
        database,
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND collation_name = 'C'",
    )
    expected = {("job", "id"), ("boundary", "job_id"), ("account", "name"), ("api_key", "name"), ("plan", "name")}
    assert set(found) >= expected


@pytest.mark.parametrize("strange", ['"', "\\", '\\"', "{}", "{a,b}", "NULL", "'; --", "%s", "?", "a b", "é\U00010000"])
def test_ids_and_names_may_hold_what_arrays_and_statements_are_written_with(database: str, strange: str) -> None:
    sent = job(strange, account=f"{strange} account", api_key=f"{strange} key")
    with Ledger(database) as ledger:
        assert ledger.record([sent, job("other")]).accepted == 2
        assert ledger.record([sent]).duplicates == 1
        (entry,) = ledger.jobs(f"{strange} account", *JANUARY).jobs
        assert (entry.id, entry.api_key) == (strange, f"{strange} key")


# Limits of time, and connections that break.


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of a fifth of a second."""
    for limit in ("STATEMENT_SECONDS", "LOCK_SECONDS", "IDLE_SECONDS"):
        monkeypatch.setattr(engine, limit, 0.2)


@pytest.mark.usefixtures("impatient")
def test_a_statement_that_takes_too_long_is_ended_and_the_store_goes_on(database: str) -> None:
    with closing(Store(database)) as store:
        for opened in (store.snapshot, store.transaction):
            with pytest.raises(StoreUnavailable, match="statement timeout"), opened() as connection:
                connection.execute(text("SELECT pg_sleep(60)"))
        store.check_writable()


def test_who_waits_too_long_for_a_lock_gives_up_and_the_holder_goes_on(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LOCK_SECONDS", 0.2)
    with Ledger(database) as ledger, closing(Store(database)) as store:
        ledger.record([job("1")])
        with store.transaction() as connection:
            states.lock(connection, [1])
            with pytest.raises(StoreUnavailable, match="lock timeout"):
                ledger.record([job("2")])
        assert ledger.record([job("1"), job("2")]).accepted == 1


@pytest.mark.usefixtures("impatient")
def test_a_transaction_that_somebody_forgot_lets_go_of_its_locks(database: str) -> None:
    with Ledger(database) as ledger, closing(Store(database)) as store:
        ledger.record([job("1")])

        def forget() -> None:
            with store.transaction() as connection:
                states.lock(connection, [1])
                connection.execute(text("DELETE FROM job"))
                time.sleep(0.5)
                assert ledger.record([job("2")]).accepted == 1

        with pytest.raises(StoreUnavailable, match=r"idle-in-transaction timeout|connection is lost"):
            forget()
        assert ledger.usage("acme", *JANUARY).totals.jobs == 2


def cut_connections(database: str) -> int:
    """Ends every other connection to the database; gives how many there were."""
    return len(
        run(
            database,
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
    )


def test_connections_that_were_cut_while_idle_are_replaced_unnoticed(database: str) -> None:
    with Ledger(database) as ledger:
        assert ledger.record([job("1")]).accepted == 1
        assert cut_connections(database) > 0
        assert ledger.record([job("2")]).accepted == 1
        assert cut_connections(database) > 0
        assert ledger.usage("acme", *JANUARY).totals.jobs == 2


def test_of_a_transaction_that_is_cut_nothing_is_stored(database: str) -> None:
    with closing(Store(database)) as store:

        def write_and_be_cut() -> None:
            with store.transaction() as connection:
                connection.execute(text("INSERT INTO counter (name, value) VALUES ('half', 1)"))
                assert cut_connections(database) > 0

        with pytest.raises(StoreUnavailable):
            write_and_be_cut()
        store.check_writable()
    assert run(database, "SELECT * FROM counter WHERE name = 'half'") == []


def test_a_server_that_crashes_keeps_what_was_acknowledged_and_is_found_again() -> None:
    server = Server().create()
    try:
        with Ledger(server.uri("postgres")) as ledger:
            assert ledger.record([job("1")]).accepted == 1
            server.stop(signal.SIGQUIT)
            with pytest.raises(StoreUnavailable):
                ledger.record([job("2")])
            with pytest.raises(StoreUnavailable):
                ledger.usage("acme", *JANUARY)
            with pytest.raises(StoreUnavailable):
                ledger.check_ready()
            server.start()
            ledger.check_ready()
            assert ledger.record([job("1"), job("2")]).accepted == 1
            assert ledger.usage("acme", *JANUARY).totals.jobs == 2
    finally:
        server.close()


def test_many_threads_share_fewer_connections(database: str) -> None:
    with Ledger(database) as ledger:
        ledger.record([job()])
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda: found.append(ledger.usage("acme", *JANUARY).totals.jobs))
            for _ in range(100)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [1] * 100


# Where nobody may write.


def crossing(number: int) -> list[dict[str, Any]]:
    """Jobs of one day, more than are free, so that a report has a boundary to derive."""
    return [job(f"{number} {each}") for each in range(150)]


def check_reads_only(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """Reports are complete, boundaries are not kept, and whoever writes is told why that fails."""
    with caplog.at_level(logging.INFO, "tallystick.ledger"):
        totals = ledger.usage("acme", *JANUARY).totals
        assert ledger.daily("acme", "2025-01-01", "2025-01-31").days[10].jobs == totals.jobs
        assert len(ledger.jobs("acme", *JANUARY, limit=1000).jobs) == totals.jobs
        assert ledger.usage_of_accounts(*JANUARY).accounts[0].jobs == totals.jobs
    assert "were not kept: the database cannot be used now: cannot execute" in caplog.text
    for write in (
        lambda: ledger.record([job("new")]),
        lambda: ledger.accounts.create("new"),
        lambda: ledger.tokens.create("admin"),
        ledger.check_ready,
    ):
        with pytest.raises(StoreUnavailable, match="in a read-only transaction"):
            write()


def test_a_database_that_takes_no_writes_serves_reports(database: str, caplog: pytest.LogCaptureFixture) -> None:
    with Ledger(database) as ledger:
        ledger.record(crossing(1))
    name = run(database, "SELECT current_database()")[0][0]
    run(database, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with Ledger(database) as ledger:
        check_reads_only(ledger, caplog)
        assert ledger.usage("acme", *JANUARY).totals.jobs == 150
    assert run(database, "SELECT * FROM boundary") == []


def test_a_standby_serves_the_primarys_reports_and_takes_over_when_promoted(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    execute(server.uri("postgres"), ["CREATE DATABASE followed"])
    try:
        with Ledger(server.uri("followed")) as ledger:
            ledger.record(crossing(1))
            standby = server.copy()
            try:
                ledger.record(crossing(2))
                follow_and_take_over(standby, ledger, caplog)
            finally:
                standby.close()
    finally:
        execute(server.uri("postgres"), ["DROP DATABASE followed WITH (FORCE)"])


def follow_and_take_over(standby: Server, primary: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    with Ledger(standby.uri("followed")) as ledger:
        give_up = time.monotonic() + 60
        while ledger.usage("acme", *JANUARY).totals.jobs < 300:
            assert time.monotonic() < give_up, standby.log()
            time.sleep(0.02)
        check_reads_only(ledger, caplog)
        assert ledger.usage("acme", *JANUARY) == primary.usage("acme", *JANUARY)
        standby.call("pg_ctl", "promote", "--pgdata", str(standby.data), "--wait")
        assert ledger.record([job("new")]).accepted == 1
        assert ledger.usage("acme", *JANUARY).totals.jobs == 301
    assert primary.usage("acme", *JANUARY).totals.jobs == 300
