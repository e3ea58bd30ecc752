"""The dispatcher: takes deliveries from the queue, attempts them, and writes down what came of it.

Each endpoint has a lane of its own, which begins narrow, widens while attempts succeed and narrows when one fails. What
fails shares half of the room. So an endpoint that hangs holds up a few attempts of its own, and nobody else's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from typing import Final

from tallystick.errors import StoreError
from tallystick.ledger import Ledger
from tallystick.ledger.deliveries import Result, Room, Task
from tallystick.model.instants import SECOND
from tallystick.model.webhooks import Policy
from tallystick.webhooks.sending import AT_ONCE, Answer, Sender

WIDEST: Final = 8
"""Attempts at the same time at one endpoint."""

FAILING_AT_ONCE: Final = AT_ONCE // 2
"""Attempts at the same time at endpoints that are failing, over all of them."""

GATHER_SECONDS: Final = 0.1
"""How long results are gathered, to be written down together."""

POLL_SECONDS: Final = 1.0
"""How soon it is seen what other processes have sent on its way."""

DRAIN_SECONDS: Final = 5.0
"""How long a stopping dispatcher waits for attempts that are under way. What is broken off is attempted again."""

PRUNE_SECONDS: Final = 3600.0

_log = logging.getLogger(__name__)


class _Lane:
    """What is under way at one endpoint, and how much may be."""

    def __init__(self) -> None:
        self.width = 1
        self.under_way = 0
        self.failed = False

    def ended(self, *, success: bool) -> None:
        self.under_way -= 1
        self.failed = not success
        self.width = min(WIDEST, self.width * 2) if success else 1


class Dispatcher:
    """Delivers until it is stopped. To be used by the thread of its event loop alone."""

    def __init__(self, ledger: Ledger, sender: Sender, policy: Policy) -> None:
        self._ledger = ledger
        self._sender = sender
        self._policy = policy
        self._lanes: dict[str, _Lane] = {}
        self._under_way: dict[asyncio.Task[None], Task] = {}
        self._results: list[Result] = []
        self._woken = asyncio.Event()
        self._stopping = False
        self._prune_at = time.monotonic() + random.uniform(0, PRUNE_SECONDS)

    def wake(self) -> None:
        """Lets it look at the queue now."""
        self._woken.set()

    def stop(self) -> None:
        """Lets it end, once what is under way is over or has taken too long."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Delivers what is due, and waits for what comes."""
        while not self._stopping:
            self._woken.clear()
            seconds = await self._round()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), seconds)
            # Others that end at the same time are written down together with whoever woke this up.
            await asyncio.sleep(GATHER_SECONDS)
        await self._drain()

    async def _round(self) -> float:
        """Writes down what has ended and begins what is due; gives for how long there may be nothing to do."""
        try:
            return await self._exchange()
        except StoreError as error:
            _log.warning("deliveries could not be written down or taken, and will be: %s", error.detail)
        except Exception:  # noqa: BLE001 - whatever it is, the queue is there and the next round may fare better
            _log.exception("deliveries could not be written down or taken, and will be")
        return POLL_SECONDS

    async def _exchange(self) -> float:
        due_in = await asyncio.to_thread(self._ledger.deliveries.due_in)
        results = list(self._results)
        if results or (due_in is not None and due_in <= 0):
            tasks = await asyncio.to_thread(self._ledger.deliveries.work, results, self._room(), self._policy)
            del self._results[: len(results)]
            for task in tasks:
                self._begin(task)
            return POLL_SECONDS
        if time.monotonic() >= self._prune_at:
            removed = await asyncio.to_thread(self._ledger.deliveries.prune)
            self._prune_at = time.monotonic() + (0 if removed else PRUNE_SECONDS)
        await self._sender.close_expired()
        return POLL_SECONDS if due_in is None else min(POLL_SECONDS, due_in / SECOND)

    def _room(self) -> Room:
        failing = sum(lane.under_way for lane in self._lanes.values() if lane.failed)
        return Room(AT_ONCE - len(self._under_way), max(0, FAILING_AT_ONCE - failing), self._room_at)

    def _room_at(self, endpoint_id: str) -> int:
        lane = self._lanes.get(endpoint_id)
        return 1 if lane is None else lane.width - lane.under_way

    def _begin(self, task: Task) -> None:
        lane = self._lanes.setdefault(task.delivery.endpoint_id, _Lane())
        lane.under_way += 1
        attempt = asyncio.create_task(self._attempt(task, lane))
        self._under_way[attempt] = task
        attempt.add_done_callback(lambda done: self._under_way.pop(done, None))

    async def _attempt(self, task: Task, lane: _Lane) -> None:
        at, started = self._ledger.deliveries.now(), time.perf_counter()
        try:
            answer = await self._sender.send(task, at, self._policy.timeout / SECOND)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this delivery's alone
            _log.exception("an attempt at webhook endpoint %s failed", task.delivery.endpoint_id)
            answer = Answer(None, type(error).__name__)
        milliseconds = round((time.perf_counter() - started) * 1000)
        result = Result(task, at, milliseconds, answer.status, answer.error)
        lane.ended(success=result.is_success)
        self._results.append(result)
        self._woken.set()

    async def _drain(self) -> None:
        """Waits for what is under way, then breaks it off, and writes down what is known."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=DRAIN_SECONDS)
        broken_off = dict(self._under_way)
        for attempt in broken_off:
            attempt.cancel()
        await asyncio.gather(*broken_off, return_exceptions=True)
        try:
            await asyncio.to_thread(self._ledger.deliveries.work, self._results, _NO_ROOM, self._policy)
            await asyncio.to_thread(self._ledger.deliveries.release, list(broken_off.values()))
        except StoreError as error:
            # Their leases run out, and they are attempted again.
            _log.warning("the last deliveries could not be written down: %s", error.detail)


_NO_ROOM: Final = Room(0, 0, lambda _: 0)
