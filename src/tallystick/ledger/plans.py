"""Price plans and their versions."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

from tallystick.errors import Conflict, InvalidInput, NotFound
from tallystick.ledger.audit import note
from tallystick.model.accounts import PlanInfo, PlanVersionInfo
from tallystick.model.instants import DAY
from tallystick.model.months import Month
from tallystick.model.plans import BEGINNING, Plan, PlanVersion, parse_plan, parse_plan_toml
from tallystick.model.schedule import months_priced
from tallystick.model.simulation import Simulation
from tallystick.report.simulate import Hear, simulate
from tallystick.settings import Settings
from tallystick.store import notices, plans, zones
from tallystick.store.database import Connection, Store

STANDARD = "standard"
"""The name of the plan that comes with Tallystick."""


def _hear_nothing(_done: int, _of: int) -> None:
    pass


class Plans:
    """Stores and shows price plans."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], int]) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock

    def list(self) -> tuple[PlanInfo, ...]:
        """Every plan with its versions, in the order of their names."""
        with self._store.snapshot() as connection:
            rows = plans.list_plans(connection)
            versions = plans.versions_of(connection, [row.id for row in rows])
        return tuple(_shown(row.name, row.currency, versions[row.id]) for row in rows)

    def get(self, name: str) -> PlanInfo:
        """The plan of that name. Raises `NotFound` (code ``unknown_plan``)."""
        with self._store.snapshot() as connection:
            row = plans.plan_named(connection, name)
            return _shown(row.name, row.currency, plans.versions_of(connection, [row.id])[row.id])

    def put(self, plan: Plan, *, effective_from: str | None = None) -> PlanInfo:
        """Stores a plan, or the version of it that takes effect at the start of a month.

        The first version of a plan holds from the beginning unless a month is given; of a plan that exists already
        each version needs its month, and takes the place of one for the same month. New meters are added to the
        deployment. Raises `InvalidPlan`, `InvalidInput`, and `Conflict` (code ``month_closed``) where it would change
        the price of a month that is closed for some account; to put the same version again changes nothing.
        """
        # One that was not read from a document has not been checked, and its meters become columns.
        plan = parse_plan(plan.to_document())
        month = BEGINNING if effective_from is None else Month.parse(effective_from, "effective_from")
        now = self._clock()

        def write(connection: Connection) -> None:
            plans.lock(connection)
            row = plans.find_plan(connection, plan.name)
            if row is not None:
                if effective_from is None:
                    raise InvalidInput.parameter(
                        "effective_from", "is needed: the plan exists, so say from which month this version holds"
                    )
                _change(connection, row.id, PlanVersion(month, plan), now)
            plans.put_plan(connection, plan, effective_from=month, now=now)
            note(connection, now, "plan.put", plan.name, effective_from=effective_from, plan=plan.to_document())

        self._store.retried(write)
        return self.get(plan.name)

    def simulate(
        self,
        plan: Plan,
        start_month: str | None = None,
        end_month: str | None = None,
        *,
        account: str | None = None,
        hear: Hear = _hear_nothing,
    ) -> tuple[Simulation, ...]:
        """What every account, or one, would have paid under a plan that had held from its first job.

        Months are ``YYYY-MM``, both included; without them the whole history up to the current month. Gives one
        simulation for each currency in which accounts pay; the plan's amounts are taken as amounts of that currency.
        Changes and keeps nothing. `hear` is told how many accounts are done, and of how many. Raises `InvalidPlan`,
        `InvalidInput` and `NotFound` (code ``unknown_account``).
        """
        plan = parse_plan(plan.to_document())
        current = zones.calendar(self._settings.default_time_zone).month_of(self._clock())
        with self._store.snapshot() as connection:
            return simulate(connection, plan, start_month, end_month, account=account, current=current, hear=hear)

    def ensure_default(self, name: str) -> None:
        """Sees to it that the default plan exists: makes the standard plan where there is none of that name.

        Raises `NotFound` (code ``unknown_plan``) where another plan is to be the default and does not exist.
        """
        with self._store.snapshot() as connection:
            known = {row.name for row in plans.list_plans(connection)}
        if name in known:
            return
        if name != STANDARD:
            raise NotFound(f"the default plan {name!r} does not exist; put it first", code="unknown_plan")
        plan = parse_plan_toml((resources.files("tallystick.ledger") / "standard.toml").read_text("utf-8"))
        with self._store.transaction() as connection:
            plans.lock(connection)
            if not any(row.name == name for row in plans.list_plans(connection)):
                plans.put_plan(connection, plan, effective_from=BEGINNING, now=self._clock())


def _change(connection: Connection, plan_id: int, version: PlanVersion, now: int) -> None:
    """Sees to what follows from a version of a plan that exists, where it is new.

    Whose running month it prices may have passed something by that.
    """
    versions = plans.versions_of(connection, [plan_id])[plan_id]
    if version in versions:
        return
    first, last = months_priced(versions, version.effective_from)
    _check_open(connection, plan_id, first, last)
    # A month begins within a day everywhere.
    earliest, latest = (zones.calendar("UTC").month_of(max(0, at)) for at in (now - DAY, now + DAY))
    if first <= latest and (last is None or last >= earliest):
        notices.ask_for_looks(connection, plan_id, earliest)


def _check_open(connection: Connection, plan_id: int, first: Month, last: Month | None) -> None:
    """Raises `Conflict` where a plan prices a month from `first` to `last` that is closed (design rule 8)."""
    closed = plans.closed_account(connection, plan_id, first, last)
    if closed is not None:
        name, month = closed
        raise Conflict(
            f"this would change what the account {name!r} paid: its months are closed through {month}, and a statement "
            f"never changes afterwards; a version can hold from {month + 1} on",
            code="month_closed",
        )


def _shown(name: str, currency: str, versions: list[PlanVersion]) -> PlanInfo:
    return PlanInfo(
        name=name,
        currency=currency,
        versions=tuple(
            PlanVersionInfo(effective_from=version.version, plan=version.plan.to_document()) for version in versions
        ),
    )
