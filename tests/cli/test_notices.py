"""``tallystick notice``: each notice as a sentence for people."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tallystick.cli.notices import told
from tallystick.model.notices import Event, Notice
from tests.client.test_unwrapping import DATA

TOLD: dict[Event, str] = {
    Event.FREE_JOBS_LOW: "9 of 100 free jobs are left",
    Event.FREE_JOBS_EXHAUSTED: "the 100 free jobs are used up",
    Event.TIER_REACHED: "tier2 after 1,000 jobs: 7.1 % discount",
    Event.BUDGET_THRESHOLD: "80 % of the budget for 2025-06 reached: 9.25 of 10.5 USD",
    Event.MONTH_CLOSED: "2025-05 is closed: 3 jobs, 0.07592 USD",
    Event.JOB_LATE: "3 jobs of 2025-05 came late, booked in 2025-06",
    Event.WEBHOOK_OFF: "https://x.example/ is switched off: it answered 410 Gone",
    Event.WEBHOOK_TEST: "whe_1 was tried",
    Event.ACCOUNT_CREATED: "2 new: a, b",
    Event.QUARANTINE_ADDED: "3 jobs rejected: 3 invalid",
}


def notice(event: Event, **changes: Any) -> Notice:
    data = {**DATA[event], **changes}
    return Notice(id="ntc_1", account="acme", event=event, said_at="2025-06-15T12:00:00Z", data=data)


@pytest.mark.parametrize("event", list(Event))
def test_every_event_is_told_in_a_sentence(event: Event) -> None:
    assert told(notice(event)) == TOLD[event]


def test_what_a_sentence_depends_on() -> None:
    late = notice(Event.JOB_LATE, jobs=1)
    assert told(late) == "1 job of 2025-05 came late, booked in 2025-06"
    key = notice(Event.BUDGET_THRESHOLD, api_key="k", cost=Decimal("12345.60"))
    assert told(key) == "80 % of the budget of k for 2025-06 reached: 12,345.6 of 10.5 USD"
    many = notice(Event.ACCOUNT_CREATED, count=1204, accounts=list("abcdefgh"))
    assert told(many) == "1,204 new: a, b, c, d, e, …"
