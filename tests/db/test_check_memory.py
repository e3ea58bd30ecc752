"""What a check holds in memory grows neither with the jobs nor with the accounts."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from tallystick.model.instants import DAY, parse_instant
from tallystick.settings import Settings
from tests.databases import Databases, run
from tests.embedded import NOW, Deployment

KIBIBYTE = 1024
GROWTH_BYTES = 128 * KIBIBYTE
START = parse_instant("2025-01-01T00:00:00Z")
DAYS = 28


def fill(database: str, *, jobs: int, accounts: int) -> None:
    """Jobs spread evenly over the accounts and over four weeks, and their rollups, by the database itself."""
    numbers = "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {})"
    apart = DAYS * DAY // jobs
    instant = f"CAST({START} AS bigint) + CAST(n AS bigint) * {apart}"
    account = f"1 + n - n / {accounts} * {accounts}"
    key = "1 + n - n / 3 * 3"
    run(
        database,
        f"INSERT INTO account {numbers.format(accounts - 1)} SELECT 1 + n, 'account ' || n, 'USD', 0 FROM numbers",
    )
    run(database, "INSERT INTO account_state SELECT id, 1, 0, 1, NULL, 'UTC' FROM account")
    run(
        database,
        f"INSERT INTO api_key {numbers.format(2)} SELECT id, 1 + n, 'key ' || n, 'live', 0, NULL FROM account, numbers",
    )
    run(
        database,
        f"INSERT INTO job {numbers.format(jobs - 1)} SELECT {account}, 0, {instant}, 'job-' || ({10**9} + n), {key},"
        f" {instant}, 1, 5, 10 FROM numbers",
    )
    for table, place in (("usage_day", f"CAST(booked_at / {DAY} AS int)"), ("usage_month", str(2025 * 12))):
        run(
            database,
            f"INSERT INTO {table} SELECT account_id, {place}, key_id, COUNT(*), SUM(5), SUM(10) FROM job"
            " GROUP BY 1, 2, 3",
        )
    run(
        database,
        "UPDATE account_state SET live_jobs ="
        " (SELECT COUNT(*) FROM job WHERE job.account_id = account_state.account_id)",
    )


def peak_bytes(deployment: Deployment, jobs: int, accounts: int) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        result = deployment.ledger.maintenance.check()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (result.jobs, result.accounts, result.differences) == (jobs, accounts, 0)
    return peak


@pytest.mark.parametrize(
    ("small", "large"),
    [((12_500, 20), (50_000, 20)), ((3_000, 3_000), (9_000, 9_000))],
    ids=["jobs", "accounts"],
)
def test_memory_does_not_grow(databases: Databases, small: tuple[int, int], large: tuple[int, int]) -> None:
    peaks = []
    # The first walk fills caches that stay, such as those of the calendar.
    for jobs, accounts in ((2_000, 20), small, large):
        with databases.fresh() as database:
            fill(database, jobs=jobs, accounts=accounts)
            deployment = Deployment(database, Settings(), NOW)
            peaks.append(peak_bytes(deployment, jobs, accounts))
            deployment.ledger.close()
    _, before, after = peaks
    assert after < before + GROWTH_BYTES, peaks
