"""Boundaries: where in an account's ledger a rank falls, and the sums up to it. A cache of what can be derived.

The *cut day* of a rank is the day on which that job falls. Every earlier day lies wholly before the boundary and
every later one wholly behind it, so rollups answer for them; of the cut day the first few jobs are read in order.
A boundary found once is kept until a job comes in at or before it. Many accounts are read as few are: each function
takes all that is asked for at once.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import add
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, text

from tallystick.model.calendar import Calendar
from tallystick.model.months import Month
from tallystick.model.plans import Meter
from tallystick.model.usage import Usage, added
from tallystick.store import meters as meter_columns
from tallystick.store import rollups, states
from tallystick.store.jobs import Position
from tallystick.store.rows import Columns, array_literal, for_each, insert, is_sqlite, run
from tallystick.store.schema import LIFETIME, LIVE


class Mark(msgspec.Struct, frozen=True, order=True, gc=False):
    """A rank to be found: the days among which it falls, and how many live jobs of the account came before them."""

    account_id: int
    rank: int
    first_day: int
    last_day: int
    before: int

    @property
    def jobs(self) -> int:
        """How many jobs of its days lie up to the rank."""
        return self.rank - self.before


class CutDay(NamedTuple):
    """The day on which a rank falls: so many of its live jobs lie up to the rank, and `whole` says if those are all."""

    day: int
    jobs: int
    whole: bool


class Cut(msgspec.Struct, frozen=True, order=True, gc=False):
    """The first live jobs, so many of them, from an instant on."""

    account_id: int
    start: int
    jobs: int

    @property
    def opening(self) -> tuple[int, int]:
        """What it shares with other cuts of its day."""
        return self.account_id, self.start


class Rest(msgspec.Struct, frozen=True, gc=False):
    """The last live jobs, so many of them, before an instant."""

    account_id: int
    end: int
    jobs: int


def kept(
    connection: Connection, marks: Sequence[Mark], meters: tuple[Meter, ...]
) -> dict[Mark, tuple[int, dict[int, Usage]]]:
    """Of those marks whose boundary is kept, the cut day and its sums up to the rank, per key."""
    asked: dict[int, dict[int, Mark]] = defaultdict(dict)
    for mark in marks:
        asked[mark.account_id][mark.rank] = mark
    columns = ", ".join(["key_id", "jobs", *meter_columns.columns(meters)])
    rows = for_each(
        connection,
        {"account_id": "int", "first": "bigint", "last": "bigint"},
        [(account_id, min(ranks), max(ranks)) for account_id, ranks in asked.items()],
        f"SELECT rank, day, {columns} FROM boundary JOIN boundary_usage USING (account_id, period, rank)"
        f" WHERE account_id = {{account_id}} AND period = {LIFETIME} AND rank BETWEEN {{first}} AND {{last}}",
    )
    days: dict[Mark, int] = {}
    sums: dict[Mark, dict[int, Usage]] = defaultdict(dict)
    for ranks, found in zip(asked.values(), rows, strict=True):
        for rank, day, key_id, jobs, *tokens in found:
            if rank in ranks:
                days[ranks[rank]] = day
                sums[ranks[rank]][key_id] = Usage(jobs, tuple(tokens))
    return {mark: (day, sums[mark]) for mark, day in days.items()}


def cut_days(connection: Connection, marks: Sequence[Mark]) -> dict[Mark, CutDay]:
    """The cut day of each mark, from rollups alone."""
    by_span = _by_span(marks)
    days = rollups.jobs_by_day(connection, list(by_span))
    found = (_cut_days(own, of_span) for own, of_span in zip(by_span.values(), days, strict=True))
    return {mark: cut_day for mark, cut_day, _, _ in chain.from_iterable(found)}


class CutDayTotals(NamedTuple):
    """A cut day, with the sums of the mark's days before it and those of the whole day, of all keys."""

    cut_day: CutDay
    earlier: Usage
    of_day: Usage


def cut_day_totals(
    connection: Connection, marks: Sequence[Mark], meters: tuple[Meter, ...]
) -> dict[Mark, CutDayTotals]:
    """The cut day of each mark with sums, from rollups alone."""
    by_span = _by_span(marks)
    days = rollups.totals_by_day(connection, list(by_span), meters)
    found = (_cut_days(own, of_span) for own, of_span in zip(by_span.values(), days, strict=True))
    return {
        mark: CutDayTotals(cut_day, Usage(earlier[0], tuple(earlier[1:])), Usage(of_day[0], tuple(of_day[1:])))
        for mark, cut_day, earlier, of_day in chain.from_iterable(found)
    }


def day_of_rank(connection: Connection, account_id: int, rank: int) -> int | None:
    """The day on which a rank falls; `None` where the account has fewer jobs."""
    found = cut_days(connection, _marks(connection, {account_id: [rank]}))
    return next((cut.day for cut in found.values()), None)


def _by_span(marks: Sequence[Mark]) -> dict[rollups.Span, list[Mark]]:
    """The marks by the days among which they fall, in ascending order."""
    by_span: dict[rollups.Span, list[Mark]] = defaultdict(list)
    for mark in sorted(marks):
        by_span[mark.account_id, mark.first_day, mark.last_day].append(mark)
    return by_span


def _cut_days(
    marks: Sequence[Mark], days: Iterable[Sequence[int]]
) -> Iterator[tuple[Mark, CutDay, Sequence[int], Sequence[int]]]:
    """The cut days of marks on the same days, which ascend; the days behind the last are not asked for.

    `days` are rows (day, jobs, further counts). With each cut day come the counts of the days before it, and its own.
    """
    waiting = iter(marks)
    mark = next(waiting)
    earlier: Sequence[int] = ()
    for day, *counts in days:
        earlier = earlier or [0] * len(counts)
        reached = mark.before + earlier[0]
        while mark.rank <= reached + counts[0]:
            yield mark, CutDay(day, mark.rank - reached, mark.rank == reached + counts[0]), earlier, counts
            following = next(waiting, None)
            if following is None:
                return
            mark = following
        earlier = list(map(add, earlier, counts))
    raise AssertionError("a mark falls on one of its days")


_LIVE: Final = f"FROM job WHERE account_id = {{account_id}} AND state = {LIVE}"
_FROM_START: Final = f"{_LIVE} AND booked_at >= {{start}} ORDER BY booked_at, id"
_BEHIND_JOB: Final = (
    # SQLite compares each row again where it is not told the types.
    f"{_LIVE} AND (booked_at, id) > (CAST({{booked_at}} AS BIGINT), CAST({{id}} AS TEXT)) ORDER BY booked_at, id"
)


def derive(connection: Connection, cuts: Collection[Cut], meters: tuple[Meter, ...]) -> dict[Cut, dict[int, Usage]]:
    """The sums of each cut per key, read from the ledger in order; several of a day in one walk."""
    columns = ["key_id", *meter_columns.columns(meters)]
    part = f"(SELECT {', '.join(columns)} {{ledger}} LIMIT {{jobs}}) AS part"
    select = f"SELECT {_sums(['key_id', 'COUNT(*)'], meters)} FROM {part} GROUP BY key_id"
    found: dict[Cut, dict[int, Usage]] = {}
    for cut, before, sums in _walk(connection, cuts, select):
        usage = [(key_id, Usage(jobs, tuple(tokens))) for key_id, jobs, *tokens in sums]
        found[cut] = dict(usage) if before is None else added([*found[before].items(), *usage])
    return found


def derive_totals(connection: Connection, cuts: Collection[Cut], meters: tuple[Meter, ...]) -> dict[Cut, Usage]:
    """The sums of each cut of all keys together, as `derive` reads those per key."""
    part = f"(SELECT {', '.join(meter_columns.columns(meters))} {{ledger}} LIMIT {{jobs}}) AS part"
    found: dict[Cut, Usage] = {}
    for cut, before, (tokens,) in _walk(connection, cuts, f"SELECT {_sums([], meters)} FROM {part}"):
        if before is None:
            found[cut] = Usage(cut.jobs, tuple(tokens))
        else:
            found[cut] = found[before].plus(Usage(cut.jobs - before.jobs, tuple(tokens)))
    return found


def rest_totals(connection: Connection, rests: Sequence[Rest], meters: tuple[Meter, ...]) -> dict[Rest, Usage]:
    """The sums of each rest, of all keys, read from the ledger backwards; each for itself, so let them be small."""
    rows = for_each(
        connection,
        {"account_id": "int", "before": "bigint", "jobs": "bigint"},
        [(rest.account_id, rest.end, rest.jobs) for rest in rests],
        f"SELECT {_sums([], meters)} FROM (SELECT {', '.join(meter_columns.columns(meters))} {_LIVE}"
        " AND booked_at < {before} ORDER BY booked_at DESC, id DESC LIMIT {jobs}) AS part",
    )
    return {rest: Usage(rest.jobs, tuple(tokens)) for rest, (tokens,) in zip(rests, rows, strict=True)}


def _sums(others: Sequence[str], meters: tuple[Meter, ...]) -> str:
    # PostgreSQL sums integers to decimals.
    sums = [f"CAST(SUM({column}) AS BIGINT) AS {column}" for column in meter_columns.columns(meters)]
    return ", ".join([*others, *sums])


def _walk(
    connection: Connection, cuts: Collection[Cut], select: str
) -> Iterator[tuple[Cut, Cut | None, Iterable[Sequence[Any]]]]:
    """For each cut the one before it that begins at the same instant, and what is selected of the jobs behind that.

    `select` names the cut's ``{jobs}``, and the account's in order from there on as ``{ledger}``.
    """
    chained = _chained(cuts)
    reached = positions(connection, {before for _, before in chained if before is not None})
    return _selected(connection, chained, reached, select)


def positions(connection: Connection, cuts: Collection[Cut]) -> dict[Cut, Position]:
    """Where the last job of each cut stands."""
    found: dict[Cut, Position] = {}
    waiting = _chained(cuts)
    while waiting:
        ready = [(cut, before) for cut, before in waiting if before is None or before in found]
        select = "SELECT booked_at, id {ledger} LIMIT 1 OFFSET {jobs} - 1"
        found |= {cut: Position(*row) for cut, _, (row,) in _selected(connection, ready, found, select)}
        waiting = [(cut, before) for cut, before in waiting if cut not in found]
    return found


def _chained(cuts: Collection[Cut]) -> list[tuple[Cut, Cut | None]]:
    """The cuts in order, each with the one before it that begins at the same instant."""
    ordered = sorted(set(cuts))
    return [
        (cut, before if before is not None and before.opening == cut.opening else None)
        for before, cut in zip([None, *ordered], ordered, strict=False)
    ]


def _selected(
    connection: Connection, chained: Collection[tuple[Cut, Cut | None]], reached: Mapping[Cut, Position], select: str
) -> Iterator[tuple[Cut, Cut | None, Iterable[Sequence[Any]]]]:
    """As `_walk`, given where the cuts before others end; those without one come first."""
    heads = [cut for cut, before in chained if before is None]
    of_heads = for_each(
        connection,
        {"account_id": "int", "start": "bigint", "jobs": "bigint"},
        [(cut.account_id, cut.start, cut.jobs) for cut in heads],
        select.replace("{ledger}", _FROM_START),
    )
    yield from ((cut, None, rows) for cut, rows in zip(heads, of_heads, strict=True))
    behind = [(cut, before) for cut, before in chained if before is not None]
    of_behind = for_each(
        connection,
        {"account_id": "int", "booked_at": "bigint", "id": "text", "jobs": "bigint"},
        [(cut.account_id, *reached[before], cut.jobs - before.jobs) for cut, before in behind],
        select.replace("{ledger}", _BEHIND_JOB),
    )
    yield from ((cut, before, rows) for (cut, before), rows in zip(behind, of_behind, strict=True))


def keep(connection: Connection, ranks: Mapping[int, Collection[int]]) -> None:
    """Keeps the boundaries at some ranks of each account, derived anew under the accounts' locks."""
    held = states.lock(connection, ranks)
    # Not before the lock: meanwhile a meter could come, and a job of it.
    meters = meter_columns.all_meters(connection)
    found = cut_days(connection, _marks(connection, {account_id: ranks[account_id] for account_id in sorted(held)}))
    cuts = {mark: _cut(held[mark.account_id].calendar, mark, cut_day) for mark, cut_day in found.items()}
    usage, last = derive(connection, cuts.values(), meters), positions(connection, cuts.values())
    _replace(
        connection,
        [(mark.account_id, LIFETIME, mark.rank, cut.day, *last[cuts[mark]]) for mark, cut in found.items()],
        [
            (mark.account_id, LIFETIME, mark.rank, key_id, part.jobs, *part.tokens)
            for mark, cut in cuts.items()
            for key_id, part in usage[cut].items()
        ],
        meters,
    )


def _cut(calendar: Calendar, mark: Mark, cut_day: CutDay) -> Cut:
    return Cut(mark.account_id, calendar.day_start(cut_day.day), cut_day.jobs)


def _marks(connection: Connection, ranks: Mapping[int, Collection[int]]) -> list[Mark]:
    """The marks of those ranks that the accounts have jobs for."""
    marks: list[Mark] = []
    for (account_id, wanted), months in zip(ranks.items(), rollups.jobs_by_month(connection, ranks), strict=True):
        before = 0
        for index, jobs in months:
            month = Month(index)
            reached = [rank for rank in wanted if before < rank <= before + jobs]
            marks += [Mark(account_id, rank, month.first_day, month.last_day, before) for rank in sorted(reached)]
            before += jobs
    return marks


_PLACE: Final[Columns] = {"account_id": "int", "period": "int", "rank": "bigint"}


def _replace(
    connection: Connection,
    boundaries: Sequence[Sequence[Any]],
    usage: Sequence[Sequence[Any]],
    meters: tuple[Meter, ...],
) -> None:
    if not boundaries:
        return
    for place in boundaries:
        run(connection, "DELETE FROM boundary WHERE account_id = ? AND period = ? AND rank = ?", place[:3])
    columns = {"day": "int", "booked_at": "bigint", "job_id": "text"}
    insert(connection, "boundary", _PLACE | columns, boundaries)
    columns = {"key_id": "int", "jobs": "bigint", **meter_columns.typed_columns(meters)}
    insert(connection, "boundary_usage", _PLACE | columns, usage)


def discard(connection: Connection, earliest: Sequence[tuple[int, Position]]) -> None:
    """Throws away, per account, the boundaries at or behind the position of its earliest new job."""
    if is_sqlite(connection):
        # One statement for all: many short ones let go of the interpreter as often, and wait for it each time.
        run(
            connection,
            "DELETE FROM boundary WHERE (account_id, period, rank) IN (SELECT account_id, period, rank"
            " FROM json_each(?) AS new CROSS JOIN boundary ON account_id = json_extract(new.value, '$[0]') WHERE"
            " (booked_at, job_id) >= (json_extract(new.value, '$[1]'), json_extract(new.value, '$[2]')))",
            [json.dumps([(account_id, *position) for account_id, position in earliest])],
        )
        return
    run(
        connection,
        "DELETE FROM boundary USING unnest(?::int[], ?::bigint[], ?::text[]) AS new (account_id, booked_at, id)"
        " WHERE boundary.account_id = new.account_id"
        " AND (boundary.booked_at, boundary.job_id) >= (new.booked_at, new.id)",
        [
            array_literal([account_id for account_id, _ in earliest], "int"),
            array_literal([position.booked_at for _, position in earliest], "bigint"),
            array_literal([position.id for _, position in earliest], "text"),
        ],
    )


def clear(connection: Connection, account_id: int) -> None:
    """Throws away every boundary of an account, and sums that have lost their boundary."""
    for table in ("boundary_usage", "boundary"):
        connection.execute(text(f"DELETE FROM {table} WHERE account_id = :account"), {"account": account_id})
