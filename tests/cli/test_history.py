"""The demo's made-up year: repeatable, varied, and within its bounds."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from tallystick.demo.history import CUSTOMERS, Wire, year_of_jobs

NOW = datetime(2026, 3, 15, 9, 30, tzinfo=UTC)
MISTAKES = 7


@lru_cache(maxsize=1)
def year() -> list[Wire]:
    return year_of_jobs(NOW)


def sound() -> list[Wire]:
    return year()[:-MISTAKES]


def test_the_same_now_gives_the_same_year() -> None:
    assert year_of_jobs(NOW) == year()
    assert year_of_jobs(NOW + timedelta(days=1)) != year()


def test_the_year_ends_now_and_lasts_a_year() -> None:
    moments = [datetime.fromisoformat(job["completed_at"]) for job in sound()]
    assert NOW - timedelta(days=2) < max(moments) < NOW
    assert timedelta(days=363) < NOW - min(moments) < timedelta(days=368)


def test_there_are_enough_jobs_to_see_and_few_enough_to_wait_for() -> None:
    assert 20_000 < len(year()) < 50_000


def test_one_account_passes_every_tier_and_one_none() -> None:
    live = Counter(job["account"] for job in sound() if not job.get("sandbox"))
    assert max(live.values()) > 5_000
    assert min(live.values()) < 100
    assert len(live) == len(CUSTOMERS)


def test_accounts_differ_in_zone_and_keys() -> None:
    assert len({customer.time_zone for customer in CUSTOMERS}) == len(CUSTOMERS)
    assert len({(job["account"], job["api_key"]) for job in sound()}) == sum(len(c.keys) for c in CUSTOMERS)
    assert any(job.get("sandbox") for job in sound())


def test_the_contracts_account_has_no_part_in_it() -> None:
    assert "acme" not in {job["account"] for job in year()}


def test_no_meter_is_needed_that_the_default_plan_lacks() -> None:
    assert {meter for job in sound() for meter in job["tokens"]} == {"transcription", "note_generation"}


def test_some_jobs_are_reported_late_and_some_twice() -> None:
    order = [job["completed_at"] for job in sound() if job["account"] == CUSTOMERS[0].name]
    assert any(earlier > later for earlier, later in itertools.pairwise(order))
    ids = Counter((job["account"], job["id"]) for job in sound())
    assert 20 < sum(1 for times in ids.values() if times > 1) < 200


def test_a_doubled_report_is_equal_so_that_it_is_no_conflict() -> None:
    first: dict[tuple[str, str], Wire] = {}
    assert all(first.setdefault((job["account"], job["id"]), job) == job for job in sound())


def test_working_days_are_busier_than_sundays() -> None:
    days = Counter(
        datetime.fromisoformat(job["completed_at"]).weekday() for job in sound() if job["account"] == CUSTOMERS[0].name
    )
    assert days[1] > 4 * days[6]
