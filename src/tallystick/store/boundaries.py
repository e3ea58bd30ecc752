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
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

from tallystick.model.months import Month
from tallystick.model.plans import Meter
from tallystick.model.usage import Usage, added
from tallystick.store import meters as meter_columns
from tallystick.store import rollups, states
from tallystick.store.jobs import Position
from tallystick.store.rollups import ALL_KEYS
from tallystick.store.rows import Columns, array_literal, for_each, insert, is_sqlite, run
from tallystick.store.schema import LIFETIME, LIVE

_FAR: Final = 2**31 - 1


class Mark(NamedTuple):
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


class Cut(NamedTuple):
    """The first live jobs, so many of them, from an instant on."""

    account_id: int
    start: int
    jobs: int


def kept(
    connection: Connection, marks: Sequence[Mark], meters: tuple[Meter, ...], *, by_key: bool = True
) -> dict[Mark, tuple[int, dict[int, Usage]]]:
    """Of those marks whose boundary is kept, the cut day and its sums up to the rank, per key or of `ALL_KEYS`."""
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
    sums: dict[Mark, list[tuple[int, Usage]]] = defaultdict(list)
    for ranks, found in zip(asked.values(), rows, strict=True):
        for rank, day, key_id, jobs, *tokens in found:
            if rank in ranks:
                days[ranks[rank]] = day
                sums[ranks[rank]].append((key_id if by_key else ALL_KEYS, Usage(jobs, tuple(tokens))))
    return {mark: (day, added(sums[mark])) for mark, day in days.items()}


def cut_days(connection: Connection, marks: Sequence[Mark]) -> dict[Mark, CutDay]:
    """The cut day of each mark, from rollups alone."""
    by_span: dict[rollups.Span, list[Mark]] = defaultdict(list)
    for mark in sorted(marks):
        by_span[mark.account_id, mark.first_day, mark.last_day].append(mark)
    found: dict[Mark, CutDay] = {}
    for own, days in zip(by_span.values(), rollups.jobs_by_day(connection, list(by_span)), strict=True):
        found |= _cut_days(own, days)
    return found


def day_of_rank(connection: Connection, account_id: int, rank: int) -> int | None:
    """The day on which a rank falls; `None` where the account has fewer jobs."""
    found = cut_days(connection, _marks(connection, account_id, [rank]))
    return next((cut.day for cut in found.values()), None)


def _cut_days(marks: Sequence[Mark], days: Iterable[tuple[int, int]]) -> Iterator[tuple[Mark, CutDay]]:
    """The cut days of marks on the same days, which ascend; the days behind the last are not asked for."""
    waiting = iter(marks)
    mark = next(waiting)
    before = mark.before
    for day, jobs in days:
        while mark.rank <= before + jobs:
            yield mark, CutDay(day, mark.rank - before, mark.rank == before + jobs)
            following = next(waiting, None)
            if following is None:
                return
            mark = following
        before += jobs
    raise AssertionError("a mark falls on one of its days")


_PART: Final[Columns] = {"account_id": "int", "after_at": "bigint", "after_id": "text", "jobs": "bigint"}
_FOLLOWING: Final = (
    f"FROM job WHERE account_id = {{account_id}} AND state = {LIVE} AND (booked_at, id) > ({{after_at}}, {{after_id}})"
    " ORDER BY booked_at, id"
)


def derive(
    connection: Connection, cuts: Collection[Cut], meters: tuple[Meter, ...], *, by_key: bool = True
) -> dict[Cut, dict[int, Usage]]:
    """The sums of each cut, per key or of `ALL_KEYS`, read from the ledger in order; several of a day in one walk."""
    chained = _chained(cuts)
    reached = positions(connection, {before for _, before in chained if before is not None})
    columns = meter_columns.columns(meters)
    sums = ", ".join(["COUNT(*) AS jobs", *(f"CAST(SUM({column}) AS BIGINT) AS {column}" for column in columns)])
    part = f"(SELECT {', '.join(['key_id', *columns])} {_FOLLOWING} LIMIT {{jobs}}) AS part"
    rows = for_each(
        connection,
        _PART,
        [_part_behind(cut, before, reached) for cut, before in chained],
        f"SELECT key_id, {sums} FROM {part} GROUP BY key_id"
        if by_key
        else f"SELECT {ALL_KEYS} AS key_id, {sums} FROM {part}",
    )
    found: dict[Cut, dict[int, Usage]] = {}
    for (cut, before), sums_of_part in zip(chained, rows, strict=True):
        usage = [(key_id, Usage(jobs, tuple(tokens))) for key_id, jobs, *tokens in sums_of_part]
        found[cut] = dict(usage) if before is None else added([*found[before].items(), *usage])
    return found


def positions(connection: Connection, cuts: Collection[Cut]) -> dict[Cut, Position]:
    """Where the last job of each cut stands."""
    found: dict[Cut, Position] = {}
    waiting = _chained(cuts)
    while waiting:
        ready = [(cut, before) for cut, before in waiting if before is None or before in found]
        rows = for_each(
            connection,
            _PART,
            [_part_behind(cut, before, found) for cut, before in ready],
            f"SELECT booked_at, id {_FOLLOWING} LIMIT 1 OFFSET {{jobs}} - 1",
        )
        for (cut, _), (row,) in zip(ready, rows, strict=True):
            found[cut] = Position(*row)
        waiting = [(cut, before) for cut, before in waiting if cut not in found]
    return found


def _chained(cuts: Collection[Cut]) -> list[tuple[Cut, Cut | None]]:
    """The cuts in order, each with the one before it that begins at the same instant."""
    ordered = sorted(set(cuts))
    return [
        (cut, before if before is not None and before[:2] == cut[:2] else None)
        for before, cut in zip([None, *ordered], ordered, strict=False)
    ]


def _part_behind(cut: Cut, before: Cut | None, reached: Mapping[Cut, Position]) -> tuple[int, int, str, int]:
    """The jobs of a cut that lie behind another of the same day, of which the position is known."""
    if before is None:
        return cut.account_id, cut.start, "", cut.jobs
    return cut.account_id, *reached[before], cut.jobs - before.jobs


def keep(connection: Connection, account_id: int, ranks: Collection[int]) -> None:
    """Keeps the boundaries at some ranks, each derived anew under the account's lock."""
    state = states.lock(connection, [account_id]).get(account_id)
    if state is None:
        return
    # Not before the lock: meanwhile a meter could come, and a job of it.
    meters = meter_columns.all_meters(connection)
    found = cut_days(connection, _marks(connection, account_id, ranks))
    cuts = {mark.rank: Cut(account_id, state.calendar.day_start(cut.day), cut.jobs) for mark, cut in found.items()}
    usage, last = derive(connection, cuts.values(), meters), positions(connection, cuts.values())
    _replace(
        connection,
        [(account_id, LIFETIME, mark.rank, cut.day, *last[cuts[mark.rank]]) for mark, cut in found.items()],
        [
            (account_id, LIFETIME, rank, key_id, part.jobs, *part.tokens)
            for rank, cut in cuts.items()
            for key_id, part in usage[cut].items()
        ],
        meters,
    )


def _marks(connection: Connection, account_id: int, ranks: Collection[int]) -> list[Mark]:
    """The marks of those ranks that the account has jobs for."""
    marks: list[Mark] = []
    before = 0
    for index, jobs in rollups.jobs_by(connection, account_id, "month", 0, _FAR):
        month = Month(index)
        reached = [rank for rank in ranks if before < rank <= before + jobs]
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
