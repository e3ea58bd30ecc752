"""What the running month will cost, and when a boundary or a budget is reached: an outlook, rated by the same core.

What has happened is rated as it is. What is to come is whole jobs and tokens of an `Outlook`, rated behind it: at the
ranks that follow, under the plan that holds then, so that free jobs, tiers and changes of plan are in it. Pure: the
same known gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache, partial
from typing import Final, NamedTuple

from tallystick.model.money import EXACT, ZERO
from tallystick.model.months import Month
from tallystick.model.plans import UNIT_PRICE_PLACES, Meter, Plan, Tier
from tallystick.model.schedule import Schedule
from tallystick.model.usage import Usage, jobs_of
from tallystick.rating.bands import last_free_rank, rank_before, tier_after, tier_of
from tallystick.rating.stretches import Stretch, inner_ranks, rate
from tallystick.report.outlook import Outlook

MOST_DAYS: Final = 366
"""How far ahead the end of the free jobs and the next tier are looked for."""

LOW: Final = 0
EXPECTED: Final = 1
HIGH: Final = 2
_ENDS: Final = (LOW, EXPECTED, HIGH)

_THESE: Final = 1
_OTHERS: Final = 2


class Standing(NamedTuple):
    """The plan that holds in a month, and an account's live jobs: all so far, and those of them before the month."""

    plan: Plan
    jobs: int
    opening: int

    @property
    def discount(self) -> Decimal:
        """The discount, in percent, that the next job has."""
        return tier_of(self.plan, tier_after(self.plan, self.jobs, self.opening)).discount

    def better_tier(self, discount: Decimal) -> int | None:
        """The first tier with a greater discount, of the one that the next job is in and those behind it."""
        current = tier_after(self.plan, self.jobs, self.opening)
        return next((i for i, tier in enumerate(self.plan.tiers, 1) if i >= current and tier.discount > discount), None)

    def jobs_until(self, rank: int) -> int:
        """How many more jobs reach a rank."""
        return max(0, rank - self.jobs)


class Known(NamedTuple):
    """What a projection is made from.

    `stretch` is the month so far; `elapsed` the share of `today` that is over. `days` are the sums of each day from the
    first of the history up to yesterday, `key_days` the same of single keys.
    """

    month: Month
    today: int
    elapsed: float
    stretch: Stretch
    schedule: Schedule
    meters: tuple[Meter, ...]
    days: Sequence[Usage]
    key_days: Mapping[int, Sequence[Usage]]

    @property
    def standing(self) -> Standing:
        """Where the account stands now."""
        return Standing(self.stretch.plan, self.stretch.before + jobs_of(self.stretch.usage), self.stretch.opening)


class Costs(NamedTuple):
    """What a month may cost: the interval's ends and what is expected."""

    low: Decimal
    expected: Decimal
    high: Decimal


class Reach(NamedTuple):
    """When something is reached: days from today, 0 being today; `None` where it is not within what was looked at."""

    earliest: int | None
    expected: int | None
    latest: int | None


class NextTier(NamedTuple):
    """The next tier with a greater discount, its number, when it is reached, and how many more jobs reach it.

    Where it is reached in a later month of a plan that counts anew each month, so many would reach it in this one.
    """

    number: int
    tier: Tier
    reach: Reach
    jobs_left: int


class Crossing(NamedTuple):
    """The day, counted from today, on which a rank is reached, and where the account stands before that day's month."""

    day: int
    standing: Standing


class _Segment(NamedTuple):
    """The days of a month, counted from today, and the plan that holds in it."""

    plan: Plan
    first: int
    last: int


Target = Callable[[Standing], int | None]
"""The rank that is looked for in a month, by where the account stands before it; `None` where there is none."""


class Projection:
    """The month so far, and what the outlook adds to it."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self.standing = known.standing
        self.days_left = known.month.last_day - known.today
        self.outlook = self._outlook(known.days)
        self._spent = final_costs(known.stretch, known.meters)
        self._key_outlook = cache(lambda key: self._outlook(known.key_days[key]))

    def cost(self, days: int) -> Costs:
        """The month's final cost at the end of the day that is `days` after today, which lies in it."""
        spent, nobody = sum_exact(self._spent.values()), Usage(0, (0,) * len(self._known.meters))
        return _costs(EXACT.add(spent, self._rated(usage, nobody)) for usage in self.outlook.usage(days))

    def key_cost(self, key: int, days: int) -> Costs:
        """A key's part of it, the other keys' jobs being as expected."""
        spent, outlook = self._spent.get(key, ZERO), self._key_outlook(key)
        others = _less(self.outlook.usage(days)[EXPECTED], outlook.usage(days)[EXPECTED])
        return _costs(EXACT.add(spent, self._rated(usage, others)) for usage in outlook.usage(days))

    def reaching(self, amount: Decimal, cost: Callable[[int], Costs]) -> Reach:
        """When a cost of the month reaches an amount that it has not reached yet."""
        return _reach(lambda end: _first(lambda days: cost(days)[end] >= amount, 0, self.days_left))

    def end_of_free_jobs(self) -> Reach:
        """When the account's free jobs are used up, which they are not yet."""
        found = [self._crossing(lambda standing: last_free_rank(standing.plan, standing.opening), end) for end in _ENDS]
        return _reach(lambda end: _day(found[end]))

    def next_tier(self) -> NextTier | None:
        """The next tier with a greater discount than the next job has now, also where a change of plan brings it.

        Where none is expected within `MOST_DAYS`, the one that the running month's plan has; `None` where it has none.
        """
        found = [self._crossing(partial(_rank_of_better_tier, self.standing.discount), end) for end in _ENDS]
        expected = found[EXPECTED]
        standing = self.standing if expected is None else expected.standing
        return tier_ahead(self.standing, standing, _reach(lambda end: _day(found[end])))

    def _outlook(self, days: Sequence[Usage]) -> Outlook:
        prices = self.standing.plan.unit_prices(self._known.meters)
        return Outlook(days, [int(EXACT.scaleb(price, UNIT_PRICE_PLACES)) for price in prices], self._known.elapsed)

    def _rated(self, these: Usage, others: Usage) -> Decimal:
        """What some jobs cost that follow those so far, evenly among others."""
        plan, before, opening = self.standing
        both = {_THESE: these, _OTHERS: others}
        ranks = inner_ranks(plan, before, jobs_of(both), opening)
        cuts = {rank: _first_of(these, others, rank - before) for rank in ranks}
        return final_costs(Stretch(plan, before, both, cuts, opening), self._known.meters).get(_THESE, ZERO)

    def _crossing(self, target: Target, end: int) -> Crossing | None:
        """When the account first reaches the rank that is looked for, at one end of the interval or as expected."""
        for segment in self._segments():
            standing = self._standing_before(segment, end)
            rank = target(standing)
            if rank is None:
                continue
            if standing.jobs >= rank:
                return Crossing(segment.first, standing)
            day = _first(partial(self._has_reached, rank, end), segment.first, segment.last)
            if day is not None:
                return Crossing(day, standing)
        return None

    def _standing_before(self, segment: _Segment, end: int) -> Standing:
        """Where the account stands before a month's days that are to come."""
        if segment.first == 0:
            return self.standing
        jobs = self._jobs_at(segment.first - 1, end)
        return Standing(segment.plan, jobs, opening=jobs)

    def _has_reached(self, rank: int, end: int, days: int) -> bool:
        return self._jobs_at(days, end) >= rank

    def _jobs_at(self, days: int, end: int) -> int:
        """How many live jobs the account has at the end of a day, counted from today."""
        return self.standing.jobs + self.outlook.jobs(days)[end]

    def _segments(self) -> Iterator[_Segment]:
        known = self._known
        for month in known.month.to(known.month + 12):
            first, last = (day - known.today for day in (month.first_day, month.last_day))
            if first <= MOST_DAYS:
                yield _Segment(known.schedule.plan_for(month), max(0, first), min(MOST_DAYS, last))


def tier_ahead(now: Standing, then: Standing, reach: Reach) -> NextTier | None:
    """The next tier with a greater discount than the next job has now, by where the account stands then."""
    number = then.better_tier(now.discount)
    if number is None:
        return None
    tier = tier_of(then.plan, number)
    return NextTier(number, tier, reach, now.jobs_until(rank_before(then.plan, tier, now.opening)))


def _rank_of_better_tier(discount: Decimal, standing: Standing) -> int | None:
    number = standing.better_tier(discount)
    return None if number is None else rank_before(standing.plan, tier_of(standing.plan, number), standing.opening)


def _first(reached: Callable[[int], bool], first: int, last: int) -> int | None:
    """The first of some days on which something is reached that stays so."""
    if last < first or not reached(last):
        return None
    while first < last:
        middle = (first + last) // 2
        if reached(middle):
            last = middle
        else:
            first = middle + 1
    return last


def _reach(day: Callable[[int], int | None]) -> Reach:
    """What is reached early is reached with the high end. In order, also where an end falls back a little meanwhile."""
    earliest, expected, latest = day(HIGH), day(EXPECTED), day(LOW)
    if expected is None:
        return Reach(earliest, None, None)
    return Reach(
        earliest=expected if earliest is None else min(earliest, expected),
        expected=expected,
        latest=None if latest is None else max(latest, expected),
    )


def _day(crossing: Crossing | None) -> int | None:
    return None if crossing is None else crossing.day


def _first_of(these: Usage, others: Usage, count: int) -> dict[int, Usage]:
    """The first so many jobs of two groups that are evenly mixed."""
    mine = these.jobs * count // (these.jobs + others.jobs)
    return {_THESE: _part(these, mine), _OTHERS: _part(others, count - mine)}


def _part(usage: Usage, jobs: int) -> Usage:
    return Usage(jobs, tuple(count * jobs // usage.jobs if usage.jobs else 0 for count in usage.tokens))


def _less(whole: Usage, part: Usage) -> Usage:
    left = whole.minus(part)
    return Usage(max(0, left.jobs), tuple(max(0, count) for count in left.tokens))


def final_costs(stretch: Stretch, meters: tuple[Meter, ...]) -> dict[int, Decimal]:
    """What a stretch costs by key."""
    costs: dict[int, Decimal] = {}
    for line in rate(stretch, meters):
        costs[line.key] = EXACT.add(costs.get(line.key, ZERO), line.final_cost)
    return costs


def sum_exact(amounts: Iterable[Decimal]) -> Decimal:
    """The sum of amounts."""
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def _costs(amounts: Iterable[Decimal]) -> Costs:
    """In order: jobs beyond a tier may be so much cheaper that more of them, of few tokens, cost less."""
    low, expected, high = amounts
    return Costs(min(low, expected, high), expected, max(low, expected, high))
