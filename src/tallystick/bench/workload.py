"""Made-up jobs: the same as rows for the floor and as bodies for the server."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, Literal, NamedTuple

import msgspec

from tallystick.model.instants import SECOND, format_instant
from tallystick.store.jobs import JobRow
from tallystick.store.rows import parts
from tallystick.store.schema import LIVE

ACCOUNTS: Final = 200
KEYS: Final = ("production", "staging", "batch")
_KEY_SHARES: Final = (0.7, 0.95, 1.0)
_MOST_TOKENS: Final = 5_000

IdOrder = Literal["time-ordered", "random"]
ID_ORDERS: Final[tuple[IdOrder, ...]] = ("time-ordered", "random")


class WireTokens(msgspec.Struct):
    """The tokens of a made-up job."""

    transcription: int
    note_generation: int


class WireJob(msgspec.Struct):
    """A made-up job as it goes over the wire."""

    id: str
    account: str
    api_key: str
    completed_at: str
    tokens: WireTokens


class Jobs(NamedTuple):
    """The same jobs twice: as rows of the table, and as jobs on the wire."""

    rows: Sequence[JobRow]
    wire: Sequence[WireJob]

    def bodies(self, jobs: int) -> Iterator[bytes]:
        """Bodies of so many jobs each, as JSON arrays."""
        return (msgspec.json.encode(part) for part in parts(self.wire, jobs))

    def single_bodies(self) -> Iterator[bytes]:
        """A body for each job."""
        return map(msgspec.json.encode, self.wire)


class Workload:
    """Draws jobs of 200 accounts, the n-th of which has 1/n as many as the first (Zipf), with three keys each.

    Jobs are completed one after the other, a hundred a second from `start` (microseconds since 1970) on. No id comes
    twice.
    """

    def __init__(self, seed: int, start: int) -> None:
        self._draw = random.Random(seed)
        self._start = start
        self._number = 0
        self._shares = list(accumulate(1 / n for n in range(1, ACCOUNTS + 1)))

    def one_of_each(self) -> Jobs:
        """A job for every account and key, so that all of them are known."""
        places = [(account, key) for account in range(ACCOUNTS) for key in range(len(KEYS))]
        return self._made(places, "time-ordered")

    def jobs(self, count: int, order: IdOrder) -> Jobs:
        """The next jobs."""
        accounts = self._draw.choices(range(ACCOUNTS), cum_weights=self._shares, k=count)
        keys = self._draw.choices(range(len(KEYS)), cum_weights=_KEY_SHARES, k=count)
        return self._made(list(zip(accounts, keys, strict=True)), order)

    def _made(self, places: Sequence[tuple[int, int]], order: IdOrder) -> Jobs:
        wire, rows = [], []
        for account, key in places:
            completed_at = self._start + self._number // 100 * SECOND
            self._number += 1
            noise = self._draw.getrandbits(96)
            # The first as UUIDs of version 7 are: time first, then randomness.
            job_id = f"{completed_at:013x}{noise >> 20:019x}" if order == "time-ordered" else f"{noise:032x}"
            tokens = WireTokens(noise % _MOST_TOKENS, noise // _MOST_TOKENS % _MOST_TOKENS)
            counts = (tokens.transcription, tokens.note_generation)
            rows.append(JobRow(account + 1, LIVE, completed_at, job_id, key + 1, completed_at, completed_at, counts))
            moment = format_instant(completed_at)
            wire.append(WireJob(job_id, f"account-{account:03d}", KEYS[key], moment, tokens))
        return Jobs(rows, wire)
