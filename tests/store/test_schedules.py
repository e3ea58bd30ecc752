"""Writers of PostgreSQL that meet: every interleaving of their steps, and many of them at once.

SQLite has one writer at a time, so that there is nothing to interleave.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any, Final

import pytest

from tallystick.errors import Conflict
from tallystick.ingest import Batch, Directory, check, read_jobs
from tallystick.ingest.intake import Intake
from tallystick.ledger import Ledger
from tallystick.model.jobs import IngestResult
from tallystick.model.plans import BEGINNING, Plan, parse_plan
from tallystick.settings import Settings
from tallystick.store import accounts, boundaries, jobs, meters, plans, quarantine, rollups, states, sums, zones
from tallystick.store.database import Connection, Store
from tests.databases import PostgresqlDatabases, run
from tests.store.recount import check_rollups, live_jobs, stale_boundaries
from tests.store.stage import Actor, Stage, Step, Work

NOW: Final = 1_750_000_000_000_000
KEYS: Final = ("first", "second")
LATE: Final = "2025-01-01T00:00:00Z"

Document = dict[str, Any]
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
    (boundaries, "cut_days"),
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
REGISTER: Final[Sequence[Step]] = ((accounts, "add_account"), (states, "lock"), (jobs, "append"))
ALONE: Final[Sequence[Step]] = (
    (accounts, "account_named"),
    (accounts, "add_key"),
    (meters, "add_meters"),
    (plans, "assign"),
    (quarantine, "insert"),
    (quarantine, "_delete"),
    (quarantine, "remove"),
)


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


def take(
    store: Store, documents: Sequence[Document], before_commit: Callable[[], None] = lambda: None, *, now: int = NOW
) -> IngestResult:
    """What a commit of the ledger does, on this thread."""
    with store.transaction() as connection:
        intake = Intake(connection, Directory(), settings=Settings(), now=now)
        (result,) = intake.take([Batch(*check(read_jobs(documents)))])
        before_commit()
    return result


def keep(store: Store, account_id: int, ranks: Sequence[int], before_commit: Callable[[], None] = lambda: None) -> None:
    """What a reader does that had to derive some boundaries."""
    with store.transaction() as connection:
        boundaries.keep(connection, {account_id: ranks})
        before_commit()


def change_zone(store: Store, account_id: int, zone: str, before_commit: Callable[[], None]) -> None:
    """What the ledger does when an account moves to another zone."""
    with store.transaction() as connection:
        states.lock(connection, [account_id])
        accounts.set_time_zone(connection, account_id, zone)
        sums.rebuild(connection, account_id, zones.calendar(zone), meters.all_meters(connection))
        before_commit()


@pytest.fixture
def stage(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage on which every step stops that an actor has among its own."""
    opened = Stage(database, {*INGEST, *KEEP, *REBUILD, *REGISTER, *ALONE}, monkeypatch)
    yield opened
    opened.close()


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


@pytest.mark.parametrize("ahead", [-1, 0, 1], ids=["a clock behind", "one clock", "a clock ahead"])
def test_of_two_writers_with_the_same_jobs_each_hears_what_it_stored(
    database: str, store: Store, stage: Stage, ahead: int
) -> None:
    """One of the jobs has other tokens: whoever comes second is told so."""
    account_id = 0
    results: list[IngestResult] = []

    def write(documents: Sequence[Document], now: int, before_commit: Callable[[], None]) -> None:
        results.append(take(store, documents, before_commit, now=now))

    def scene() -> Sequence[Actor]:
        nonlocal account_id
        results.clear()
        name, account_id = new_account(store)
        same = [job(job_id, name, LATE) for job_id in ("x", "y")]
        return [
            Actor("first", partial(write, [*same, job("z", name, LATE, tokens=1)], NOW + 1), INGEST),
            Actor("second", partial(write, [job("z", name, LATE, tokens=2), *same], NOW + 1 + ahead), INGEST),
        ]

    for order in stage.orders(scene):
        told = [(result.accepted, result.duplicates, [each.code for each in result.rejected]) for result in results]
        assert told == [(3, 0, []), (0, 2, ["conflict"])], order
        assert len(live_jobs(database, account_id)) == 7
        check_rollups(database, account_id)


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
            plans.put_plan(connection, plan_with(f"seconds_{meter}"), effective_from=BEGINNING, now=NOW)
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


# Registering, and refusing.


def one_each(names: Sequence[str]) -> list[Document]:
    """A job of each account."""
    return [job(f"{threading.get_ident()} {name}", name, LATE) for name in names]


@pytest.mark.parametrize(
    ("first", "second"),
    [(("a", "b"), ("b", "a")), (("a", "b", "old"), ("old", "b", "c")), (("z", "old"), ("a", "old", "z"))],
)
def test_accounts_registered_by_two_writers_at_once_are_there_once_and_have_all_jobs(
    database: str, store: Store, stage: Stage, first: Sequence[str], second: Sequence[str]
) -> None:
    prefix = ""
    results: list[IngestResult] = []

    def write(names: Sequence[str], before_commit: Callable[[], None]) -> None:
        results.append(take(store, one_each([prefix + name for name in names]), before_commit))

    def scene() -> Sequence[Actor]:
        nonlocal prefix
        prefix = f"{next(_accounts)} "
        results.clear()
        take(store, [job("old", f"{prefix}old", LATE)])
        return [Actor("first", partial(write, first), REGISTER), Actor("second", partial(write, second), REGISTER)]

    for order in stage.orders(scene):
        assert sorted(result.accepted for result in results) == sorted([len(first), len(second)]), order
        for name in {*first, *second}:
            ((account_id,),) = run(database, "SELECT id FROM account WHERE name = ?", prefix + name)
            assert len(live_jobs(database, account_id)) == (name in first) + (name in second) + (name == "old")
            check_rollups(database, account_id)


def test_keys_registered_by_two_writers_at_once_get_different_numbers(
    database: str, store: Store, stage: Stage
) -> None:
    account_id = 0
    steps = [(states, "lock"), (accounts, "add_key"), (jobs, "append")]

    def write(account: str, names: Sequence[str], before_commit: Callable[[], None]) -> None:
        documents = [job(f"{names[0]} {name}", account, LATE, key=name) for name in names]
        assert take(store, documents, before_commit).accepted == len(names)

    def scene() -> Sequence[Actor]:
        nonlocal account_id
        name, account_id = new_account(store)
        return [
            Actor("first", partial(write, name, ("third", "fourth")), steps),
            Actor("second", partial(write, name, ("fourth", "fifth", "third")), steps),
        ]

    for order in stage.orders(scene):
        keys = run(database, "SELECT id, name FROM api_key WHERE account_id = ? ORDER BY id", account_id)
        assert [number for number, _ in keys] == [1, 2, 3, 4, 5], order
        assert {name for _, name in keys} == {*KEYS, "third", "fourth", "fifth"}
        check_rollups(database, account_id)


def test_a_key_created_while_a_job_names_it_is_one_key(database: str, store: Store, stage: Stage) -> None:
    account_id = 0
    outcomes: list[str] = []
    steps = [(states, "lock"), (accounts, "add_key")]
    with Ledger(database) as ledger:

        def create(account: str, _: Callable[[], None]) -> None:
            try:
                outcomes.append(ledger.accounts.create_key(account, "third").kind)
            except Conflict as error:
                outcomes.append(error.code)

        def scene() -> Sequence[Actor]:
            nonlocal account_id
            outcomes.clear()
            name, account_id = new_account(store)
            return [
                Actor("admin", partial(create, name), steps),
                Actor("ingest", partial(take, store, [job("new", name, LATE, key="third")]), steps),
            ]

        seen = set()
        for _ in stage.orders(scene):
            seen.update(outcomes)
            keys = run(database, "SELECT name FROM api_key WHERE account_id = ?", account_id)
            assert sorted(name for (name,) in keys) == ["first", "second", "third"]
    assert seen == {"live", "key_exists"}


def test_two_changes_of_an_accounts_plan_at_once_leave_one_of_them(database: str, store: Store, stage: Stage) -> None:
    account_id = 0
    with Ledger(database) as ledger:
        for name in ("one", "two"):
            ledger.plans.put(plan_with(name))

        def change(account: str, plan: str, _: Callable[[], None]) -> None:
            ledger.accounts.change(account, plan=plan, plan_from="2025-03")

        def scene() -> Sequence[Actor]:
            nonlocal account_id
            name, account_id = new_account(store)
            steps = [(plans, "assign"), (accounts, "account_named")]
            return [Actor(plan, partial(change, name, plan), steps) for plan in ("one", "two")]

        for _ in stage.orders(scene):
            query = "SELECT COUNT(*) FROM account_plan WHERE account_id = ? AND effective_month > 0"
            assert run(database, query, account_id) == [(1,)]


def refused(*names: str) -> list[Document]:
    """Jobs that lie in the future."""
    return [job(name, "acme", "9000-01-01T00:00:00Z") for name in names]


def refuse(
    store: Store, documents: Sequence[Document], room: int, before_commit: Callable[[], None] = lambda: None
) -> None:
    """Sends jobs that are refused to a quarantine with room for so many."""
    with store.transaction() as connection:
        intake = Intake(connection, Directory(), settings=Settings(quarantine_items=room), now=NOW)
        intake.take([Batch(*check(read_jobs(documents)))])
        before_commit()


def test_jobs_refused_by_two_writers_in_opposite_order_are_kept_once(database: str, store: Store, stage: Stage) -> None:
    def scene() -> Sequence[Actor]:
        run(database, "DELETE FROM rejected_item")
        steps = [(quarantine, "insert")]
        return [
            Actor("first", partial(refuse, store, refused("a", "b"), 9), steps),
            Actor("second", partial(refuse, store, refused("b", "a"), 9), steps),
        ]

    for _ in stage.orders(scene):
        assert run(database, "SELECT times FROM rejected_item") == [(2,), (2,)]


def test_writers_that_overflow_the_quarantine_at_once_drop_and_count_each_item_once(
    database: str, store: Store, stage: Stage
) -> None:
    def scene() -> Sequence[Actor]:
        run(database, "DELETE FROM rejected_item")
        run(database, "DELETE FROM counter")
        refuse(store, refused("old", "older", "oldest"), 3)
        steps = [(quarantine, "insert"), (quarantine, "_delete")]
        return [
            Actor("first", partial(refuse, store, refused("a", "b"), 3), steps),
            Actor("second", partial(refuse, store, refused("c", "d", "e"), 3), [(quarantine, "_delete")]),
        ]

    for order in stage.orders(scene):
        assert run(database, "SELECT COUNT(*) FROM rejected_item") == [(3,)], order
        assert run(database, "SELECT value FROM counter") == [(5,)], order


@pytest.mark.parametrize("absent", ["seen again", "dropped", "replayed"])
def test_of_items_seen_again_dropped_and_replayed_at_once_none_stops_another(
    database: str, store: Store, stage: Stage, absent: str
) -> None:
    names, numbers = ("one", "two", "three"), list[int]()

    def replay(before_commit: Callable[[], None]) -> None:
        with store.transaction() as connection:
            quarantine.remove(connection, numbers)
            before_commit()

    def scene() -> Sequence[Actor]:
        run(database, "DELETE FROM rejected_item")
        refuse(store, refused(*names), 3)
        numbers[:] = [number for (number,) in run(database, "SELECT id FROM rejected_item ORDER BY id DESC")]
        works: dict[str, tuple[Work, Sequence[Step]]] = {
            "seen again": (partial(refuse, store, refused(*names), 3), [(quarantine, "insert")]),
            "dropped": (partial(refuse, store, refused("new", "newer"), 3), [(quarantine, "_delete")]),
            "replayed": (replay, [(quarantine, "remove"), (quarantine, "_delete")]),
        }
        return [Actor(name, *works[name]) for name in works.keys() - {absent}]

    for order in stage.orders(scene):
        kept = run(database, "SELECT 1 FROM rejected_item")
        # What is dropped may be seen again behind that; what is replayed is gone.
        assert len(kept) <= 5, order
