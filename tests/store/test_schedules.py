"""Writers of PostgreSQL that meet: every interleaving of their steps, and many of them at once.

SQLite has one writer at a time, so that there is nothing to interleave.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from types import ModuleType
from typing import Any, Final

import psycopg
import pytest

from tallystick.ingest import Batch, Directory, check, read_jobs
from tallystick.ingest.intake import Intake
from tallystick.model.calendar import Calendar
from tallystick.model.jobs import IngestResult
from tallystick.model.plans import Plan, parse_plan
from tallystick.settings import Settings
from tallystick.store import accounts, boundaries, jobs, meters, plans, rollups, states, sums, zones
from tallystick.store.database import Connection, Store
from tests.databases import PostgresqlDatabases, run

NOW: Final = 1_750_000_000_000_000
KEYS: Final = ("first", "second")
LATE: Final = "2025-01-01T00:00:00Z"

Document = dict[str, Any]
Step = tuple[ModuleType, str]
"""A function of the store, looked up in its module by whoever calls it."""

INGEST: Final[Sequence[Step]] = (
    (states, "lock"),
    (jobs, "append"),
    (sums, "write"),
    (boundaries, "discard"),
    (states, "advance"),
)
KEEP: Final[Sequence[Step]] = (
    (states, "lock"),
    (meters, "all_meters"),
    (boundaries, "cut_day"),
    (boundaries, "derive"),
    (boundaries, "insert"),
)
REBUILD: Final[Sequence[Step]] = (
    (states, "lock"),
    (accounts, "set_time_zone"),
    (jobs, "walk_live"),
    (rollups, "clear"),
    (sums, "write"),
)
PUT: Final[Sequence[Step]] = ((meters, "all_meters"), (meters, "add_meters"))


@pytest.fixture
def database(postgresql: PostgresqlDatabases) -> Iterator[str]:
    """A fresh database of PostgreSQL."""
    with postgresql.fresh() as address:
        yield address


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened = Store(database)
    yield opened
    opened.close()


def job(job_id: str, account: str, completed_at: str, *, key: str = KEYS[0], tokens: int = 7) -> Document:
    return {
        "id": job_id,
        "account": account,
        "api_key": key,
        "completed_at": completed_at,
        "tokens": {"transcription": tokens, "note_generation": 2 * tokens},
    }


def take(store: Store, documents: Sequence[Document], before_commit: Callable[[], None] = lambda: None) -> IngestResult:
    """What a commit of the ledger does, on this thread."""
    with store.transaction() as connection:
        intake = Intake(connection, Directory(), settings=Settings(), now=NOW)
        (result,) = intake.take([Batch(*check(read_jobs(documents)))])
        before_commit()
    return result


def keep(store: Store, account_id: int, ranks: Sequence[int], before_commit: Callable[[], None] = lambda: None) -> None:
    """What a reader does that had to derive some boundaries."""
    with store.transaction() as connection:
        boundaries.keep(connection, account_id, ranks)
        before_commit()


def change_zone(store: Store, account_id: int, zone: str, before_commit: Callable[[], None]) -> None:
    """What the ledger does when an account moves to another zone."""
    with store.transaction() as connection:
        states.lock(connection, [account_id])
        accounts.set_time_zone(connection, account_id, zone)
        sums.rebuild(connection, account_id, zones.calendar(zone), meters.all_meters(connection))
        before_commit()


# Holding each step open in turn.


class Actor:
    """A thread that stands before each of its steps until it is told to go on."""

    current = threading.local()

    def __init__(self, name: str, work: Callable[[Callable[[], None]], object], steps: Sequence[Step]) -> None:
        self.name = name
        self.steps = frozenset(steps)
        self.error: BaseException | None = None
        self.backend = 0
        self.ended = False
        self._work = work
        self._turn = threading.Semaphore(0)
        self._standing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        Actor.current.actor = self
        try:
            self._work(self.stand)
        except BaseException as error:  # noqa: BLE001 - the test that waits for this thread raises it
            self.error = error
        finally:
            self.ended = True
            self._standing.set()

    def stand(self) -> None:
        """Called on the thread: wait for a turn."""
        self._standing.set()
        assert self._turn.acquire(timeout=60)

    def stands(self, seconds: float) -> bool:
        """Whether the thread stands before a step or has ended."""
        return self._standing.wait(seconds)

    def go_on(self) -> None:
        """Give the thread a turn."""
        self._standing.clear()
        self._turn.release()


class Stage:
    """Plays a scene again and again until its actors have taken their steps in every order that there is.

    Whoever waits for a lock of another's cannot be chosen until it has it. So an order is left out only where the
    database itself rules it out.
    """

    def __init__(self, database: str) -> None:
        self._watcher = psycopg.connect(database, autocommit=True)

    def close(self) -> None:
        self._watcher.close()

    def orders(self, scene: Callable[[], Sequence[Actor]]) -> Iterator[Sequence[str]]:
        """Plays every order; `scene` gives new actors each time. Yields the order after it has been played."""
        ahead: list[list[int]] = [[]]
        while ahead:
            chosen = ahead.pop()
            decided = len(chosen)
            actors = scene()
            choices = self._play(actors, chosen)
            yield [actors[number].name for number in chosen]
            for place in range(decided, len(chosen)):
                ahead += [[*chosen[:place], other] for other in choices[place] if other != chosen[place]]

    def _play(self, actors: Sequence[Actor], chosen: list[int]) -> list[list[int]]:
        """Plays to the end: first the choices given, then always the first actor. Gives what could be chosen."""
        choices: list[list[int]] = []
        while ready := self._ready(actors):
            choices.append(ready)
            if len(choices) > len(chosen):
                chosen.append(ready[0])
            actors[chosen[len(choices) - 1]].go_on()
        for actor in actors:
            if actor.error is not None:
                raise actor.error
        return choices

    def _ready(self, actors: Sequence[Actor]) -> list[int]:
        """Who stands before a step, once everybody stands, waits for a lock or has ended."""
        while True:
            # Those who stand stay where they are, so that whoever waits for one of them keeps waiting.
            moving = [actor for actor in actors if not actor.stands(0.002)]
            standing = [number for number, actor in enumerate(actors) if actor not in moving and not actor.ended]
            # Where all wait in a circle, the database ends that after a second by failing one of them.
            if (standing or not moving) and all(self._waits(actor) for actor in moving):
                return standing

    def _waits(self, actor: Actor) -> bool:
        row = self._watcher.execute("SELECT pg_blocking_pids(%s) <> '{}'", [actor.backend]).fetchone()
        assert row is not None
        return bool(row[0])


@pytest.fixture
def stage(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage on which the steps of `INGEST`, `KEEP` and `REBUILD` stop whenever an actor takes them."""
    for module, name in {*INGEST, *KEEP, *REBUILD, *PUT}:
        monkeypatch.setattr(module, name, stopping((module, name), getattr(module, name)))
    opened = Stage(database)
    yield opened
    opened.close()


def stopping(step: Step, function: Callable[..., Any]) -> Callable[..., Any]:
    def stop_first(connection: Connection, *arguments: Any, **named: Any) -> Any:
        actor: Actor | None = getattr(Actor.current, "actor", None)
        if actor is not None and step in actor.steps:
            driver: Any = connection.connection.driver_connection
            actor.backend = driver.info.backend_pid
            actor.stand()
        return function(connection, *arguments, **named)

    return stop_first


# What must hold afterwards.


@dataclass(frozen=True)
class Stored:
    """A live job as it is stored."""

    booked_at: int
    id: str
    key_id: int
    tokens: tuple[int, int]


def live_jobs(database: str, account_id: int) -> list[Stored]:
    rows = run(
        database,
        "SELECT booked_at, id, key_id, tokens_transcription, tokens_note_generation FROM job"
        " WHERE account_id = ? AND state = 0",
        account_id,
    )
    found = [Stored(booked_at, job_id, key, (one, two)) for booked_at, job_id, key, one, two in rows]
    return sorted(found, key=lambda stored: (stored.booked_at, stored.id.encode()))


def add_up(found: Sequence[Stored]) -> dict[int, tuple[int, ...]]:
    """Jobs and tokens per key."""
    totals: dict[int, tuple[int, ...]] = {}
    for stored in found:
        known = totals.get(stored.key_id, (0, 0, 0))
        totals[stored.key_id] = tuple(map(sum, zip(known, (1, *stored.tokens), strict=True)))
    return totals


def calendar_of(database: str, account_id: int) -> Calendar:
    ((zone,),) = run(database, "SELECT time_zone FROM account_state WHERE account_id = ?", account_id)
    return zones.calendar(zone)


def stale_boundaries(database: str, account_id: int) -> list[int]:
    """The ranks of kept boundaries that are not what the jobs say."""
    found, calendar = live_jobs(database, account_id), calendar_of(database, account_id)
    stale = []
    kept = run(database, "SELECT rank, day, booked_at, job_id FROM boundary WHERE account_id = ?", account_id)
    for rank, day, booked_at, job_id in kept:
        usage = run(
            database,
            "SELECT key_id, jobs, tokens_transcription, tokens_note_generation FROM boundary_usage"
            " WHERE account_id = ? AND rank = ?",
            account_id,
            rank,
        )
        last = found[rank - 1]
        of_the_day = [stored for stored in found[:rank] if calendar.day_of(stored.booked_at) == day]
        expected = (calendar.day_of(last.booked_at), last.booked_at, last.id, add_up(of_the_day))
        if (day, booked_at, job_id, {key: tuple(sums_) for key, *sums_ in usage}) != expected:
            stale.append(rank)
    return stale


def check_rollups(database: str, account_id: int) -> None:
    found, calendar = live_jobs(database, account_id), calendar_of(database, account_id)
    for table, stretch, place in (
        ("usage_day", "day", calendar.day_of),
        ("usage_month", "month", lambda instant: calendar.month_of(instant).index),
    ):
        rows = run(
            database,
            f"SELECT {stretch}, key_id, jobs, tokens_transcription, tokens_note_generation FROM {table}"
            " WHERE account_id = ?",
            account_id,
        )
        expected = {
            (where, key): totals
            for where in {place(stored.booked_at) for stored in found}
            for key, totals in add_up([stored for stored in found if place(stored.booked_at) == where]).items()
        }
        assert {(where, key): tuple(sums_) for where, key, *sums_ in rows} == expected, table
    ((live,),) = run(database, "SELECT live_jobs FROM account_state WHERE account_id = ?", account_id)
    assert live == len(found)


# The schedules.

_accounts = count(1)


def new_account(store: Store) -> tuple[str, int]:
    """An account with four jobs of two keys on two days, three of them on the first."""
    name = f"account {next(_accounts)}"
    times = ("2025-01-01T10:00:00Z", "2025-01-01T11:00:00Z", "2025-01-01T23:30:00Z", "2025-01-02T10:00:00Z")
    documents = [
        job(f"job {number}", name, time, key=KEYS[number % 2], tokens=number) for number, time in enumerate(times, 1)
    ]
    assert take(store, documents).accepted == len(times)
    with store.snapshot() as connection:
        return name, accounts.account_named(connection, name).id


RANKS: Final = (1, 2, 5)
"""Ranks to keep: inside the first day, and one that only the late job brings."""


def late(account: str) -> list[Document]:
    """A job in front of all others."""
    return [job("late", account, LATE, tokens=1000)]


@pytest.mark.parametrize("kept_before", [False, True], ids=["none kept", "kept before"])
def test_a_kept_boundary_is_never_stale_however_ingest_and_a_keeper_interleave(
    database: str, store: Store, stage: Stage, kept_before: bool
) -> None:
    account_id = 0

    def scene() -> Sequence[Actor]:
        nonlocal account_id
        name, account_id = new_account(store)
        if kept_before:
            keep(store, account_id, RANKS)
        return [
            Actor("ingest", partial(take, store, late(name)), INGEST),
            Actor("keeper", partial(keep, store, account_id, RANKS), KEEP),
        ]

    kept = []
    for order in stage.orders(scene):
        assert stale_boundaries(database, account_id) == [], order
        check_rollups(database, account_id)
        kept.append(len(run(database, "SELECT rank FROM boundary WHERE account_id = ?", account_id)))
    # Kept after the late job, and thrown away by it.
    assert {0, len(RANKS)} <= set(kept)


def test_the_schedule_finds_a_keeper_that_takes_no_lock(
    database: str, store: Store, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: without the lock it does."""
    lock, account_id = states.lock, 0

    def read(connection: Connection, account_ids: Sequence[int]) -> dict[int, states.StateRow]:
        if threading.current_thread().name != "keeper":
            return lock(connection, account_ids)
        rows = connection.exec_driver_sql(
            "SELECT account_id, version, live_jobs, recorded_at, closed_through, time_zone FROM account_state"
            " WHERE account_id = ANY(%s)",
            (list(account_ids),),
        )
        return {row[0]: states.StateRow._make(row) for row in rows}

    def scene() -> Sequence[Actor]:
        nonlocal account_id
        name, account_id = new_account(store)
        return [
            Actor("keeper", partial(keep, store, account_id, RANKS), KEEP),
            Actor("ingest", partial(take, store, late(name)), INGEST),
        ]

    monkeypatch.setattr(states, "lock", read)
    assert any(stale_boundaries(database, account_id) for _ in stage.orders(scene))


def test_two_keepers_of_one_boundary_leave_it_once_and_right(database: str, store: Store, stage: Stage) -> None:
    account_id = 0

    def scene() -> Sequence[Actor]:
        nonlocal account_id
        _, account_id = new_account(store)
        return [
            Actor("first", partial(keep, store, account_id, (1, 2)), KEEP),
            Actor("second", partial(keep, store, account_id, (2, 3)), KEEP),
        ]

    for _ in stage.orders(scene):
        assert stale_boundaries(database, account_id) == []
        kept = run(database, "SELECT rank FROM boundary WHERE account_id = ? ORDER BY rank", account_id)
        assert [rank for (rank,) in kept] == [1, 2, 3]


@pytest.mark.parametrize("other", ["ingest", "keeper"])
def test_a_change_of_zone_leaves_rollups_and_boundaries_of_the_new_zone(
    database: str, store: Store, stage: Stage, other: str
) -> None:
    """The job of 23:30 in UTC is done on the next day in Auckland."""
    account_id = 0

    def scene() -> Sequence[Actor]:
        nonlocal account_id
        name, account_id = new_account(store)
        keep(store, account_id, (1, 2))
        return [
            Actor("mover", partial(change_zone, store, account_id, "Pacific/Auckland"), REBUILD),
            Actor("ingest", partial(take, store, late(name)), INGEST)
            if other == "ingest"
            else Actor("keeper", partial(keep, store, account_id, RANKS), KEEP),
        ]

    for order in stage.orders(scene):
        check_rollups(database, account_id)
        assert stale_boundaries(database, account_id) == [], order


def test_a_meter_added_meanwhile_is_in_a_kept_boundary(database: str, store: Store, stage: Stage) -> None:
    account_id = meter = 0

    def put_and_use(account: str, before_commit: Callable[[], None]) -> None:
        with store.transaction() as connection:
            plans.lock(connection)
            plans.put_plan(connection, plan_with(f"seconds_{meter}"), effective_from=plans.BEGINNING, now=NOW)
            before_commit()
        document = job("late", account, LATE)
        take(store, [{**document, "tokens": {f"seconds_{meter}": 60}}], before_commit)

    def scene() -> Sequence[Actor]:
        nonlocal account_id, meter
        name, account_id = new_account(store)
        meter += 1
        return [
            Actor("keeper", partial(keep, store, account_id, RANKS), [*KEEP[:2], (boundaries, "derive")]),
            Actor("provider", partial(put_and_use, name), [(meters, "add_meters"), (states, "lock")]),
        ]

    for order in stage.orders(scene):
        kept = run(
            database,
            f"SELECT SUM(tokens_seconds_{meter}) FROM boundary_usage WHERE rank = 1 AND account_id = ?",
            account_id,
        )
        assert kept in ([(None,)], [(60,)]), order


def plan_with(meter: str) -> Plan:
    return parse_plan(
        {"name": meter, "currency": "USD", "free_jobs": 0, "meters": [{"id": meter, "price": "1", "per": 1}]}
    )
