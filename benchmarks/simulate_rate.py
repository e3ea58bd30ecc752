"""What `simulate` takes over 10,000,000 jobs of 1,000 accounts, beside a full re-rating of the same jobs in DuckDB.

The n-th account has 1/n as many jobs as the first (Zipf), spread over twelve months. DuckDB reads them from a Parquet
file written from the same database, ranks them by a window function over (booked_at, id), and prices each by its rank.
It computes in integers, in which nothing rounds. Both sides give each account's old and new cost, which must be equal
to the last digit; otherwise this ends with an error. The file has the jobs in the order in which they were completed,
as a log of them has; beside it stands one that is sorted by account already, which spares DuckDB most of the sorting.

Timed is the call in an open process on either side, in turns: `ledger.plans.simulate`, which rates both the accounts'
own plans and the new one, on one thread; and one query of DuckDB, on as many threads as it takes, with its file in the
memory of the operating system. A simulation keeps nothing, so that it finds the new plan's boundaries anew each time.
Those of the accounts' own plan it finds kept where somebody has read reports before. Both are printed. What DuckDB's
and Arrow's modules and the making of the jobs have left in memory is frozen before: Python's collector of garbage would
look through all of it again and again, which where these are not loaded it does not.

Run from the root of the repository: ``python -m benchmarks.simulate_rate``. It makes a database of about 2 GB.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow
import pyarrow.parquet

from benchmarks.histories import forget_boundaries
from tallystick.bench.places import Place, postgresql_place, sqlite_place
from tallystick.ledger import Ledger
from tallystick.model.instants import DAY
from tallystick.model.months import Month
from tallystick.model.plans import Meter, Plan, parse_plan
from tallystick.model.simulation import Simulation
from tallystick.store import measuring, meters
from tallystick.store.database import Store
from tallystick.store.rows import parts, run
from tallystick.store.schema import LIVE

KEYS: Final = ("production", "staging", "batch")
MONTHS: Final = tuple(Month.of(2025, 1).to(Month.of(2025, 12)))
NOW: Final = MONTHS[-1].last_day * DAY
_CHUNK: Final = 250_000
_ROW_GROUP: Final = 122_880
"""What DuckDB itself would write."""

NEW: Final = parse_plan(
    {
        "name": "new",
        "currency": "USD",
        "free_jobs": 250,
        "meters": [
            {"id": "transcription", "report_as": "transcription_tokens", "price": "0.0285", "per": 1000},
            {"id": "note_generation", "report_as": "note_tokens", "price": "0.0215", "per": 1000},
        ],
        "tiers": [
            {"after_jobs": 0, "discount": "0"},
            {"after_jobs": 2_000, "discount": "6.5"},
            {"after_jobs": 10_000, "discount": "12.25"},
            {"after_jobs": 50_000, "discount": "17.5"},
            {"after_jobs": 250_000, "discount": "21"},
        ],
    }
)
"""The plan that is tried: each of its boundaries lies elsewhere than one of the standard plan."""


# The jobs.


def sizes(accounts: int, jobs: int) -> list[int]:
    """How many jobs each account has, by Zipf's law; their sum is `jobs`."""
    whole = sum(1 / number for number in range(1, accounts + 1))
    found = [int(jobs / number / whole) for number in range(1, accounts + 1)]
    found[0] += jobs - sum(found)
    return found


def make_jobs(store: Store, known: tuple[Meter, ...], accounts: int, jobs: int) -> None:
    """Fills the database: accounts of the standard plan, their jobs and the rollups of these."""
    start = MONTHS[0].first_day * DAY
    for number, size in enumerate(sizes(accounts, jobs), 1):
        step = ((MONTHS[-1].last_day + 1) * DAY - start) // size
        with store.transaction() as connection:
            account = measuring.add_account(connection, f"account {number:04}", KEYS, plan="standard", now=NOW)
            for first in range(0, size, _CHUNK):
                numbers = range(first, min(first + _CHUNK, size))
                # An account's jobs begin at a moment of its own.
                own = start + step * number // (accounts + 1)
                measuring.add_many(connection, account, numbers, known, start=own, step=step, keys=len(KEYS))
            measuring.sum_up(connection, account, MONTHS, known)
        if number % 100 == 0:
            print(f"made the jobs of {number:,} accounts", file=sys.stderr)
    measuring.settle(store)


def write_parquet(store: Store, known: tuple[Meter, ...], file: Path) -> None:
    """Writes the live jobs to a file, in the order of the accounts and of their ledgers."""
    kinds: dict[str, Any] = {"account": pyarrow.string(), "booked_at": pyarrow.int64(), "id": pyarrow.string()}
    schema = pyarrow.schema({**kinds, **{meter.id: pyarrow.int64() for meter in known}})
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        for part in parts(_rows(store, known), 4 * _ROW_GROUP):
            columns = [
                pyarrow.array(column, field.type) for column, field in zip(zip(*part, strict=True), schema, strict=True)
            ]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema), row_group_size=_ROW_GROUP)


def sort_by_time(database: duckdb.DuckDBPyConnection, file: Path, sorted_file: Path) -> None:
    """Writes the same jobs to another file, in the order in which they were completed."""
    database.execute(
        f"COPY (SELECT * FROM '{file}' ORDER BY booked_at, id) TO '{sorted_file}'"
        f" (FORMAT parquet, ROW_GROUP_SIZE {_ROW_GROUP})"
    )


def _rows(store: Store, known: tuple[Meter, ...]) -> Iterator[Any]:
    columns = ", ".join(f"tokens_{meter.id}" for meter in known)
    with store.snapshot() as connection:
        accounts = [tuple(row) for row in run(connection, "SELECT id, name FROM account ORDER BY id")]
        yield from chain.from_iterable(
            run(
                connection,
                f"SELECT CAST(? AS text), booked_at, id, {columns} FROM job WHERE account_id = ? AND state = ?"
                " ORDER BY booked_at, id",
                (name, account, LIVE),
            )
            for account, name in accounts
        )


# The re-rating.


class Scaled(NamedTuple):
    """A plan's cost of a job of some rank as an expression in integers, in units of ``10 ** -places``."""

    cost: str
    places: int


def scaled(plan: Plan, known: tuple[Meter, ...]) -> Scaled:
    """The plan for DuckDB, each price and discount times a power of ten."""
    prices = plan.unit_prices(known)
    places = max(-int(price.as_tuple().exponent) for price in prices)
    base = " + ".join(f"{meter.id} * {int(price.scaleb(places))}" for meter, price in zip(known, prices, strict=True))
    # Discounts are in percent and have at most four places.
    kept = {tier.after_jobs: int((100 - tier.discount).scaleb(4)) for tier in plan.tiers}
    factor = " ".join(f"WHEN rank > {after} THEN {kept[after]}" for after in sorted(kept, reverse=True))
    return Scaled(f"CASE WHEN rank <= {plan.free_jobs} THEN 0 ELSE ({base}) * CASE {factor} END END", places + 6)


def query(file: Path, known: tuple[Meter, ...], plans: list[Scaled]) -> str:
    """Each account's cost under each of the plans, from the jobs."""
    columns = ", ".join(meter.id for meter in known)
    costs = ", ".join(f"sum({plan.cost})" for plan in plans)
    return (
        f"SELECT account, {costs} FROM (SELECT account, {columns},"
        f" row_number() OVER (PARTITION BY account ORDER BY booked_at, id) AS rank FROM '{file}') GROUP BY account"
    )


def costs_of(simulation: Simulation, plans: list[Scaled]) -> list[tuple[Any, ...]]:
    """The simulation in the form of the query's answer; a cost that is no whole number of units stays a fraction."""
    return sorted(
        (each.account, *(_units(cost, plan) for cost, plan in zip((each.old, each.new), plans, strict=True)))
        for each in simulation.accounts
    )


def _units(cost: Decimal, plan: Scaled) -> int | Decimal:
    units = cost.scaleb(plan.places)
    return int(units) if units == int(units) else units


# Measuring.


class Side(NamedTuple):
    """What is measured, and what is done before each round, unmeasured."""

    run: Callable[[], Any]
    before: Callable[[], object]


def measure(sides: dict[str, Side], rounds: int) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """The seconds of each side in each round, and what it gave in the last. The sides take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    given: dict[str, Any] = {}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        for name, side in sides.items():
            side.before()
            began = time.perf_counter()
            given[name] = side.run()
            seconds[name].append(time.perf_counter() - began)
    return seconds, given


def measured_on(place: Place, accounts: int, jobs: int, rounds: int) -> None:
    """Makes the jobs, measures, compares and prints."""
    with (
        tempfile.TemporaryDirectory(prefix="tallystick-bench-") as folder,
        Ledger(place.subject, clock=lambda: NOW) as ledger,
        closing(Store(place.subject)) as store,
        duckdb.connect() as database,
    ):
        with store.snapshot() as connection:
            known = meters.all_meters(connection)
            engine = measuring.version(connection)
        make_jobs(store, known, accounts, jobs)
        by_account, by_time = (Path(folder) / f"by-{order}.parquet" for order in ("account", "time"))
        write_parquet(store, known, by_account)
        sort_by_time(database, by_account, by_time)
        standard = parse_plan(ledger.plans.get("standard").versions[0].plan)
        plans = [scaled(standard, known), scaled(NEW, known)]

        def asked(file: Path) -> Callable[[], list[tuple[Any, ...]]]:
            text = query(file, known, plans)
            return lambda: sorted(database.execute(text).fetchall())

        def simulate() -> Simulation:
            (simulation,) = ledger.plans.simulate(NEW)
            return simulation

        sides = {
            "simulate, no boundary kept": Side(simulate, lambda: forget_boundaries(ledger)),
            "simulate, old plan's kept": Side(
                simulate, lambda: ledger.usage_of_accounts(str(MONTHS[0]), str(MONTHS[-1]))
            ),
            "DuckDB, jobs by time": Side(asked(by_time), lambda: None),
            "DuckDB, jobs by account": Side(asked(by_account), lambda: None),
        }
        gc.collect()
        gc.freeze()
        seconds, given = measure(sides, rounds)
        threads = database.execute("SELECT current_setting('threads')").fetchone()
        assert threads is not None
    check(given, plans)
    print(f"{engine} and DuckDB {duckdb.__version__} on {threads[0]} threads: {jobs:,} jobs of {accounts:,} accounts")
    print_table(seconds)


def check(given: dict[str, Any], plans: list[Scaled]) -> None:
    """Ends the program where the sides differ anywhere."""
    cold, kept, by_time, by_account = given.values()
    if not costs_of(cold, plans) == costs_of(kept, plans) == by_time == by_account:
        raise SystemExit("the simulation and the re-rating differ")


def print_table(seconds: dict[str, list[float]]) -> None:
    """A line for each side; the ratios are those to the simulations."""
    medians = {name: statistics.median(rounds) for name, rounds in seconds.items()}
    cold, warm, *_ = medians.values()
    rounds = max(map(len, seconds.values()))
    print(f"\n{'':28}{'seconds':>9}{'to cold':>9}{'to kept':>9}  rounds")
    for name, median in medians.items():
        shown = " ".join(f"{each:.2f}" for each in seconds[name])
        print(f"{name:28}{median:>9.3f}{median / cold:>8.1f}x{median / warm:>8.1f}x  {shown}")
    print(f"\nmedians of {rounds} rounds; every account's old and new cost equal to the last digit")


def main() -> None:
    """Measures on the engine that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=10_000_000)
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    arguments = parser.parse_args()
    with sqlite_place(None) if arguments.engine == "sqlite" else postgresql_place(None) as place:
        measured_on(place, arguments.accounts, arguments.jobs, arguments.rounds)


if __name__ == "__main__":
    main()
