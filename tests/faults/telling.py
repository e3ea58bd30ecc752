"""Notices on their way to a receiver, while servers and receiver are killed: each arrives, under one id."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from tallystick.ledger import Ledger
from tallystick.settings import Settings
from tests.databases import Databases
from tests.embedded import job, plan
from tests.faults.moody import LATE, MOODS, Entry, Moody
from tests.faults.processes import END_SECONDS, Served
from tests.faults.workload import Document, Size

LOOPBACK: Final = "127.0.0.0/8"
BOUND_SECONDS: Final = 60
"""How long after the last disturbance everything has arrived. It takes a few seconds where the machine is idle."""

PLAN: Final = plan(
    "told",
    free_jobs=10,
    tiers=[
        {"after_jobs": 0, "discount": "0"},
        {"after_jobs": 20, "discount": "5"},
        {"after_jobs": 40, "discount": "10"},
    ],
)
_PROVIDER: Final = "/provider"
_THRESHOLDS: Final = {("free_jobs.low", 9), ("free_jobs.exhausted", 10), ("tier.reached", 20), ("tier.reached", 40)}
_ENDPOINTS: Final = 2


class Told(NamedTuple):
    """What a notice is about, however often it is sent: its event, its account, and the threshold that was passed."""

    event: str
    account: str
    threshold: str


def tell(seed: int, size: Size, databases: Databases, *, servers: int) -> None:
    """Sends jobs that pass thresholds while everything is killed now and then, and waits for what must arrive."""
    numbers = random.Random(f"{seed} telling")
    counts = {f"account {number}": numbers.randint(9, 60) for number in range(size.clients)}
    parcels = list(_parcels(numbers, counts))
    breaks = set(numbers.sample(range(len(parcels)), min(2 * size.faults, len(parcels))))
    with (
        databases.fresh() as database,
        tempfile.TemporaryDirectory() as folder,
        Moody(seed, Path(folder)) as receiver,
        ExitStack() as running,
    ):
        token, endpoints = _prepare(database, list(counts), receiver)
        receiver.start()
        served = [
            running.enter_context(Served(database, module="tests.faults.hasty", webhook_networks=LOOPBACK))
            for _ in range(servers)
        ]
        for number, parcel in enumerate(parcels):
            _post(numbers.choice(served).url, token, parcel)
            if number in breaks:
                _break(numbers, receiver, served)
        due = {(path, told) for path, account in endpoints for told in _due(counts) if account in {None, told.account}}
        missing = _missing_after(BOUND_SECONDS, receiver, due)
        journal = receiver.journal()
        assert not missing, f"{len(missing)} of {len(due)} never arrived: {sorted(missing)[:5]}"
        _check(journal, due, list(counts))
        _wait(lambda: _states(database, endpoints) <= {"delivered"})
        assert _states(database, endpoints) == {"delivered"}


def _parcels(numbers: random.Random, counts: dict[str, int]) -> Iterator[list[Document]]:
    """The jobs of every account in parcels of some of them, in any order, some of them twice."""
    completed_at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    tokens = {"transcription": 1, "note_generation": 0}
    jobs = [
        job(number, account=account, completed_at=completed_at, tokens=tokens)
        for account, count in counts.items()
        for number in range(count)
    ]
    jobs += numbers.sample(jobs, len(jobs) // 5)
    numbers.shuffle(jobs)
    while jobs:
        count = numbers.randint(1, 20)
        yield jobs[:count]
        jobs = jobs[count:]


def _prepare(database: str, accounts: Sequence[str], receiver: Moody) -> tuple[str, list[tuple[str, str | None]]]:
    """Makes the accounts with budgets, and endpoints for all of them; gives a token and each path's account."""
    endpoints: list[tuple[str, str | None]] = [(_PROVIDER, None)]
    endpoints += [(f"/{number}/{account[-1]}", account) for account in accounts for number in range(_ENDPOINTS)]
    secrets = {}
    with Ledger(database, settings=Settings(webhook_networks=LOOPBACK)) as ledger:
        ledger.plans.put(PLAN)
        for account in accounts:
            ledger.accounts.create(account, plan=PLAN.name)
            ledger.budgets.set(account, amount="20")
        for path, owner in endpoints:
            secrets[path] = ledger.webhooks.create(f"{receiver.url}{path}", account=owner).secret
        token = ledger.tokens.create("ingest").token
    receiver.expect(secrets)
    return token, endpoints


def _post(url: str, token: str, jobs: Sequence[Document]) -> None:
    answer = httpx.post(f"{url}/jobs", json=jobs, headers={"X-Api-Key": token}, timeout=END_SECONDS)
    assert answer.status_code == 200, answer.text
    assert not answer.json()["rejected"], answer.text


def _break(numbers: random.Random, receiver: Moody, served: Sequence[Served]) -> None:
    """Kills a server, the receiver or both: at once, once more has arrived, or while something waits for its answer."""
    before = len(receiver.journal())
    more, of_these = numbers.choice(((0, MOODS), (1, MOODS), (6, MOODS), (1, LATE), (1, LATE)))
    _wait(lambda: sum(entry.mood in of_these for entry in receiver.journal()[before:]) >= more, seconds=3)
    time.sleep(numbers.uniform(0, 0.2))
    what = numbers.choice(("server", "server", "receiver", "both"))
    server = numbers.choice(served)
    if what != "server":
        receiver.kill()
    if what != "receiver":
        server.kill()
        server.start()
    if what != "server":
        time.sleep(numbers.uniform(0, 0.5))
        receiver.start()


def _due(counts: dict[str, int]) -> set[Told]:
    """What the accounts must hear of, counted out here: of ranks, and of a budget of 20 where a job costs 1."""
    found = set()
    for account, count in counts.items():
        found |= {Told(event, account, str(rank)) for event, rank in _THRESHOLDS if rank <= count}
        free, full, fewer = min(count, 10), max(0, min(count, 20) - 10), max(0, min(count, 40) - 20)
        least = count - free - full - fewer
        cost = full + fewer * Decimal("0.95") + least * Decimal("0.9")
        found |= {Told("budget.threshold", account, str(percent)) for percent in (50, 80, 100) if cost * 5 >= percent}
    return found


def _told(payload: Any) -> Told:
    data = payload["data"]
    ranks = {"free_jobs.low": 9, "free_jobs.exhausted": 10, "tier.reached": data.get("after_jobs")}
    return Told(payload["type"], data["account"], str(data.get("threshold", ranks.get(payload["type"]))))


def _missing_after(seconds: float, receiver: Moody, due: set[tuple[str, Told]]) -> set[tuple[str, Told]]:
    def missing() -> set[tuple[str, Told]]:
        return due - {(entry.path, _told(entry.payload)) for entry in _of_accounts(receiver.journal())}

    _wait(lambda: not missing(), seconds)
    return missing()


def _of_accounts(journal: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in journal if entry.is_taken and entry.payload["type"] != "account.created"]


def _check(journal: Sequence[Entry], due: set[tuple[str, Told]], accounts: Sequence[str]) -> None:
    """Of everything that arrived, taken or not."""
    refused = [entry for entry in journal if entry.payload is None]
    assert not refused, f"the official verifier refused {refused[:3]}"
    assert not [entry.path for entry in journal if "followed" in entry.path], "a redirect was followed"
    bodies, ids, created = defaultdict(set), defaultdict(set), dict[str, list[str]]()
    for entry in journal:
        bodies[entry.id].add(entry.body)
        if entry.payload["type"] == "account.created":
            created[entry.id] = entry.payload["data"]["accounts"]
        else:
            told = _told(entry.payload)
            assert (entry.path, told) in due, f"nobody should have heard of {told} at {entry.path}"
            ids[told].add(entry.id)
    changed = [each for each, of_it in bodies.items() if len(of_it) > 1]
    assert not changed, f"another body went under the same id: {changed}"
    twice = [told for told, of_it in ids.items() if len(of_it) > 1]
    assert not twice, f"something was said twice, under ids of its own: {twice}"
    assert Counter(name for names in created.values() for name in names) == Counter(accounts)


def _states(database: str, endpoints: Sequence[tuple[str, str | None]]) -> set[str]:
    with Ledger(database) as ledger:
        known = ledger.webhooks.list()
        assert len(known) == len(endpoints)
        assert not [one for one in known if one.off_since], "an endpoint was switched off"
        return {sent.state for one in known for sent in ledger.webhooks.deliveries(one.id, limit=1000).deliveries}


def _wait(holds: Callable[[], bool], seconds: float = BOUND_SECONDS) -> None:
    """Waits until something holds, and no longer than so many seconds."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
