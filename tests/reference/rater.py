"""A slow and obvious rater, written from the design's rating rules alone.

It keeps every job in a plain dictionary, sorts them anew for every question and rates them one at a time, in
fractions. It has no rollups, no boundaries and no cache of anything but the starts of days, and it imports
nothing of Tallystick. Where it and the product differ, DESIGN.md decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

Document = Mapping[str, Any]
"""A price plan or a job, as it stands in JSON."""

ALWAYS = "0000-00"
"""A month before all others: from when a plan's first version and an account's first plan hold."""

FUTURE = timedelta(minutes=5)

Entry = TypeVar("Entry")


# Instants, days and months (rules 9 and 12). Months are texts, "2025-01", which sort as they should.


def instant(text: str) -> datetime:
    """The instant that an RFC 3339 time names; digits finer than a microsecond are cut."""
    parts = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", text)
    assert parts is not None, text
    microseconds = (parts[2] or "")[:6].ljust(6, "0")
    offset = "+00:00" if parts[3] == "Z" else parts[3]
    return datetime.fromisoformat(f"{parts[1]}.{microseconds}{offset}").astimezone(UTC)


@cache
def time_zone(name: str) -> ZoneInfo:
    """The zone as the pinned data of the package `tzdata` has it, whatever the machine has."""
    with resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


@cache
def day_start(zone: str, day: date) -> datetime:
    """The first instant at which the zone's wall clock reads the day's midnight or later, found by walking there.

    Clocks jump on whole seconds, so that the walk need not go by microseconds.
    """
    midnight = datetime.combine(day, time())
    moment = datetime.combine(day, time(), UTC) - timedelta(hours=26)
    assert _wall_clock(zone, moment) < midnight
    while _wall_clock(zone, moment) < midnight:
        moment += timedelta(minutes=1)
    moment -= timedelta(minutes=1)
    while _wall_clock(zone, moment) < midnight:
        moment += timedelta(seconds=1)
    return moment


def _wall_clock(zone: str, moment: datetime) -> datetime:
    return moment.astimezone(time_zone(zone)).replace(tzinfo=None, fold=0)


def day_of(zone: str, moment: datetime) -> date:
    """The last day that has started."""
    day = moment.date() - timedelta(days=2)
    while day_start(zone, day + timedelta(days=1)) <= moment:
        day += timedelta(days=1)
    return day


def month_start(zone: str, month: str) -> datetime:
    """The start of the month's first day."""
    return day_start(zone, date.fromisoformat(f"{month}-01"))


def month_of(zone: str, moment: datetime) -> str:
    """The month of the day that holds an instant: months are made of days."""
    return f"{day_of(zone, moment):%Y-%m}"


def next_month(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year + 1:04}-01" if number == 12 else f"{year:04}-{number + 1:02}"


def months_between(first: str, last: str) -> list[str]:
    """The months from `first` to `last`, both included."""
    months = []
    while first <= last:
        months.append(first)
        first = next_month(first)
    return months


# What a deployment knows.


@dataclass(frozen=True)
class KeptJob:
    """An accepted job."""

    id: str
    api_key: str
    completed_at: datetime
    booked_at: datetime
    tokens: Mapping[str, int]
    sandbox: bool

    def equals(self, other: KeptJob) -> bool:
        """Whether one is a repeat of the other (rule 11). The ids are equal."""
        content = (self.api_key, self.completed_at, self.tokens)
        return content == (other.api_key, other.completed_at, other.tokens)

    @property
    def place(self) -> tuple[datetime, bytes]:
        """Where the job stands among the others: by time, and by the bytes of its id at the same instant."""
        return self.booked_at, self.id.encode()


@dataclass(frozen=True)
class RatedJob:
    """A live job with its rank and what follows from it."""

    rank: int
    job: KeptJob
    day: date
    tier: int
    free: bool
    discount: Fraction
    base: Fraction
    final: Fraction

    @property
    def month(self) -> str:
        return f"{self.day:%Y-%m}"


@dataclass
class Account:
    """A customer: its zone, the plan that holds from each month on, its closed months, and its jobs by id."""

    zone: str = "UTC"
    plans: dict[str, str] = field(default_factory=lambda: {ALWAYS: "standard"})
    closed_through: str = ALWAYS
    key_is_sandbox: dict[str, bool] = field(default_factory=dict)
    jobs: dict[str, KeptJob] = field(default_factory=dict)
    voided: set[str] = field(default_factory=set)


@dataclass
class Provider:
    """Price plans, each with the versions that hold from a month on; their meters together; accounts.

    `meters` gives the report's field of each meter, in the order of their first mention.
    """

    meters: dict[str, str] = field(default_factory=dict)
    plans: dict[str, dict[str, Document]] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)

    def put_plan(self, document: Document, effective_from: str = ALWAYS) -> None:
        """Add a version of a plan, or replace the one of the same month."""
        self.plans.setdefault(document["name"], {})[effective_from] = document
        for meter in document["meters"]:
            self.meters[meter["id"]] = meter.get("report_as", f"{meter['id']}_tokens")

    def plan_in(self, account: Account, month: str) -> Document:
        """The plan version that rates an account's month (rule 8)."""
        return _in_force(self.plans[_in_force(account.plans, month)], month)

    # Acceptance (rules 1, 7, 9, 11).

    def submit(self, job: Document, now: datetime) -> str:
        """Take one job, if it is good: ``accepted``, ``duplicate``, or the code of its rejection.

        Jobs are taken one by one, so that there are no batches to speak of.
        """
        account = self.accounts.get(job["account"], Account())
        completed_at = instant(job["completed_at"])
        kept = KeptJob(
            id=job["id"],
            api_key=job["api_key"],
            completed_at=completed_at,
            booked_at=booked_at(account, completed_at, now),
            # A meter left out equals 0.
            tokens={meter: count for meter, count in job["tokens"].items() if count},
            sandbox=job.get("sandbox", False),
        )
        if not job["tokens"].keys() <= self.meters.keys():
            return "unknown_meter"
        if account.key_is_sandbox.get(kept.api_key, kept.sandbox) != kept.sandbox:
            return "key_kind"
        if kept.id in account.jobs:
            return "duplicate" if account.jobs[kept.id].equals(kept) else "conflict"
        if completed_at > now + FUTURE:
            return "future"
        self.accounts[job["account"]] = account
        account.key_is_sandbox[kept.api_key] = kept.sandbox
        account.jobs[kept.id] = kept
        return "accepted"

    # Rating (rules 1, 3, 4, 8).

    def rated_jobs(self, account: Account) -> list[RatedJob]:
        """The account's live jobs in the order of their ranks."""
        live = sorted(
            (job for job in account.jobs.values() if not job.sandbox and job.id not in account.voided),
            key=lambda job: job.place,
        )
        months = [month_of(account.zone, job.booked_at) for job in live]
        return [
            self._rate(account, rank, months[:rank].count(months[rank - 1]), job)
            for rank, job in enumerate(live, start=1)
        ]

    def _rate(self, account: Account, rank: int, rank_in_month: int, job: KeptJob) -> RatedJob:
        """The job's price; `rank_in_month` counts the live jobs of its month up to it."""
        day = day_of(account.zone, job.booked_at)
        plan = self.plan_in(account, f"{day:%Y-%m}")
        tier, discount = tier_of(rank_in_month if is_monthly(plan, "reset") else rank, plan)
        free = (rank_in_month if is_monthly(plan, "free_jobs_reset") else rank) <= plan["free_jobs"]
        base = Fraction(0)
        if not free:
            for meter in plan["meters"]:
                base += job.tokens.get(meter["id"], 0) * Fraction(meter["price"]) / meter["per"]
        return RatedJob(rank, job, day, tier, free, discount, base, base * (1 - discount / 100))

    # The report (rules 2, 4, 6, 8, 12).

    def period(self, account: Account, start: str | None, end: str | None, now: datetime) -> tuple[str, str]:
        """The first and the last month of a report, where one or both are left out."""
        current = month_of(account.zone, now)
        if start is not None:
            return start, end or current
        if end is None:
            return current, current
        months = sorted(rated.month for rated in self.rated_jobs(account) if rated.month <= end)
        return (months_between(months[0], end)[-120:][0] if months else end), end

    def usage(self, name: str, start: str | None, end: str | None, now: datetime) -> dict[str, Any]:
        """The report of the months from `start` to `end`, costs as fractions, in the contract's shape and order."""
        account = self.accounts[name]
        start, end = self.period(account, start, end, now)
        every_job = self.rated_jobs(account)
        jobs = [rated for rated in every_job if start <= rated.month <= end]
        base, final = sum_base(jobs), sum_final(jobs)
        return {
            "period": {"start_month": start, "end_month": end},
            "totals": {
                **self._sums(jobs),
                "effective_discount_percentage": half_even(100 * (base - final) / base, 4) if base else Fraction(0),
                "free_jobs_left": self._free_jobs_left(account, every_job, month_of(account.zone, now)),
            },
            "monthly_breakdown": [self._month(account, every_job, month) for month in months_between(start, end)],
            "api_keys": self.key_breakdown(jobs, self._most_tiers(account, start, end)),
        }

    def _free_jobs_left(self, account: Account, every_job: Sequence[RatedJob], current: str) -> int:
        """What the current month's plan gives less what has been used of it: in this month, or ever."""
        plan = self.plan_in(account, current)
        counted = [rated for rated in every_job if rated.month == current or not is_monthly(plan, "free_jobs_reset")]
        return max(0, int(plan["free_jobs"]) - len(counted))

    def daily(self, name: str, start: date, end: date) -> dict[str, Any]:
        """The same by day and key, of the days from `start` to `end`; a day has the tiers of its month's plan."""
        account = self.accounts[name]
        every_job = self.rated_jobs(account)
        days = [start + timedelta(days=number) for number in range((end - start).days + 1)]
        return {
            "period": {"start": str(start), "end": str(end)},
            "days": [self._day(account, every_job, day) for day in days],
        }

    def _day(self, account: Account, every_job: Sequence[RatedJob], day: date) -> dict[str, Any]:
        jobs = [rated for rated in every_job if rated.day == day]
        tiers = len(self.plan_in(account, f"{day:%Y-%m}")["tiers"])
        return {"day": str(day), **self._sums(jobs), "api_keys": self.key_breakdown(jobs, tiers)}

    def _month(self, account: Account, every_job: Sequence[RatedJob], month: str) -> dict[str, Any]:
        plan = self.plan_in(account, month)
        jobs = [rated for rated in every_job if rated.month == month]
        jobs_by_its_end = [rated for rated in every_job if rated.month <= month]
        counted = jobs if is_monthly(plan, "reset") else jobs_by_its_end
        _, next_discount = tier_of(len(counted) + 1, plan)
        return {
            "month": month,
            **self._sums(jobs),
            "current_tier_discount": next_discount,
            "tiers": tier_counts(jobs, len(plan["tiers"])),
        }

    def _most_tiers(self, account: Account, start: str, end: str) -> int:
        return max(len(self.plan_in(account, month)["tiers"]) for month in months_between(start, end))

    def _sums(self, jobs: Sequence[RatedJob]) -> dict[str, Any]:
        return {
            "jobs": len(jobs),
            **{field_name: sum_tokens(jobs, meter) for meter, field_name in self.meters.items()},
            "base_cost": sum_base(jobs),
            "final_cost": sum_final(jobs),
            "savings": sum_base(jobs) - sum_final(jobs),
        }

    def key_breakdown(self, jobs: Sequence[RatedJob], tiers: int) -> dict[str, Any]:
        """Each key that has a live job among `jobs`: most jobs first, then by the bytes of the name."""
        by_key: dict[str, list[RatedJob]] = {}
        for rated in jobs:
            by_key.setdefault(rated.job.api_key, []).append(rated)
        order = sorted(by_key, key=lambda name: (-len(by_key[name]), name.encode()))
        return {name: self._key(by_key[name], tiers) for name in order}

    def _key(self, jobs: Sequence[RatedJob], tiers: int) -> dict[str, Any]:
        base, final = sum_base(jobs), sum_final(jobs)
        return {
            "jobs": len(jobs),
            "tokens": {meter: sum_tokens(jobs, meter) for meter in self.meters},
            "costs": {"base": base, "final": final, "savings": base - final},
            "tiers": tier_counts(jobs, tiers),
        }


def booked_at(account: Account, completed_at: datetime, now: datetime) -> datetime:
    """When a job counts: when it was completed, but for one of a closed month, which goes to an open one (rule 7)."""
    if account.closed_through == ALWAYS:
        return completed_at
    opening = month_start(account.zone, next_month(account.closed_through))
    return max(now, opening) if completed_at < opening else completed_at


def _in_force(history: Mapping[str, Entry], month: str) -> Entry:
    started = [first for first in history if first <= month]
    return history[max(started) if started else min(history)]


def is_monthly(plan: Document, reset: str) -> bool:
    """Whether a plan's count of jobs starts again with each month."""
    return str(plan.get(reset, "never")) == "month"


def tier_of(rank: int, plan: Document) -> tuple[int, Fraction]:
    """The number of the tier of the job with that rank, and its discount: the last tier that has begun."""
    jobs_before = rank - 1
    number, discount = 0, Fraction(0)
    for tier in plan["tiers"]:
        if jobs_before >= tier["after_jobs"]:
            number, discount = number + 1, Fraction(tier["discount"])
    return number, discount


def tier_counts(jobs: Iterable[RatedJob], tiers: int) -> dict[str, int]:
    counts = {f"tier{number}": 0 for number in range(1, tiers + 1)}
    for rated in jobs:
        counts[f"tier{rated.tier}"] += 1
    return counts


def sum_tokens(jobs: Iterable[RatedJob], meter: str) -> int:
    return sum(rated.job.tokens.get(meter, 0) for rated in jobs)


def sum_base(jobs: Iterable[RatedJob]) -> Fraction:
    return sum((rated.base for rated in jobs), start=Fraction(0))


def sum_final(jobs: Iterable[RatedJob]) -> Fraction:
    return sum((rated.final for rated in jobs), start=Fraction(0))


# Numbers on the wire (rules 2 and 3).


def half_even(value: Fraction, places: int) -> Fraction:
    """`value` to so many decimal places; what lies in the middle goes to the even neighbour."""
    scaled = value * 10**places
    below = scaled.numerator // scaled.denominator
    rest = scaled - below
    if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and below % 2 == 1):
        below += 1
    return Fraction(below, 10**places)


def plain(value: Fraction) -> str:
    """A decimal number, digit by digit: ``0.07592``, ``12.0``. `value` is not negative and has finitely many."""
    whole, rest = divmod(value, 1)
    digits = ""
    while rest:
        digit, rest = divmod(rest * 10, 1)
        digits += str(digit)
    return f"{whole}.{digits or '0'}"


def wire(value: object) -> object:
    """A report with each amount as the text that stands for it in JSON; all else, and all order, as it is."""
    if isinstance(value, Fraction):
        return plain(value)
    if isinstance(value, dict):
        return [(key, wire(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [wire(item) for item in value]
    return value
