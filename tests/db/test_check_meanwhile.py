"""Checks and repairs while jobs come in: nothing is told that is not so, and nothing that came in is lost."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta

import pytest

from tallystick.errors import StoreError
from tallystick.ledger.maintenance import open_maintenance
from tallystick.report import growth
from tallystick.settings import Settings
from tallystick.store import repair
from tallystick.store.database import Store
from tests.databases import PostgresqlDatabases, run
from tests.db import filled
from tests.db.filled import ACME, check, report, told
from tests.db.meanwhile import going_on, wait_until
from tests.embedded import NOW, Deploy, Deployment, Document, job
from tests.postgresql import execute

ZONES = ("UTC", "America/St_Johns", "Asia/Beirut", "Pacific/Apia", "Asia/Kolkata")


def random_job(randomness: random.Random, number: int) -> Document:
    moment = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=randomness.randrange(60 * 86400))
    kind = randomness.choice(("live a", "live b", "sandbox"))
    return {
        "id": f"{randomness.randrange(10**6)}-{number}",
        "account": f"account {randomness.randrange(4)}",
        "api_key": kind,
        "completed_at": moment.isoformat(),
        "tokens": {"transcription": randomness.randrange(1000), "note_generation": randomness.randrange(1000)},
        "sandbox": kind == "sandbox",
    }


def register(deployment: Deployment, randomness: random.Random) -> None:
    for number in range(4):
        deployment.ledger.accounts.create(f"account {number}", time_zone=randomness.choice(ZONES))


def test_random_histories_in_random_zones_have_nothing_that_differs(
    deployment: Deployment, randomness: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Backfilled in any order and batches, with boundaries kept and thrown away in between."""
    monkeypatch.setattr(growth, "NEAR", 0)  # else these few jobs are sooner read than their boundaries kept
    register(deployment, randomness)
    for start in range(0, 1200, 200):
        sent = [random_job(randomness, number) for number in range(start, start + 200)]
        assert deployment.ledger.record(sent).accepted == 200
        deployment.ledger.usage(f"account {randomness.randrange(4)}", "2025-01", "2025-03")
        deployment.ledger.usage_of_accounts("2025-01", "2025-03")
    assert deployment.count("boundary") > 0
    found, result = check(deployment)
    assert (found, result.jobs) == ([], 1200)


def test_a_check_while_jobs_come_in_tells_no_difference(deployment: Deployment, randomness: random.Random) -> None:
    register(deployment, randomness)
    sent = [0]

    def send_and_read() -> None:
        deployment.ledger.record([random_job(randomness, sent[0] + n) for n in range(20)])
        sent[0] += 20
        deployment.ledger.usage(f"account {randomness.randrange(4)}", "2025-01", "2025-03")

    checked_meanwhile: set[int] = set()

    def ten_states_are_checked() -> bool:
        found, result = check(deployment)
        assert found == []
        checked_meanwhile.add(result.jobs)
        return len(checked_meanwhile) == 10

    with going_on(send_and_read):
        wait_until(ten_states_are_checked)
    assert check(deployment)[1].jobs == sent[0]


def test_a_repair_while_jobs_come_in_loses_none_and_counts_none_twice(
    deployment: Deployment, deploy: Deploy, randomness: random.Random
) -> None:
    """The writer is another process's as far as the ledger can tell: it has a store of its own."""
    register(deployment, randomness)
    writer = deploy()
    sent = [0]

    def send() -> None:
        writer.ledger.record([random_job(randomness, sent[0] + n) for n in range(20)])
        sent[0] += 20

    with going_on(send) as steps:
        for tampering in ("UPDATE usage_day SET jobs = jobs + 1", "DELETE FROM usage_day"):
            steps.wait_for(3)
            # One row: a statement over several would wait for the writer, and the writer for it.
            one = "(SELECT account_id, day, key_id FROM usage_day LIMIT 1)"
            deployment.rows(f"{tampering} WHERE (account_id, day, key_id) = {one}")
            assert deployment.ledger.maintenance.repair().repaired > 0
            assert [told(difference) for difference in check(deployment)[0]] == []
    counted = deployment.value("SELECT SUM(jobs) FROM usage_month")
    assert counted == deployment.value("SELECT COUNT(*) FROM job WHERE state = 0")
    assert check(deployment)[1].jobs == sent[0]


def test_jobs_of_an_account_that_is_being_rebuilt_wait_for_its_end(postgresql: PostgresqlDatabases) -> None:
    """PostgreSQL has several writers; SQLite has one, which a repair is."""
    with postgresql.fresh() as database:
        deployment = Deployment(database, Settings(), NOW)
        filled.fill(deployment)
        deployment.rows(f"UPDATE usage_day SET jobs = 0 WHERE account_id = {ACME}")
        store = Store(database)
        sender = threading.Thread(target=deployment.ledger.record, args=[[job("late", api_key="first")]])
        with store.transaction() as connection:
            repair.rebuild(connection, [1])
            sender.start()
            wait_until(lambda: run(database, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
            assert deployment.value("SELECT COUNT(*) FROM job WHERE id = 'late'") == 0
        sender.join()
        store.close()
        assert check(deployment)[0] == []
        assert report(deployment)["totals"]["jobs"] == 120
        assert deployment.ledger.usage("acme", "2025-06", "2025-06").totals.jobs == 1
        deployment.ledger.close()


def test_a_standby_is_checked_and_not_repaired(postgresql: PostgresqlDatabases) -> None:
    server = postgresql.server
    execute(server.uri("postgres"), ["CREATE DATABASE checked"])
    deployment = Deployment(server.uri("checked"), Settings(), NOW)
    filled.fill(deployment)
    deployment.rows(f"UPDATE usage_month SET jobs = 59 WHERE account_id = {ACME} AND key_id = 1")
    deployment.ledger.close()
    standby = server.copy()
    try:
        with open_maintenance(standby.uri("checked")) as maintenance:
            assert maintenance.check().differences == 1
            with pytest.raises(StoreError, match=r"read-only|recovery"):
                maintenance.repair()
            assert maintenance.check().differences == 1
    finally:
        standby.close()
        execute(server.uri("postgres"), ["DROP DATABASE checked WITH (FORCE)"])
