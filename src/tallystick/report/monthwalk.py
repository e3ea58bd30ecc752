"""Walking over a month's jobs: their digest, and the stretch that they make. Pure.

The server walks when it closes a month, the customer when it checks a statement. Both hand in `WalkedJob`s, many
at a time, so that most of the work is done for many at once.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from operator import ne
from typing import Final, NamedTuple

import msgspec

from tallystick.model.plans import Plan
from tallystick.model.usage import Usage, added
from tallystick.rating.bands import bands
from tallystick.rating.stretches import Stretch, inner_ranks

_encoder: Final = msgspec.json.Encoder()


class Void(NamedTuple):
    """When a job was voided, and why."""

    voided_at: datetime
    reason: str


class WalkedJob(msgspec.Struct, array_like=True, gc=False):
    """A job of a month. Its members, in their order, are its canonical form, of which the digest is taken.

    Instants are in UTC, `tokens` in the order of the statement's meters; `void` is `None` for a live job.
    """

    id: str
    api_key: str
    completed_at: datetime
    booked_at: datetime
    tokens: tuple[int, ...]
    void: Void | None = None


class MonthWalk:
    """Takes the live jobs of a month in rank order, then the voided ones in the same order by time and id.

    The first live job follows `before` others of the account. Memory grows with the number of keys only.
    """

    def __init__(self, plan: Plan, before: int) -> None:
        self.live = 0
        self.late = 0
        self.voided = 0
        self._plan = plan
        self._before = before
        self._digest = hashlib.sha256()
        self._usage: dict[str, Usage] = {}
        self._cuts: dict[int, Mapping[str, Usage]] = {}
        self._ends = [band.up_to for band in bands(plan, before) if band.up_to is not None and band.up_to > before]

    def take_live(self, jobs: Sequence[WalkedJob]) -> None:
        """The next live jobs."""
        self._digest.update(_encoder.encode_lines(jobs))
        rank = self._before + self.live
        for part, end in self._parts(jobs, rank):
            self._usage = added([*self._usage.items(), *_usage_by_key(part)])
            rank += len(part)
            if rank == end:
                self._cuts[rank] = self._usage
        self.live += len(jobs)
        self.late += sum(map(ne, [job.booked_at for job in jobs], [job.completed_at for job in jobs]))

    def take_voided(self, jobs: Sequence[WalkedJob]) -> None:
        """The next voided jobs, behind all live ones."""
        self._digest.update(_encoder.encode_lines(jobs))
        self.voided += len(jobs)

    @property
    def sha256(self) -> str:
        """The digest of all jobs so far."""
        return self._digest.hexdigest()

    def stretch(self) -> tuple[Stretch, dict[int, str]]:
        """The month as it is rated, and the names of the keys by the numbers that stand for them there."""
        names = dict(enumerate(sorted(self._usage)))
        numbers = {name: number for number, name in names.items()}

        def numbered(usage: Mapping[str, Usage]) -> dict[int, Usage]:
            return {numbers[name]: part for name, part in usage.items()}

        # A boundary at the very end of the month cuts nothing off.
        inner = inner_ranks(self._plan, self._before, self.live, opening=self._before)
        cuts = {rank: numbered(self._cuts[rank]) for rank in inner}
        return Stretch(self._plan, self._before, numbered(self._usage), cuts, opening=self._before), names

    def _parts(self, jobs: Sequence[WalkedJob], rank: int) -> Iterator[tuple[Sequence[WalkedJob], int | None]]:
        """The jobs, which follow the one with that rank, parted where the price changes; with each part's last rank."""
        ends = [end for end in self._ends if rank < end <= rank + len(jobs)]
        places = [0, *(end - rank for end in ends), len(jobs)]
        for (start, stop), end in zip(pairwise(places), [*ends, None], strict=True):
            yield jobs[start:stop], end


def _usage_by_key(jobs: Sequence[WalkedJob]) -> Iterator[tuple[str, Usage]]:
    tokens: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for job in jobs:
        tokens[job.api_key].append(job.tokens)
    for key, rows in tokens.items():
        yield key, Usage(len(rows), tuple(map(sum, zip(*rows, strict=True))))
