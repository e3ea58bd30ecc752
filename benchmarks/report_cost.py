"""What a report costs for an account of 10,000 jobs and for one of 1,000,000, beside a GROUP BY over the jobs.

Run from the root of the repository: ``python -m benchmarks.report_cost``
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import text

from benchmarks.histories import GROUP_BY, NOW, PERIOD, Cost, Counter, add_account, forget_boundaries
from tallystick.ledger import Ledger


class Measured(NamedTuple):
    """One call: its median time, and what SQLite did for it."""

    milliseconds: float
    cost: Cost


class Call(NamedTuple):
    """What is measured, and what is done before each round, unmeasured."""

    run: Callable[[], object]
    before: Callable[[], None]


def measure(ledger: Ledger, calls: Sequence[Call], repeats: int) -> list[Measured]:
    """The median time of each call over `repeats` rounds, and its cost.

    The calls take turns, so that whatever else the machine does meets all of them alike.
    """
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, seconds in zip(calls, times, strict=True):
            call.before()
            start = time.perf_counter()
            call.run()
            seconds.append(time.perf_counter() - start)
    costs = []
    for call in calls:
        counter = Counter(ledger)
        call.before()
        with counter.counting():
            call.run()
        costs.append(counter.cost)
    return [Measured(statistics.median(seconds) * 1000, cost) for seconds, cost in zip(times, costs, strict=True)]


def calls_of(ledger: Ledger, name: str, account: int) -> dict[str, Call]:
    """What is measured of an account."""

    def group_by() -> object:
        with ledger._store.snapshot() as connection:
            return connection.execute(text(GROUP_BY), {"account": account}).all()

    def nothing() -> None:
        pass

    return {
        "report of three months": Call(lambda: ledger.usage(name, *PERIOD), nothing),
        "the same, boundaries lost": Call(lambda: ledger.usage(name, *PERIOD), lambda: forget_boundaries(ledger)),
        "report by day, 90 days": Call(lambda: ledger.daily(name, "2025-01-01", "2025-03-31"), nothing),
        "first 100 jobs of the ledger": Call(lambda: ledger.jobs(name, *PERIOD), nothing),
        "GROUP BY over the jobs": Call(group_by, nothing),
    }


def main() -> None:
    """Builds both accounts in a temporary database and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=10_000, help="jobs of the smaller account")
    parser.add_argument("--large", type=int, default=1_000_000, help="jobs of the larger account")
    parser.add_argument("--repeats", type=int, default=21, help="rounds of which the median is taken")
    arguments = parser.parse_args()
    sizes = {"small": arguments.small, "large": arguments.large}
    with (
        tempfile.TemporaryDirectory(prefix="tallystick-") as folder,
        Ledger(f"sqlite:///{folder}/tallystick.db", clock=lambda: NOW) as ledger,
    ):
        calls: dict[str, list[Call]] = {}
        for name, jobs in sizes.items():
            start = time.perf_counter()
            account = add_account(ledger, name, jobs)
            print(f"{name}: {jobs:,} jobs made in {time.perf_counter() - start:.1f} s", flush=True)
            for what, call in calls_of(ledger, name, account).items():
                calls.setdefault(what, []).append(call)
        found = {what: measure(ledger, both, arguments.repeats) for what, both in calls.items()}
    print_table(found, arguments.small, arguments.large)


def print_table(found: dict[str, list[Measured]], small: int, large: int) -> None:
    """One line for each call and account, and one for their ratio."""
    print(f"\n{'':30}{'jobs':>12}{'ms (median)':>14}{'VM steps':>14}{'rows':>10}")
    for what, (less, more) in found.items():
        for jobs, measured in ((small, less), (large, more)):
            cost = measured.cost
            print(f"{what:30}{jobs:>12,}{measured.milliseconds:>14.2f}{cost.steps:>14,}{cost.rows:>10,}")
        ratios = (
            more.milliseconds / less.milliseconds,
            more.cost.steps / less.cost.steps,
            more.cost.rows / less.cost.rows,
        )
        print(f"{'  ratio':30}{large / small:>12.2f}" + "{:>14.2f}{:>14.2f}{:>10.2f}".format(*ratios))


if __name__ == "__main__":
    main()
