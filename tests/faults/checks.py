"""What must hold of a database, whatever happened to those who wrote it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg

from tallystick.ledger import Ledger
from tallystick.ledger.maintenance import open_maintenance
from tallystick.model.maintenance import Difference
from tests.databases import file_of, is_sqlite
from tests.faults.workload import FIRST_MONTH, LAST_MONTH, ZONES, Document, Notes, Workload
from tests.properties.playing import digits, expected_digits
from tests.reference.rater import Account, Provider
from tests.reference.strategies import STANDARD
from tests.store import recount

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)

_STORED = (
    "SELECT account.name, job.id, api_key.name, job.completed_at, job.booked_at, job.state,"
    " job.tokens_transcription, job.tokens_note_generation"
    " FROM job JOIN account ON account.id = job.account_id"
    " JOIN api_key ON api_key.account_id = job.account_id AND api_key.id = job.key_id"
)


def prepare(database: str) -> tuple[str, str]:
    """Creates the workload's accounts; gives a token to send jobs with and one to read reports with."""
    with Ledger(database) as ledger:
        for name, zone in ZONES.items():
            ledger.accounts.create(name, time_zone=zone)
        return ledger.tokens.create("ingest").token, ledger.tokens.create("admin").token


def rows(database: str, query: str) -> list[tuple[Any, ...]]:
    """What the database itself answers, over a connection that nothing else shares."""
    if is_sqlite(database):
        with closing(sqlite3.connect(file_of(database))) as connection:
            return connection.execute(query).fetchall()
    with psycopg.connect(database) as connected:
        return connected.execute(query.encode()).fetchall()


def check_whole(database: str, workload: Workload, acknowledged: Collection[int]) -> None:
    """Each parcel is stored whole or not at all, and whole where it was acknowledged; may be asked at any moment."""
    stored = {(account, job_id) for account, job_id, *_ in rows(database, _STORED)}
    for index, parcel in enumerate(workload.parcels):
        found = sum((job["account"], job["id"]) in stored for job in parcel)
        assert found in (0, len(parcel)), f"of parcel {index} {found} of {len(parcel)} jobs are stored"
        assert found or index not in acknowledged, f"parcel {index} was acknowledged and is not stored"


def check_notes(notes: Notes) -> None:
    """Nothing was answered that should not be."""
    assert not notes.wrong, "\n".join(notes.wrong)


def check_end(database: str, workload: Workload, notes: Notes) -> None:
    """Everything: what was answered, what is stored, what is derived from it, and what is reported."""
    check_notes(notes)
    check_whole(database, workload, notes.acknowledged)
    stored = check_stored(database, workload)
    assert notes.accepted <= len(stored), "more jobs were acknowledged as new than are stored"
    check_derived(database)
    check_reports(database, stored)


def check_stored(database: str, workload: Workload) -> list[Document]:
    """Each stored job is there once, and as it was sent; gives them as they were sent."""
    found = rows(database, _STORED)
    times = Counter((account, job_id) for account, job_id, *_ in found)
    assert set(times.values()) <= {1}, [name for name, count in times.items() if count > 1]
    for account, job_id, key, completed_at, booked_at, state, *tokens in found:
        sent = workload.by_place[account, job_id]
        at = datetime.fromtimestamp(completed_at // 10**6, UTC)
        seen = (key, f"{at:%Y-%m-%dT%H:%M:%SZ}", state == 1, tokens)
        assert seen == (sent["api_key"], sent["completed_at"], sent["sandbox"], [*sent["tokens"].values()])
        assert booked_at == completed_at
    return [workload.by_place[name] for name in times]


def check_derived(database: str) -> None:
    """``db check`` finds nothing, and neither does a recount of ours."""
    differences = list[Difference]()
    with open_maintenance(database) as maintenance:
        maintenance.check(differences.append)
    assert not differences
    for (account_id,) in rows(database, "SELECT id FROM account"):
        recount.check_rollups(database, account_id)
        assert recount.stale_boundaries(database, account_id) == []


def check_reports(database: str, stored: list[Document]) -> None:
    """Each account's report is the reference's, of the jobs that are stored."""
    provider = Provider(accounts={name: Account(zone) for name, zone in ZONES.items()})
    provider.put_plan(STANDARD)
    assert all(provider.submit(job, NOW) == "accepted" for job in stored)
    with Ledger(database) as ledger:
        for name in ZONES:
            report = digits(ledger.usage(name, FIRST_MONTH, LAST_MONTH))
            expected = expected_digits(provider, name, FIRST_MONTH, LAST_MONTH, NOW)
            assert report == expected, f"the report of {name} is not the reference's"
