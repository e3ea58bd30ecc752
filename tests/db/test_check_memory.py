"""What a check holds in memory grows neither with the jobs nor with the accounts."""

from __future__ import annotations

import gc
import subprocess
import sys
import tracemalloc

from tallystick.model.instants import DAY, parse_instant
from tallystick.settings import Settings
from tests.databases import Databases, run
from tests.embedded import NOW, Deployment

MEBIBYTE = 2**20
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


PROCESS = """
import sys
from pathlib import Path
from tallystick.ledger.maintenance import open_maintenance

with open_maintenance(sys.argv[1]) as maintenance:
    result = maintenance.check()
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(result.jobs, result.differences, status["VmHWM"].split()[0])
"""


def process_bytes(databases: Databases, jobs: int) -> int:
    """The most memory that a process had which did nothing but check so many jobs."""
    with databases.fresh() as database:
        fill(database, jobs=jobs, accounts=20)
        command = [sys.executable, "-c", PROCESS, database]
        checked, differences, kibibytes = subprocess.check_output(command, text=True).split()
    assert (checked, differences) == (str(jobs), "0")
    return int(kibibytes) * 1024


def test_memory_does_not_grow_with_the_jobs(databases: Databases) -> None:
    """All of the process's memory: what a driver holds outside of Python counts too.

    SQLite may fill its page cache, of 16 MiB; 150,000 jobs held in memory take more than twice the bound.
    """
    before, after = process_bytes(databases, 50_000), process_bytes(databases, 200_000)
    assert after < before + 20 * MEBIBYTE


def test_memory_does_not_grow_with_the_accounts(databases: Databases) -> None:
    peaks = []
    # The first walk fills caches that stay, such as those of the calendar.
    for accounts in (20, 3_000, 9_000):
        with databases.fresh() as database:
            fill(database, jobs=accounts, accounts=accounts)
            deployment = Deployment(database, Settings(), NOW)
            peaks.append(peak_bytes(deployment, accounts, accounts))
            deployment.ledger.close()
    _, before, after = peaks
    assert after < before + MEBIBYTE // 8, peaks
