"""Ways in which things break while jobs are sent. Each is a function of a seed and a size, and checks everything."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx
import psycopg

from tallystick.ledger import Ledger
from tests.databases import Databases, PostgresqlDatabases, SqliteDatabases, file_of, forget, is_sqlite
from tests.faults.checks import (
    NOW,
    check_derived,
    check_end,
    check_reports,
    check_stored,
    check_whole,
    prepare,
    rows,
)
from tests.faults.closings import close_while_jobs_come
from tests.faults.processes import END_SECONDS, Served
from tests.faults.telling import tell
from tests.faults.workload import ZONES, Crowd, Document, Size, Workload, place, reading
from tests.postgresql import Server
from tests.properties.playing import microseconds, submit_all
from tests.reference.rater import Account, Provider
from tests.reference.strategies import STANDARD


class Ground(NamedTuple):
    """Where databases come from."""

    sqlite: SqliteDatabases
    postgresql: PostgresqlDatabases


Scenario = Callable[[int, Size, Ground], None]


_LAST: Final = 0.95


# A server killed


def kill_on_sqlite(seed: int, size: Size, ground: Ground) -> None:
    """The server over SQLite is killed again and again while clients send."""
    _kill(seed, size, ground.sqlite)


def kill_on_postgresql(seed: int, size: Size, ground: Ground) -> None:
    """The same over PostgreSQL, which lives on."""
    _kill(seed, size, ground.postgresql)


def _kill(seed: int, size: Size, databases: Databases) -> None:
    numbers, workload = random.Random(f"{seed} kills"), Workload(seed, size)
    with databases.fresh() as database:
        token, admin = prepare(database)
        with Served(database) as server:
            with (
                reading(lambda: server.url, admin) as misread,
                Crowd(workload, size, lambda: server.url, token) as crowd,
            ):
                for share in _moments(numbers, size.faults):
                    crowd.wait_for(share)
                    time.sleep(numbers.uniform(0, 0.05))
                    if share == _LAST:
                        # What is under way now is never repeated, so that it stays unacknowledged.
                        crowd.stop()
                    server.kill()
                    # Noted by clients that have their answer; what comes later is looked at in the end.
                    check_whole(database, workload, set(crowd.notes.acknowledged))
                    server.start()
                crowd.join()
            assert not misread, misread
            _replay_all(server.url, token, workload, crowd)
        check_end(database, workload, crowd.notes)


def _moments(numbers: random.Random, count: int) -> list[float]:
    """Shares of the work after which something breaks, the last shortly before its end."""
    return [(step + numbers.uniform(0.2, 0.9)) / count * 0.9 for step in range(count - 1)] + [_LAST]


def _replay_all(url: str, token: str, workload: Workload, crowd: Crowd) -> None:
    """Everything that was acknowledged is there, in the server's own words."""
    jobs = [job for index in sorted(crowd.notes.acknowledged) for job in workload.parcels[index]]
    with httpx.Client(headers={"X-Api-Key": token}, timeout=END_SECONDS) as client:
        for start in range(0, len(jobs), 5000):
            part = jobs[start : start + 5000]
            result = client.post(f"{url}/jobs", json=part).json()
            assert (result["accepted"], result["duplicates"]) == (0, len(part)), result


# PostgreSQL gone for a while


def restart_postgresql(seed: int, size: Size, _ground: Ground) -> None:
    """PostgreSQL crashes and recovers under load, as by ``pg_ctl restart -m immediate``; the server lives on."""

    def crash(cluster: Server, numbers: random.Random) -> None:
        cluster.stop(signal.SIGQUIT)
        time.sleep(numbers.uniform(0, 0.3))
        cluster.start()

    _disturb(seed, size, crash)


def cut_connections(seed: int, size: Size, _ground: Ground) -> None:
    """Every connection to PostgreSQL is ended under load, several times in a row; the server lives on."""

    def cut(cluster: Server, numbers: random.Random) -> None:
        for _ in range(5):
            with psycopg.connect(cluster.uri("postgres"), autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                )
            time.sleep(numbers.uniform(0, 0.05))

    _disturb(seed, size, cut)


def _disturb(seed: int, size: Size, disturb: Callable[[Server, random.Random], None]) -> None:
    numbers, workload = random.Random(f"{seed} disturbances"), Workload(seed, size)
    with _own_postgresql() as (cluster, database):
        token, admin = prepare(database)
        with Served(database) as server:
            process = server.process
            with (
                reading(lambda: server.url, admin) as misread,
                Crowd(workload, size, lambda: server.url, token) as crowd,
            ):
                for share in _moments(numbers, size.faults):
                    crowd.wait_for(share)
                    time.sleep(numbers.uniform(0, 0.05))
                    disturb(cluster, numbers)
                    check_whole(database, workload, set(crowd.notes.acknowledged))
                crowd.join()
            assert not misread, misread
            assert len(crowd.notes.acknowledged) == len(workload.parcels), crowd.notes
            assert process.poll() is None, "the server did not survive"
            assert httpx.get(f"{server.url}/readyz").status_code == 200
            _replay_all(server.url, token, workload, crowd)
        check_end(database, workload, crowd.notes)


@contextmanager
def _own_postgresql() -> Iterator[tuple[Server, str]]:
    """A server of the scenario's own, which survives its crashes, and a database on it."""
    cluster = Server(options={"fsync": "on", "full_page_writes": "on", "shared_buffers": "16MB"}).create()
    database = cluster.uri("faults")
    try:
        with psycopg.connect(cluster.uri("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE faults TEMPLATE template0 ENCODING 'UTF8'")
        yield cluster, database
    finally:
        forget(database)
        cluster.close()


# No room on the disk


def fill_disk(seed: int, size: Size, ground: Ground) -> None:
    """The files cannot grow for a while: requests are turned away with 503, and nothing acknowledged is lost."""
    numbers, workload = random.Random(f"{seed} disk"), Workload(seed, size)
    with ground.sqlite.fresh() as database:
        token, admin = prepare(database)
        with Served(database) as server:
            with (
                reading(lambda: server.url, admin) as misread,
                Crowd(workload, size, lambda: server.url, token) as crowd,
            ):
                for share in _moments(numbers, size.faults):
                    crowd.wait_for(share * 0.8)
                    before = crowd.notes.unavailable
                    server.limit_files(_grown(database) + numbers.randrange(30_000))
                    crowd.wait_for_refusals(before + 3)
                    assert crowd.notes.unavailable > before, "the disk did not get full"
                    check_whole(database, workload, set(crowd.notes.acknowledged))
                    _make_room(server, numbers)
                crowd.join()
            assert not misread, misread
            assert len(crowd.notes.acknowledged) == len(workload.parcels), crowd.notes
            _replay_all(server.url, token, workload, crowd)
        check_end(database, workload, crowd.notes)


def _grown(database: str) -> int:
    """The size of the largest of the database's files."""
    file = file_of(database)
    return max(part.stat().st_size for part in file.parent.glob(f"{file.name}*"))


def _make_room(server: Served, numbers: random.Random) -> None:
    """Under the running server, or under one that was killed or stopped in its distress."""
    how = numbers.choice(("lift", "kill", "stop"))
    if how == "lift":
        server.lift_limit()
        return
    if how == "kill":
        server.kill()
    else:
        assert server.stop() == 0
    server.start()


# Clocks that step


def step_clock_on_sqlite(seed: int, size: Size, ground: Ground) -> None:
    """Two ledgers over one SQLite have clocks of their own, which step back and forth."""
    _step_clock(seed, size, ground.sqlite)


def step_clock_on_postgresql(seed: int, size: Size, ground: Ground) -> None:
    """The same over PostgreSQL."""
    _step_clock(seed, size, ground.postgresql)


def _step_clock(seed: int, size: Size, databases: Databases) -> None:
    numbers, workload = random.Random(f"{seed} clocks"), Workload(seed, size)
    provider = Provider(accounts={name: Account(zone) for name, zone in ZONES.items()})
    provider.put_plan(STANDARD)
    now = NOW
    with databases.fresh() as database, ExitStack() as opened:
        prepare(database)
        ledgers = [opened.enter_context(Ledger(database, clock=lambda: microseconds(now))) for _ in range(2)]
        sent: list[Sequence[Document]] = []
        recorded: dict[tuple[str, str], int] = {}
        for parcel in workload.parcels:
            # Far enough back for most jobs to lie ahead of the clock.
            now = NOW + timedelta(seconds=numbers.choice((0, -1, 60, -3600, -86400 * 90, -86400 * 400)))
            for jobs in (parcel, *numbers.sample(sent, min(2, len(sent)))):
                result = numbers.choice(ledgers).record(jobs).to_dict()
                for rejection in result["rejected"]:
                    del rejection["detail"]
                assert result == submit_all(provider, jobs, now)
            sent.append(parcel)
            before, recorded = recorded, _recorded(database)
            _check_recorded(before, recorded)
        now = NOW
        for parcel in workload.parcels:
            assert ledgers[0].record(parcel).to_dict() == submit_all(provider, parcel, now)
        stored = check_stored(database, workload)
        assert len(stored) == len(workload.jobs)
        check_derived(database)
        check_reports(database, stored)


def _recorded(database: str) -> dict[tuple[str, str], int]:
    """When each job was recorded, by account and id."""
    query = "SELECT account.name, job.id, recorded_at FROM job JOIN account ON account.id = job.account_id"
    return {(account, job_id): recorded_at for account, job_id, recorded_at in rows(database, query)}


def _check_recorded(before: Mapping[tuple[str, str], int], after: Mapping[tuple[str, str], int]) -> None:
    """Within an account, what is new was recorded no earlier than what was there; what was there stays as it was."""
    newest: dict[str, int] = {}
    for (account, _), recorded_at in before.items():
        newest[account] = max(newest.get(account, 0), recorded_at)
    assert before.items() <= after.items()
    for name in after.keys() - before.keys():
        assert after[name] >= newest.get(name[0], 0), f"{name} was recorded before jobs that were there"


# The same jobs from two processes


def post_twice_to_one_server(seed: int, size: Size, ground: Ground) -> None:
    """Two processes post the same jobs, split differently, to one server over SQLite."""
    with ground.sqlite.fresh() as database:
        token, _ = prepare(database)
        with Served(database) as server:
            _post_twice(seed, size, database, token, [server.url, server.url])


def post_twice_to_workers(seed: int, size: Size, ground: Ground) -> None:
    """The same to a server of two workers over PostgreSQL."""
    with ground.postgresql.fresh() as database:
        token, _ = prepare(database)
        with Served(database, workers=2) as server:
            _post_twice(seed, size, database, token, [server.url, server.url])


def post_twice_to_two_servers(seed: int, size: Size, ground: Ground) -> None:
    """The same to two servers over one PostgreSQL."""
    with ground.postgresql.fresh() as database:
        token, _ = prepare(database)
        with Served(database) as one, Served(database) as other:
            _post_twice(seed, size, database, token, [one.url, other.url])


def _post_twice(seed: int, size: Size, database: str, token: str, urls: Sequence[str]) -> None:
    workload = Workload(seed, size)
    numbers = [str(number) for number in (seed, *dataclasses.astuple(size))]
    posters = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.faults.poster", *numbers, str(split)],
            env={**os.environ, "POSTER_URL": url, "POSTER_TOKEN": token},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for split, url in enumerate(urls)
    ]
    with ExitStack() as ending:
        for poster in posters:
            ending.enter_context(poster)
            ending.callback(poster.kill)
        told = _posted(posters)
    jobs = len(workload.jobs)
    assert [accepted + duplicates for accepted, duplicates in told] == [jobs] * len(urls)
    assert sum(accepted for accepted, _ in told) == jobs, f"each job is new once: {told}"
    stored = check_stored(database, workload)
    assert len(stored) == jobs
    check_derived(database)
    check_reports(database, stored)


def _posted(posters: Sequence[subprocess.Popen[str]]) -> list[list[int]]:
    for poster in posters:
        assert poster.stdout is not None
        assert poster.stdout.readline() == "ready\n"
    for poster in posters:
        assert poster.stdin is not None
        poster.stdin.write("go\n")
        poster.stdin.flush()
    answers = [poster.communicate(timeout=END_SECONDS * 5)[0] for poster in posters]
    assert [poster.returncode for poster in posters] == [0] * len(posters)
    return [json.loads(answer) for answer in answers]


# A server told to stop


def drain_on_sqlite(seed: int, size: Size, ground: Ground) -> None:
    """SIGTERM under load lets what was accepted finish."""
    _drain(seed, size, ground.sqlite, workers=1)


def drain_workers(seed: int, size: Size, ground: Ground) -> None:
    """The same with two workers over PostgreSQL."""
    _drain(seed, size, ground.postgresql, workers=2)


def _drain(seed: int, size: Size, databases: Databases, *, workers: int) -> None:
    numbers, workload = random.Random(f"{seed} drain"), Workload(seed, size)
    with databases.fresh() as database:
        token, _ = prepare(database)
        with Served(database, workers) as server:
            share = numbers.uniform(0.1, 0.6)
            # Paused, or they might be done with everything before the commits are held up.
            with Crowd(workload, size, lambda: server.url, token, retries=False, pause_at=share) as crowd:
                crowd.wait_for(share)
                with _held_up(database):
                    crowd.resume()
                    time.sleep(numbers.uniform(0.1, 0.3))
                    answered = len(crowd.notes.acknowledged)
                    server.process.send_signal(signal.SIGTERM)
                    # Longer than it takes to end, if nothing is waited for.
                    time.sleep(numbers.uniform(0.6, 1.0))
                    assert server.process.poll() is None, "the server did not wait for what it had accepted"
                code = server.wait()
                crowd.join()
            assert code == 0, f"the server ended with {code}"
        assert len(crowd.notes.acknowledged) > answered, "what was under way was not answered"
        notes = crowd.notes
        # A request without an answer was not taken: whatever the server takes, it answers.
        stored = {(account, job_id) for account, job_id, *_ in rows(database, _STORED_IDS)}
        for index in notes.unanswered:
            cut = [place(job) for job in workload.parcels[index] if place(job) in stored]
            assert not cut, f"parcel {index} was stored and not answered"
        check_end(database, workload, notes)


@contextmanager
def _held_up(database: str) -> Iterator[None]:
    """Lets no commit through, so that requests are under way for as long as is wanted."""
    if is_sqlite(database):
        with closing(sqlite3.connect(file_of(database), timeout=END_SECONDS, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(database) as connected:
            connected.execute("LOCK TABLE account_state IN EXCLUSIVE MODE")
            yield


_STORED_IDS: Final = "SELECT account.name, job.id FROM job JOIN account ON account.id = job.account_id"


def end_at_once(seed: int, size: Size, ground: Ground) -> None:
    """A client that never finishes its request holds up the end; a second SIGTERM does not wait for it."""
    del size
    numbers = random.Random(f"{seed} end")
    with ground.sqlite.fresh() as database:
        token, _ = prepare(database)
        with Served(database) as server, socket.create_connection(_address(server.url), END_SECONDS) as client:
            head = f"POST /jobs HTTP/1.1\r\nHost: x\r\nX-Api-Key: {token}\r\nContent-Type: application/json\r\n"
            client.sendall(f"{head}Content-Length: 1000\r\n\r\n[".encode())
            # Answered behind it, so that the server has seen it.
            assert httpx.get(f"{server.url}/healthz").status_code == 200
            server.process.send_signal(signal.SIGTERM)
            time.sleep(numbers.uniform(0.3, 1.0))
            assert server.process.poll() is None, "the server did not wait for the request that it had accepted"
            server.process.send_signal(signal.SIGTERM)
            started = time.monotonic()
            server.wait()
            assert time.monotonic() - started < 5, "the second signal did not end the server at once"
        check_derived(database)


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


# What is told, to a receiver that misbehaves


def tell_on_sqlite(seed: int, size: Size, ground: Ground) -> None:
    """The server over SQLite and a receiver of webhooks are killed again and again; every notice arrives."""
    tell(seed, size, ground.sqlite, servers=1)


def tell_on_postgresql(seed: int, size: Size, ground: Ground) -> None:
    """The same with two servers that share the queue on PostgreSQL."""
    tell(seed, size, ground.postgresql, servers=2)


# Months closed while jobs come in


def close_on_sqlite(seed: int, size: Size, ground: Ground) -> None:
    """Months are closed at full speed of ingest by processes that are killed, and by two at once; nothing slips."""
    close_while_jobs_come(seed, size, ground.sqlite)


def close_on_postgresql(seed: int, size: Size, ground: Ground) -> None:
    """The same over PostgreSQL."""
    close_while_jobs_come(seed, size, ground.postgresql)


SCENARIOS: Final[Mapping[str, Scenario]] = {
    scenario.__name__.replace("_", "-"): scenario
    for scenario in (
        kill_on_sqlite,
        kill_on_postgresql,
        restart_postgresql,
        cut_connections,
        fill_disk,
        step_clock_on_sqlite,
        step_clock_on_postgresql,
        post_twice_to_one_server,
        post_twice_to_workers,
        post_twice_to_two_servers,
        drain_on_sqlite,
        drain_workers,
        end_at_once,
        tell_on_sqlite,
        tell_on_postgresql,
        close_on_sqlite,
        close_on_postgresql,
    )
}
"""Every scenario by its name."""
