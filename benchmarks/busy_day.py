"""What a new rank in the middle of a day of 1,000,000 jobs costs: the first reading of it, and every later one.

An account has those jobs on one day, and a few on the days around it. In each round it comes to a plan with one tier
more, which begins in the middle of that day, at a rank that no plan had before. Its report is read at once, which finds
the boundary and keeps it, and then again and again. Beside both stand the same report of the standard plan, the least
that a read can ask (`SELECT 1`), and a GROUP BY over the jobs, which knows no ranks.

Run from the root of the repository: ``python -m benchmarks.busy_day``, or with ``--engine postgresql``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from typing import Final

from tallystick.bench.places import Place, postgresql_place, sqlite_place
from tallystick.ledger import Ledger
from tallystick.model.instants import DAY
from tallystick.model.months import Month
from tallystick.model.plans import Plan, parse_plan
from tallystick.store import measuring, meters
from tallystick.store.database import Store

ACCOUNT: Final = "acme"
KEYS: Final = ("production", "staging", "batch")
MONTH: Final = Month.of(2025, 1)
NOW: Final = MONTH.last_day * DAY
QUIET_DAYS: Final = 10
"""Days in front of the busy one, and as many behind it."""

QUIET_JOBS: Final = 1_000
READS: Final = 50
_CHUNK: Final = 250_000


def make_account(store: Store, jobs: int) -> int:
    """Fills the database; gives the account's number."""
    busy = MONTH.first_day + QUIET_DAYS
    with store.transaction() as connection:
        known = meters.all_meters(connection)
        account = measuring.add_account(connection, ACCOUNT, KEYS, plan="standard", now=NOW)
    done = 0
    for day in range(MONTH.first_day, busy + QUIET_DAYS + 1):
        size = jobs if day == busy else QUIET_JOBS
        step = DAY // size
        for first in range(done, done + size, _CHUNK):
            numbers = range(first, min(first + _CHUNK, done + size))
            with store.transaction() as connection:
                start = day * DAY - done * step
                measuring.add_many(connection, account, numbers, known, start=start, step=step, keys=len(KEYS))
        done += size
    with store.transaction() as connection:
        measuring.sum_up(connection, account, [MONTH], known)
    measuring.settle(store)
    return account


def with_edge(standard: Plan, number: int, rank: int) -> Plan:
    """The standard plan under another name, with a tier more that begins behind a rank."""
    document = standard.to_document()
    tiers = [*document["tiers"], {"after_jobs": rank, "discount": "20"}]
    return parse_plan({**document, "name": f"edge {number}", "tiers": tiers})


def milliseconds(call: Callable[[], object], times: int = 1) -> float:
    """The median time of a call."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found)


def measured_on(place: Place, jobs: int, rounds: int) -> None:
    """Makes the account, measures and prints."""
    with Ledger(place.subject, clock=lambda: NOW) as ledger, closing(Store(place.subject)) as store:
        account = make_account(store, jobs)
        standard = parse_plan(ledger.plans.get("standard").versions[0].plan)
        with store.snapshot() as connection:
            engine = measuring.version(connection)
            known = meters.all_meters(connection)

        def usage() -> object:
            return ledger.usage(ACCOUNT, str(MONTH), str(MONTH))

        def select_one() -> None:
            with store.snapshot() as connection:
                measuring.select_one(connection)

        def group_by() -> None:
            with store.snapshot() as connection:
                measuring.group_by(connection, account, known)

        found: dict[str, list[float]] = {name: [] for name in ROWS}
        for number in range(rounds):
            ledger.accounts.change(ACCOUNT, plan="standard", plan_from=str(MONTH))
            usage()
            found["SELECT 1"].append(milliseconds(select_one, READS))
            found["usage, standard plan"].append(milliseconds(usage, READS))
            rank = QUIET_DAYS * QUIET_JOBS + jobs // 2 + number
            ledger.plans.put(with_edge(standard, number, rank))
            ledger.accounts.change(ACCOUNT, plan=f"edge {number}", plan_from=str(MONTH))
            found["usage, new edge, first reading"].append(milliseconds(usage))
            found["usage, new edge, second reading"].append(milliseconds(usage))
            found["usage, new edge, later readings"].append(milliseconds(usage, READS))
            found["GROUP BY over the jobs"].append(milliseconds(group_by))
            tiers = ledger.usage(ACCOUNT, str(MONTH), str(MONTH)).monthly_breakdown[0].tiers
            assert tiers["tier5"] == 2 * QUIET_DAYS * QUIET_JOBS + jobs - rank, tiers
    print(f"{engine}: {jobs:,} jobs on one day of an account, an edge in the middle of them")
    print_table(found)


ROWS: Final = (
    "SELECT 1",
    "usage, standard plan",
    "usage, new edge, first reading",
    "usage, new edge, second reading",
    "usage, new edge, later readings",
    "GROUP BY over the jobs",
)


def print_table(found: dict[str, list[float]]) -> None:
    """A line for each; the ratio is that to the standard plan's report."""
    medians = {name: statistics.median(rounds) for name, rounds in found.items()}
    floor = medians["usage, standard plan"]
    print(f"\n{'':34}{'ms':>10}{'ratio':>10}")
    for name, median in medians.items():
        print(f"{name:34}{median:>10.2f}{median / floor:>10.2f}")
    print(f"\nmedians of {len(found['SELECT 1'])} rounds; ratio: to the report of the standard plan")


def main() -> None:
    """Measures on the engine that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    arguments = parser.parse_args()
    with sqlite_place(None) if arguments.engine == "sqlite" else postgresql_place(None) as place:
        measured_on(place, arguments.jobs, arguments.rounds)


if __name__ == "__main__":
    main()
