"""Repeats among new jobs are found whether the clock has moved since the last transaction, stands, or steps back.

Where it has moved, new jobs are inserted untried and told from stored ones by when they were recorded; otherwise the
stored ones are looked for first. Either way the outcome is the same.
"""

from __future__ import annotations

import pytest

from tests.embedded import Deployment, codes, job

LATER = {"moved": "2025-06-15T12:00:01Z", "stands": "2025-06-15T12:00:00Z", "stepped back": "2025-06-15T11:00:00Z"}
each_clock = pytest.mark.parametrize("clock", LATER.values(), ids=LATER)


@each_clock
def test_new_jobs_among_repeats_are_stored_and_no_other(deployment: Deployment, clock: str) -> None:
    first = [job(number, account=f"account {number % 3}") for number in range(0, 600, 2)]
    assert deployment.ledger.record(first).accepted == 300
    deployment.set_clock(clock)
    both = [job(number, account=f"account {number % 3}") for number in range(600)]
    result = deployment.ledger.record(both)
    assert (result.accepted, result.duplicates, result.rejected) == (300, 300, ())
    assert deployment.count("job") == 600
    assert deployment.value("SELECT SUM(jobs) FROM usage_day") == 600
    again = deployment.ledger.record(both)
    assert (again.accepted, again.duplicates, again.rejected) == (0, 600, ())


@each_clock
def test_a_conflict_with_a_stored_job_is_told_beside_new_ones(deployment: Deployment, clock: str) -> None:
    deployment.ledger.record([job(1), job(2)])
    deployment.set_clock(clock)
    result = deployment.ledger.record([job(0), job(1, tokens={"transcription": 6}), job(2), job(3)])
    assert (result.accepted, result.duplicates) == (2, 1)
    assert codes(result) == [(1, "job_000001", "conflict")]
    assert deployment.rows("SELECT id, tokens_transcription FROM job ORDER BY id") == [
        (f"job_{number:06d}", 5) for number in range(4)
    ]


@each_clock
def test_one_account_whose_clock_stands_beside_one_that_is_new(deployment: Deployment, clock: str) -> None:
    deployment.ledger.record([job(1)])
    deployment.set_clock(clock)
    result = deployment.ledger.record([job(1), job(1, account="newcomer"), job(2)])
    assert (result.accepted, result.duplicates, result.rejected) == (2, 1, ())
    assert deployment.value("SELECT SUM(live_jobs) FROM account_state") == 3
