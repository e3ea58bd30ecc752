"""Many writers of one PostgreSQL at the same time: every job is stored once, and each writer hears what it did.

Each writer has a ledger of its own, as processes have. None may need a second attempt: the database never has to
break a circle of writers that wait for each other.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

import pytest

from tallystick.ingest import group
from tallystick.ledger import Ledger
from tallystick.model.jobs import IngestResult
from tests.databases import PostgresqlDatabases, run
from tests.store.recount import check_rollups, stale_boundaries

Document = dict[str, Any]
Outcome = TypeVar("Outcome")

MONTHS: Final = ("2025-01", "2025-12")
WRITER: Final = """
import json, sys
from tallystick.ledger import Ledger
with Ledger(sys.argv[1]) as ledger:
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(ledger.record(json.loads(line)).to_dict()), flush=True)
"""


@pytest.fixture
def database(postgresql: PostgresqlDatabases) -> Iterator[str]:
    """A fresh database of PostgreSQL."""
    with postgresql.fresh() as address:
        yield address


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that gives in to another is an error at once."""
    monkeypatch.setattr(group, "_ATTEMPTS", 1)


def jobs_of(account: str, numbers: Sequence[int], *, writer: str = "") -> list[Document]:
    """Jobs on different days, of ten keys; one writer's differ from another's."""
    return [
        {
            "id": f"{writer} {number}",
            "account": account,
            "api_key": f"key {number % 10}",
            "completed_at": f"2025-{number % 12 + 1:02}-{number % 28 + 1:02}T12:00:00Z",
            "tokens": {"transcription": number, "note_generation": 3 * number},
        }
        for number in numbers
    ]


def at_once(works: Sequence[Callable[[], Outcome]]) -> list[Outcome]:
    """What each gives, all of them started at the same moment."""
    barrier = threading.Barrier(len(works))

    def start(work: Callable[[], Outcome]) -> Outcome:
        barrier.wait(60)
        return work()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(start, works))


def check_everything(database: str, jobs: int) -> None:
    """Every account's rollups are those of its jobs, of which there are so many in all."""
    assert run(database, "SELECT COUNT(*) FROM job") == [(jobs,)]
    for (account_id,) in run(database, "SELECT id FROM account"):
        check_rollups(database, account_id)
        assert stale_boundaries(database, account_id) == []


def test_two_processes_that_send_the_same_batches_at_once_store_each_job_once(
    database: str, randomness: random.Random
) -> None:
    batches = [
        [document for account in ("a", "b", "c") for document in jobs_of(account, range(start, start + 20))]
        for start in range(0, 400, 20)
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]

    def send(process: subprocess.Popen[str]) -> list[Document]:
        assert process.stdin is not None
        assert process.stdout is not None
        answers = []
        for batch in batches:
            shuffled = randomness.sample(batch, len(batch))
            process.stdin.write(f"{json.dumps(shuffled)}\n")
            process.stdin.flush()
            answers.append(json.loads(process.stdout.readline()))
        return answers

    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        answers = at_once([partial(send, process) for process in processes])
    finally:
        for process in processes:
            process.communicate(timeout=60)
    for first, second, batch in zip(*answers, batches, strict=True):
        for answer in (first, second):
            assert answer["accepted"] + answer["duplicates"] == len(batch)
            assert answer["rejected"] == []
        assert first["accepted"] + second["accepted"] == len(batch)
    check_everything(database, 400 * 3)


def test_eight_writers_of_one_hot_account_are_all_served(database: str) -> None:
    def write(writer: int) -> IngestResult:
        result = IngestResult(0, 0)
        with Ledger(database) as ledger:
            for start in range(0, 100, 10):
                others = jobs_of(f"account {(writer + start) % 7}", range(2), writer=f"{writer} {start}")
                result += ledger.record([*others, *jobs_of("hot", range(start, start + 10), writer=str(writer))])
                ledger.usage("hot", *MONTHS)
        return result

    results = at_once([partial(write, writer) for writer in range(8)])
    assert [(result.accepted, result.duplicates, result.rejected) for result in results] == [(120, 0, ())] * 8
    check_everything(database, 960)
    with Ledger(database) as ledger:
        totals = ledger.usage("hot", *MONTHS).totals
    assert (totals.jobs, totals.tokens["transcription_tokens"]) == (800, 8 * sum(range(100)))


def test_writers_and_readers_of_the_same_accounts_agree_at_the_end(database: str, randomness: random.Random) -> None:
    """Accounts and keys come into being meanwhile, jobs arrive late, twice and refused, and a zone changes."""
    names = [f"account {number}" for number in range(5)]
    sent = {name: jobs_of(name, range(120)) for name in names}
    seeds = [randomness.random() for _ in range(6)]

    def write(seed: float) -> IngestResult:
        mine = random.Random(seed)
        documents = [document for name in names for document in sent[name]]
        mine.shuffle(documents)
        result = IngestResult(0, 0)
        with Ledger(database) as ledger:
            for start in range(0, len(documents), 50):
                wrong = {**documents[start], "id": "wrong", "completed_at": "8000-01-01T00:00:00Z"}
                result += ledger.record([*documents[start : start + 50], wrong])
                report = ledger.usage(mine.choice(documents[: start + 1])["account"], *MONTHS)
                assert report.totals.jobs == sum(month.jobs for month in report.monthly_breakdown)
                if mine.random() < 0.1:
                    ledger.accounts.change(documents[0]["account"], time_zone=mine.choice(["Asia/Tokyo", "UTC"]))
        return result

    results = at_once([partial(write, seed) for seed in seeds])
    batches = -(-len(names) * 120 // 50)
    assert sum(result.accepted for result in results) == len(names) * 120
    assert {result.accepted + result.duplicates for result in results} == {len(names) * 120}
    assert {len(result.rejected) for result in results} == {batches}
    check_everything(database, len(names) * 120)
    assert run(database, "SELECT SUM(times) FROM rejected_item") == [(batches * len(seeds),)]
