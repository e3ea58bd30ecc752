"""A made-up year of jobs for accounts that differ: zones, volumes, rhythms, growth, late and doubled reports, mistakes.

The same `now` always gives the same year: every draw comes from a generator seeded with the account's name.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

DAYS: Final = 365
LATE_SHARE: Final = 0.004
DOUBLED_SHARE: Final = 0.002

Wire = dict[str, Any]
"""A job as it goes over the wire, broken ones included."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key and its share of the account's jobs."""

    name: str
    share: float
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class Customer:
    """An account and its habits.

    `growth` is how many times busier the year's end is than its start; `weekend` what a Saturday has of a working
    day; `hours` the local hours in which jobs finish; `spikes` maps days before now to how many times busier they
    are; `minutes` the typical length of a recording, which decides its tokens.
    """

    name: str
    time_zone: str
    jobs: int
    keys: tuple[Key, ...]
    growth: float = 1.0
    weekend: float = 0.2
    hours: tuple[int, int] = (8, 18)
    days: int = DAYS
    spikes: Mapping[int, float] | None = None
    minutes: float = 6.0


CUSTOMERS: Final = (
    Customer(
        "Northwind Clinics",
        "America/New_York",
        14_000,
        (Key("production", 0.78), Key("night shift", 0.18), Key("staging", 0.04, sandbox=True)),
        growth=2.2,
    ),
    Customer(
        "Südstern Praxisverbund",
        "Europe/Berlin",
        4_600,
        (Key("Praxis Mitte", 0.55), Key("Praxis Kreuzberg", 0.45)),
        growth=1.3,
        weekend=0.05,
        minutes=9.0,
    ),
    Customer(
        "Kaveri Diagnostics",
        "Asia/Kolkata",
        7_500,
        (Key("wards", 0.6), Key("outpatients", 0.35), Key("trial", 0.05, sandbox=True)),
        weekend=0.6,
        spikes={120: 6.0, 119: 9.0, 118: 5.0, 31: 4.0},
        minutes=4.0,
    ),
    Customer(
        "Harbour Veterinary",
        "Pacific/Auckland",
        2_100,
        (Key("reception", 1.0),),
        weekend=1.8,
        hours=(9, 21),
    ),
    Customer(
        "Batchworks",
        "America/Los_Angeles",
        1_700,
        (Key("batch-runner", 0.7), Key("notebooks", 0.1), Key("ci", 0.2, sandbox=True)),
        hours=(0, 24),
        weekend=1.0,
        spikes={200: 25.0, 80: 40.0, 14: 15.0},
        minutes=20.0,
    ),
    Customer("Tiny Transcripts", "Australia/Adelaide", 70, (Key("main", 1.0),), days=75, growth=3.0, minutes=2.0),
)


def year_of_jobs(now: datetime, customers: tuple[Customer, ...] = CUSTOMERS) -> list[Wire]:
    """The jobs of the year that ends `now`, in the order in which they are reported.

    Most are reported when they finish, some days later, a few twice, and at the end come some with mistakes.
    """
    reports = [report for customer in customers for report in _reports(customer, now) if report[0] <= now]
    reports.sort(key=lambda report: report[0])
    return [job for _, job in reports] + list(_mistakes(customers[0], now, reports[-1][1]))


def _reports(customer: Customer, now: datetime) -> Iterator[tuple[datetime, Wire]]:
    """An account's jobs, each with the time at which it is reported."""
    draw = random.Random(customer.name)
    moments = sorted(_moments(customer, now, draw))
    for number, moment in enumerate(moments, 1):
        job = _job(customer, number, moment, draw)
        late = draw.random() < LATE_SHARE
        reported = moment + timedelta(hours=draw.uniform(20, 200) if late else draw.uniform(0, 0.01))
        yield reported, job
        if draw.random() < DOUBLED_SHARE:
            yield reported + timedelta(minutes=1), job


def _moments(customer: Customer, now: datetime, draw: random.Random) -> Iterator[datetime]:
    zone = ZoneInfo(customer.time_zone)
    today = now.astimezone(zone).date()
    days = [today - timedelta(days=ago) for ago in range(customer.days, -1, -1)]
    weights = [_busyness(customer, day, (today - day).days) * draw.uniform(0.8, 1.2) for day in days]
    first, last = customer.hours
    for day in draw.choices(days, weights, k=customer.jobs):
        clock = _clock(draw.triangular(first, last))
        moment = datetime.combine(day, clock, zone).astimezone(UTC)
        if moment < now:
            yield moment


def _clock(hours: float) -> time:
    seconds = min(int(hours * 3600), 86_399)
    return time(seconds // 3600, seconds // 60 % 60, seconds % 60)


def _busyness(customer: Customer, day: date, days_ago: int) -> float:
    """How busy a day is beside the others."""
    grown: float = customer.growth ** (1.0 - days_ago / customer.days)
    rhythm = 1.0 if day.weekday() < 5 else customer.weekend * (1.0 if day.weekday() == 5 else 0.6)
    return grown * rhythm * (customer.spikes or {}).get(days_ago, 1.0)


def _job(customer: Customer, number: int, moment: datetime, draw: random.Random) -> Wire:
    (key,) = draw.choices(customer.keys, [key.share for key in customer.keys])
    spoken = int(customer.minutes * 150 * draw.lognormvariate(0, 0.5)) + 1
    job: Wire = {
        "id": f"job-{number:06d}",
        "account": customer.name,
        "api_key": key.name,
        "completed_at": _written(moment),
        "tokens": {"transcription": spoken},
    }
    if draw.random() < 0.85:
        job["tokens"]["note_generation"] = int(spoken * draw.uniform(0.2, 0.6))
    if key.sandbox:
        job["sandbox"] = True
    return job


def _mistakes(customer: Customer, now: datetime, stored: Wire) -> Iterator[Wire]:
    """Jobs that will be rejected, one for each way that a worker's report goes wrong."""
    hour_ago = now - timedelta(hours=1)
    sound: Wire = {
        "account": customer.name,
        "api_key": customer.keys[0].name,
        "completed_at": _written(hour_ago),
        "tokens": {"transcription": 900, "note_generation": 300},
    }
    yield {**sound, "id": "clock-runs-ahead", "completed_at": _written(now + timedelta(days=2))}
    yield {**sound, "id": "no-time-zone", "completed_at": hour_ago.replace(tzinfo=None).isoformat(timespec="seconds")}
    yield {**sound, "id": "negative-count", "tokens": {"transcription": -5}}
    yield {**sound, "id": "meter-of-another-product", "tokens": {"transcription": 10, "image_captions": 3}}
    yield {**sound, "id": "live-key-marked-sandbox", "sandbox": True}
    yield {**sound, "id": "", "completed_at": _written(hour_ago)}
    yield {**stored, "tokens": {"transcription": 1_000_000}}


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
