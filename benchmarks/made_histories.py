"""Made histories of daily usage, of several kinds: two years of each account, of which the second is held back.

The same kind, name and number always give the same history; other names give others of the same kinds.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tallystick.model.months import Month
from tallystick.model.usage import Usage

START: Final = Month.of(2023, 1).first_day
DAYS: Final = Month.of(2025, 1).first_day - START
"""Two years, of which one is a leap year."""

HELD_BACK_FROM: Final = Month.of(2024, 1)
NEW_UNTIL: Final = Month.of(2023, 5)
"""New accounts begin with the first day, and are forecast in their first four months."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How an account's days come about.

    `jobs` is a usual day's number of them, `week` how busy each weekday is beside it, `noise` how far a day strays (as
    a share), `wander` how far the level moves in a day, `growth` the factor of a year, `ramp_days` how long a new
    account takes to get going, `days` how many times as busy single days are. `hours` are those in which jobs finish.
    """

    jobs: float
    hours: tuple[float, float]
    week: tuple[float, ...] = (1.0,) * 7
    noise: float = 0.15
    wander: float = 0.004
    growth: float = 1.0
    ramp_days: float = 0.0
    days: Mapping[int, float] = field(default_factory=dict)

    def busyness(self, day: int, level: float) -> float:
        """How many jobs a day should have."""
        started = 1 - math.exp(-(day + 1) / self.ramp_days) if self.ramp_days else 1.0
        grown: float = self.growth ** (day / 365)
        return self.jobs * math.exp(level) * started * grown * self.week[day % 7] * self.days.get(day, 1.0)


@dataclass(frozen=True, slots=True)
class History:
    """An account's days from `START` on, and the hours in which its jobs finish."""

    days: list[Usage]
    hours: tuple[float, float]

    def done_by(self, elapsed: float) -> float:
        """The share of a day's jobs that have finished when a share of the day is over."""
        first, last = self.hours
        return min(1.0, max(0.0, (elapsed * 24 - first) / (last - first)))


def _steady(draw: random.Random, habits: Habits) -> Habits:
    return habits


def _weekly(draw: random.Random, habits: Habits) -> Habits:
    weekend = draw.uniform(0.02, 0.6)
    week = (*(draw.uniform(0.9, 1.1) for _ in range(5)), weekend, weekend * draw.uniform(0.5, 1))
    holidays = dict.fromkeys(draw.sample(range(DAYS), 16), 0.2)
    return Habits(habits.jobs, habits.hours, week=week, wander=0.01, days=holidays)


def _growth(draw: random.Random, habits: Habits) -> Habits:
    weekend, growth = draw.uniform(0.4, 1), draw.uniform(1.5, 6)
    week = (*(1.0,) * 5, weekend, weekend)
    return Habits(habits.jobs / growth, habits.hours, week=week, noise=0.2, wander=0.01, growth=growth)


def _spiky(draw: random.Random, habits: Habits) -> Habits:
    rate = draw.uniform(1, 3) / 30
    spikes = {day: draw.uniform(4, 30) for day in range(DAYS) if draw.random() < rate}
    return Habits(habits.jobs, habits.hours, noise=0.4, days=spikes)


def _new(draw: random.Random, habits: Habits) -> Habits:
    weekend = draw.uniform(0.1, 1)
    week = (*(1.0,) * 5, weekend, weekend)
    return Habits(habits.jobs, habits.hours, week=week, noise=0.25, wander=0.015, ramp_days=draw.uniform(8, 60))


def _few(draw: random.Random, habits: Habits) -> Habits:
    return Habits(draw.uniform(0.2, 3), habits.hours, noise=0.2)


def _batches(draw: random.Random, habits: Habits) -> Habits:
    every = draw.choice([7, 14, 30])
    idle = {day: 0.0 for day in range(DAYS) if day % every}
    return Habits(habits.jobs * every, habits.hours, noise=0.3, days=idle)


def _pauses(draw: random.Random, habits: Habits) -> Habits:
    idle: dict[int, float] = {}
    day = draw.randrange(20, 120)
    while day < DAYS:
        length = draw.randrange(20, 120)
        idle |= dict.fromkeys(range(day, day + length), 0.0)
        day += length + draw.randrange(20, 120)
    return Habits(habits.jobs, habits.hours, noise=0.3, days=idle)


KINDS: Final = {
    "steady": _steady,
    "weekly": _weekly,
    "growth": _growth,
    "spiky": _spiky,
    "new": _new,
    "few": _few,
    "batches": _batches,
    "pauses": _pauses,
}

BEYOND: Final = frozenset({"few", "batches", "pauses"})
"""Kinds that the method is not made for: a job now and then, one day in 7, 14 or 30, and long silences."""


def history(kind: str, name: str, number: int) -> History:
    """The history of that kind, name and number."""
    draw = random.Random(f"{kind} {name} {number}")
    usual = math.exp(draw.uniform(math.log(3), math.log(300)))
    hours = draw.choice([(0.0, 24.0), (8.0, 18.0)])
    return History(_days(draw, KINDS[kind](draw, Habits(usual, hours))), hours)


def _days(draw: random.Random, habits: Habits) -> list[Usage]:
    tokens, notes = math.exp(draw.uniform(math.log(200), math.log(3000))), draw.uniform(0.2, 0.6)
    level = length = 0.0
    days = []
    for day in range(DAYS):
        level += draw.gauss(0, habits.wander)
        length = 0.98 * length + draw.gauss(0, 0.01)
        jobs = _count(draw, habits.busyness(day, level), habits.noise)
        spoken = jobs * tokens * math.exp(length + draw.gauss(0, 0.5 / math.sqrt(max(1, jobs))))
        days.append(Usage(jobs, (round(spoken), round(spoken * notes * math.exp(draw.gauss(0, 0.05))))))
    return days


def _count(draw: random.Random, mean: float, noise: float) -> int:
    """A number of jobs: Poisson, around a mean that itself strays (so negative binomial)."""
    if not mean:
        return 0
    mean = draw.gammavariate(1 / noise**2, mean * noise**2)
    if mean > 50:
        return max(0, round(draw.gauss(mean, math.sqrt(mean))))
    jobs, left = 0, draw.random()
    limit = math.exp(-mean)
    while left > limit:
        jobs += 1
        left *= draw.random()
    return jobs
