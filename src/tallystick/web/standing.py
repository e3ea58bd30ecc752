"""The tier track: where an account stands among the tiers of its plan, and what the next one will bring."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from tallystick.model.money import EXACT
from tallystick.model.overview import RECENT_DAYS, Overview, Standing, TierMark
from tallystick.web import figures
from tallystick.web.tables import Cell

MOST_SHOWN: Final = 6
"""A plan may have a hundred tiers; those around the account's own are shown."""


class Step(NamedTuple):
    """A tier on the track: how much of it is behind the account, in percent of its length."""

    discount: str
    start: str
    filled: int
    state: str
    jobs: Cell | None


class Track(NamedTuple):
    """The track in words and steps. `hidden_before` and `hidden_after` count the tiers that are not shown."""

    steps: list[Step]
    hidden_before: int
    hidden_after: int
    jobs: str
    next: str
    saving: str


def track_of(overview: Overview, places: int, jobs: Mapping[int, Cell]) -> Track:
    """The track of an account; amounts have so many decimal places, `jobs` are the chosen period's by tier."""
    standing = overview.standing
    first = max(0, min(standing.tier - 3, len(standing.tiers) - MOST_SHOWN))
    shown = standing.tiers[first : first + MOST_SHOWN]
    return Track(
        steps=[_step(standing, mark, jobs.get(mark.number)) for mark in shown],
        hidden_before=first,
        hidden_after=len(standing.tiers) - first - len(shown),
        jobs=_so_far(standing),
        next=_next(standing),
        saving=_saving(standing, overview.currency, places),
    )


def _step(standing: Standing, mark: TierMark, jobs: Cell | None) -> Step:
    if mark.number < standing.tier:
        state, filled = "passed", 100
    elif mark.number > standing.tier:
        state, filled = "ahead", 0
    else:
        state, filled = "current", _filled(standing, mark)
    start = f"after {figures.count(mark.after_jobs)} jobs" if mark.after_jobs else "from the first job"
    return Step(figures.percent(mark.discount), start, filled, state, jobs)


def _filled(standing: Standing, mark: TierMark) -> int:
    if standing.next is None:
        return 100
    return (standing.counted_jobs - mark.after_jobs) * 100 // (standing.next.after_jobs - mark.after_jobs)


def _next(standing: Standing) -> str:
    if standing.next is None:
        return "the last tier is reached" if len(standing.tiers) > 1 else ""
    left = standing.next.after_jobs - standing.counted_jobs
    told = f"{figures.count(left)} more {_reach(left)} {figures.percent(standing.next.discount)}"
    if not standing.recent_jobs:
        return told
    days = -(-left * RECENT_DAYS // standing.recent_jobs)
    if standing.monthly and days > standing.days_left:
        return (
            f"{told}, more than the pace of the last {RECENT_DAYS} days brings in the {_days(standing.days_left)} left"
        )
    return f"{told} (about {_days(days)} at the pace of the last {RECENT_DAYS})"


def _saving(standing: Standing, currency: str, places: int) -> str:
    """What the next tier's discount would have saved of the last days' cost beside the current one's."""
    if standing.next is None or standing.monthly or not standing.recent_base_cost:
        return ""
    more = EXACT.subtract(standing.next.discount, standing.current.discount)
    saved = EXACT.multiply(standing.recent_base_cost, EXACT.scaleb(more, -2))
    if saved <= Decimal(0):
        return ""
    return f"which saves {currency} {figures.money(saved, places)} more in {RECENT_DAYS} days like the last ones"


def _so_far(standing: Standing) -> str:
    jobs = f"{figures.count(standing.counted_jobs)} {'job' if standing.counted_jobs == 1 else 'jobs'}"
    return f"{jobs} so far this month, where tiers count anew each month" if standing.monthly else f"{jobs} so far"


def _days(number: int) -> str:
    return f"{figures.count(number)} {'day' if number == 1 else 'days'}"


def _reach(number: int) -> str:
    return "reaches" if number == 1 else "reach"
