"""How far the forecast of a month's final cost is off, and how often its interval holds, beside the plain run rate.

The accounts are made (`made_histories`): steady, with a weekly rhythm, growing, with spikes, and new. Each is forecast
on several days of every month of a year that the forecast has not seen, at a random time of the day; new ones in their
first four months. Three kinds beyond what the method is made for stand below them. Everything goes through the
product's own forecast and rating, over the standard plan. The method's few numbers were chosen on histories of another
name (``--name tuning``).

Run from the root of the repository: ``python -m benchmarks.forecast``
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from importlib import resources
from typing import Final, NamedTuple

from benchmarks.made_histories import BEYOND, DAYS, HELD_BACK_FROM, KINDS, NEW_UNTIL, START, History, history
from tallystick.model.budgets import Budget, BudgetUse
from tallystick.model.forecast import Forecast
from tallystick.model.money import ZERO
from tallystick.model.months import Month, format_day
from tallystick.model.plans import PlanVersion, parse_plan_toml
from tallystick.model.schedule import Schedule
from tallystick.model.usage import Usage
from tallystick.rating.stretches import Stretch, inner_ranks
from tallystick.report.foreseen import Past, build_forecast
from tallystick.report.outlook import WINDOW_DAYS
from tallystick.report.projection import Known, final_costs, sum_exact

PLAN: Final = parse_plan_toml((resources.files("tallystick.ledger") / "standard.toml").read_text("utf-8"))
SCHEDULE: Final = Schedule([(Month(0), PLAN.name)], {PLAN.name: [PlanVersion(Month(0), PLAN)]})
METERS: Final = tuple(price.meter for price in PLAN.meters)
NOTHING: Final = Usage(0, (0,) * len(METERS))
KEY: Final = 1

DAYS_OF_MONTH: Final = (1, 4, 8, 13, 18, 23, 28)


class Outcome(NamedTuple):
    """One forecast beside what came: errors as shares of the month's cost, and what its intervals held."""

    day_of_month: int
    error: float
    run_rate_error: float
    width: float
    jobs: bool
    tokens: bool
    cost: bool
    budget_day: bool | None


class Account:
    """A made account, its sums and its costs by day."""

    def __init__(self, made: History) -> None:
        self.made = made
        self.before = [0]
        for usage in made.days:
            self.before.append(self.before[-1] + usage.jobs)
        self.costs = [self._cost(day) for day in range(DAYS)]

    def _cost(self, day: int) -> Decimal:
        return sum_exact(final_costs(self.stretch(day, [self.made.days[day]]), METERS).values())

    def stretch(self, first: int, usages: Sequence[Usage]) -> Stretch:
        """Consecutive days, the first of that number, as one stretch; a day's jobs are alike."""
        before = self.before[first]
        jobs = sum(usage.jobs for usage in usages)
        cuts = {rank: {KEY: _up_to(usages, rank - before)} for rank in inner_ranks(PLAN, before, jobs)}
        return Stretch(PLAN, before, {KEY: _sum(usages)}, cuts)


def _up_to(usages: Sequence[Usage], jobs: int) -> Usage:
    taken: list[Usage] = []
    for usage in usages:
        part = min(jobs, usage.jobs)
        taken.append(_part(usage, part))
        jobs -= part
    return _sum(taken)


def _part(usage: Usage, jobs: int) -> Usage:
    return Usage(jobs, tuple(count * jobs // usage.jobs if usage.jobs else 0 for count in usage.tokens))


def _sum(usages: Sequence[Usage]) -> Usage:
    total = NOTHING
    for usage in usages:
        total = total.plus(usage)
    return total


def outcomes(kind: str, account: Account, draw: random.Random) -> Iterator[Outcome | None]:
    """What comes of every forecast of an account, `None` where the forecast said that there is too little history."""
    first, end = (Month.of_day(START), NEW_UNTIL) if kind == "new" else (HELD_BACK_FROM, Month.of_day(START + DAYS))
    for month in first.to(end - 1):
        for day_of_month in DAYS_OF_MONTH:
            yield outcome(account, month, day_of_month, draw)


def outcome(account: Account, month: Month, day_of_month: int, draw: random.Random) -> Outcome | None:
    """What comes of one forecast."""
    begin, end = month.first_day - START, month.last_day + 1 - START
    today, elapsed = begin + day_of_month - 1, draw.random()
    done = sum(draw.random() < account.made.done_by(elapsed) for _ in range(account.made.days[today].jobs))
    so_far = account.stretch(begin, [*account.made.days[begin:today], _part(account.made.days[today], done)])
    known = Known(
        month=month,
        today=START + today,
        elapsed=elapsed,
        stretch=so_far,
        schedule=SCHEDULE,
        meters=METERS,
        days=account.made.days[max(0, today - WINDOW_DAYS) : today],
        key_days={},
    )
    spent = sum_exact(final_costs(so_far, METERS).values())
    amount = sum_exact(account.costs[(month - 1).first_day - START : begin]) if begin else ZERO
    budgets = [_budget(amount, spent)] if amount > spent else []
    foreseen = build_forecast(known, {}, budgets, Past(None, {}), currency=PLAN.currency)
    if foreseen.month_end is None:
        return None
    return _compared(account, foreseen, range(begin, end), today - begin + elapsed, day_of_month)


def _budget(amount: Decimal, spent: Decimal) -> BudgetUse:
    budget = Budget(amount)
    return BudgetUse(
        api_key=None,
        amount=amount,
        thresholds=budget.thresholds,
        cost=spent,
        left=amount - spent,
        used_percentage=ZERO,
        thresholds_passed=(),
    )


def _compared(account: Account, foreseen: Forecast, days: range, elapsed: float, day_of_month: int) -> Outcome | None:
    assert foreseen.month_end is not None
    said, came = foreseen.month_end, _sum(account.made.days[days.start : days.stop])
    cost, costs = sum_exact(account.costs[days.start : days.stop]), said.final_cost
    if not cost:
        return None
    run_rate = Fraction(foreseen.so_far.final_cost) * len(days) / Fraction(max(elapsed, 1e-9))
    transcription = said.tokens["transcription"]
    return Outcome(
        day_of_month=day_of_month,
        error=_share(Fraction(costs.expected) - Fraction(cost), cost),
        run_rate_error=_share(run_rate - Fraction(cost), cost),
        width=_share(Fraction(costs.high) - Fraction(costs.low), cost),
        jobs=said.jobs.low <= came.jobs <= said.jobs.high,
        tokens=transcription.low <= came.tokens[0] <= transcription.high,
        cost=costs.low <= cost <= costs.high,
        budget_day=_budget_day_held(account, foreseen, days),
    )


def _share(part: Fraction, whole: Decimal) -> float:
    return abs(part / Fraction(whole)).__float__()


def _budget_day_held(account: Account, foreseen: Forecast, days: range) -> bool | None:
    """Whether the month before's cost was reached within the days told; `None` where it had been reached already."""
    if not foreseen.budgets:
        return None
    budget, total, came = foreseen.budgets[0], ZERO, "9999"
    for day in days:
        total += account.costs[day]
        if total >= budget.amount:
            came = format_day(START + day)
            break
    return (budget.earliest or "9999") <= came <= (budget.latest or "9999")


def main() -> None:
    """Forecasts every account and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=20, help="accounts of each kind")
    parser.add_argument("--name", default="held back", help="names the histories; another name, other histories")
    arguments = parser.parse_args()
    found: dict[str, list[Outcome | None]] = {}
    for kind in KINDS:
        found[kind] = []
        for number in range(arguments.accounts):
            draw = random.Random(f"days {kind} {arguments.name} {number}")
            found[kind] += outcomes(kind, Account(history(kind, arguments.name, number)), draw)
    print_kinds(found)
    print_days(found)


def print_kinds(found: dict[str, list[Outcome | None]]) -> None:
    """One line for each kind: errors beside the run rate's, and how much of what came lay in the intervals."""
    print(f"{'':8}{'fore-':>7}{'too':>7}   error of cost %   run rate %     in the 80 % interval, %    width")
    print(f"{'kind':8}{'casts':>7}{'little':>7}{'mean':>9}{'median':>8}{'mean':>8}{'median':>8}", end="")
    print(f"{'jobs':>7}{'tokens':>8}{'cost':>6}{'budget':>8}{'%':>7}")
    for kind, all_of_them in found.items():
        made = [each for each in all_of_them if each is not None]
        ours, theirs = [each.error for each in made], [each.run_rate_error for each in made]
        budgets = [each.budget_day for each in made if each.budget_day is not None]
        print(
            f"{kind:8}{len(made):>7,}{len(all_of_them) - len(made):>7,}"
            f"{_percent(statistics.mean(ours)):>9}{_percent(statistics.median(ours)):>8}"
            f"{_percent(statistics.mean(theirs)):>8}{_percent(statistics.median(theirs)):>8}"
            f"{_held([each.jobs for each in made]):>7}{_held([each.tokens for each in made]):>8}"
            f"{_held([each.cost for each in made]):>6}{_held(budgets):>8}"
            f"{_percent(statistics.mean(each.width for each in made)):>7}"
        )


def print_days(found: dict[str, list[Outcome | None]]) -> None:
    """The median error on each day of the month, of the kinds that the method is made for."""
    made = [each for kind in found if kind not in BEYOND for each in found[kind] if each is not None]
    print(f"\n{'day of the month':24}" + "".join(f"{day:>8}" for day in DAYS_OF_MONTH))
    for name, field in (("median error %", "error"), ("median of run rate %", "run_rate_error")):
        medians = [
            statistics.median(getattr(each, field) for each in made if each.day_of_month == day)
            for day in DAYS_OF_MONTH
        ]
        print(f"{name:24}" + "".join(f"{_percent(median):>8}" for median in medians))


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _held(held: Sequence[bool]) -> str:
    return f"{100 * sum(held) / len(held):.0f}"


if __name__ == "__main__":
    main()
