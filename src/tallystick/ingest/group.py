"""Group commit: batches that arrive together are committed together.

A commit costs the same for one job as for thousands, so whatever has arrived while the last commit ran goes into
the next one. Each batch is answered after its own jobs are durable and with its own result; where a group fails,
its batches are tried alone, so that one cannot fail its neighbours. The queue is bounded: past its bound a batch
is turned away at once instead of waiting without end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

from tallystick.errors import StoreUnavailable
from tallystick.ingest.intake import Batch, Directory, Intake
from tallystick.model.jobs import IngestResult
from tallystick.settings import Settings
from tallystick.store.database import Store, WriteContended

MOST_AT_ONCE: Final = 10_000
"""Jobs of one group; a batch is not split, so that it holds at most as many."""

_ATTEMPTS: Final = 3

_log = logging.getLogger(__name__)

Outcome = IngestResult | BaseException


class CommitReport(NamedTuple):
    """What one commit did, and how long it took until it was durable; the numbers of the accounts that it changed."""

    jobs: int
    seconds: float
    accepted: int
    duplicates: int
    rejected: int
    account_ids: tuple[int, ...] = ()


class _Waiting:
    """A batch in the queue, and who waits for its result: a thread or a task of an event loop."""

    def __init__(self, batch: Batch, loop: asyncio.AbstractEventLoop | None) -> None:
        self.batch = batch
        self.weight = max(1, len(batch.candidates) + len(batch.refusals))
        self.loop = loop
        self.thread: Future[IngestResult] | None = Future() if loop is None else None
        self.task: asyncio.Future[IngestResult] | None = None if loop is None else loop.create_future()


class GroupCommit:
    """Takes batches from many threads and tasks and commits them in groups on a thread of its own.

    One group at a time: groups of the same accounts would wait for each other in the database, and one that took in
    what has come meanwhile is done sooner than two. `turn` is held while a group is worked through, and not while it is
    brought to the disk.
    """

    def __init__(
        self,
        store: Store,
        directory: Directory,
        *,
        settings: Settings,
        clock: Callable[[], int],
        turn: AbstractContextManager[Any],
    ) -> None:
        self._store = store
        self._directory = directory
        self._settings = settings
        self._clock = clock
        self._turn = turn
        self._thread: threading.Thread | None = None
        self._queue: deque[_Waiting] = deque()
        self._queued_jobs = 0
        self._closing = False
        self._changed = threading.Condition()
        self.listeners: tuple[Callable[[CommitReport], None], ...] = ()
        """Told of every commit, on the thread that made it."""

    @property
    def queued_jobs(self) -> int:
        """How many jobs wait for their commit."""
        return self._queued_jobs

    def commit(self, batch: Batch) -> IngestResult:
        """Stores a batch and gives its result once it is durable.

        Raises `StoreUnavailable` (code ``overloaded``) where the queue is full, and what the store raises.
        """
        waiting = self._enqueue(batch, None)
        assert waiting.thread is not None
        self._wake()
        return waiting.thread.result()

    async def commit_async(self, batch: Batch) -> IngestResult:
        """As `commit`, without holding up the event loop."""
        loop = asyncio.get_running_loop()
        waiting = self._enqueue(batch, loop)
        assert waiting.task is not None
        # Behind the requests that are ready too: they come into the same group, and the commit does not fight with
        # them for the interpreter.
        loop.call_soon(self._wake)
        return await waiting.task

    def close(self) -> None:
        """Commits what is queued, then ends the thread. What comes later is turned away."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _enqueue(self, batch: Batch, loop: asyncio.AbstractEventLoop | None) -> _Waiting:
        waiting = _Waiting(batch, loop)
        with self._changed:
            if self._closing:
                raise StoreUnavailable("the server is shutting down; send the request again", code="shutting_down")
            if self._queue and self._queued_jobs + waiting.weight > self._settings.queue_jobs:
                raise StoreUnavailable("too many jobs wait to be stored; send them again soon", code="overloaded")
            self._queue.append(waiting)
            self._queued_jobs += waiting.weight
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tallystick-commit", daemon=True)
                self._thread.start()
        return waiting

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while group := self._next_group():
            _deliver(self._committed(group))

    def _next_group(self) -> list[_Waiting]:
        """What is queued, up to the size of a group; waits for the first. Empty once closing and all is done."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            group: list[_Waiting] = []
            weight = 0
            while self._queue and (not group or weight + self._queue[0].weight <= MOST_AT_ONCE):
                waiting = self._queue.popleft()
                weight += waiting.weight
                group.append(waiting)
            self._queued_jobs -= weight
            return group

    def _committed(self, group: Sequence[_Waiting]) -> list[tuple[_Waiting, Outcome]]:
        """Each batch of the group with its result, or with the error that is its own."""
        try:
            results: Sequence[Outcome] = self._attempt([waiting.batch for waiting in group])
        except StoreUnavailable as error:
            # Alone it would fare no better: the store is down, full or contended.
            results = [error] * len(group)
        except Exception as error:  # noqa: BLE001 - whatever it is, only the batch that caused it may fail
            if len(group) > 1:
                _log.warning("a group of %d requests failed and is tried one by one: %s", len(group), error)
                return [outcome for waiting in group for outcome in self._committed([waiting])]
            results = [error]
        return list(zip(group, results, strict=True))

    def _tell(self, report: CommitReport) -> None:
        for listener in self.listeners:
            try:
                listener(report)
            except Exception:  # noqa: BLE001 - whatever it is
                # The jobs are durable; whoever counts commits must not make their senders believe otherwise.
                _log.exception("a listener of commits failed")

    def _attempt(self, batches: Sequence[Batch]) -> list[IngestResult]:
        for attempt in range(1, _ATTEMPTS + 1):
            started = time.perf_counter()
            try:
                with self._store.transaction() as connection:
                    intake = Intake(connection, self._directory, settings=self._settings, now=self._clock())
                    with self._turn:
                        results = intake.take(batches)
            except WriteContended:
                if attempt == _ATTEMPTS:
                    raise
            else:
                intake.commit()
                self._tell(_report(results, time.perf_counter() - started, intake.changed))
                return results
        raise AssertionError("the last attempt returns or raises")


def _report(results: Sequence[IngestResult], seconds: float, account_ids: tuple[int, ...]) -> CommitReport:
    accepted = sum(result.accepted for result in results)
    duplicates = sum(result.duplicates for result in results)
    rejected = sum(len(result.rejected) for result in results)
    return CommitReport(accepted + duplicates + rejected, seconds, accepted, duplicates, rejected, account_ids)


def _deliver(outcomes: Sequence[tuple[_Waiting, Outcome]]) -> None:
    """Wakes those who wait; each event loop once, however many of its tasks do."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[IngestResult], Outcome]]] = defaultdict(list)
    for waiting, outcome in outcomes:
        if waiting.loop is not None and waiting.task is not None:
            by_loop[waiting.loop].append((waiting.task, outcome))
        elif waiting.thread is not None:
            _settle(waiting.thread, outcome)
    for loop, tasks in by_loop.items():
        # A loop that has ended has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, tasks)


def _resolve(tasks: Sequence[tuple[asyncio.Future[IngestResult], Outcome]]) -> None:
    for task, outcome in tasks:
        if not task.cancelled():
            _settle(task, outcome)


def _settle(waiting: Future[IngestResult] | asyncio.Future[IngestResult], outcome: Outcome) -> None:
    if isinstance(outcome, BaseException):
        waiting.set_exception(outcome)
    else:
        waiting.set_result(outcome)
