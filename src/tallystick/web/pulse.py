"""How this process does: its commits of the last quarter of an hour, and its last error."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

from tallystick.ledger import CommitReport
from tallystick.striking import STRIKE_TOKENS

BUCKET_SECONDS: Final = 10
BUCKETS: Final = 90


class Bucket(NamedTuple):
    """The commits of some seconds: jobs that were new, commits, and the seconds that they took, in all and at most."""

    accepted: int = 0
    commits: int = 0
    seconds: float = 0.0
    longest_seconds: float = 0.0


class Pulse:
    """Hears of every commit. `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began = self._place()
        self._buckets: dict[int, Bucket] = {}

    def hear(self, report: CommitReport) -> None:
        """Counts a commit."""
        place = self._place()
        with self._lock:
            known = self._buckets.get(place, Bucket())
            self._buckets[place] = Bucket(
                known.accepted + report.accepted,
                known.commits + 1,
                known.seconds + report.seconds,
                max(known.longest_seconds, report.seconds),
            )
            for old in [each for each in self._buckets if each <= place - BUCKETS]:
                del self._buckets[old]

    def buckets(self) -> list[tuple[int, Bucket]]:
        """The whole buckets of the last quarter of an hour, since this began: (seconds since 1970, sums), ascending."""
        place = self._place()
        with self._lock:
            first = max(self._began, place - BUCKETS + 1)
            return [(each * BUCKET_SECONDS, self._buckets.get(each, Bucket())) for each in range(first, place)]

    def _place(self) -> int:
        return int(self._clock() // BUCKET_SECONDS)


class LastErrors(logging.Handler):
    """Keeps the last errors that this process has logged, without tokens."""

    def __init__(self, most: int = 5) -> None:
        super().__init__(logging.ERROR)
        self.addFilter(STRIKE_TOKENS)
        self._kept: deque[tuple[float, str]] = deque(maxlen=most)

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps when it was and what it says."""
        self._kept.append((record.created, record.getMessage()))

    def newest_first(self) -> list[tuple[float, str]]:
        """Seconds since 1970 and message of each."""
        return list(reversed(self._kept))


@cache
def last_errors() -> LastErrors:
    """Those of this process, from the first time on that this is asked for."""
    errors = LastErrors()
    logging.getLogger("tallystick").addHandler(errors)
    return errors
