"""What webhooks and budgets cost ingest: the rate of batches with both on every account, beside the rate without them.

Run from the root of the repository: ``python -m benchmarks.telling_cost``. Two databases of an engine get the same
jobs in turns, each from a server that is started for the turn: of the one, every account has a budget and an endpoint
that a receiver in a process of its own answers; the other has neither. Who begins changes with every round. The first
round is not counted: in it most accounts use up their free jobs, which in earnest happens once in their lives. The
second one begins when all that is delivered.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchmarks.receivers import Receivers, receiving
from tallystick.bench.places import Place, postgresql_place, sqlite_place
from tallystick.bench.processes import Server, serving
from tallystick.bench.workload import ACCOUNTS, Jobs, Workload
from tallystick.ledger import Ledger
from tallystick.ledger.clock import now_in_microseconds
from tallystick.model.instants import DAY
from tallystick.model.tokens import Scope
from tallystick.model.wire import decode
from tallystick.settings import Settings
from tallystick.store import zones

LOOPBACK: Final = "127.0.0.0/8"
ENGINES: Final = ("sqlite", "postgresql")
JOBS_A_REQUEST: Final = 1_000
CONNECTIONS: Final = 4
PAUSE_SECONDS: Final = 0.2
BACK: Final = 2 * DAY
ZONES: Final = ("UTC", "Etc/GMT+12", "Etc/GMT-14")
"""The last two begin a month last and first of all."""


class Side(NamedTuple):
    """One of the two databases, and a token to send jobs with; of each turn jobs a second, and microseconds a job."""

    database: str
    token: str
    rates: list[float]
    costs: list[float]


def main() -> None:
    """Measures and prints the figures, an engine after the other."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1_000_000, help="jobs of a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=1_000_000, help="the first account's; the n-th has 1/n of it")
    parser.add_argument("--engine", choices=ENGINES, help="only this one")
    arguments = parser.parse_args()
    for engine in ENGINES:
        if arguments.engine in {None, engine}:
            measure(engine, arguments.jobs, arguments.rounds, arguments.budget)


def measure(engine: str, jobs: int, rounds: int, budget: int) -> None:
    """Measures on one engine and prints the figures."""
    workload = Workload(20250615, now_in_microseconds() - BACK)
    with _place(engine) as place, receiving(1) as receivers:
        first = workload.one_of_each()
        told = prepare(place.subject, first, receivers, budget=budget)
        silent = prepare(place.floor, first, None)
        for number in range(rounds + 1):
            bodies = list(workload.jobs(jobs, "time-ordered").bodies(JOBS_A_REQUEST))
            for side in (told, silent) if number % 2 else (silent, told):
                take_turn(side, place.workers, bodies, to_the_end=number == 0)
        for side in (told, silent):
            del side.rates[0], side.costs[0]
        print_figures(engine, jobs, told, silent)


@contextmanager
def _place(engine: str) -> Iterator[Place]:
    with sqlite_place(None) if engine == "sqlite" else postgresql_place(None) as place:
        yield place


def prepare(database: str, first: Jobs, receivers: Receivers | None, *, budget: int = 0) -> Side:
    """A database that knows every account and key; with a receiver also a budget and an endpoint for each account."""
    settings = Settings(webhook_networks=LOOPBACK, default_time_zone=_time_zone())
    with Ledger(database, settings=settings) as ledger:
        ledger.record(decode(next(first.bodies(len(first.wire)))))
        for number in range(ACCOUNTS):
            name = f"account-{number:03d}"
            if receivers is not None:
                ledger.budgets.set(name, amount=budget // (number + 1) + 1)
                ledger.webhooks.create(f"{receivers.urls[0]}/{number}", account=name)
        return Side(database, ledger.tokens.create(Scope.INGEST).token, [], [])


def _time_zone() -> str:
    """One in which the jobs lie in the current month, in which alone thresholds are told of, where there is one."""
    ends = now_in_microseconds() - BACK, now_in_microseconds()
    for name in ZONES:
        first, last = map(zones.calendar(name).month_of, ends)
        if first == last:
            return name
    raise SystemExit("nothing would be told: the last two days lie in two months everywhere; run it later")


def take_turn(side: Side, workers: int, bodies: Sequence[bytes], *, to_the_end: bool) -> None:
    """Sends jobs and notes the rate, and the processor's time that the server took; then waits for webhooks or not."""
    with (
        tempfile.TemporaryDirectory(prefix="tallystick-bench-") as folder,
        serving(side.database, workers, Path(folder), webhook_networks=LOOPBACK) as server,
    ):
        requests = [_post(server, side.token, body) for body in bodies]
        jobs, before = len(bodies) * JOBS_A_REQUEST, _cpu_seconds(server.pid)
        side.rates.append(jobs / server.send(requests, connections=CONNECTIONS).seconds)
        side.costs.append((_cpu_seconds(server.pid) - before) / jobs * 1e6)
        if to_the_end:
            _wait_for_webhooks(side.database)


def _wait_for_webhooks(database: str) -> None:
    with Ledger(database) as ledger:
        while ledger.notices.look() or ledger.deliveries.due_in() is not None:
            time.sleep(PAUSE_SECONDS)


def _cpu_seconds(pid: int) -> float:
    """The processor's time of a process and those that it started, from Linux's /proc."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    user, system = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK") + sum(_cpu_seconds(int(each)) for each in children)


def _post(server: Server, token: str, body: bytes) -> bytes:
    head = (
        f"POST /jobs HTTP/1.1\r\nHost: {server.host}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def print_figures(engine: str, jobs: int, told: Side, silent: Side) -> None:
    """The figures, a line each."""
    with Ledger(told.database) as ledger:
        delivered = sum(
            len(ledger.webhooks.deliveries(endpoint.id, state="delivered", limit=1000).deliveries)
            for endpoint in ledger.webhooks.list()
        )
    if not delivered:
        raise SystemExit("nothing was told")
    print(f"{engine}: {ACCOUNTS} accounts, {len(told.rates)} rounds of {jobs:,} jobs, {JOBS_A_REQUEST:,} a request")
    print(f"with a budget and an endpoint on each: {median(told.rates):,.0f} jobs/s; {delivered:,} webhooks delivered")
    print(f"without them: {median(silent.rates):,.0f} jobs/s")
    print(f"processor time of the server: {median(told.costs):.2f} and {median(silent.costs):.2f} microseconds a job")
    print(f"their ratio: {median(silent.costs) / median(told.costs):.3f}")
    ratios = [one / other for one, other in zip(told.rates, silent.rates, strict=True)]
    print(f"ratio of the medians: {median(told.rates) / median(silent.rates):.3f}")
    print(f"ratio in each round: {', '.join(f'{each:.3f}' for each in ratios)}; median {median(ratios):.3f}")


if __name__ == "__main__":
    main()
