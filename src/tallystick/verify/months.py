"""One month: what its statement must say, from the one before it, the ledger and the plan that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from tallystick.errors import InvalidInput
from tallystick.model.calendar import Calendar
from tallystick.model.instants import DAY, EPOCH, format_instant
from tallystick.model.months import Month
from tallystick.model.plans import BEGINNING, PlanVersion, parse_plan
from tallystick.model.report import UsageReport
from tallystick.model.statement import PreviousStatement, SignedStatement, Statement
from tallystick.model.wire import decode
from tallystick.report.billing import MonthTerms, build_statement
from tallystick.report.monthwalk import MonthWalk
from tallystick.verify.differences import DifferenceCode, Mismatch, first_difference
from tallystick.verify.ledger import LedgerCheck
from tallystick.verify.plans import PlanVersions
from tallystick.verify.verification import CheckedMonth

_FARTHEST_ZONE: Final = 2 * DAY
"""More than any zone is ahead of or behind UTC, with room for a day that a zone skipped."""

_CODES: Final[dict[str, DifferenceCode]] = {
    "previous": "chain",
    "live_jobs": "counter",
    "jobs": "job_altered",
    "report": "cost",
    "lines": "cost",
    "rounded": "rounding",
}
"""What it means that a member of the statement differs; the others are its terms."""


def read(signed: SignedStatement) -> Statement:
    """What a statement says. Raises `Mismatch` where it is none."""
    try:
        return signed.statement
    except InvalidInput as error:
        raise Mismatch("unreadable", f"it {error.detail}") from None


def check_opening(found: Statement, previous: SignedStatement | None, before: Statement | None) -> None:
    """Raises `Mismatch` where a statement does not go on where the one before it ended."""
    if previous is None or before is None:
        if found.previous is not None:
            raise Mismatch("chain", f"it is the first, and names one of {found.previous.month} before it")
        if found.live_jobs.before:
            raise Mismatch("counter", f"it is the first, and counts {found.live_jobs.before:,} live jobs before it")
        return
    if found.previous != PreviousStatement(before.month, previous.sha256):
        raise Mismatch("chain", f"it does not name the statement of {before.month} before it")
    for name in ("account", "time_zone", "currency"):
        if getattr(found, name) != getattr(before, name):
            was = getattr(before, name)
            raise Mismatch("terms", f"{name} is {getattr(found, name)}, and was {was} in {before.month}")
    if found.starts_at != before.ends_at:
        raise Mismatch("terms", f"it starts at {found.starts_at}, and {before.month} ended at {before.ends_at}")
    if found.live_jobs.before != before.live_jobs.after:
        raise Mismatch(
            "counter",
            f"it counts {found.live_jobs.before:,} live jobs before it, and the statement of {before.month} "
            f"{before.live_jobs.after:,} after it ({found.live_jobs.before - before.live_jobs.after:+,})",
        )


def check_month(
    signed: SignedStatement,
    found: Statement,
    plans: PlanVersions,
    pages: Iterable[bytes],
    hear: Callable[[int], None],
) -> CheckedMonth:
    """Computes a statement again from the ledger's lines. Raises `Mismatch` for the first thing that differs."""
    terms = _terms(found)
    plans.check(found)
    walk = MonthWalk(terms.version.plan, terms.live_jobs_before)
    check = LedgerCheck(
        walk,
        terms.meters,
        before=terms.live_jobs_before,
        start=_instant("starts_at", found.starts_at),
        end=_instant("ends_at", found.ends_at),
    )
    for page in pages:
        check.take(page)
        hear(walk.live + walk.voided)
    _check_jobs(found, walk)
    _compare(signed, build_statement(terms, walk))
    return _checked(signed, found)


def _terms(found: Statement) -> MonthTerms:
    """What the statement says of the month, as far as it can hold. Raises `Mismatch`."""
    month = Month.parse(found.month)
    _check_start("starts_at", found.starts_at, month, found.time_zone)
    _check_start("ends_at", found.ends_at, month + 1, found.time_zone)
    version, document = _plan(found)
    lacking = [meter.id for meter in version.plan.meters if meter.meter not in found.meters]
    if lacking:
        raise Mismatch("terms", f"the plan prices {', '.join(lacking)}, which is not among its meters")
    if found.live_jobs.after - found.live_jobs.before != found.jobs.live:
        raise Mismatch(
            "counter",
            f"it counts {found.live_jobs.before:,} live jobs before it, {found.live_jobs.after:,} after it and "
            f"{found.jobs.live:,} in it",
        )
    return MonthTerms(
        account=found.account,
        month=month,
        time_zone=found.time_zone,
        starts_at=found.starts_at,
        ends_at=found.ends_at,
        currency=found.currency,
        meters=found.meters,
        version=version,
        plan_document=document,
        previous=found.previous,
        live_jobs_before=found.live_jobs.before,
    )


def _plan(found: Statement) -> tuple[PlanVersion, dict[str, Any]]:
    if len(found.plans) != 1:
        raise Mismatch("terms", f"it names {len(found.plans)} plan versions, and a month has one")
    (named,) = found.plans
    try:
        plan = parse_plan(named.document, taken_before=True)
        month = BEGINNING if named.plan_version is None else Month.parse(named.plan_version)
    except InvalidInput as error:
        raise Mismatch("terms", f"its plan is none: {error.detail}") from None
    if (plan.name, plan.currency) != (named.plan, found.currency):
        raise Mismatch("terms", f"its plan {named.plan} in {found.currency} is plan {plan.name} in {plan.currency}")
    return PlanVersion(month, plan), named.document


def _check_start(name: str, text: str, month: Month, zone: str) -> None:
    """Raises `Mismatch` where an instant is not the start of a month in a zone.

    Which zones there are the customer need not know, and the base install brings no data of them; but no zone is days
    away.
    """
    start = (_instant(name, text) - EPOCH) // timedelta(microseconds=1)
    if abs(start - month.first_day * DAY) > _FARTHEST_ZONE:
        raise Mismatch("terms", f"{name} is {text}, which is nowhere the start of {month}")
    calendar = _calendar(zone)
    if calendar is not None and start != calendar.month_start(month):
        raise Mismatch(
            "terms",
            f"{name} is {text}, and {month} starts at {format_instant(calendar.month_start(month))} in {zone}, by the "
            "time zone data of this computer, which may be old",
        )


def _calendar(zone: str) -> Calendar | None:
    """The months of a zone; `None` where this computer knows none of that name."""
    try:
        return Calendar(ZoneInfo(zone))
    except (LookupError, OSError, ValueError):
        return None


def _instant(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        pass
    else:
        if moment.tzinfo is not None and moment.isoformat().replace("+00:00", "Z") == text:
            return moment
    raise Mismatch("terms", f"{name} is {text}, which is no instant in UTC")


def _check_jobs(found: Statement, walk: MonthWalk) -> None:
    """Raises `Mismatch` where the ledger has more jobs than the statement, fewer, or others."""
    for kind, counted, there in (("live", found.jobs.live, walk.live), ("voided", found.jobs.voided, walk.voided)):
        if counted != there:
            raise Mismatch(
                "job_removed" if there < counted else "job_added",
                f"the ledger has {there:,} {kind} jobs in it, and the statement counts {counted:,} "
                f"({there - counted:+,})",
            )
    if found.jobs.sha256 == walk.sha256:
        return
    told = f"the SHA-256 of the ledger's jobs is {walk.sha256}, and the statement has {found.jobs.sha256}"
    different = first_difference(_sums(found.report), _sums(_report(found, walk)))
    raise Mismatch("job_altered", told if different is None else f"{told}; {different.sentence}")


def _report(found: Statement, walk: MonthWalk) -> UsageReport:
    return build_statement(_terms(found), walk).report


def _sums(report: UsageReport) -> dict[str, dict[str, Any]]:
    """What jobs alone decide, so that a difference tells which were changed."""
    return {name: {"jobs": key.jobs, **key.tokens} for name, key in sorted(report.api_keys.items())}


def _compare(signed: SignedStatement, expected: Statement) -> None:
    if signed.document == expected.to_bytes():
        return
    given, computed = decode(signed.document), decode(expected.to_bytes())
    different = first_difference(given, computed)
    if different is None:
        raise Mismatch("unreadable", "its bytes are not those in which it is written, though they say the same")
    member = different.path.partition(".")[0].partition("[")[0]
    raise Mismatch(_CODES.get(member, "terms"), different.sentence)


def _checked(signed: SignedStatement, found: Statement) -> CheckedMonth:
    (plan,) = found.plans
    return CheckedMonth(
        month=found.month,
        live=found.jobs.live,
        late=found.jobs.late,
        voided=found.jobs.voided,
        first_rank=found.live_jobs.before + 1,
        last_rank=found.live_jobs.after,
        api_keys=len(found.report.api_keys),
        lines=len(found.lines),
        plan=plan.plan,
        plan_version=plan.plan_version,
        sha256=signed.sha256,
        signed_by=signed.signed_by,
        base_cost=found.report.totals.base_cost,
        final_cost=found.report.totals.final_cost,
        to_pay=found.rounded.final_cost,
        places=found.rounded.places,
    )
