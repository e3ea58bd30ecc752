"""A voided job counts nowhere, as if it had never come; it stays in the ledger, with the reason."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tallystick.errors import Conflict, InvalidInput, NotFound, StoreError
from tallystick.model.jobs import VoidedJob
from tallystick.model.tokens import make_token
from tallystick.model.wire import decode
from tests.embedded import Deployment, job, plan

JOBS = 12
PERIOD = ("2025-05", "2025-06")


def history() -> list[dict[str, Any]]:
    """A job a day from 25 May on, of two keys."""
    return [
        job(
            n,
            api_key=f"key {n % 2}",
            completed_at=f"2025-0{5 + n // 7}-{25 + n if n < 7 else n - 6:02d}T08:00:00Z",
            tokens={"transcription": n},
        )
        for n in range(JOBS)
    ]


def fill(deployment: Deployment, jobs: list[dict[str, Any]]) -> None:
    tiers = [{"after_jobs": after, "discount": str(after)} for after in (0, 4, 8)]
    deployment.ledger.plans.put(plan("tiered", free_jobs=3, tiers=tiers))
    deployment.ledger.accounts.create("acme", plan="tiered")
    deployment.ledger.record(jobs)


@pytest.fixture
def acme(deployment: Deployment) -> Deployment:
    fill(deployment, history())
    return deployment


def void(deployment: Deployment, number: int = 5, reason: str = "reported twice") -> VoidedJob:
    return deployment.ledger.void("acme", f"job_{number:06d}", reason=reason)


def lines(deployment: Deployment, **more: Any) -> list[dict[str, Any]]:
    with deployment.ledger.job_lines("acme", *PERIOD, **more) as found:
        return [decode(line) for chunk in found for line in chunk.splitlines()]


def clean(deployment: Deployment) -> bool:
    return deployment.ledger.maintenance.check().clean


@pytest.mark.parametrize("number", range(JOBS))
def test_everything_is_as_if_the_job_had_never_come(acme: Deployment, number: int) -> None:
    acme.ledger.usage("acme", *PERIOD)  # keeps the boundaries
    void(acme, number)
    report, entries = acme.ledger.usage("acme", *PERIOD), acme.ledger.jobs("acme", *PERIOD)
    assert clean(acme)
    others = [each for each in history() if each["id"] != f"job_{number:06d}"]
    for each in others:
        each["account"] = "twin"
    acme.ledger.accounts.create("twin", plan="tiered")
    acme.ledger.record(others)
    assert report == acme.ledger.usage("twin", *PERIOD)
    assert entries == acme.ledger.jobs("twin", *PERIOD)


def test_the_last_job_of_a_day_and_a_month_takes_its_rows_with_it(acme: Deployment) -> None:
    for number in range(7):
        void(acme, number)
    assert acme.value("SELECT COUNT(*) FROM usage_month") == 2
    assert acme.value("SELECT COUNT(*) FROM usage_day") == JOBS - 7
    assert clean(acme)
    assert acme.ledger.usage("acme", "2025-05", "2025-05").totals.jobs == 0


def test_it_is_shown_with_the_reason(acme: Deployment) -> None:
    shown = void(acme)
    assert shown == VoidedJob(
        id="job_000005",
        api_key="key 1",
        completed_at="2025-05-30T08:00:00Z",
        booked_at="2025-05-30T08:00:00Z",
        late=False,
        tokens={"transcription": 5, "note_generation": 0},
        voided_at="2025-06-15T12:00:00Z",
        void_reason="reported twice",
    )
    assert lines(acme, voided=True)[-1] == shown.to_dict()


def test_a_second_void_changes_nothing(acme: Deployment) -> None:
    first = void(acme)
    before = acme.contents()
    acme.set_clock("2025-06-16T00:00:00Z")
    assert void(acme, reason="for another reason") == first
    assert acme.contents() == before


def test_a_repeat_of_a_voided_job_stays_a_duplicate_and_another_one_a_conflict(acme: Deployment) -> None:
    void(acme)
    again = history()[5]
    assert acme.ledger.record([again]).duplicates == 1
    assert acme.ledger.record([{**again, "tokens": {}}]).rejected[0].code == "conflict"
    assert acme.ledger.usage("acme", *PERIOD).totals.jobs == JOBS - 1


def test_a_job_of_a_closed_month_cannot_be_voided(acme: Deployment) -> None:
    void(acme, 4)
    acme.close_month("acme", "2025-05")
    before = acme.contents()
    with pytest.raises(Conflict, match="2025-05, which is closed") as caught:
        void(acme, 5)
    assert caught.value.code == "month_closed"
    assert void(acme, 4).void_reason == "reported twice"
    assert acme.contents() == before
    assert void(acme, 7).booked_at.startswith("2025-06")


def test_a_late_job_is_voided_in_the_month_in_which_it_is_booked(acme: Deployment) -> None:
    acme.close_month("acme", "2025-05")
    acme.ledger.record([job("late", completed_at="2025-05-30T00:00:00Z")])
    shown = acme.ledger.void("acme", "late", reason="a mistake")
    assert (shown.late, shown.booked_at) == (True, "2025-06-15T12:00:00Z")
    assert clean(acme)


def test_a_sandbox_job_has_nothing_to_void(acme: Deployment) -> None:
    acme.ledger.record([job("tried", api_key="sandbox", sandbox=True)])
    with pytest.raises(Conflict) as caught:
        acme.ledger.void("acme", "tried", reason="x")
    assert caught.value.code == "sandbox_job"


@pytest.mark.parametrize("job_id", ["job_000099", "", "\0", "\ud800", "x" * 300])
def test_a_job_that_is_not_there_is_not_found(acme: Deployment, job_id: str) -> None:
    with pytest.raises(NotFound) as caught:
        acme.ledger.void("acme", job_id, reason="x")
    assert caught.value.code == "unknown_job"


def test_another_accounts_job_is_not_found(acme: Deployment) -> None:
    acme.ledger.accounts.create("other")
    for account, code in (("other", "unknown_job"), ("nobody", "unknown_account")):
        with pytest.raises(NotFound) as caught:
            acme.ledger.void(account, "job_000005", reason="x")
        assert caught.value.code == code


@pytest.mark.parametrize("reason", ["", " x", "x\n", "x" * 201, "\ud800", make_token(bytes(32))])
def test_a_reason_is_needed_and_fit_to_be_read(acme: Deployment, reason: str) -> None:
    before = acme.contents()
    with pytest.raises(InvalidInput) as caught:
        void(acme, reason=reason)
    assert [error.parameter for error in caught.value.errors] == ["reason"]
    assert acme.contents() == before


def test_the_audit_log_has_it(acme: Deployment) -> None:
    void(acme)
    event = acme.ledger.audit.list().events[0]
    assert (event.action, event.subject) == ("job.void", "acme")
    assert event.detail == {"job": "job_000005", "reason": "reported twice"}


def test_of_voids_at_the_same_time_one_takes_effect(acme: Deployment) -> None:
    with ThreadPoolExecutor(4) as threads:
        shown = set(threads.map(lambda n: repr(void(acme, reason=f"reason {n}")), range(4)))
    assert len(shown) == 1
    assert acme.ledger.usage("acme", *PERIOD).totals.jobs == JOBS - 1
    assert acme.count("voided_job") == 1
    assert clean(acme)


# Lines.


def test_voided_jobs_follow_the_live_ones_in_pages_of_any_size(acme: Deployment) -> None:
    for number in (9, 2, 6, 3):
        void(acme, number)
    whole = lines(acme, voided=True)
    assert [line.get("rank") for line in whole] == [*range(1, JOBS - 3), None, None, None, None]
    assert [line["id"] for line in whole[-4:]] == [f"job_{n:06d}" for n in (2, 3, 6, 9)]
    assert lines(acme) == whole[:-4]
    for limit in (1, 2, 3, 4, 7, 8, 9, 50):
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            with acme.ledger.job_lines("acme", *PERIOD, voided=True, limit=limit, cursor=cursor) as page:
                part = [decode(line) for chunk in page for line in chunk.splitlines()]
            assert len(part) <= limit
            found += part
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == whole, limit


def test_a_void_of_which_the_reason_is_lost_is_told_with_the_job(acme: Deployment) -> None:
    void(acme, 2)
    void(acme, 9)
    acme.rows("DELETE FROM voided_job WHERE job_id = 'job_000009'")
    told = "the job 'job_000009' is voided, and when and why is missing from the database; run: tallystick db check"
    for ask in (lambda: lines(acme, voided=True), lambda: void(acme, 9)):
        with pytest.raises(StoreError) as caught:
            ask()
        assert (caught.value.code, caught.value.detail) == ("void_missing", told)
    assert len(lines(acme)) == JOBS - 2


def test_voided_jobs_are_shown_in_the_month_in_which_they_are_booked(acme: Deployment) -> None:
    void(acme, 2)
    void(acme, 9)
    for month, number in (("2025-05", 2), ("2025-06", 9)):
        with acme.ledger.job_lines("acme", month, month, voided=True) as found:
            last = decode(b"".join(found).splitlines()[-1])
        assert last["id"] == f"job_{number:06d}"


def test_a_cursor_is_out_of_date_once_a_job_before_it_is_voided(acme: Deployment) -> None:
    void(acme, 8)
    cursors = []
    cursor = None
    while True:
        with acme.ledger.job_lines("acme", *PERIOD, voided=True, limit=10, cursor=cursor) as page:
            cursor = page.next_cursor
        if cursor is None:
            break
        cursors.append(cursor)
    assert len(cursors) == 2
    void(acme, 0)
    for cursor in cursors:
        with pytest.raises(Conflict) as caught:
            acme.ledger.job_lines("acme", *PERIOD, voided=True, limit=10, cursor=cursor)
        assert caught.value.code == "ledger_changed"


def test_a_cursor_behind_all_live_jobs_is_none_of_a_page_without_voided_ones(acme: Deployment) -> None:
    void(acme, 8)
    with acme.ledger.job_lines("acme", *PERIOD, voided=True, limit=11) as page:
        cursor = page.next_cursor
    for ask in (acme.ledger.jobs, acme.ledger.job_lines):
        with pytest.raises(InvalidInput) as caught:
            ask("acme", *PERIOD, cursor=cursor)
        assert caught.value.code == "invalid_cursor"
    acme.ledger.accounts.create("other")
    with pytest.raises(InvalidInput, match="another account"):
        acme.ledger.job_lines("other", *PERIOD, voided=True, cursor=cursor)
