"""Months closed again and again while jobs come in, and everything is killed: a scenario of its own."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from tallystick import Client, verify
from tallystick.errors import Conflict, StoreUnavailable
from tallystick.ledger import Ledger
from tallystick.settings import Settings
from tests.databases import Databases
from tests.faults.checks import check_derived, check_notes, prepare, rows
from tests.faults.processes import END_SECONDS, Served
from tests.faults.workload import ZONES, Crowd, Size, Workload

MONTHS: Final = ("2025-01", "2025-02", "2025-03")
"""Those in which the workload's jobs were completed; all long over."""

_STORED: Final = (
    "SELECT account.name, job.id, job.completed_at, job.booked_at, job.state FROM job"
    " JOIN account ON account.id = job.account_id"
)
_LIVE: Final = 0

_ALL_BUT_LATE: Final = 0.85
"""The share of the work that is done while months are closed; the rest comes late for all of them."""

Documents = dict[tuple[str, str], bytes]


def close_while_jobs_come(seed: int, size: Size, databases: Databases) -> None:
    """Jobs come in at full speed, some are voided; month after month is closed by processes that are killed midway and
    by two at once; the server is killed too. Every job is in the statement of its month, or booked later, once.
    """
    numbers, workload = random.Random(f"{seed} closings"), Workload(seed, size)
    with databases.fresh() as database, tempfile.TemporaryDirectory() as folder:
        keys = f"{folder}/keys"
        token, admin = prepare(database)
        seen: Documents = {}
        with Served(database) as server, _closers(min(size.faults - 1, len(MONTHS)), database, keys) as closers:
            with (
                Crowd(workload, size, lambda: server.url, token, pause_at=_ALL_BUT_LATE) as crowd,
                _voiding(database, workload, crowd),
            ):
                for place, month in enumerate(MONTHS):
                    crowd.wait_for(_ALL_BUT_LATE * (place + numbers.uniform(0.2, 0.8)) / len(MONTHS))
                    if closers:
                        _close_and_kill(month, closers.pop(), numbers)
                    if place == 1:
                        server.kill()
                        server.start()
                    _close_twice(month, database, keys)
                    seen = _check_unchanged(database, seen)
                crowd.resume()
                crowd.join()
            check_notes(crowd.notes)
            assert len(crowd.notes.acknowledged) == len(workload.parcels), crowd.notes
            _close_twice(MONTHS[-1], database, keys)
            seen = _check_unchanged(database, seen)
            _check_counted_once(database, workload, seen)
            _verify_all(server.url, admin, Path(folder))
        check_derived(database)


@contextmanager
def _closers(count: int, database: str, keys: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ready to close."""
    command = [sys.executable, "-m", "tests.faults.closer", database, keys]
    with ExitStack() as ending:
        closers = []
        for _ in range(count):
            closer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            ending.enter_context(closer)
            ending.callback(closer.kill)
            closers.append(closer)
        for closer in closers:
            assert closer.stdout is not None
            assert closer.stdout.readline() == "ready\n"
        yield closers


def _close_and_kill(month: str, closer: subprocess.Popen[str], numbers: random.Random) -> None:
    """Begins to close, and is killed at some moment: before the first account, among them, or behind the last."""
    assert closer.stdin is not None
    assert closer.stdout is not None
    closer.stdin.write(f"{month}\n")
    closer.stdin.flush()
    for _ in range(numbers.randrange(len(ZONES))):
        closer.stdout.readline()
    time.sleep(numbers.uniform(0, 0.03))
    closer.kill()


def _close_twice(month: str, database: str, keys: str) -> None:
    """Two close at the same time, to the end."""
    settings = Settings(signing_folder=keys, grace_hours=0)

    def close(_: int) -> None:
        with Ledger(database, settings=settings) as ledger:
            end = time.monotonic() + END_SECONDS
            while True:
                try:
                    outcomes = {each.outcome for each in ledger.statements.close(month).accounts}
                except StoreUnavailable:
                    # Whoever writes all the time may be in the way longer than a closing waits.
                    assert time.monotonic() < end
                    continue
                assert outcomes <= {"closed", "already", "none"}
                return

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(close, range(2)))


@contextmanager
def _voiding(database: str, workload: Workload, crowd: Crowd) -> Iterator[None]:
    """Voids acknowledged jobs all the while."""
    stopped, wrong = threading.Event(), list[BaseException]()
    numbers = random.Random(f"{workload.seed} voids")

    def void(ledger: Ledger) -> None:
        acknowledged = sorted(crowd.notes.acknowledged)
        jobs = [job for index in acknowledged for job in workload.parcels[index] if not job["sandbox"]]
        if jobs:
            job = numbers.choice(jobs)
            with suppress(Conflict, StoreUnavailable):
                ledger.void(job["account"], job["id"], reason="a mistake")

    def run() -> None:
        try:
            with Ledger(database) as ledger:
                while not stopped.wait(0.02):
                    void(ledger)
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is seen
            wrong.append(error)

    thread = threading.Thread(target=run, name="voiding")
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
    if wrong:
        raise wrong[0]


def _check_unchanged(database: str, seen: Documents) -> Documents:
    """Every statement that was there is there, byte for byte; gives all that are."""
    with Ledger(database) as ledger:
        found = {
            (name, info.month): ledger.statements.get(name, info.month).document
            for name in ZONES
            for info in ledger.statements.list(name)
        }
    assert found.items() >= seen.items()
    return found


def _check_counted_once(database: str, workload: Workload, seen: Documents) -> None:
    """Each job is stored once; if its month was closed when it came it is booked later; a statement has the others."""
    stored = rows(database, _STORED)
    assert Counter((account, job_id) for account, job_id, *_ in stored) == Counter(dict.fromkeys(workload.by_place, 1))
    live: Counter[tuple[str, str]] = Counter()
    late = 0
    for account, _, completed_at, booked_at, state in stored:
        booked = _month(account, booked_at)
        live[account, booked] += state == _LIVE
        if booked_at != completed_at:
            assert booked > MONTHS[-1]
            late += 1
    assert late, "no job came late"
    with Ledger(database) as ledger:
        for account, month in seen:
            statement = ledger.statements.get(account, month).statement
            assert (statement.jobs.live, statement.jobs.late) == (live[account, month], 0)
    assert {month for _, month in seen} >= set(MONTHS)


def _month(account: str, microseconds: int) -> str:
    return f"{datetime.fromtimestamp(microseconds // 10**6, UTC).astimezone(ZoneInfo(ZONES[account])):%Y-%m}"


def _verify_all(url: str, admin: str, folder: Path) -> None:
    """By the customer's own check every closed month holds."""
    with Client(base_url=url, token=admin) as client:
        for account in ZONES:
            found = verify.statement(client, MONTHS[-1], account=account, trusted=folder / "trusted.json")
            assert found.holds, f"{account}: {found}"
