"""Notices: what an account or the provider should hear of, each said once.

What happened is an `Occurrence`; the five parts of its key (with the account) make sure that it is said once, however
jobs arrive. A `Notice` is one that has been said.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tallystick.model.calendar import Calendar
from tallystick.model.instants import DAY, HOUR
from tallystick.model.months import Month
from tallystick.model.wire import Wire

MONTH_LINGERS: Final = HOUR
"""How long after its end a month is still spoken of: jobs of its last minutes arrive in the next one's first."""

LATEST: Final = DAY
"""How late a notifier may be: what it finds accepted longer ago than this is judged as of now."""


class Event(enum.StrEnum):
    """What a notice is about."""

    FREE_JOBS_LOW = "free_jobs.low"
    FREE_JOBS_EXHAUSTED = "free_jobs.exhausted"
    TIER_REACHED = "tier.reached"
    BUDGET_THRESHOLD = "budget.threshold"
    MONTH_CLOSED = "month.closed"
    JOB_LATE = "job.late"
    WEBHOOK_OFF = "webhook.off"
    WEBHOOK_TEST = "webhook.test"
    ACCOUNT_CREATED = "account.created"
    QUARANTINE_ADDED = "quarantine.added"


OF_PROVIDER: Final = frozenset({Event.ACCOUNT_CREATED, Event.QUARANTINE_ADDED})
"""What the provider alone hears of; the rest is about one account, and the provider hears of it too."""

FOR_ACCOUNTS: Final = tuple(event for event in Event if event not in OF_PROVIDER)
"""What an account may ask to hear of."""


class Occurrence(NamedTuple):
    """Something that happened. All but `data` is its key within an account (`account` is `None` for the provider).

    `subject` is what it happened to, where that is not the account itself; `period` the month (``YYYY-MM``) within
    which it is said once, empty for once and for all; `threshold` what was passed; `data` what the notice tells.
    """

    account: str | None
    event: Event
    subject: str
    period: str
    threshold: str
    data: Mapping[str, Any]


class Notice(Wire, frozen=True, kw_only=True):
    """A notice as it was said: `account` is `None` for the provider's own. `id` is every delivery's ``webhook-id``."""

    id: str
    account: str | None
    event: Event
    said_at: str
    data: dict[str, Any]


class NoticePage(Wire, frozen=True, kw_only=True):
    """Some notices, the newest first, and the cursor of the older ones (`None` at the end)."""

    notices: tuple[Notice, ...]
    next_cursor: str | None = None


def months_judged(calendar: Calendar, recorded_at: int | None, now: int) -> tuple[Month, ...]:
    """The months in which thresholds may be said to be passed, where the newest job was accepted at `recorded_at`.

    That is the month that was current then, and within an hour of its start the one before: months that are past
    send none. It follows from when the jobs were accepted, not from when somebody looks, so that a notifier that was
    down misses nothing; after a day it is too late for that. Where no job is new (`None`), a budget or a price is, and
    speaks of the current month alone.
    """
    if recorded_at is None:
        return (calendar.month_of(now),)
    at = recorded_at if now - recorded_at <= LATEST else now
    months = (calendar.month_of(max(0, at - MONTH_LINGERS)), calendar.month_of(at))
    return months[1:] if months[0] == months[1] else months
