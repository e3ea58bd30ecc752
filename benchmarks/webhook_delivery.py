"""How soon webhooks arrive while some receivers hang: 10,000 notices of 50 accounts, an endpoint each, five hanging.

Run from the root of the repository: ``python -m benchmarks.webhook_delivery``. The receivers are a process of their
own, each with a port of its own. Beside it stands the floor: the same requests by the same HTTP library, signed and
over as many connections, without queue, log and database.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from benchmarks.receivers import Arrived, Receivers, receiving
from tallystick.bench.places import Place, postgresql_place, sqlite_place
from tallystick.ledger import Ledger
from tallystick.ledger.clock import now_in_microseconds
from tallystick.ledger.deliveries import Task
from tallystick.ledger.notices import notice_row
from tallystick.ledger.targets import Targets, networks_from
from tallystick.model.notices import Event, Occurrence
from tallystick.settings import Settings
from tallystick.store import notices, webhooks
from tallystick.store.rows import parts
from tallystick.webhooks import telling
from tallystick.webhooks.dispatcher import WIDEST
from tallystick.webhooks.sending import Sender, sender

LOOPBACK = "127.0.0.0/8"
MOST_SECONDS = 300.0
ENGINES = ("sqlite", "postgresql")


def main() -> None:
    """Measures and prints the figures, an engine after the other."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--notices", type=int, default=10_000, help="notices over all endpoints")
    parser.add_argument("--endpoints", type=int, default=50, help="endpoints, each of an account of its own")
    parser.add_argument("--hanging", type=int, default=5, help="how many of them never answer")
    parser.add_argument("--engine", choices=ENGINES, help="only this one")
    arguments = parser.parse_args()
    for engine in ENGINES:
        if arguments.engine in {None, engine}:
            measure(engine, arguments)


def measure(engine: str, arguments: argparse.Namespace) -> None:
    """Measures on one engine and prints the figures."""
    with _place(engine) as place, receiving(arguments.endpoints) as receivers:
        settings = Settings(webhook_networks=LOOPBACK)
        with Ledger(place.subject, settings=settings) as ledger:
            healthy = make_endpoints(ledger, receivers, arguments.hanging)
            each = arguments.notices // arguments.endpoints
            say(ledger, each)
            paths = [urlsplit(url).path for url in healthy]
            seconds, found = deliver(ledger, receivers, paths, each)
            floor = bare(ledger, healthy, each)
    print(f"{engine}: {arguments.notices:,} notices, {arguments.endpoints} endpoints, {arguments.hanging} hang")
    print_figures(paths, each, seconds, found, floor)


@contextmanager
def _place(engine: str) -> Iterator[Place]:
    with sqlite_place(None) if engine == "sqlite" else postgresql_place(None) as place:
        yield place


def make_endpoints(ledger: Ledger, receivers: Receivers, hanging: int) -> list[str]:
    """Makes an account with an endpoint for each receiver; gives the URLs of those that answer."""
    urls = [f"{url}/hang/{n}" if n < hanging else f"{url}/ok/{n}" for n, url in enumerate(receivers.urls)]
    for number, url in enumerate(urls):
        ledger.accounts.create(f"account {number}")
        ledger.webhooks.create(url, account=f"account {number}")
    return urls[hanging:]


def say(ledger: Ledger, each: int) -> None:
    """Says so many notices to each endpoint, without waiting for what would cause them."""
    store, now = ledger._store, now_in_microseconds()
    with store.snapshot() as connection:
        endpoints = webhooks.endpoints_of(connection, None)
    for part in parts([(endpoint, number) for endpoint in endpoints for number in range(each)], 1000):
        with store.transaction() as connection:
            for endpoint, number in part:
                data = {"account": None, "webhook": endpoint.id}
                occurrence = Occurrence(None, Event.WEBHOOK_TEST, endpoint.id, "", str(number), data)
                row = notice_row(occurrence, endpoint.account_id, now=now, random_bytes=ledger.notices._random_bytes)
                notices.say(connection, [row])
                webhooks.send(connection, row, [endpoint], now=now)


def deliver(
    ledger: Ledger, receivers: Receivers, healthy: list[str], each: int
) -> tuple[dict[str, float], dict[str, Arrived]]:
    """Delivers until the endpoints that answer have everything; gives the seconds by path, and what arrived."""
    began = time.monotonic()
    with telling(ledger):
        while True:
            arrived = receivers.arrived()
            if all(arrived.get(path, Arrived()).ids == each for path in healthy):
                break
            if time.monotonic() - began > MOST_SECONDS:
                break
            time.sleep(0.2)
    return {path: arrived[path].last - began for path in healthy if path in arrived}, arrived


def bare(ledger: Ledger, healthy: list[str], each: int) -> float:
    """Seconds that the same requests take without queue, log and database, as many at a time."""
    with ledger._store.snapshot() as connection:
        endpoint = webhooks.endpoints_of(connection, None)[-1]
        row, *_ = webhooks.deliveries(connection, endpoint, state=None, before=None, limit=1)[0]
        body = webhooks.body_of(connection, row)

    async def lane(url: str, sends: Sender, count: int) -> None:
        task = Task(row, url, ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",), body)
        for _ in range(count):
            await sends.send(task, now_in_microseconds(), 15.0)

    async def run() -> float:
        async with sender(Targets(networks_from(LOOPBACK, "LOOPBACK"))) as sends:
            began = time.monotonic()
            lanes = [lane(url, sends, each // WIDEST) for url in healthy for _ in range(WIDEST)]
            await asyncio.gather(*lanes)
            return time.monotonic() - began

    return asyncio.run(run())


def print_figures(
    healthy: list[str],
    each: int,
    seconds: dict[str, float],
    found: dict[str, Arrived],
    floor: float,
) -> None:
    """The figures, a line each."""
    complete = [path for path in healthy if found.get(path, Arrived()).ids == each]
    requests = sum(found[path].requests for path in healthy if path in found)
    last, first = max(seconds.values()), min(seconds.values())
    tried = [arrived.requests for path, arrived in found.items() if path.startswith("/hang")]
    total = len(healthy) * each
    print(f"healthy endpoints with everything: {len(complete)} of {len(healthy)}, {each} notices each")
    print(f"the last of them had everything after {last:.1f} s, the first after {first:.1f} s")
    print(f"deliveries a second: {total / last:,.0f}; requests for each delivery: {requests / total:.3f}")
    print(f"requests to the hanging ones meanwhile: {sum(tried)}")
    print(f"the same requests without queue, log and database: {floor:.1f} s, {total / floor:,.0f} a second")
    print(f"ratio: {floor / last:.2f}")


if __name__ == "__main__":
    main()
