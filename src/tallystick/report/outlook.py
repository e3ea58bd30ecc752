"""What the next days will bring, told from the days before: the statistics behind the forecast. Counts, no money.

The method, for one series of daily counts:

1. *Rhythm.* A factor for each day of the week: its mean over the last twelve weeks beside the mean of all days, drawn
   towards 1 where there are few of them.
2. *Level.* The mean of the days, each divided by its factor; yesterday weighs most, and a day's weight halves every 21
   days (in a young history, every third of its age).
3. *Own errors.* The level as it stood on each past day, times the factors of the days that followed, is what would have
   been said then. What came, divided by that, is one past error. The forecast is today's level times the factors of the
   days to come, times the median of the past errors over as many days; the interval takes their outer quantiles. So
   growth, spikes and a level that wanders are all in it, each as far as the account has shown it.
4. *Youth.* Errors over many days need many days of history. Those of a typical young account stand beside an account's
   own ones, weigh as much as two windows, and fade as it gathers some: log-normal, wider where the days vary more, and
   above 1, since new accounts grow.

``docs/forecast.md`` says how well it does, beside the plain run rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from statistics import NormalDist
from typing import Final, NamedTuple

from tallystick.model.usage import Usage

INTERVAL_PERCENTAGE: Final = 80
"""How often what comes shall lie within low and high."""

WINDOW_DAYS: Final = 365
"""How far back a forecast looks."""

LEAST_DAYS: Final = 14
LEAST_BUSY_DAYS: Final = 7
"""Less history than so many whole days since the first job, or than so many days with jobs, is too little."""

_WEEK: Final = 7
_RHYTHM_DAYS: Final = 12 * _WEEK
_RHYTHM_CAUTION: Final = 1.0
"""So many days of the mean stand beside those of each day of the week."""

_LONGEST_HALF_LIFE: Final = 21.0
_SHORTEST_HALF_LIFE: Final = 7.0
_HALF_LIVES: Final = 3.0
"""A young history is so many half-lives long."""

_OUTER: Final = 0.09
"""The share of past errors beyond each end of the interval. Not 0.1: quantiles of a few errors lie a little close."""

_MOST_OF_LEVEL: Final = 20.0
"""A past error is taken to be no larger, so that a job after a long silence does not promise thousands."""

_SLIP: Final = 1e-6
"""What floats may be off by where they stand for a whole number."""

_YOUTH_WINDOWS: Final = 2.0
_YOUTH_GROWTH: Final = 0.25
_YOUTH_SPREAD: Final = 0.25
_MOST_NOISE: Final = 4.0
_MONTH_DAYS: Final = 30.0
_NORMAL: Final = tuple(NormalDist().inv_cdf((i + 0.5) / 21) for i in range(21))


class Range(NamedTuple):
    """What is expected (half of the time it is more), and the interval that holds four times in five."""

    low: float
    expected: float
    high: float


class Whole(NamedTuple):
    """A range in whole jobs or tokens."""

    low: int
    expected: int
    high: int


class Series:
    """Daily counts up to yesterday, the oldest first, and what they say of the days to come."""

    def __init__(self, counts: Sequence[float]) -> None:
        self._counts = counts
        self._half_life = min(_LONGEST_HALF_LIFE, max(_SHORTEST_HALF_LIFE, len(counts) / _HALF_LIVES))
        self._factors = _rhythm(counts)
        self._levels = self._past_levels()
        self._sums = _running(counts)
        self._weights = _running([self._factor(i) for i in range(len(counts))])
        self._errors = cache(self._errors_over)

    def ahead(self, elapsed: float, days: int) -> Range:
        """What the rest of today and the `days` after it bring in all; `elapsed` is the share of today that is over."""
        today = len(self._counts)
        rest = 1.0 - elapsed
        weight = rest * self._factor(today) + sum(self._factor(today + i) for i in range(1, days + 1))
        said = self._levels[-1] * weight
        errors = self._errors(max(1, round(days + rest)))
        return Range(said * errors.low, said * errors.expected, said * errors.high)

    def _factor(self, day: int) -> float:
        return self._factors[day % _WEEK]

    def _past_levels(self) -> list[float]:
        """The level as it stood at the end of each day."""
        keep = 0.5 ** (1.0 / self._half_life)
        counted = weighed = 0.0
        levels: list[float] = []
        for i, count in enumerate(self._counts):
            counted = counted * keep + count
            weighed = weighed * keep + self._factor(i)
            levels.append(counted / weighed)
        return levels

    def _errors_over(self, days: int) -> Range:
        """The quantiles of the errors over so many days: the account's own, and those of a typical young one."""
        own = [(error, 1.0 / days) for error in self._own_errors(days)]
        young = [(error, _YOUTH_WINDOWS / len(_NORMAL)) for error in self._young_errors(days)]
        errors = sorted([*own, *young])
        return Range(*_quantiles(errors, (_OUTER, 0.5, 1.0 - _OUTER)))

    def _own_errors(self, days: int) -> Iterable[float]:
        """What came in each window of so many days, beside what would have been said before it."""
        for start in range(LEAST_DAYS, len(self._counts) - days + 1):
            said = self._levels[start - 1] * (self._weights[start + days] - self._weights[start])
            if said > 0:
                came = self._sums[start + days] - self._sums[start]
                yield min(_MOST_OF_LEVEL, came / said)

    def _young_errors(self, days: int) -> Iterable[float]:
        age = len(self._counts)
        of_level = 1.0 / min(age, self._half_life / math.log(2) * 2)
        wander = _YOUTH_SPREAD**2 * days / age
        spread = math.sqrt(math.log1p(self._noise() * (1.0 / days + of_level) + wander))
        growth = _YOUTH_GROWTH * days / _MONTH_DAYS * min(1.0, _MONTH_DAYS / age)
        return (math.exp(growth + spread * normal) for normal in _NORMAL)

    def _noise(self) -> float:
        """The variance of the last weeks' days around the level, as a share of its square."""
        level, first = self._levels[-1], max(0, len(self._counts) - _RHYTHM_DAYS)
        if level <= 0:
            return _MOST_NOISE
        squares = [(count / level - self._factor(i)) ** 2 for i, count in enumerate(self._counts[first:], first)]
        return min(_MOST_NOISE, sum(squares) / len(squares))


def _rhythm(counts: Sequence[float]) -> list[float]:
    """A factor for each day of the week, on average 1."""
    first = max(0, len(counts) - _RHYTHM_DAYS)
    by_weekday: list[list[float]] = [[] for _ in range(_WEEK)]
    for i, count in enumerate(counts[first:], first):
        by_weekday[i % _WEEK].append(count)
    mean = sum(counts[first:]) / (len(counts) - first)
    if mean <= 0:
        return [1.0] * _WEEK
    factors = [(sum(day) / mean + _RHYTHM_CAUTION) / (len(day) + _RHYTHM_CAUTION) for day in by_weekday]
    return [factor * _WEEK / sum(factors) for factor in factors]


def _running(values: Iterable[float]) -> list[float]:
    """The sums of the first 0, 1, 2, … values."""
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    return sums


def _quantiles(errors: Sequence[tuple[float, float]], shares: Sequence[float]) -> Iterator[float]:
    """For each share, ascending: the error that it of the weight lies below, between its neighbours' middles.

    `errors` ascend, each with its weight.
    """
    whole = sum(weight for _, weight in errors)
    before, place = errors[0][0], 0.0
    passed, targets = 0.0, [share * whole for share in shares]
    reached = 0
    for error, weight in errors:
        middle = passed + weight / 2
        while reached < len(targets) and targets[reached] <= middle:
            yield before + (error - before) * (targets[reached] - place) / (middle - place)
            reached += 1
        before, place = error, middle
        passed += weight
    yield from [errors[-1][0]] * (len(targets) - reached)


class Outlook:
    """What some keys' jobs and tokens will be: a series of each, and one of what they are worth before discount."""

    def __init__(self, days: Sequence[Usage], prices: Sequence[int], elapsed: float) -> None:
        """`days` are the sums of each day up to yesterday, `prices` integers in proportion to the unit prices."""
        self._elapsed = elapsed
        self._jobs = Series([day.jobs for day in days])
        self._tokens = tuple(Series([day.tokens[i] for day in days]) for i in range(len(prices)))
        most = max(prices, default=0) or 1
        worth = (sum(count * price for count, price in zip(day.tokens, prices, strict=True)) for day in days)
        self._worth = Series([value / most for value in worth])
        self._ahead = cache(self._usage_ahead)

    def jobs(self, days: int) -> Whole:
        """The jobs of the rest of today and the `days` after it."""
        return _whole(self._jobs.ahead(self._elapsed, days))

    def tokens(self, days: int) -> list[Whole]:
        """The tokens of each meter, alike."""
        return [_whole(series.ahead(self._elapsed, days)) for series in self._tokens]

    def usage(self, days: int) -> tuple[Usage, Usage, Usage]:
        """Low, expected and high, as whole jobs and tokens to be rated.

        Low and high are those of the cost: the jobs are at their own ends, and the tokens such that what they are worth
        is at its.
        """
        return self._ahead(days)

    def _usage_ahead(self, days: int) -> tuple[Usage, Usage, Usage]:
        jobs, worth = self.jobs(days), self._worth.ahead(self._elapsed, days)
        tokens = [each.expected for each in self.tokens(days)]
        low, high = (end / worth.expected if worth.expected else 1.0 for end in (worth.low, worth.high))
        return (
            Usage(jobs.low, tuple(_floor(count * low) for count in tokens)),
            Usage(jobs.expected, tuple(tokens)),
            Usage(jobs.high, tuple(_ceiling(count * high) for count in tokens)),
        )


def _whole(each: Range) -> Whole:
    return Whole(_floor(each.low), round(each.expected), _ceiling(each.high))


def _floor(count: float) -> int:
    return math.floor(count + _SLIP)


def _ceiling(count: float) -> int:
    return math.ceil(count - _SLIP)
