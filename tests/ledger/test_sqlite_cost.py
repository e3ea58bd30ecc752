"""What a call costs does not grow with the jobs of an account: work is counted, not time.

Counted are the steps of SQLite's virtual machine and the rows that it hands out. The two accounts have the same days,
keys and boundaries; one has a hundred times as many jobs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from benchmarks.histories import DAYS, GROUP_BY, KEYS, NOW, PERIOD, Cost, Counter, add_account, forget_boundaries
from tallystick.ledger import Ledger
from tests.embedded import job

SMALL, LARGE = 10_000, 1_000_000


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    with (
        tempfile.TemporaryDirectory(prefix="tallystick-") as folder,
        Ledger(f"sqlite:///{folder}/tallystick.db", clock=lambda: NOW) as ledger,
    ):
        add_account(ledger, "small", SMALL)
        add_account(ledger, "large", LARGE)
        yield ledger


def costs(ledger: Ledger, call: Callable[[str], object]) -> tuple[Cost, Cost]:
    """What the call costs for the small account and for the large one."""
    counter = Counter(ledger)
    found = []
    for name in ("small", "large"):
        with counter.counting():
            call(name)
        found.append(counter.cost)
    small, large = found
    assert small.steps > 100  # or else nothing was counted
    return small, large


def check_no_more(small: Cost, large: Cost) -> None:
    """The tree of a larger table may be a level deeper, no more."""
    assert large.rows <= small.rows
    assert large.steps <= small.steps * 1.03


def test_the_histories_are_what_they_say(ledger: Ledger) -> None:
    for name, jobs in (("small", SMALL), ("large", LARGE)):
        report = ledger.usage(name, *PERIOD)
        assert report.totals.jobs == jobs
        assert len(report.api_keys) == KEYS
        assert [day.jobs > 0 for day in ledger.daily(name, "2025-01-01", "2025-03-31").days] == [True] * DAYS
        assert report.monthly_breakdown[0].tiers["tier3"] == 2000
        last = ledger.jobs(name, "2025-03", "2025-03", limit=1).jobs[0]
        assert last.rank == 1 + sum(month.jobs for month in report.monthly_breakdown[:2])


def test_the_count_grows_with_the_jobs_where_the_work_does(ledger: Ledger) -> None:
    """What the other tests would see if a report scanned the jobs."""

    def group_by(name: str) -> None:
        with ledger._store.snapshot() as connection:
            account = connection.execute(text("SELECT id FROM account WHERE name = :name"), {"name": name}).scalar()
            assert len(connection.execute(text(GROUP_BY), {"account": account}).all()) == KEYS

    small, large = costs(ledger, group_by)
    assert large.steps > 90 * small.steps


@pytest.mark.parametrize("period", [PERIOD, ("2025-01", "2025-01"), ("2025-03", "2025-03"), ("2025-04", "2025-04")])
def test_a_report_of_a_million_jobs_costs_no_more_than_one_of_ten_thousand(
    ledger: Ledger, period: tuple[str, str]
) -> None:
    for name in ("small", "large"):
        ledger.usage(name, *period)  # which keeps the boundaries
    check_no_more(*costs(ledger, lambda name: ledger.usage(name, *period)))


def test_it_costs_no_more_where_no_boundary_is_kept(ledger: Ledger) -> None:
    forget_boundaries(ledger)
    small, large = costs(ledger, lambda name: ledger.usage(name, *PERIOD))
    check_no_more(small, large)
    kept, _ = costs(ledger, lambda name: ledger.usage(name, *PERIOD))
    assert small.steps > 10 * kept.steps  # they were derived indeed


def test_a_kept_boundary_spares_reading_any_job(ledger: Ledger) -> None:
    ledger.usage("large", *PERIOD)
    with ledger._store.snapshot() as connection:
        before = connection.execute(text("SELECT COUNT(*) FROM boundary")).scalar()
    assert before
    counter = Counter(ledger)
    with counter.counting():
        ledger.usage("large", *PERIOD)
    assert counter.cost.steps < 10_000


def test_a_daily_report_costs_no_more(ledger: Ledger) -> None:
    for name in ("small", "large"):
        ledger.daily(name, "2025-01-01", "2025-03-31")
    check_no_more(*costs(ledger, lambda name: ledger.daily(name, "2025-01-01", "2025-03-31")))


def test_a_page_of_the_ledger_costs_no_more_wherever_it_begins(ledger: Ledger) -> None:
    check_no_more(*costs(ledger, lambda name: ledger.jobs(name, *PERIOD, limit=50)))
    check_no_more(*costs(ledger, lambda name: ledger.jobs(name, "2025-03", "2025-03", limit=50)))
    cursors = {name: ledger.jobs(name, "2025-03", "2025-03", limit=50).next_cursor for name in ("small", "large")}
    check_no_more(*costs(ledger, lambda name: ledger.jobs(name, *PERIOD, cursor=cursors[name], limit=50)))


def test_storing_jobs_costs_no_more_in_a_large_account(ledger: Ledger) -> None:
    numbers = iter(range(1000))

    def record(name: str) -> None:
        jobs = [
            job(f"new {next(numbers)}", account=name, api_key="key 01", completed_at="2025-03-31T23:59:59.999999Z")
            for _ in range(100)
        ]
        assert ledger.record(jobs).accepted == 100

    record("small")
    record("large")
    check_no_more(*costs(ledger, record))
