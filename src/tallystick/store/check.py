"""Checking what is derived from the jobs against the jobs.

One walk reads the ledger in the order of its key and, beside it, each derived table in the order of its own; all of
them lead with the account. So one account after another is recomputed, day by day, and what is held at any moment
is the sums of one day and one month of one account and the ids of its voided jobs, however many jobs and accounts
there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

from tallystick.errors import InvalidInput
from tallystick.model import instants
from tallystick.model.accounts import KeyKind
from tallystick.model.calendar import Calendar, month_of_day
from tallystick.model.instants import format_instant
from tallystick.model.maintenance import CheckProgress, Difference, Value
from tallystick.model.months import Month, format_day
from tallystick.store import meters as meter_columns
from tallystick.store import postgresql, zones
from tallystick.store.rows import is_sqlite
from tallystick.store.schema import LIFETIME, LIVE, SANDBOX, VOIDED

ROWS_AT_ONCE: Final = 1000

_STATE_NAMES: Final = {LIVE: "live", SANDBOX: "sandbox", VOIDED: "voided"}
_STATES_OF: Final = {KeyKind.LIVE.value: (LIVE, VOIDED), KeyKind.SANDBOX.value: (SANDBOX, VOIDED)}
_EVERY_STATE: Final = tuple(_STATE_NAMES)
_BEFORE_ALL_TIME: Final = -(2**63)

Row = tuple[Any, ...]
Sums = dict[int, list[int]]
"""Per key: the number of jobs, then the tokens of each meter."""


def differences(connection: Connection, progress: Callable[[CheckProgress], None]) -> Iterator[Difference]:
    """Everything that is kept otherwise than the jobs have it, account by account in the order of their numbers.

    The connection must read one snapshot; then it does not matter what is written meanwhile. `progress` hears of
    every thousand jobs, and at the end of all.
    """
    if not is_sqlite(connection):
        postgresql.lift_limits(connection)
    counted = _Counted(connection, progress)
    columns = ["jobs", *meter_columns.columns(meter_columns.all_meters(connection))]
    tables = _open(connection, columns, counted)
    while (account_id := tables.first_account()) is not None:
        counted.accounts += tables.accounts.first_account == account_id
        yield from _check_account(account_id, tables, columns)
    counted.tell()


class _Counted:
    """Counts what the walk has read, and tells of it."""

    def __init__(self, connection: Connection, progress: Callable[[CheckProgress], None]) -> None:
        expected = connection.execute(text("SELECT SUM(live_jobs) FROM account_state")).scalar()
        self._expected = max(0, int(expected or 0))
        self._progress = progress
        self.accounts = 0
        self.jobs = 0

    def count_jobs(self, jobs: int) -> None:
        self.jobs += jobs
        self.tell()

    def tell(self) -> None:
        self._progress(CheckProgress(self.accounts, self.jobs, self._expected))


class _Rows:
    """The rows of a table in the order of its key, which leads with the account, taken from the front."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    @property
    def first_account(self) -> int | None:
        """The account of the next row."""
        return None if self._next is None else self._next[0]

    def before(self, *key: int) -> Iterator[Row]:
        """Takes the rows whose key sorts before `key`."""
        while self._next is not None and self._next < key:
            row = self._next
            self._next = next(self._rows, None)
            yield row


class _Tables(NamedTuple):
    """What a check reads side by side."""

    accounts: _Rows
    keys: _Rows
    jobs: _Rows
    days: _Rows
    months: _Rows
    boundaries: _Rows
    boundary_usage: _Rows
    voids: _Rows

    def first_account(self) -> int | None:
        """The lowest number of an account of which any table has a row left."""
        return min((rows.first_account for rows in self if rows.first_account is not None), default=None)


def _open(connection: Connection, columns: Sequence[str], counted: _Counted) -> _Tables:
    def rows(statement: str, tell: Callable[[int], None] | None = None) -> _Rows:
        return _Rows(_stream(connection, statement, tell))

    sums = ", ".join(columns)
    return _Tables(
        accounts=rows(
            "SELECT account.id, name, time_zone, live_jobs, recorded_at, closed_through,"
            " (SELECT MAX(month) FROM statement WHERE statement.account_id = account.id) FROM account"
            " LEFT JOIN account_state ON account_state.account_id = account.id ORDER BY account.id"
        ),
        keys=rows("SELECT account_id, id, name, kind FROM api_key ORDER BY account_id, id"),
        jobs=rows(
            f"SELECT {', '.join(['account_id, state, booked_at, id, key_id, completed_at, recorded_at', *columns[1:]])}"
            " FROM job ORDER BY account_id, state, booked_at, id",
            counted.count_jobs,
        ),
        days=rows(f"SELECT account_id, day, key_id, {sums} FROM usage_day ORDER BY account_id, day, key_id"),
        months=rows(f"SELECT account_id, month, key_id, {sums} FROM usage_month ORDER BY account_id, month, key_id"),
        boundaries=rows(
            "SELECT account_id, period, rank, day, booked_at, job_id FROM boundary ORDER BY account_id, period, rank"
        ),
        boundary_usage=rows(
            f"SELECT account_id, period, rank, key_id, {sums} FROM boundary_usage"
            " ORDER BY account_id, period, rank, key_id"
        ),
        voids=rows("SELECT account_id, job_id FROM voided_job ORDER BY account_id, job_id"),
    )


def _stream(connection: Connection, statement: str, tell: Callable[[int], None] | None) -> Iterator[Row]:
    reading = {"stream_results": True, "max_row_buffer": ROWS_AT_ONCE}
    for part in connection.exec_driver_sql(statement, execution_options=reading).partitions(ROWS_AT_ONCE):
        yield from map(tuple, part)
        if tell is not None:
            tell(len(part))


class _Key(NamedTuple):
    """A key as it is kept; its kind may be none that there is."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Account:
    """An account under check; without a name where nothing but its number is known."""

    id: int
    name: str | None
    keys: Mapping[int, _Key]
    columns: Sequence[str]

    def difference(
        self,
        table: str,
        place: str,
        field: str,
        kept: Value,
        recomputed: Value,
        *,
        key_id: int | None = None,
        repairable: bool = True,
    ) -> Difference:
        key = None if key_id is None else self.keys.get(key_id)
        return Difference(
            account=self.name,
            account_id=self.id,
            table=table,
            place=place,
            key=None if key is None else key.name,
            key_id=key_id,
            field=field,
            kept=kept,
            recomputed=recomputed,
            repairable=repairable,
        )

    def compare_sums(
        self, table: str, place: str, kept: Mapping[int, Sequence[int]], recomputed: Mapping[int, Sequence[int]]
    ) -> Iterator[Difference]:
        """The differences between two sets of sums per key."""
        for key_id in sorted(kept.keys() | recomputed.keys()):
            ours, theirs = kept.get(key_id), recomputed.get(key_id)
            if ours is None or theirs is None:
                jobs = (None if sums is None else sums[0] for sums in (ours, theirs))
                yield self.difference(table, place, self.columns[0], *jobs, key_id=key_id)
                continue
            for column, our, their in zip(self.columns, ours, theirs, strict=True):
                if our != their:
                    yield self.difference(table, place, column, our, their, key_id=key_id)


def _check_account(account_id: int, tables: _Tables, columns: Sequence[str]) -> Iterator[Difference]:
    row = next(tables.accounts.before(account_id + 1), None)
    keys = {number: _Key(name, kind) for _, number, name, kind in tables.keys.before(account_id + 1)}
    account = _Account(account_id, None if row is None else row[1], keys, columns)
    if row is None:
        yield from _check_stranger(account, tables)
        return
    for key_id, key in keys.items():
        if key.kind not in _STATES_OF:
            yield account.difference("api_key", "", "kind", key.kind, None, key_id=key_id, repairable=False)
    _, _, time_zone, live_jobs, recorded_at, closed_through, newest_statement = row
    try:
        calendar = zones.calendar(time_zone)
    except InvalidInput:
        # Without its zone nothing tells to which days the jobs belong.
        yield account.difference("account_state", "", "time_zone", time_zone, None, repairable=False)
        _pass_over(account_id, tables)
        return
    ledger = _Ledger(account, tables.jobs, calendar, closed=(closed_through, newest_statement) != (None, None))
    yield from _check_sums(account, tables, ledger)
    yield from ledger.others()
    yield from _check_voids(account, tables, ledger.voided)
    if live_jobs != ledger.live_jobs:
        yield account.difference("account_state", "", "live_jobs", live_jobs, ledger.live_jobs)
    if recorded_at < ledger.recorded_at:
        shown = map(_shown_instant, (recorded_at, ledger.recorded_at))
        yield account.difference("account_state", "", "recorded_at", *shown)
    if newest_statement is not None and (closed_through is None or closed_through < newest_statement):
        kept = "no month" if closed_through is None else _shown_month(closed_through)
        told = (kept, _shown_month(newest_statement))
        yield account.difference("account_state", "", "closed_through", *told, repairable=False)


def _check_sums(account: _Account, tables: _Tables, ledger: _Ledger) -> Iterator[Difference]:
    days = _Rollup(account, "usage_day", tables.days, _shown_day)
    months = _Rollup(account, "usage_month", tables.months, _shown_month)
    boundaries = _Boundaries(account, tables)
    month = _MonthSums(months)
    for found in ledger.days(boundaries.ranks):
        if isinstance(found, Difference):
            yield found
            continue
        yield from days.meet(found.day, found.sums)
        for cut in found.cuts:
            yield from boundaries.meet(cut)
        yield from month.add(found)
    yield from month.finish()
    yield from days.finish()
    yield from months.finish()
    yield from boundaries.finish()


def _check_voids(account: _Account, tables: _Tables, voided: Set[str]) -> Iterator[Difference]:
    """Each voided job has its reason, and no other job has one."""
    kept = {job_id for _, job_id in tables.voids.before(account.id + 1)}
    for job_id in sorted(kept ^ voided):
        sides = (job_id if job_id in ids else None for ids in (kept, voided))
        yield account.difference("voided_job", job_id, "job_id", *sides, repairable=False)


def _check_stranger(account: _Account, tables: _Tables) -> Iterator[Difference]:
    """What stands under a number that is no account's: none of it should be there, and jobs cannot be put right."""
    for row in tables.jobs.before(account.id + 1):
        yield account.difference("job", row[3], "account_id", account.id, None, key_id=row[4], repairable=False)
    yield from _Rollup(account, "usage_day", tables.days, _shown_day).finish()
    yield from _Rollup(account, "usage_month", tables.months, _shown_month).finish()
    yield from _Boundaries(account, tables).finish()
    yield from _check_voids(account, tables, set())


def _pass_over(account_id: int, tables: _Tables) -> None:
    for rows in tables:
        for _ in rows.before(account_id + 1):
            pass


@dataclass(slots=True)
class _Cut:
    """Where a rank falls, and the sums per key of its day up to it."""

    rank: int
    day: int
    booked_at: int
    job_id: str
    sums: Sums


@dataclass(slots=True)
class _Day:
    """A day's sums as the jobs have them, and the boundaries that fall on it."""

    day: int
    sums: Sums = field(default_factory=dict)
    cuts: list[_Cut] = field(default_factory=list)

    def count(self, key_id: int, tokens: Sequence[int]) -> None:
        _add(self.sums, key_id, [1, *tokens])

    def cut(self, rank: int, booked_at: int, job_id: str) -> None:
        sums = {key_id: counts.copy() for key_id, counts in self.sums.items()}
        self.cuts.append(_Cut(rank, self.day, booked_at, job_id, sums))


def _add(sums: Sums, key_id: int, counts: list[int]) -> None:
    known = sums.get(key_id)
    if known is None:
        sums[key_id] = counts
        return
    for i, count in enumerate(counts):
        known[i] += count


class _Ledger:
    """One account's jobs: the live ones by their days, then the others. Tells of those that contradict themselves."""

    def __init__(self, account: _Account, rows: _Rows, calendar: Calendar, *, closed: bool) -> None:
        self._account = account
        self._rows = rows
        self._calendar = calendar
        self._closed = closed
        self.live_jobs = 0
        self.recorded_at = 0
        self.voided: set[str] = set()

    def days(self, ranks: Iterable[int]) -> Iterator[_Day | Difference]:
        """The days that have live jobs, ascending, cut at the ranks, which ascend too."""
        wanted = iter(ranks)
        rank = next(wanted, None)
        today: _Day | None = None
        end = _BEFORE_ALL_TIME
        for row in self._rows.before(self._account.id, LIVE + 1):
            yield from self._contradictions(row)
            _, _, booked_at, job_id, key_id, _, _, *tokens = row
            if today is None or booked_at >= end:
                if today is not None:
                    yield today
                today, end = self._day_of(booked_at)
            today.count(key_id, tokens)
            self.live_jobs += 1
            if self.live_jobs == rank:
                today.cut(rank, booked_at, job_id)
                rank = next(wanted, None)
        if today is not None:
            yield today

    def others(self) -> Iterator[Difference]:
        """Takes the jobs that are not live; none of them counts anywhere."""
        for row in self._rows.before(self._account.id + 1):
            yield from self._contradictions(row)
            if row[1] == VOIDED:
                self.voided.add(row[3])

    def _day_of(self, booked_at: int) -> tuple[_Day, int]:
        # An instant that no calendar knows has been told of; as the nearest one it harms no other day's sums.
        day = self._calendar.day_of(min(max(booked_at, instants.FIRST), instants.LAST))
        return _Day(day), self._calendar.day_span(day)[1]

    def _contradictions(self, row: Row) -> Iterable[Difference]:
        _, state, booked_at, _, key_id, completed_at, recorded_at, *_ = row
        self.recorded_at = max(self.recorded_at, recorded_at)
        key = self._account.keys.get(key_id)
        if key is not None and state in _STATES_OF.get(key.kind, _EVERY_STATE) and booked_at == completed_at:
            return ()
        return self._told(row, key)

    def _told(self, row: Row, key: _Key | None) -> Iterator[Difference]:
        _, state, booked_at, job_id, key_id, completed_at, recorded_at, *_ = row

        def difference(field: str, kept: Value, recomputed: Value) -> Difference:
            return self._account.difference("job", job_id, field, kept, recomputed, key_id=key_id, repairable=False)

        if key is None:
            yield difference("key_id", key_id, None)
        elif state not in _STATES_OF.get(key.kind, _EVERY_STATE):
            yield difference("state", _STATE_NAMES.get(state, state), key.kind)
        # A job that came after its month was closed is booked when it came, or later (design rule 7).
        came_late = self._closed and booked_at > completed_at and booked_at >= recorded_at
        if booked_at != completed_at and not came_late:
            yield difference("booked_at", _shown_instant(booked_at), _shown_instant(completed_at))


class _Rollup:
    """One account's rows of a rollup, compared with the jobs' sums as these come, in the order of days or months."""

    def __init__(self, account: _Account, table: str, rows: _Rows, shown: Callable[[int], str]) -> None:
        self._account = account
        self._table = table
        self._rows = rows
        self._shown = shown

    def meet(self, place: int, sums: Sums) -> Iterator[Difference]:
        """Compares a day or month. Rows of earlier ones that never came should not be there."""
        yield from self._surplus(self._account.id, place)
        kept = {row[2]: row[3:] for row in self._rows.before(self._account.id, place + 1)}
        yield from self._account.compare_sums(self._table, self._shown(place), kept, sums)

    def finish(self) -> Iterator[Difference]:
        """No rows should be left."""
        return self._surplus(self._account.id + 1)

    def _surplus(self, *key: int) -> Iterator[Difference]:
        for _, place, key_id, *counts in self._rows.before(*key):
            yield from self._account.compare_sums(self._table, self._shown(place), {key_id: counts}, {})


class _MonthSums:
    """Adds days up to months, and compares each month when the next one begins."""

    def __init__(self, months: _Rollup) -> None:
        self._months = months
        self._month = Month(0)
        self._sums: Sums = {}

    def add(self, day: _Day) -> Iterator[Difference]:
        month = month_of_day(day.day)
        if month != self._month:
            yield from self.finish()
            self._month, self._sums = month, {}
        for key_id, counts in day.sums.items():
            _add(self._sums, key_id, counts.copy())

    def finish(self) -> Iterator[Difference]:
        if self._sums:
            yield from self._months.meet(self._month.index, self._sums)


class _Boundaries:
    """One account's kept boundaries, few as they are: one for each rank at which a plan changes its price."""

    def __init__(self, account: _Account, tables: _Tables) -> None:
        self._account = account
        self._kept: dict[tuple[int, int], Row] = {}
        self._usage: dict[tuple[int, int], dict[int, Row]] = {}
        for _, period, rank, *place in tables.boundaries.before(account.id + 1):
            self._kept[period, rank] = tuple(place)
        for _, period, rank, key_id, *counts in tables.boundary_usage.before(account.id + 1):
            self._usage.setdefault((period, rank), {})[key_id] = tuple(counts)

    @property
    def ranks(self) -> list[int]:
        """The ranks of those that count from the account's first job, ascending."""
        return [rank for period, rank in self._kept if period == LIFETIME]

    def meet(self, cut: _Cut) -> Iterator[Difference]:
        """Compares a boundary that the jobs have."""
        day, booked_at, job_id = self._kept.pop((LIFETIME, cut.rank))
        for name, kept, recomputed in (
            ("day", _shown_day(day), _shown_day(cut.day)),
            ("booked_at", _shown_instant(booked_at), _shown_instant(cut.booked_at)),
            ("job_id", job_id, cut.job_id),
        ):
            if kept != recomputed:
                yield self._account.difference("boundary", str(cut.rank), name, kept, recomputed)
        usage = self._usage.pop((LIFETIME, cut.rank), {})
        yield from self._account.compare_sums("boundary_usage", str(cut.rank), usage, cut.sums)

    def finish(self) -> Iterator[Difference]:
        """None should be left: the jobs do not reach those ranks."""
        for (_, rank), (_, _, job_id) in self._kept.items():
            yield self._account.difference("boundary", str(rank), "job_id", job_id, None)
        for (_, rank), usage in self._usage.items():
            yield from self._account.compare_sums("boundary_usage", str(rank), usage, {})


# What is kept wrongly may lie outside all calendars, and must be shown all the same.


def _shown_day(day: int) -> str:
    try:
        return format_day(day)
    except (OverflowError, ValueError):
        return str(day)


def _shown_month(month: int) -> str:
    return str(Month(month))


def _shown_instant(instant: int) -> str:
    try:
        return format_instant(instant)
    except (OverflowError, ValueError):
        return str(instant)
