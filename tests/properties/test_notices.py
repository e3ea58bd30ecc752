"""Each notice is said once, whatever the order of jobs, their batches, the notifiers and restarts."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from tallystick.ledger import Ledger
from tallystick.model.money import plain
from tallystick.model.plans import parse_plan
from tests.databases import Databases, run
from tests.properties.playing import for_all, microseconds

NOW: Final = datetime(2025, 6, 15, 12, tzinfo=UTC)
THIS_MONTH: Final = datetime(2025, 6, 1, tzinfo=UTC)
ACCOUNTS: Final = ("acme", "other")
BUDGET: Final = 16
PERCENTS: Final = (25, 50, 80, 100, 130)


class Course(NamedTuple):
    """What happens: the plan, the jobs (account, id, days from the start of the month), and how they arrive.

    A step is a batch of jobs by their numbers, or the number of the notifier that looks, or that starts anew.
    """

    free_jobs: int
    tiers: list[int]
    jobs: list[tuple[str, str, int]]
    steps: list[tuple[str, Any]]


@st.composite
def courses(draw: st.DrawFn) -> Course:
    free_jobs = draw(st.integers(0, 30))
    tiers = sorted(draw(st.sets(st.integers(1, 40), max_size=3)))
    count = draw(st.integers(0, 45))
    days = st.one_of(st.just(0), st.integers(0, 14), st.integers(-40, 14))
    jobs = [(draw(st.sampled_from(ACCOUNTS)), f"job {number}", draw(days)) for number in range(count)]
    # Every job arrives at least once, in any order, some of them again.
    arrivals = draw(st.permutations([*range(count), *draw(st.lists(st.integers(0, max(0, count - 1)), max_size=10))]))
    steps: list[tuple[str, Any]] = []
    while arrivals:
        size = draw(st.integers(1, 15))
        steps.append(("record", arrivals[:size] if count else []))
        arrivals = arrivals[size:]
        steps += draw(st.lists(st.tuples(st.sampled_from(["look", "look", "restart"]), st.integers(0, 1)), max_size=2))
    return Course(free_jobs, tiers, jobs, steps)


def document(course: Course) -> dict[str, Any]:
    tiers = [{"after_jobs": after, "discount": str(5 * (place + 1))} for place, after in enumerate([0, *course.tiers])]
    meters = [{"id": "transcription", "report_as": "transcription_tokens", "price": "1"}]
    return {"name": "drawn", "currency": "USD", "free_jobs": course.free_jobs, "meters": meters, "tiers": tiers}


def wire(course: Course, number: int) -> dict[str, Any]:
    account, name, day = course.jobs[number]
    completed_at = (THIS_MONTH + timedelta(days=day)).isoformat()
    return {
        "id": name,
        "account": account,
        "api_key": "k",
        "completed_at": completed_at,
        "tokens": {"transcription": 1},
    }


def thresholds(course: Course) -> dict[tuple[str, str], int]:
    """Every threshold there is, counted in jobs, by event and its text."""
    found = {("tier.reached", str(after)): after for after in course.tiers}
    if course.free_jobs:
        found["free_jobs.exhausted", str(course.free_jobs)] = course.free_jobs
    if course.free_jobs >= 10:
        low = course.free_jobs - course.free_jobs // 10
        found["free_jobs.low", str(low)] = low
    return found


def play(course: Course, address: str) -> list[tuple[str, str, str]]:
    """Lets the course happen over a database; gives account, event and threshold of every notice that was said."""

    def opened() -> Ledger:
        return Ledger(address, clock=lambda: microseconds(NOW))

    notifiers = [opened(), opened()]
    try:
        notifiers[0].plans.put(parse_plan(document(course)))
        for account in ACCOUNTS:
            notifiers[0].accounts.create(account, plan="drawn")
            notifiers[0].budgets.set(account, amount=BUDGET, thresholds=PERCENTS)
        for step, detail in course.steps:
            if step == "record":
                notifiers[0].record([wire(course, number) for number in detail])
            elif step == "look":
                notifiers[detail].notices.look()
            else:
                notifiers[detail].close()
                notifiers[detail] = opened()
        notifiers[1].notices.look()
        assert notifiers[0].notices.look() == 0
    finally:
        for notifier in notifiers:
            notifier.close()
    rows = run(address, "SELECT a.name, n.event, n.threshold FROM notice AS n JOIN account AS a ON a.id = n.account_id")
    return [(name, event, threshold) for name, event, threshold in rows]


def budget_passed(course: Course, before: int, total: int) -> set[tuple[str, str]]:
    """The budget's thresholds that the jobs of this month pass, whose ranks follow those of so many others."""
    cost = Decimal(0)
    for rank in range(before + 1, total + 1):
        tier = sum(after < rank for after in [0, *course.tiers])
        cost += 0 if rank <= course.free_jobs else 1 - Decimal(5 * tier) / 100
    return {
        ("budget.threshold", f"{each} % of {plain(Decimal(BUDGET))}")
        for each in PERCENTS
        if cost * 100 >= each * BUDGET
    }


def reached(course: Course, account: str, *, through: datetime) -> int:
    """How many of an account's jobs were completed before a moment."""
    return sum(1 for name, _, day in course.jobs if name == account and THIS_MONTH + timedelta(days=day) < through)


@for_all(courses(), share=0.8)
def test_every_threshold_is_said_once_and_none_that_only_past_months_have_passed(
    databases: Databases, course: Course
) -> None:
    """What the finished history passes in this month is said, and nothing that it has not passed at all.

    Jobs of past months that arrive late may move a threshold out of this month after it was said, and let the month
    cost less.
    """
    with databases.fresh() as address:
        said = play(course, address)
    assert max(Counter(said).values(), default=0) <= 1
    for account in ACCOUNTS:
        before = reached(course, account, through=THIS_MONTH)
        total = reached(course, account, through=NOW)
        told = {(event, threshold) for name, event, threshold in said if name == account}
        budget = {key for key in told if key[0] == "budget.threshold"}
        assert budget >= budget_passed(course, before, total)
        counted = told - budget
        known = thresholds(course)
        assert counted >= {key for key, jobs in known.items() if before < jobs <= total}
        assert counted <= {key for key, jobs in known.items() if jobs <= total}
        if before == 0:
            assert counted == {key for key, jobs in known.items() if jobs <= total}
            assert budget == budget_passed(course, 0, total)
        if before == total:
            assert told == set()
