"""A check names exactly what differs from the jobs, and a repair puts exactly that right; on both engines."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tallystick.errors import StoreError
from tallystick.ledger import Actor, acting
from tallystick.model.maintenance import CheckProgress
from tallystick.store import migrations
from tallystick.store.schema import VOIDED
from tests.databases import file_of
from tests.db import filled
from tests.db.filled import (
    ACME,
    BERLIN,
    ELEVENTH,
    FIRST_KEY,
    JANUARY,
    SANDBOX_KEY,
    SECOND_KEY,
    TENTH,
    TWELFTH,
    Told,
    check,
    report,
    told,
)
from tests.embedded import Deployment, job, plan

MINUS_ONE_JOB = "jobs = 59, tokens_transcription = 295, tokens_note_generation = 590"

TAMPERED: dict[str, tuple[list[str], list[Told]]] = {
    "day off by one": (
        [f"UPDATE usage_day SET jobs = jobs + 1 WHERE account_id = {ACME} AND day = {TENTH} AND key_id = {FIRST_KEY}"],
        [("acme", "usage_day", "2025-01-10", "first", "jobs", 31, 30)],
    ),
    "tokens of a day off": (
        [f"UPDATE usage_day SET tokens_note_generation = 0 WHERE day = {ELEVENTH} AND key_id = {SECOND_KEY}"],
        [("acme", "usage_day", "2025-01-11", "second", "tokens_note_generation", 0, 300)],
    ),
    "month off in every field": (
        [f"UPDATE usage_month SET {MINUS_ONE_JOB} WHERE key_id = {SECOND_KEY}"],
        [
            ("acme", "usage_month", "2025-01", "second", "jobs", 59, 60),
            ("acme", "usage_month", "2025-01", "second", "tokens_transcription", 295, 300),
            ("acme", "usage_month", "2025-01", "second", "tokens_note_generation", 590, 600),
        ],
    ),
    "two keys swapped in a sum that stays right": (
        [
            f"UPDATE usage_month SET jobs = jobs + 1 WHERE account_id = {ACME} AND key_id = {FIRST_KEY}",
            f"UPDATE usage_month SET jobs = jobs - 1 WHERE account_id = {ACME} AND key_id = {SECOND_KEY}",
        ],
        [
            ("acme", "usage_month", "2025-01", "first", "jobs", 61, 60),
            ("acme", "usage_month", "2025-01", "second", "jobs", 59, 60),
        ],
    ),
    "day missing": (
        [f"DELETE FROM usage_day WHERE day = {TENTH} AND key_id = {SECOND_KEY}"],
        [("acme", "usage_day", "2025-01-10", "second", "jobs", None, 30)],
    ),
    "month missing, and in the account's zone, not in UTC": (
        [f"DELETE FROM usage_month WHERE account_id = {BERLIN}"],
        [("berlin", "usage_month", "2025-02", "first", "jobs", None, 2)],
    ),
    "days surplus before, between and behind": (
        [
            f"INSERT INTO usage_day VALUES ({ACME}, {TENTH - 1}, {FIRST_KEY}, 4, 1, 1)",
            f"INSERT INTO usage_day VALUES ({ACME}, {TWELFTH}, {FIRST_KEY}, 0, 0, 0)",
            f"INSERT INTO usage_day VALUES ({BERLIN}, {TENTH}, {FIRST_KEY}, 1, 2, 3)",
        ],
        [
            ("acme", "usage_day", "2025-01-09", "first", "jobs", 4, None),
            ("acme", "usage_day", "2025-01-12", "first", "jobs", 0, None),
            ("berlin", "usage_day", "2025-01-10", "first", "jobs", 1, None),
        ],
    ),
    "months surplus": (
        [
            f"INSERT INTO usage_month VALUES ({ACME}, {JANUARY - 1}, {SECOND_KEY}, 1, 0, 0)",
            f"INSERT INTO usage_month VALUES ({ACME}, {JANUARY + 6}, {SECOND_KEY}, 2, 0, 0)",
        ],
        [
            ("acme", "usage_month", "2024-12", "second", "jobs", 1, None),
            ("acme", "usage_month", "2025-07", "second", "jobs", 2, None),
        ],
    ),
    "a day and a month that no calendar has": (
        [
            f"INSERT INTO usage_day VALUES ({ACME}, 2000000000, {FIRST_KEY}, 1, 0, 0)",
            f"INSERT INTO usage_month VALUES ({ACME}, -1, {FIRST_KEY}, 1, 0, 0)",
        ],
        [
            ("acme", "usage_month", "-001-12", "first", "jobs", 1, None),
            ("acme", "usage_day", "2000000000", "first", "jobs", 1, None),
        ],
    ),
    "sandbox jobs counted": (
        [
            f"INSERT INTO usage_day VALUES ({ACME}, {ELEVENTH}, {SANDBOX_KEY}, 3, 21, 0)",
            f"INSERT INTO usage_month VALUES ({ACME}, {JANUARY}, {SANDBOX_KEY}, 3, 21, 0)",
            f"UPDATE account_state SET live_jobs = 123 WHERE account_id = {ACME}",
        ],
        [
            ("acme", "usage_day", "2025-01-11", "trial", "jobs", 3, None),
            ("acme", "usage_month", "2025-01", "trial", "jobs", 3, None),
            ("acme", "account_state", "", None, "live_jobs", 123, 120),
        ],
    ),
    "a key counted that the account does not have": (
        [f"INSERT INTO usage_day VALUES ({ACME}, {TENTH}, 77, 1, 0, 0)"],
        [("acme", "usage_day", "2025-01-10", None, "jobs", 1, None)],
    ),
    "state off": (
        [f"UPDATE account_state SET live_jobs = live_jobs - 1, recorded_at = 0 WHERE account_id = {BERLIN}"],
        [
            ("berlin", "account_state", "", None, "live_jobs", 1, 2),
            ("berlin", "account_state", "", None, "recorded_at", "1970-01-01T00:00:00Z", "2025-06-15T12:00:00Z"),
        ],
    ),
    "boundary stale": (
        [f"UPDATE boundary SET job_id = 'job_099', booked_at = booked_at - 60000000, day = {TENTH}"],
        [
            ("acme", "boundary", "100", None, "day", "2025-01-10", "2025-01-11"),
            ("acme", "boundary", "100", None, "booked_at", "2025-01-11T12:38:00Z", "2025-01-11T12:39:00Z"),
            ("acme", "boundary", "100", None, "job_id", "job_099", "job_100"),
        ],
    ),
    "boundary's instant outside all calendars": (
        ["UPDATE boundary SET booked_at = 4611686018427387904, day = 2000000000"],
        [
            ("acme", "boundary", "100", None, "day", "2000000000", "2025-01-11"),
            ("acme", "boundary", "100", None, "booked_at", "4611686018427387904", "2025-01-11T12:39:00Z"),
        ],
    ),
    "boundary's sums off": (
        [f"UPDATE boundary_usage SET jobs = 19, tokens_transcription = 96 WHERE key_id = {FIRST_KEY}"],
        [
            ("acme", "boundary_usage", "100", "first", "jobs", 19, 20),
            ("acme", "boundary_usage", "100", "first", "tokens_transcription", 96, 100),
        ],
    ),
    "boundary's sums missing and surplus": (
        [
            f"DELETE FROM boundary_usage WHERE key_id = {SECOND_KEY}",
            f"INSERT INTO boundary_usage VALUES ({ACME}, 0, 100, {SANDBOX_KEY}, 1, 7, 0)",
        ],
        [
            ("acme", "boundary_usage", "100", "second", "jobs", None, 20),
            ("acme", "boundary_usage", "100", "trial", "jobs", 1, None),
        ],
    ),
    "boundary that the jobs do not reach": (
        [
            f"INSERT INTO boundary VALUES ({ACME}, 0, 121, {ELEVENTH}, 1, 'job_121')",
            f"INSERT INTO boundary_usage VALUES ({ACME}, 0, 121, {FIRST_KEY}, 9, 9, 9)",
        ],
        [
            ("acme", "boundary", "121", None, "job_id", "job_121", None),
            ("acme", "boundary_usage", "121", "first", "jobs", 9, None),
        ],
    ),
    "boundary of a period that is not kept here": (
        [f"INSERT INTO boundary VALUES ({ACME}, {JANUARY}, 100, {ELEVENTH}, 1, 'job_100')"],
        [("acme", "boundary", "100", None, "job_id", "job_100", None)],
    ),
    "rollups and a boundary of an account that does not exist": (
        [
            "INSERT INTO usage_day VALUES (99, 1, 1, 2, 3, 4)",
            "INSERT INTO usage_month VALUES (99, 23640, 1, 2, 3, 4)",
            "INSERT INTO boundary VALUES (99, 0, 1, 1, 1, 'x')",
        ],
        [
            (None, "usage_day", "1970-01-02", None, "jobs", 2, None),
            (None, "usage_month", "1970-01", None, "jobs", 2, None),
            (None, "boundary", "1", None, "job_id", "x", None),
        ],
    ),
    "everything gone": (
        ["DELETE FROM boundary", "DELETE FROM usage_day", "DELETE FROM usage_month"],
        [
            ("acme", "usage_day", "2025-01-10", "first", "jobs", None, 30),
            ("acme", "usage_day", "2025-01-10", "second", "jobs", None, 30),
            ("acme", "usage_day", "2025-01-11", "first", "jobs", None, 30),
            ("acme", "usage_day", "2025-01-11", "second", "jobs", None, 30),
            ("acme", "usage_month", "2025-01", "first", "jobs", None, 60),
            ("acme", "usage_month", "2025-01", "second", "jobs", None, 60),
            ("berlin", "usage_day", "2025-02-01", "first", "jobs", None, 2),
            ("berlin", "usage_month", "2025-02", "first", "jobs", None, 2),
        ],
    ),
}


@pytest.fixture
def deployment(deployment: Deployment) -> Deployment:
    filled.fill(deployment)
    return deployment


@pytest.mark.parametrize("name", TAMPERED)
def test_each_difference_is_named_exactly_and_a_repair_rebuilds_it(deployment: Deployment, name: str) -> None:
    statements, expected = TAMPERED[name]
    right = [report(deployment), report(deployment, "berlin")]
    for statement in statements:
        deployment.rows(statement)

    found, result = check(deployment)
    assert [told(difference) for difference in found] == expected
    assert all(difference.repairable for difference in found)
    assert not result.clean

    again: list[Told] = []
    repaired = deployment.ledger.maintenance.repair(lambda difference: again.append(told(difference)))
    assert again == expected
    assert (repaired.differences, repaired.repaired, repaired.clean) == (len(expected), len(expected), True)
    assert check(deployment)[0] == []
    assert [report(deployment), report(deployment, "berlin")] == right
    assert check(deployment)[0] == [], "what the report has kept is right too"


JOBS: dict[str, tuple[list[str], list[Told]]] = {
    "a key that the account does not have": (
        [f"UPDATE job SET key_id = 77 WHERE account_id = {ACME} AND id = 'trial_1'"],
        [("acme", "job", "trial_1", None, "key_id", 77, None)],
    ),
    "a sandbox key's job among the live ones": (
        [
            f"UPDATE job SET key_id = {FIRST_KEY} WHERE account_id = {ACME} AND id = 'trial_0'",
            f"UPDATE job SET state = 1, key_id = {FIRST_KEY} WHERE account_id = {BERLIN} AND id = 'night_1'",
            f"UPDATE account_state SET live_jobs = 1 WHERE account_id = {BERLIN}",
            f"UPDATE usage_day SET jobs = 1, tokens_note_generation = 1 WHERE account_id = {BERLIN}",
            f"UPDATE usage_month SET jobs = 1, tokens_note_generation = 1 WHERE account_id = {BERLIN}",
        ],
        [
            ("acme", "job", "trial_0", "first", "state", "sandbox", "live"),
            ("berlin", "job", "night_1", "first", "state", "sandbox", "live"),
        ],
    ),
    "a state that does not exist": (
        [f"UPDATE job SET state = 9 WHERE account_id = {ACME} AND id = 'trial_2'"],
        [("acme", "job", "trial_2", "trial", "state", 9, "sandbox")],
    ),
    "a job booked when it did not happen, though no month is closed": (
        [f"UPDATE job SET completed_at = completed_at - 1000000 WHERE account_id = {BERLIN} AND id = 'night_0'"],
        [("berlin", "job", "night_0", "first", "booked_at", "2025-01-31T23:30:00Z", "2025-01-31T23:29:59Z")],
    ),
    "jobs of an account that does not exist": (
        ["INSERT INTO job VALUES (99, 0, 5, 'lost', 1, 5, 5, 1, 1)"],
        [(None, "job", "lost", None, "account_id", 99, None)],
    ),
    "a voided job without the reason for it": (
        [f"UPDATE job SET state = {VOIDED} WHERE account_id = {ACME} AND id = 'trial_1'"],
        [("acme", "voided_job", "trial_1", None, "job_id", None, "trial_1")],
    ),
    "reasons to void what is not voided": (
        [
            f"INSERT INTO voided_job VALUES ({BERLIN}, 'night_0', 5, 'why')",
            f"INSERT INTO voided_job VALUES ({BERLIN}, 'ghost', 5, 'why')",
            "INSERT INTO voided_job VALUES (99, 'lost', 5, 'why')",
        ],
        [
            ("berlin", "voided_job", "ghost", None, "job_id", "ghost", None),
            ("berlin", "voided_job", "night_0", None, "job_id", "night_0", None),
            (None, "voided_job", "lost", None, "job_id", "lost", None),
        ],
    ),
    "an account without its state": (
        [f"DELETE FROM account_state WHERE account_id = {ACME}"],
        [("acme", "account_state", "", None, "time_zone", None, None)],
    ),
    "a key of a kind that does not exist": (
        [f"UPDATE api_key SET kind = 'weird' WHERE account_id = {ACME} AND id = {SANDBOX_KEY}"],
        [("acme", "api_key", "", "trial", "kind", "weird", None)],
    ),
    "a month with a statement that is open again": (
        [f"INSERT INTO statement VALUES ({BERLIN}, {JANUARY + 1}, '', '', 2, '0', 0, '', '', 0, 0)"],
        [("berlin", "account_state", "", None, "closed_through", "no month", "2025-02")],
    ),
    "an account in a zone that does not exist": (
        [f"UPDATE account_state SET time_zone = 'Mars/Olympus' WHERE account_id = {BERLIN}"],
        [("berlin", "account_state", "", None, "time_zone", "Mars/Olympus", None)],
    ),
}


@pytest.mark.parametrize("name", JOBS)
def test_what_contradicts_itself_in_the_ledger_is_named_and_not_repaired(deployment: Deployment, name: str) -> None:
    statements, expected = JOBS[name]
    for statement in statements:
        deployment.rows(statement)
    found, _ = check(deployment)
    assert [told(difference) for difference in found] == expected
    assert not any(difference.repairable for difference in found)
    repaired = deployment.ledger.maintenance.repair()
    assert (repaired.repaired, repaired.clean) == (0, False)
    assert [told(difference) for difference in check(deployment)[0]] == expected


def test_a_repair_puts_right_what_it_can_beside_what_it_cannot(deployment: Deployment) -> None:
    deployment.rows(f"UPDATE account_state SET time_zone = 'Mars/Olympus' WHERE account_id = {BERLIN}")
    deployment.rows(f"DELETE FROM usage_day WHERE account_id = {ACME}")
    repaired = deployment.ledger.maintenance.repair()
    assert (repaired.differences, repaired.repaired, repaired.clean) == (5, 4, False)
    assert [told(difference)[:2] for difference in check(deployment)[0]] == [("berlin", "account_state")]


def test_a_job_on_no_day_of_the_calendar_is_named_and_stops_a_repair_that_changes_nothing(
    deployment: Deployment,
) -> None:
    deployment.rows(
        f"UPDATE job SET booked_at = 4611686018427387904 WHERE account_id = {ACME} AND id = 'job_120'",
    )
    assert ("acme", "job", "job_120", "second", "booked_at", "4611686018427387904", "2025-01-11T12:59:00Z") in [
        told(difference) for difference in check(deployment)[0]
    ]
    before = deployment.contents()
    with pytest.raises(StoreError, match="nothing was repaired: account 1 has a job booked on no day"):
        deployment.ledger.maintenance.repair()
    assert deployment.contents() == before


def test_sums_that_lost_their_boundary_are_named_and_removed(deployment: Deployment) -> None:
    """A foreign key forbids them; SQLite asks for it only where the connection does."""
    if deployment.is_sqlite:
        with closing(sqlite3.connect(file_of(deployment.database))) as connection, connection:
            connection.execute("DELETE FROM boundary")
    else:
        deployment.rows("ALTER TABLE boundary_usage DROP CONSTRAINT fk_boundary_usage_account_id_period_rank")
        deployment.rows("DELETE FROM boundary")
    assert [told(difference) for difference in check(deployment)[0]] == [
        ("acme", "boundary_usage", "100", "first", "jobs", 20, None),
        ("acme", "boundary_usage", "100", "second", "jobs", 20, None),
    ]
    assert deployment.ledger.maintenance.repair().clean
    assert deployment.count("boundary_usage") == 0
    assert check(deployment)[0] == []


def test_a_repair_leaves_accounts_alone_in_which_nothing_differs(deployment: Deployment) -> None:
    deployment.rows(f"UPDATE usage_month SET jobs = 0 WHERE account_id = {BERLIN}")
    of_acme = f"SELECT version, live_jobs, recorded_at FROM account_state WHERE account_id = {ACME}"
    before = [deployment.rows(of_acme), deployment.contents("boundary", "boundary_usage")]
    assert deployment.ledger.maintenance.repair().clean
    assert [deployment.rows(of_acme), deployment.contents("boundary", "boundary_usage")] == before


def test_a_repair_moves_the_version_of_what_it_changed(deployment: Deployment) -> None:
    """Whoever remembers an account's version must see that its sums are others now."""
    deployment.rows(f"UPDATE usage_month SET jobs = 0 WHERE account_id = {BERLIN}")
    version = f"SELECT version FROM account_state WHERE account_id = {BERLIN}"
    before = deployment.value(version)
    deployment.ledger.maintenance.repair()
    assert deployment.value(version) == before + 1


def test_a_repair_is_in_the_audit_log(deployment: Deployment) -> None:
    deployment.rows(f"UPDATE usage_month SET jobs = 0 WHERE account_id = {BERLIN}")
    with acting(Actor("operator", "a machine")):
        deployment.ledger.maintenance.repair()
    event = deployment.ledger.audit.list().events[0]
    assert (event.actor, event.origin, event.action) == ("operator", "a machine", "database.repair")
    assert event.detail == {"accounts": 1, "differences": 1}


def test_a_repair_of_what_is_right_writes_nothing(deployment: Deployment) -> None:
    before = deployment.contents()
    result = deployment.ledger.maintenance.repair()
    assert (result.differences, result.clean) == (0, True)
    assert deployment.contents() == before


def test_a_check_counts_what_it_walked_and_tells_how_far_it_is(deployment: Deployment) -> None:
    heard: list[CheckProgress] = []
    result = deployment.ledger.maintenance.check(progress=heard.append)
    assert (result.accounts, result.jobs, result.differences) == (2, 125, 0)
    assert heard[-1] == CheckProgress(accounts=2, jobs=125, expected_jobs=122)


def test_jobs_booked_late_for_a_closed_month_contradict_nothing(deployment: Deployment) -> None:
    deployment.close_month("acme", "2025-01")
    assert deployment.ledger.record([job("late", completed_at="2025-01-11T12:00:00Z")]).accepted == 1
    assert deployment.rows("SELECT booked_at = recorded_at FROM job WHERE id = 'late'") in ([(1,)], [(True,)])
    assert check(deployment)[0] == []


def test_voided_jobs_contradict_nothing(deployment: Deployment) -> None:
    for job_id in ("job_090", "job_003", "job_050"):
        deployment.ledger.void("acme", job_id, reason="sent by a test")
    assert check(deployment)[0] == []


def test_a_meter_that_came_later_is_checked_like_the_others(deployment: Deployment) -> None:
    meters = [{"id": "pages", "report_as": "page_tokens", "price": "1"}]
    deployment.ledger.plans.put(plan("pages", meters=meters))
    assert deployment.ledger.record([job("p", tokens={"pages": 4})]).accepted == 1
    assert check(deployment)[0] == []
    deployment.rows("UPDATE usage_month SET tokens_pages = 5 WHERE tokens_pages = 4")
    assert [told(difference)[1:] for difference in check(deployment)[0]] == [
        ("usage_month", "2025-06", "first key", "tokens_pages", 5, 4)
    ]


def test_an_account_that_moved_to_another_zone_is_checked_in_that_one(deployment: Deployment) -> None:
    deployment.ledger.accounts.change("acme", time_zone="Pacific/Auckland")
    report(deployment)
    assert check(deployment)[0] == []
    deployment.rows(f"UPDATE account_state SET time_zone = 'UTC' WHERE account_id = {ACME}")
    assert {told(difference)[1] for difference in check(deployment)[0]} == {"usage_day", "boundary"}


@pytest.mark.parametrize(("revision", "code"), [("0000", "schema_too_new"), (None, "schema_behind")])
def test_a_check_refuses_a_schema_that_is_not_this_programs(
    deployment: Deployment, revision: str | None, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if revision is None:
        monkeypatch.setattr(migrations, "HEAD", "9999")
    else:
        deployment.rows(f"UPDATE alembic_version SET version_num = '{revision}'")
    with pytest.raises(StoreError) as caught:
        deployment.ledger.maintenance.check()
    assert caught.value.code == code


def test_an_empty_ledger_has_nothing_that_differs(database: str, deploy: Any) -> None:
    result = deploy().ledger.maintenance.check()
    assert (result.accounts, result.jobs, result.clean) == (0, 0, True)
