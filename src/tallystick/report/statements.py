"""Reading a closed month from a snapshot: what its statement is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tallystick.errors import StoreError
from tallystick.model.instants import format_instant, to_datetime
from tallystick.model.months import Month
from tallystick.model.plans import Meter, Plan
from tallystick.model.statement import PreviousStatement, Statement
from tallystick.model.usage import Usage
from tallystick.report.billing import MonthTerms, build_statement
from tallystick.report.monthwalk import MonthWalk, Void, WalkedJob
from tallystick.report.usage import Opened
from tallystick.store import accounts, jobs, rollups, voids
from tallystick.store.database import Connection
from tallystick.store.jobs import JobRow, Position
from tallystick.store.rows import parts
from tallystick.store.schema import LIVE, VOIDED

_JOBS_AT_ONCE = 5000


def read_statement(
    connection: Connection, opened: Opened, month: Month, previous: PreviousStatement | None
) -> Statement:
    """The statement of a month that is sealed.

    It is a function of what is frozen then: the month's jobs and voids, its plan version, the account's zone and names.
    Raises `StoreError` where the jobs do not sum to what reports show (code ``rollups_differ``) or it is lost why one
    was voided (``void_missing``): that is never signed.
    """
    account, subject, _ = opened
    version = subject.schedule.version_for(month)
    before = rollups.jobs_before_month(connection, [account.id], month).get(account.id, 0)
    reader = _MonthReader(connection, opened, month)
    meters = reader.meters_of(version.plan)
    walk = reader.walk(version.plan, before, meters)
    terms = MonthTerms(
        account=account.name,
        month=month,
        time_zone=account.time_zone,
        starts_at=format_instant(reader.start),
        ends_at=format_instant(reader.end),
        currency=account.currency,
        meters=meters,
        version=version,
        plan_document=version.plan.to_document(),
        previous=previous,
        live_jobs_before=before,
    )
    return build_statement(terms, walk)


class _MonthReader:
    """Reads one month's jobs, all of them, in order."""

    def __init__(self, connection: Connection, opened: Opened, month: Month) -> None:
        self.start = opened.subject.calendar.month_start(month)
        self.end = opened.subject.calendar.month_start(month + 1)
        self._connection = connection
        self._subject = opened.subject
        self._account = opened.account
        self._names = accounts.key_names(connection, self._account.id)
        everything = self._subject.meters
        found = rollups.months(connection, [self._account.id], month, month, everything)
        self._rolled_up: Mapping[int, Usage] = found.get(self._account.id, {}).get(month, {})

    def meters_of(self, plan: Plan) -> tuple[Meter, ...]:
        """Those meters that the plan prices or a job of the month carries, in the deployment's order.

        Meters that other plans bring along later must not change the month.
        """
        everything = self._subject.meters
        used = {meter for usage in self._rolled_up.values() for meter in _carried(usage.tokens, everything)}
        used |= {meter for row in self._rows(VOIDED, everything) for meter in _carried(row.tokens, everything)}
        priced = {price.meter for price in plan.meters}
        return tuple(meter for meter in everything if meter in used | priced)

    def walk(self, plan: Plan, before: int, meters: tuple[Meter, ...]) -> MonthWalk:
        """A walk over the month's jobs, from the first to the last. Raises `StoreError`."""
        walk = MonthWalk(plan, before)
        for part in parts(self._rows(LIVE, meters), _JOBS_AT_ONCE):
            walk.take_live([self._walked(row) for row in part])
        for part in parts(self._rows(VOIDED, meters), _JOBS_AT_ONCE):
            found = voids.voids_of(self._connection, self._account.id, [row.id for row in part])
            walk.take_voided(
                [self._walked(row, Void(to_datetime(found[row.id].voided_at), found[row.id].reason)) for row in part]
            )
        self._check(walk, meters)
        return walk

    def _rows(self, state: int, meters: tuple[Meter, ...]) -> Iterator[JobRow]:
        start = Position(self.start, "")
        return jobs.walk(self._connection, self._account.id, state, meters, after=start, before=self.end)

    def _walked(self, row: JobRow, void: Void | None = None) -> WalkedJob:
        booked_at = to_datetime(row.booked_at)
        completed_at = to_datetime(row.completed_at) if row.late else booked_at
        return WalkedJob(row.id, self._names[row.key_id], completed_at, booked_at, row.tokens, void)

    def _check(self, walk: MonthWalk, meters: tuple[Meter, ...]) -> None:
        stretch, names = walk.stretch()
        places = [self._subject.meters.index(meter) for meter in meters]
        shown = {
            self._names[key]: Usage(usage.jobs, tuple(usage.tokens[place] for place in places))
            for key, usage in self._rolled_up.items()
        }
        if shown != {names[number]: usage for number, usage in stretch.usage.items()}:
            raise StoreError(
                f"the jobs of {self._account.name!r} do not sum to what its reports show, so no statement was made; "
                "run: tallystick db check",
                code="rollups_differ",
            )


def _carried(tokens: tuple[int, ...], meters: tuple[Meter, ...]) -> Iterator[Meter]:
    return (meter for meter, count in zip(meters, tokens, strict=True) if count)
