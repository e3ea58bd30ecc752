"""Several server processes on one PostgreSQL: one address, one ledger, one end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import psycopg
import pytest

from tallystick.api.metrics import QUEUE_TOLD_AFTER_SECONDS
from tallystick.cli.serve import without_password
from tallystick.ledger import Ledger
from tallystick.serve.server import FORCED_SECONDS
from tallystick.serve.workers import _Parent
from tests.databases import PostgresqlDatabases

SECONDS = 60


class Served(NamedTuple):
    """A running parent process, its address, a token for it and its database."""

    process: subprocess.Popen[str]
    url: str
    token: str
    database: str

    def workers(self) -> set[int]:
        """The process ids of the workers."""
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return {int(pid) for pid in listed.stdout.split()}

    def post(self, job_id: str) -> httpx.Response:
        job = {"id": job_id, "account": "acme", "api_key": "k", "completed_at": "2025-01-01T00:00:00Z", "tokens": {}}
        return httpx.post(f"{self.url}/jobs", headers={"X-Api-Key": self.token}, json=job, timeout=SECONDS)


@contextmanager
def served(database: str, workers: int = 2) -> Iterator[Served]:
    with Ledger(database) as ledger:
        token = ledger.tokens.create("ingest").token
    command = [sys.executable, "-m", "tallystick.cli", "serve", "--port", "0", "--workers", str(workers)]
    environment = {**os.environ, "TALLYSTICK_DATABASE": database}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = next(found[1] for line in process.stdout if (found := re.search(r"(http://\S+)/usage", line)))
            yield Served(process, url, token, database)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(SECONDS)


@pytest.fixture
def two(postgresql: PostgresqlDatabases) -> Iterator[Served]:
    """Two workers over a fresh database."""
    with postgresql.fresh() as database, served(database) as serving:
        yield serving


def wait_for(found: object) -> None:
    assert callable(found)
    end = time.monotonic() + SECONDS
    while not found():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)


def test_workers_share_an_address_a_ledger_and_their_metrics_and_end_with_sigterm(two: Served) -> None:
    assert len(two.workers()) == 2
    assert [two.post(f"job {number}").json()["accepted"] for number in range(20)] == [1] * 20
    assert [two.post(f"job {number}").json()["duplicates"] for number in range(20)] == [1] * 20
    metrics = httpx.get(f"{two.url}/metrics").text
    assert 'tallystick_jobs_total{outcome="accepted"} 20.0' in metrics
    workers = two.workers()
    two.process.send_signal(signal.SIGTERM)
    assert two.process.wait(SECONDS) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    with Ledger(two.database) as ledger:
        assert ledger.usage("acme", "2025-01").totals.jobs == 20


def test_a_worker_that_dies_is_replaced_and_the_address_goes_on_answering(two: Served) -> None:
    before = two.workers()
    os.kill(min(before), signal.SIGKILL)
    wait_for(lambda: len(two.workers()) == 2 and two.workers() != before)
    assert [two.post(f"job {number}").status_code for number in range(10)] == [200] * 10


def queued_jobs(two: Served) -> float:
    """What waits in all workers, as one of them tells; another one answers each connection."""
    time.sleep(QUEUE_TOLD_AFTER_SECONDS * 2)
    return float(re.findall(r"^tallystick_queue_jobs (\S+)$", httpx.get(f"{two.url}/metrics").text, re.MULTILINE)[0])


def test_the_queue_that_is_told_is_that_of_all_workers_now(two: Served) -> None:
    assert two.post("first").json()["accepted"] == 1
    with ThreadPoolExecutor(16) as clients:
        for end in ("they are stored", "their worker dies"):
            with psycopg.connect(two.database) as holder:
                holder.execute("LOCK TABLE account_state IN EXCLUSIVE MODE")
                answers = [clients.submit(two.post, f"{end} {number}") for number in range(16)]
                wait_for(lambda: queued_jobs(two) > 0)
                # Whoever is asked, and long after all have come.
                assert len({queued_jobs(two) for _ in range(3)}) == 1
                if end == "their worker dies":
                    for worker in two.workers():
                        os.kill(worker, signal.SIGKILL)
            if end == "they are stored":
                assert [answer.result().status_code for answer in answers] == [200] * 16
            else:
                assert [type(answer.exception()) for answer in answers] == [httpx.RemoteProtocolError] * 16
                wait_for(lambda: len(two.workers()) == 2)
            assert queued_jobs(two) == 0


def test_a_second_signal_ends_workers_that_wait_for_the_database(two: Served) -> None:
    assert two.post("first").json()["accepted"] == 1
    with ThreadPoolExecutor(1) as clients, psycopg.connect(two.database) as holder:
        holder.execute("LOCK TABLE account_state IN EXCLUSIVE MODE")
        clients.submit(two.post, "second")
        time.sleep(0.5)
        two.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert two.process.poll() is None
        two.process.send_signal(signal.SIGTERM)
        assert two.process.wait(FORCED_SECONDS + 8) == 0, "the database would be waited for half a minute"


def test_a_worker_that_was_being_started_when_the_signal_came_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent waits for every worker; one that never heard of the end would keep it waiting for ever."""
    with socket.socket() as listener:
        parent = _Parent(listener, {**os.environ}, 1, "never started")
        read_end, write_end = os.pipe()
        worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])

        def start(_lifeline: int) -> tuple[subprocess.Popen[bytes], int]:
            # As SIGTERM does, just before the new process is known.
            parent._take(signal.SIGTERM, None)
            os.close(write_end)
            return worker, read_end

        monkeypatch.setattr(parent, "_start", start)
        try:
            parent._start_all(-1)
            assert worker.wait(SECONDS) == -signal.SIGTERM
        finally:
            worker.kill()
            worker.wait()


def test_workers_end_when_their_parent_is_killed(two: Served) -> None:
    workers = two.workers()
    two.process.kill()
    two.process.wait(SECONDS)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def test_sqlite_takes_one_worker_and_says_why(tmp_path: Path) -> None:
    file = tmp_path / "one.db"
    command = [sys.executable, "-m", "tallystick.cli", "serve", "--workers", "2", "--database", f"sqlite:///{file}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert ended.returncode == 1
    assert "SQLite has one writer" in ended.stderr
    assert not file.exists()


def test_a_worker_that_cannot_start_ends_the_rest_with_its_reason(postgresql: PostgresqlDatabases) -> None:
    with postgresql.fresh() as database:
        command = [sys.executable, "-m", "tallystick.cli", "serve", "--workers", "2", "--port", "0"]
        environment = {**os.environ, "TALLYSTICK_DATABASE": database, "TALLYSTICK_DEFAULT_PLAN": "none of these"}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS)
        assert ended.returncode == 1
        assert "none of these" in ended.stderr


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://me:secret@host/db", "postgresql://me:…@host/db"),
        ("postgresql://me@host/db?password=secret&x=1", "postgresql://me@host/db?password=…&x=1"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("sqlite:///a.db", "sqlite:///a.db"),
    ],
)
def test_the_password_of_a_database_is_never_shown(address: str, shown: str) -> None:
    assert without_password(address) == shown
