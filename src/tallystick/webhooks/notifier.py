"""The notifier: looks at accounts after their commits, and now and then at all of them.

A commit of this process wakes it and names its accounts. What other processes have committed, and what one that crashed
has left, is found by a look over all accounts. Looking again says nothing twice, so that any number of processes may
do it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from tallystick.errors import StoreError
from tallystick.ingest import CommitReport
from tallystick.ledger import Ledger

ALL_AFTER_SECONDS: Final = 10.0
"""After how long all accounts are looked over again."""

REST_SECONDS: Final = 0.2
"""How long it rests at least between two looks: what is committed meanwhile is looked at together."""

REST_FACTOR: Final = 100
"""How many times as long as a look it rests after it: ingest keeps all but a hundredth of its time."""

MOST_REST_SECONDS: Final = 30.0
"""How long it rests at most."""

_log = logging.getLogger(__name__)


class Notifier:
    """Looks until it is stopped, and calls `said` after each look.

    `committed` may be called by any thread, the rest by that of `loop`.
    """

    def __init__(self, ledger: Ledger, loop: asyncio.AbstractEventLoop, said: Callable[[], None]) -> None:
        self._ledger = ledger
        self._said = said
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: set[int] = set()
        self._is_told = False
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()

    def committed(self, report: CommitReport) -> None:
        """Takes up the accounts of a commit."""
        if not (report.account_ids or report.rejected):
            return
        with self._lock:
            self._waiting.update(report.account_ids)
            was_told, self._is_told = self._is_told, True
        # Once before each look: every call wakes the loop's thread, which ingest would have to wait for.
        if not was_told:
            # The loop has ended where a ledger lives on after its server.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._woken.set)

    def stop(self) -> None:
        """Lets it end after the look that it is at. What waits is found by the next start."""
        self._stopping.set()
        self._woken.set()

    async def run(self) -> None:
        """Looks at all accounts first, then at those of each commit, and now and then at all of them again."""
        self._ledger.tell_commits(self.committed)
        # Where a look over all accounts has come to, `None` between two of them; and when the next one begins.
        after: int | None = 0
        all_due = time.monotonic() + ALL_AFTER_SECONDS
        while not self._stopping.is_set():
            if after is None and time.monotonic() >= all_due:
                after, all_due = 0, time.monotonic() + ALL_AFTER_SECONDS
            after, rest_seconds = await self._look(after)
            await _until(self._stopping, rest_seconds)
            if after is None:
                await _until(self._woken, all_due - time.monotonic())

    async def _look(self, after: int | None) -> tuple[int | None, float]:
        """Looks at the accounts that wait, and at the next few of all those behind `after`.

        Gives where those end, and for how long to rest.
        """
        started = time.monotonic()
        with self._lock:
            taken, self._waiting, self._is_told = self._waiting, set(), False
        self._woken.clear()
        try:
            await asyncio.to_thread(self._ledger.notices.look, taken)
            after = None if after is None else await asyncio.to_thread(self._ledger.notices.look_on, after)
            self._said()
        except StoreError as error:
            _log.warning("accounts could not be looked at, and will be again: %s", error.detail)
        except Exception:  # noqa: BLE001 - whatever it is, the next look may fare better
            _log.exception("accounts could not be looked at, and will be again")
        else:
            spent = time.monotonic() - started
            return after, min(MOST_REST_SECONDS, max(REST_SECONDS, spent * REST_FACTOR))
        # What was not said is found by looking over all accounts.
        return 0, ALL_AFTER_SECONDS


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Waits for an event, and no longer than that."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), max(0.0, seconds))
