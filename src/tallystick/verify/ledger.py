"""The ledger's lines as jobs of a month, checked as they come: in order, complete, and belonging where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice, pairwise
from operator import itemgetter, lt
from typing import Annotated, Final, NamedTuple

import msgspec

from tallystick.model.plans import Meter
from tallystick.report.monthwalk import MonthWalk, Void, WalkedJob
from tallystick.verify.differences import Mismatch

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Line(msgspec.Struct, gc=False):
    """What of a line is checked: a live job has a rank, a voided one the reason."""

    id: str
    api_key: str
    completed_at: _Instant
    booked_at: _Instant
    tokens: dict[str, int]
    rank: int | None = None
    voided_at: _Instant | None = None
    void_reason: str | None = None


_PART_BYTES: Final = 128 * 1024

_decoder: Final = msgspec.json.Decoder(_Line)

# What is done for every job is done for many at once, by loops of the interpreter's own, as those of `map`. Only where
# something is wrong a loop of ours looks for the job that is.

_Position = tuple[datetime, str]
"""Where a job stands in the order. Texts compare by code points, which is the order of their bytes in UTF-8."""


class _Columns(NamedTuple):
    """The members of jobs, each for all of them."""

    ids: list[str]
    api_keys: list[str]
    completed_at: list[datetime]
    booked_at: list[datetime]
    tokens: list[tuple[int, ...]]


class LedgerCheck:
    """Takes a month's lines, page by page, and walks over their jobs.

    The first live job follows `before` others; all are booked from `start` to before `end`. Raises `Mismatch`.
    """

    def __init__(
        self, walk: MonthWalk, meters: tuple[Meter, ...], *, before: int, start: datetime, end: datetime
    ) -> None:
        self._walk = walk
        self._counts = _counts_of([meter.id for meter in meters])
        self._rank = before
        self._start = start
        self._end = end
        self._last: _Position | None = None
        self._in_voided = False

    def take(self, page: bytes) -> None:
        """The next lines, whole ones."""
        for part in _parts(page):
            self._take(part)

    def _take(self, part: bytes) -> None:
        try:
            lines = _decoder.decode_lines(part)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Mismatch("unreadable", f"a job behind rank {self._rank:,} cannot be read: {error}") from None
        voided_at = [line.voided_at for line in lines]
        live = len(lines)
        if voided_at.count(None) != live:
            live = next(place for place, moment in enumerate(voided_at) if moment is not None)
        behind = [line for line in lines[0 if self._in_voided else live :] if line.voided_at is None]
        if behind:
            raise Mismatch("jobs_reordered", f"the live job {behind[0].id} comes behind voided ones")
        self._take_live(lines[:live])
        self._take_voided(lines[live:])

    def _take_live(self, lines: Sequence[_Line]) -> None:
        if not lines:
            return
        if [line.rank for line in lines] != list(range(self._rank + 1, self._rank + 1 + len(lines))):
            raise self._wrong_ranks([line.rank or 0 for line in lines])
        columns = self._columns(lines)
        self._check_places(columns)
        self._walk.take_live(list(map(WalkedJob, *columns)))
        self._rank += len(lines)

    def _take_voided(self, lines: Sequence[_Line]) -> None:
        if not lines:
            return
        if not self._in_voided:
            self._in_voided, self._last = True, None
        columns = self._columns(lines)
        self._check_places(columns)
        self._walk.take_voided(list(map(WalkedJob, *columns, map(_void_of, lines))))

    def _columns(self, lines: Sequence[_Line]) -> _Columns:
        return _Columns(
            [line.id for line in lines],
            [line.api_key for line in lines],
            [line.completed_at for line in lines],
            [line.booked_at for line in lines],
            self._counts(lines),
        )

    def _wrong_ranks(self, ranks: Sequence[int]) -> Mismatch:
        """How ranks go wrong that should follow each other."""
        if sorted(ranks) == list(range(self._rank + 1, self._rank + 1 + len(ranks))):
            before, behind = next((a, b) for a, b in pairwise([self._rank, *ranks]) if b != a + 1)
            return Mismatch("jobs_reordered", f"behind the job of rank {before:,} comes that of rank {behind:,}")
        before, behind = next((a, b) for a, b in pairwise([self._rank, *ranks]) if b != a + 1)
        if behind > before:
            return Mismatch(
                "job_removed",
                f"behind the job of rank {before:,} comes that of rank {behind:,}; {before + 1:,} is missing",
            )
        return Mismatch("job_added", f"behind the job of rank {before:,} comes another of rank {behind:,}")

    def _check_places(self, jobs: _Columns) -> None:
        places: list[_Position] = list(zip(jobs.booked_at, jobs.ids, strict=True))
        if self._last is not None:
            places.insert(0, self._last)
        if not all(map(lt, places, islice(places, 1, None))):
            first, second = next((a, b) for a, b in pairwise(places) if a >= b)
            raise Mismatch(
                "jobs_reordered",
                f"the job {second[1]} of {_shown(second[0])} comes behind {first[1]} of {_shown(first[0])}",
            )
        self._last = places[-1]
        if jobs.booked_at[0] < self._start or jobs.booked_at[-1] >= self._end:
            booked_at, stray = next(place for place in places if not self._start <= place[0] < self._end)
            raise Mismatch("job_misplaced", f"the job {stray} is booked at {_shown(booked_at)}, in another month")
        if jobs.booked_at == jobs.completed_at:
            return
        for name, completed_at, booked_at in zip(jobs.ids, jobs.completed_at, jobs.booked_at, strict=True):
            # A job is booked when it was completed, but for one that came when its month was closed (design rule 7).
            if booked_at != completed_at and not completed_at < self._start:
                raise Mismatch(
                    "job_misplaced",
                    f"the job {name} was completed at {_shown(completed_at)} and is booked at "
                    f"{_shown(booked_at)}, though its month was open",
                )


def _parts(page: bytes) -> Iterator[bytes]:
    """Whole lines again, but so few that all that is made of them stays in the processor's cache."""
    start = 0
    while start < len(page):
        end = page.find(b"\n", start + _PART_BYTES) + 1 or len(page)
        yield page[start:end]
        start = end


def _counts_of(meter_ids: Sequence[str]) -> Callable[[Sequence[_Line]], list[tuple[int, ...]]]:
    """The function that gives lines' tokens in the order of the meters. Raises `Mismatch` for tokens of others."""
    several = itemgetter(*meter_ids) if len(meter_ids) > 1 else None

    def counts_of(lines: Sequence[_Line]) -> list[tuple[int, ...]]:
        tokens = [line.tokens for line in lines]
        if several is None or set(map(len, tokens)) != {len(meter_ids)}:
            return [_some(line, meter_ids) for line in lines]
        try:
            # As many as there are meters, and each of these among them: so there are no others.
            return list(map(several, tokens))
        except KeyError:
            return [_some(line, meter_ids) for line in lines]

    return counts_of


def _some(line: _Line, meter_ids: Sequence[str]) -> tuple[int, ...]:
    """A line's tokens where some meters may be missing. Raises `Mismatch` for tokens of others."""
    others = ", ".join(meter for meter, count in line.tokens.items() if count and meter not in meter_ids)
    if others:
        raise Mismatch("job_altered", f"the job {line.id} carries tokens of {others}, which the statement lacks")
    return tuple(line.tokens.get(meter_id, 0) for meter_id in meter_ids)


def _void_of(line: _Line) -> Void:
    if line.voided_at is None or line.void_reason is None:
        raise Mismatch("unreadable", f"the job {line.id} was voided without a reason")
    return Void(line.voided_at, line.void_reason)


def _shown(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
