"""The projection: rated by the same core, and certain where the history is, as an account that never changes shows."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.model.months import Month
from tallystick.model.plans import Plan, PlanVersion, parse_plan
from tallystick.model.schedule import Schedule
from tallystick.model.usage import Usage
from tallystick.rating.bands import free_jobs_left
from tallystick.rating.stretches import Stretch, inner_ranks, rate
from tallystick.report.projection import MOST_DAYS, Costs, Known, Projection, Reach
from tests.reference.rater import is_monthly, tier_of

assert settings.default is not None
SOME = settings(max_examples=settings.default.max_examples * 2 // 5)
"""A projection of nine hundred days takes a hundred times as long as what most properties are of."""

FEBRUARY = Month.of(2024, 2)
"""Of a leap year: 29 days."""


def plan(name: str = "p", **fields: Any) -> Plan:
    document = {
        "name": name,
        "currency": "USD",
        "free_jobs": 0,
        "meters": [{"id": "audio", "price": "0.01"}, {"id": "notes", "price": "0.3", "per": 10}],
        "tiers": [{"after_jobs": 0, "discount": "0"}],
    }
    return parse_plan({**document, **fields})


def tiers(*pairs: tuple[int, int]) -> list[dict[str, Any]]:
    return [{"after_jobs": after, "discount": str(discount)} for after, discount in pairs]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans whose boundaries lie near where the accounts of these tests are; discounts ascend."""
    starts = sorted(draw(st.sets(st.integers(1, 2500), max_size=4)))
    discounts = sorted(draw(st.lists(st.integers(0, 100), min_size=len(starts), max_size=len(starts))))
    resets = st.sampled_from(["never", "month"])
    return plan(
        free_jobs=draw(st.integers(0, 2500)),
        tiers=tiers((0, 0), *zip(starts, discounts, strict=True)),
        reset=draw(resets),
        free_jobs_reset=draw(resets),
    )


class Steady(NamedTuple):
    """An account with the same jobs on each of 900 days before today, at midnight; all jobs are alike.

    So long a history makes the interval of a month as narrow as can be. Its account counts no more than 365 days' jobs.
    """

    plan: Plan
    jobs_a_day: int
    tokens: tuple[int, int]
    day_of_month: int

    @property
    def before_today(self) -> int:
        return 365 * self.jobs_a_day

    def usage(self, jobs: int) -> Usage:
        return Usage(jobs, (self.tokens[0] * jobs, self.tokens[1] * jobs))

    def known(self, *, later: Plan | None = None, key_share: int = 0) -> Known:
        """`later` holds from March on; a key makes `key_share` of each day's jobs."""
        so_far = (self.day_of_month - 1) * self.jobs_a_day
        before = self.before_today - so_far
        cuts = {rank: {1: self.usage(rank - before)} for rank in inner_ranks(self.plan, before, so_far, before)}
        versions = [PlanVersion(Month(0), self.plan)]
        if later is not None:
            versions.append(PlanVersion(FEBRUARY + 1, later))
        return Known(
            month=FEBRUARY,
            today=FEBRUARY.first_day + self.day_of_month - 1,
            elapsed=0.0,
            stretch=Stretch(self.plan, before, {1: self.usage(so_far)}, cuts, opening=before),
            schedule=Schedule([(Month(0), "p")], {"p": versions}),
            meters=tuple(price.meter for price in self.plan.meters),
            days=[self.usage(self.jobs_a_day)] * 900,
            key_days={2: [self.usage(key_share)] * 900},
        )

    def counted(self, reset: str, days: int) -> int:
        """How many jobs count for tiers (`reset`) or the free quota at the end of the day that is so far ahead."""
        first = FEBRUARY.first_day
        day = first + self.day_of_month - 1 + days
        jobs = self.before_today + (days + 1) * self.jobs_a_day
        if not is_monthly(self.plan.to_document(), reset):
            return jobs
        return (day - Month.of_day(day).first_day + 1) * self.jobs_a_day

    def discount(self, days: int) -> Fraction:
        """The discount that the next job has at the end of that day; -1 is now."""
        number = self.counted("reset", days) + 1
        return tier_of(number, self.plan.to_document())[1]

    def job_cost(self, days: int, jobs_after: int) -> Fraction:
        """What a job costs that has so many behind it on a day."""
        free = self.counted("free_jobs_reset", days) - jobs_after <= self.plan.free_jobs
        _, discount = tier_of(self.counted("reset", days) - jobs_after, self.plan.to_document())
        base = Fraction(0) if free else self.tokens[0] * Fraction(1, 100) + self.tokens[1] * Fraction(3, 100)
        return base * (1 - discount / 100)

    def costs_by_day(self) -> list[Fraction]:
        """The month's cost at the end of today and of each day behind it, job by job."""
        days = range(1 - self.day_of_month, 30 - self.day_of_month)
        costs = accumulate(sum(self.job_cost(day, after) for after in range(self.jobs_a_day)) for day in days)
        return [Fraction(cost) for cost in costs][self.day_of_month - 1 :]


ACCOUNTS = st.builds(
    Steady,
    plan=plans(),
    jobs_a_day=st.integers(1, 6),
    tokens=st.tuples(st.integers(0, 5000), st.integers(0, 5000)),
    day_of_month=st.integers(1, 29),
)


@SOME
@given(ACCOUNTS)
def test_what_never_changes_costs_what_its_jobs_will_cost_one_by_one(account: Steady) -> None:
    projection = Projection(account.known())
    left = 29 - account.day_of_month
    assert projection.days_left == left
    costs = account.costs_by_day()
    for days in {0, left // 2, left}:
        assert [Fraction(end) for end in projection.cost(days)] == [costs[days]] * 3


@SOME
@given(ACCOUNTS, st.fractions(0, 2))
def test_a_budget_is_reached_on_the_day_on_which_the_cost_reaches_it(account: Steady, share: Fraction) -> None:
    costs = account.costs_by_day()
    amount = Decimal(round(share * costs[-1] * 10**6)).scaleb(-6)
    projection = Projection(account.known())
    day = next((day for day, cost in enumerate(costs) if cost >= Fraction(amount)), None)
    assert projection.reaching(amount, projection.cost) == Reach(day, day, day)


@SOME
@given(ACCOUNTS, st.integers(0, 6))
def test_the_keys_parts_sum_to_the_whole(account: Steady, share: int) -> None:
    """A key's jobs and the others' are mixed evenly: at every boundary each has its part of those before it."""
    share = min(share, account.jobs_a_day)
    projection = Projection(account.known(key_share=share))
    these, others = account.usage(share * 20), account.usage((account.jobs_a_day - share) * 20)
    whole = projection._rated(account.usage(account.jobs_a_day * 20), account.usage(0))
    assert projection._rated(these, others) + projection._rated(others, these) <= whole + _one_job(account) * 10
    spent = projection._spent.get(2, Decimal(0))
    assert projection.key_cost(2, 0).expected - spent <= projection.cost(0).expected


def _one_job(account: Steady) -> Decimal:
    return account.tokens[0] * Decimal("0.01") + account.tokens[1] * Decimal("0.03")


@SOME
@given(ACCOUNTS)
def test_the_next_tier_comes_on_the_day_on_which_the_jobs_reach_it(account: Steady) -> None:
    now = account.discount(-1) if account.day_of_month > 1 else _at_the_months_start(account)
    found = Projection(account.known()).next_tier()
    day = next((day for day in range(MOST_DAYS + 1) if account.discount(day) > now), None)
    if all(tier.discount <= now for tier in account.plan.tiers):
        assert found is None
        return
    assert found is not None
    assert found.tier == account.plan.tiers[found.number - 1]
    # Far ahead the interval opens, since only few windows of the history are so long; what is expected stays.
    if day is not None and day <= 28:
        assert found.reach == Reach(day, day, day)
        assert Fraction(found.tier.discount) <= account.discount(day)
    elif day is not None and day <= 90:
        assert found.reach.expected == day


def _at_the_months_start(account: Steady) -> Fraction:
    monthly = is_monthly(account.plan.to_document(), "reset")
    return tier_of(1 if monthly else account.before_today + 1, account.plan.to_document())[1]


@SOME
@given(ACCOUNTS)
def test_the_free_jobs_end_on_the_day_of_the_last_one(account: Steady) -> None:
    known = account.known()
    if not free_jobs_left(*known.standing):
        return
    ends = (day for day in range(90) if account.counted("free_jobs_reset", day) >= account.plan.free_jobs)
    day = next(ends, None)
    reach = Projection(known).end_of_free_jobs()
    if day is not None and day <= 28:
        assert reach == Reach(day, day, day)
    elif day is not None:
        assert reach.expected == day


STEADY = Steady(plan(tiers=tiers((0, 0), (1200, 7))), 3, (100, 10), 20)
"""1,095 jobs before the 20th of February, which has nine days behind it."""


def test_a_change_of_plan_can_bring_the_next_tier_on_the_first_of_a_month() -> None:
    later = plan(tiers=tiers((0, 0), (1000, 20)))
    found = Projection(STEADY.known(later=later)).next_tier()
    assert found is not None
    assert (found.tier.discount, found.number, found.reach) == (Decimal(20), 2, Reach(10, 10, 10))


def test_a_change_of_plan_can_take_the_next_tier_away() -> None:
    found = Projection(STEADY.known(later=plan())).next_tier()
    assert found is not None
    assert (found.tier.after_jobs, found.reach) == (1200, Reach(None, None, None))


def test_a_change_of_plan_moves_the_end_of_the_free_jobs() -> None:
    now, later = plan(free_jobs=2000), plan(free_jobs=1130)
    account = STEADY._replace(plan=now)
    # 30 jobs come in February still; of March's the fifth is the last one free.
    assert Projection(account.known(later=later)).end_of_free_jobs() == Reach(11, 11, 11)
    # The quota of March's plan is used up already when March begins.
    assert Projection(account.known(later=plan(free_jobs=1))).end_of_free_jobs() == Reach(10, 10, 10)


def test_low_and_high_are_in_order_where_more_jobs_of_the_same_tokens_are_cheaper() -> None:
    """The jobs vary and their tokens do not, so that many jobs reach a tier that gives everything away."""
    account = STEADY._replace(plan=plan(tiers=tiers((0, 0), (1110, 100))))
    days = [Usage(1 + i**3 % 5, (300, 30)) for i in range(365)]
    projection = Projection(account.known()._replace(days=days))
    low, expected, high = (projection._rated(usage, account.usage(0)) for usage in projection.outlook.usage(9))
    assert low > expected > high
    costs = projection.cost(9)
    assert costs == Costs(*sorted(costs))
    assert costs.low < costs.expected < costs.high


@SOME
@given(ACCOUNTS, st.integers(0, 28))
def test_a_projection_adds_to_what_is_spent_and_never_takes_away(account: Steady, day: int) -> None:
    known = account.known()
    spent = sum((line.final_cost for line in rate(known.stretch, known.meters)), Decimal(0))
    projection = Projection(known)
    assert spent <= projection.cost(min(day, projection.days_left)).low


@SOME
@given(
    ACCOUNTS,
    st.lists(st.integers(0, 60), min_size=14, max_size=90),
    st.decimals("0.01", "100000", places=2),
    st.floats(0, 1),
)
def test_days_are_in_order_whatever_the_history(
    account: Steady, counts: list[int], more: Decimal, elapsed: float
) -> None:
    known = account.known()._replace(days=[account.usage(jobs) for jobs in counts], elapsed=elapsed)
    projection = Projection(known)
    tier = projection.next_tier()
    for reach in (
        projection.reaching(projection.cost(0).low + more, projection.cost),
        *([projection.end_of_free_jobs()] if free_jobs_left(*known.standing) else []),
        *([] if tier is None else [tier.reach]),
    ):
        days = [MOST_DAYS + 1 if day is None else day for day in reach]
        assert days == sorted(days)
        assert all(day is None or 0 <= day <= MOST_DAYS for day in reach)
