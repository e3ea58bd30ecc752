"""The ledger as lines: what the pages show, a job a line, of one moment, in memory that does not grow with it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from tallystick.errors import Conflict, InvalidInput, NotFound
from tallystick.ledger import MOST_LINES
from tallystick.model.jobs import LedgerJob
from tallystick.model.wire import decode, encode
from tests.embedded import Deployment, job, plan

JOBS = 60


@pytest.fixture
def acme(deployment: Deployment) -> Deployment:
    """`acme`: a job a day from 2 April on, with two tiers, free jobs, and prices of many digits."""
    meters = [
        {"id": "transcription", "report_as": "transcription_tokens", "price": "0.000000000001", "per": 8},
        {"id": "note_generation", "report_as": "note_tokens", "price": "2"},
    ]
    tiers = [{"after_jobs": 0, "discount": "0"}, {"after_jobs": 20, "discount": "33.3333"}]
    for month, free_jobs in ((None, 7), ("2025-05", 35)):
        tiered = plan("tiered", free_jobs=free_jobs, tiers=tiers, meters=meters)
        deployment.ledger.plans.put(tiered, effective_from=month)
    deployment.ledger.accounts.create("acme", plan="tiered")
    jobs = [
        job(n, completed_at=f"2025-0{4 + n // 30}-{2 + n % 29:02d}T00:00:00.{n:06d}Z", tokens={"transcription": n})
        for n in range(JOBS)
    ]
    assert deployment.ledger.record(jobs).accepted == JOBS
    return deployment


def lines(deployment: Deployment, *period: str, **more: Any) -> list[bytes]:
    with deployment.ledger.job_lines("acme", *period, **more) as found:
        chunks = list(found)
    assert all(chunk.endswith(b"\n") for chunk in chunks)
    return b"".join(chunks).splitlines()


def paged(deployment: Deployment, *period: str) -> list[LedgerJob]:
    page = deployment.ledger.jobs("acme", *period, limit=1000)
    assert page.next_cursor is None
    return list(page.jobs)


@pytest.mark.parametrize("period", [("2025-04", "2025-06"), ("2025-04", "2025-04"), ("2025-05", "2025-05")])
def test_lines_are_the_entries_of_the_pages_digit_for_digit(acme: Deployment, period: tuple[str, str]) -> None:
    expected = [encode(entry.to_dict()) for entry in paged(acme, *period)]
    assert lines(acme, *period) == expected
    assert len(expected) > 25


def test_pages_of_lines_follow_each_other_and_the_last_has_no_cursor(acme: Deployment) -> None:
    whole = lines(acme, "2025-04", "2025-06")
    for limit in (1, 7, 30, JOBS - 1, JOBS, JOBS + 1, MOST_LINES):
        found: list[bytes] = []
        cursor = None
        while True:
            with acme.ledger.job_lines("acme", "2025-04", "2025-06", limit=limit, cursor=cursor) as page:
                part = b"".join(page).splitlines()
            found += part
            cursor = page.next_cursor
            if cursor is None:
                break
            assert len(part) == limit
        assert part
        assert found == whole


def test_lines_and_pages_take_each_others_cursors(acme: Deployment) -> None:
    period = ("2025-04", "2025-06")
    whole = lines(acme, *period)
    page = acme.ledger.jobs("acme", *period, limit=13)
    assert lines(acme, *period, cursor=page.next_cursor) == whole[13:]
    with acme.ledger.job_lines("acme", *period, limit=13) as part:
        assert acme.ledger.jobs("acme", *period, cursor=part.next_cursor, limit=1).jobs[0].rank == 14


def test_a_job_before_the_cursor_is_a_conflict_and_one_behind_it_is_not(acme: Deployment) -> None:
    period = ("2025-04", "2025-06")
    with acme.ledger.job_lines("acme", *period, limit=10) as part:
        cursor = part.next_cursor
    acme.ledger.record([job("behind", completed_at="2025-06-01T00:00:00Z")])
    assert len(lines(acme, *period, cursor=cursor)) == JOBS - 9
    acme.ledger.record([job("before", completed_at="2025-04-01T00:00:00Z")])
    with pytest.raises(Conflict) as caught:
        acme.ledger.job_lines("acme", *period, cursor=cursor)
    assert caught.value.code == "ledger_changed"


def test_lines_show_the_moment_at_which_they_were_asked_for(acme: Deployment) -> None:
    period = ("2025-04", "2025-06")
    before = lines(acme, *period)
    with acme.ledger.job_lines("acme", *period) as open_lines:
        acme.ledger.record([job("early", completed_at="2025-04-01T00:00:00Z")])
        assert b"".join(open_lines).splitlines() == before
    assert len(lines(acme, *period)) == JOBS + 1


def test_an_account_without_jobs_has_no_lines(deployment: Deployment) -> None:
    deployment.ledger.accounts.create("acme")
    assert lines(deployment) == []
    with deployment.ledger.job_lines("acme", limit=1) as found:
        assert (list(found), found.next_cursor, found.currency) == ([], None, "USD")


def test_what_is_wrong_is_said_before_the_first_line(acme: Deployment) -> None:
    with pytest.raises(NotFound):
        acme.ledger.job_lines("nobody")
    for wrong in ({"limit": 0}, {"limit": MOST_LINES + 1}, {"cursor": "x"}, {"start_month": "2025-13"}):
        with pytest.raises(InvalidInput):
            acme.ledger.job_lines("acme", **wrong)


def test_sandbox_jobs_are_not_among_the_lines(acme: Deployment) -> None:
    acme.ledger.record([job("tried", api_key="sandbox", sandbox=True)])
    assert len(lines(acme, "2025-04", "2025-06")) == JOBS


def test_memory_does_not_grow_with_the_ledger(deployment: Deployment) -> None:
    def peak(jobs: int) -> int:
        deployment.ledger.record(recorded(jobs))
        with deployment.ledger.job_lines("acme", "2025-06", "2025-06") as found:
            tracemalloc.start()
            try:
                assert sum(chunk.count(b"\n") for chunk in found) == jobs
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    def recorded(jobs: int) -> Iterator[dict[str, Any]]:
        return (job(n, completed_at=f"2025-06-01T10:00:{n % 60:02d}Z") for n in range(jobs))

    few, many = peak(3_000), peak(15_000)
    assert many < 1.5 * few


def test_each_line_is_an_object_of_the_documented_members(acme: Deployment) -> None:
    first = decode(lines(acme, "2025-04", "2025-04")[0])
    assert list(first) == list(LedgerJob.__struct_fields__)
